"""For tests of the scheduler: a desk, tickets that fall due when wanted, and what must hold when all is quiet."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise

from sqlalchemy import text

from aftersales import decide, store
from aftersales.catalog import built_in
from aftersales.database import create_engine, reading, writing
from aftersales.decide import NewTicket, Rules
from aftersales.desk import Desk
from aftersales.work_calendar import WorkCalendar

RULES = Rules(built_in(), WorkCalendar.default())
#: KS-EX-01: the merchant answers within 48 hours, or `auto_approve`; the house reminds 24 and 4 hours before
LIMIT, FIRST_REMINDER = timedelta(hours=48), timedelta(hours=24)


def desk_on(url, told=None):
    return Desk(create_engine(url), lambda: RULES, told=told)


def application(at, order_no="1"):
    return NewTicket(
        workflow="exchange", policy="kuaishou", trigger="apply", actor="buyer", at=at,
        facts={"paid_fen": 19900, "reason": "other"}, order_no=order_no,
    )  # fmt: skip


def open_many(desk, count, applied_at, every=timedelta(0), named="order"):
    """`count` tickets in one transaction, the first applied for at `applied_at`, each `every` after the one before."""
    with writing(desk.engine) as connection:
        shop_id = store.shop_id_of(connection, "shop")
        ids = store.next_ids(connection, count)
        numbers = store.next_numbers(connection, shop_id, "EX", applied_at.date(), count)
        changes = [
            decide.open_ticket(
                application(applied_at + i * every, f"{named} {i}"), RULES,
                ticket_id=ids[i], number=numbers[i], shop_id=shop_id,
            )
            for i in range(count)
        ]  # fmt: skip
        store.write(connection, changes)
    return list(ids)


def rows(desk, statement, **values):
    with reading(desk.engine) as connection:
        return connection.execute(text(statement), values).all()


def fired(desk):
    """How many tickets have moved since they were opened."""
    return rows(desk, "SELECT count(*) FROM ticket_event WHERE \"trigger\" = 'auto_approve'")[0][0]


def wrongs(desk, count):
    """What does not hold, in words, once `count` tickets had their one timeout, `auto_approve`. Empty if all does."""
    found = []
    timeouts = Counter(
        i for (i,) in rows(desk, "SELECT ticket_id FROM ticket_event WHERE \"trigger\" = 'auto_approve'")
    )
    if len(timeouts) != count:
        found.append(f"{len(timeouts)} of {count} fired")
    found += [f"ticket {i} fired {n} times" for i, n in timeouts.items() if n > 1]
    told = Counter(i for (i,) in rows(desk, "SELECT ticket_id FROM outbox"))
    seqs = {}
    for i, seq, came_from, came_to in rows(
        desk, "SELECT ticket_id, seq, from_state, to_state FROM ticket_event ORDER BY ticket_id, seq"
    ):
        seqs.setdefault(i, []).append((seq, came_from, came_to))
    for i, version, state in rows(desk, "SELECT id, version, state FROM ticket"):
        story = seqs[i]
        if [seq for seq, _, _ in story] != list(range(1, version + 1)):
            found.append(f"ticket {i}: version {version}, events {story}")
        if any(one[2] != other[1] for one, other in pairwise(story)) or story[-1][2] != state:
            found.append(f"ticket {i}: the chain of states is broken: {story}, now {state}")
        if told[i] != version:
            found.append(f"ticket {i}: {version} events, {told[i]} told")
    early = rows(
        desk, "SELECT count(*) FROM ticket_event WHERE due_at IS NOT NULL AND kind = 'move' AND recorded_at <= due_at"
    )
    if early[0][0]:
        found.append(f"{early[0][0]} fired early")
    return found
