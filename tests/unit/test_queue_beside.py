"""Walking through the queue ticket by ticket, forwards and backwards, on both databases."""

from datetime import timedelta
from itertools import pairwise

import pytest

from aftersales import queries
from aftersales.queries import Wanted
from tests.web.conftest import made_world


@pytest.fixture
def world(database_url):
    """Tickets of every part of the queue: late, with a clock, without one; some at the same instant."""
    world = made_world(database_url)
    for hours in (30, 20, 20, 20, 5):
        world.open(ago=hours)
    world.open("refund", "wechat", ago=10)
    for review in ("R1", "R2"):
        world.place("bad_review", "understanding", review_id=review)
    late = world.inspecting()
    world.now += timedelta(days=7, seconds=2)
    world.desk.sweep(world.now)
    assert queries.ticket(world.engine, late.id).escalated
    return world


@pytest.mark.parametrize(
    "wanted", [Wanted(), Wanted(workflow="exchange"), Wanted(workflow="refund"), Wanted(mark="late")]
)
@pytest.mark.parametrize("counted", [200, 4])
def test_every_ticket_has_the_neighbours_that_the_list_shows(world, wanted, counted):
    listed = [row.ticket for row in queries.queue(world.engine, wanted, world.now).rows]
    around = [queries.beside(world.engine, wanted, world.now, queries.place_of(ticket), counted) for ticket in listed]
    assert [one.place for one in around] == [place if place <= counted else None for place in range(1, len(listed) + 1)]
    for (ticket, here), (following, there) in pairwise(zip(listed, around, strict=True)):
        assert here.after == following.id
        assert there.before == ticket.id
    if around:
        assert (around[0].before, around[-1].after) == (None, None)


def test_a_place_that_is_empty_by_now_still_has_neighbours(world):
    first, second, third = [
        row.ticket for row in queries.queue(world.engine, Wanted(workflow="exchange"), world.now).rows
    ][:3]
    place = queries.place_of(second)
    world.do(second, "cancel", "buyer")
    found = queries.beside(world.engine, Wanted(workflow="exchange"), world.now, place)
    assert (found.before, found.after, found.place) == (first.id, third.id, None)


def test_far_down_the_place_is_not_counted(world):
    last = queries.queue(world.engine, Wanted(), world.now).rows[-1].ticket
    found = queries.beside(world.engine, Wanted(), world.now, queries.place_of(last), counted=2)
    assert found.place is None
    assert found.before is not None
