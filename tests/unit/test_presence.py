"""Who has a ticket open, on both databases: as long as they say so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aftersales.office import accounts, presence
from tests.web.conftest import World, made_world


@pytest.fixture
def world(database_url: str) -> World:
    return made_world(database_url)


def person(world: World, name: str) -> int:
    return accounts.add(world.engine, f"店铺:{name}", name, world.now).id


def seen(world: World, ticket_id: int, but: int | None = None) -> list[tuple[str, str]]:
    found = presence.looking(world.engine, [ticket_id], world.now, but=but)
    return [(one.name, one.doing) for one in found.get(ticket_id, [])]


def test_who_came_first_stands_first_and_oneself_is_left_out(world: World) -> None:
    ticket, other = world.open(), world.open()
    li, chen = person(world, "李雯"), person(world, "陈晓")
    presence.here(world.engine, li, ticket.id, world.now)
    world.now += timedelta(seconds=5)
    presence.here(world.engine, chen, ticket.id, world.now, "reject")
    world.now += timedelta(seconds=5)
    presence.here(world.engine, li, ticket.id, world.now)
    assert seen(world, ticket.id) == [("李雯", ""), ("陈晓", "reject")]
    assert seen(world, ticket.id, but=li) == [("陈晓", "reject")]
    assert seen(world, other.id) == []
    assert {*presence.everywhere(world.engine, world.now)} == {ticket.id}


def test_who_was_not_heard_of_for_half_a_minute_is_gone(world: World) -> None:
    ticket, other, li = world.open(), world.open(), person(world, "李雯")
    presence.here(world.engine, li, ticket.id, world.now)
    world.now += timedelta(seconds=29)
    assert seen(world, ticket.id) == [("李雯", "")]
    world.now += timedelta(seconds=1)
    assert seen(world, ticket.id) == []
    presence.here(world.engine, li, other.id, world.now)
    with world.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM presence").scalar_one() == 1, "old rows are swept away"


def test_who_comes_back_after_a_while_comes_anew(world: World) -> None:
    ticket, li = world.open(), person(world, "李雯")
    presence.here(world.engine, li, ticket.id, world.now)
    world.now += timedelta(minutes=5)
    presence.here(world.engine, li, ticket.id, world.now)
    (one,) = presence.everywhere(world.engine, world.now)[ticket.id]
    assert one.since == world.now


def test_leaving_one_page_for_another_of_the_same_ticket_is_no_leaving(world: World) -> None:
    ticket, li = world.open(), person(world, "李雯")
    presence.here(world.engine, li, ticket.id, world.now)
    presence.here(world.engine, li, ticket.id, world.now, "reject")
    presence.gone(world.engine, li, ticket.id)
    assert seen(world, ticket.id) == [("李雯", "reject")]
    presence.gone(world.engine, li, ticket.id, "reject")
    assert seen(world, ticket.id) == []
