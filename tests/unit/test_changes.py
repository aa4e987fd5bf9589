"""What has changed since: every event once, in order, with its ticket as it stands."""

from aftersales.queries.changes import changed_after, newest_event
from tests.web.conftest import made_world


def test_every_event_since_with_its_ticket_as_it_stands(database_url):
    world = made_world(database_url)
    assert newest_event(world.engine) == 0
    first, second = world.open(), world.open(shop="分店")
    seen = newest_event(world.engine)
    assert changed_after(world.engine, seen, 10) == []
    world.do(first, "approve")
    world.do(second, "note", text="x")
    found = changed_after(world.engine, seen, 10)
    assert [(one.number, one.trigger, one.state, one.version, one.shop_id) for one in found] == [
        (first.number, "approve", "awaiting_buyer_return", 2, first.shop_id),
        (second.number, "note", "pending_merchant_review", 2, second.shop_id),
    ]
    assert [one.event_id for one in found] == sorted(one.event_id for one in found)
    assert changed_after(world.engine, seen, 1) == found[:1]
    # one that was committed after a greater id had been seen
    assert changed_after(world.engine, found[1].event_id, 10, late=[found[0].event_id]) == found[:1]
