"""The questions of the queue on both databases: every filter finds what it says, in order, and the tally counts it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy import event as sql_event

from aftersales import queries
from aftersales.clock import SHANGHAI
from aftersales.database import create_engine, reading, writing
from aftersales.models import metadata
from aftersales.models.tickets import RARE
from aftersales.office import teams
from aftersales.queries import Wanted, tally
from aftersales.queries.queue import DUE, MARKS, amount_fen, due_within, whole_hour
from aftersales.queries.tally import AMOUNTS, Cube
from aftersales.rows import MOVING
from aftersales.ticket import Ticket
from tests.conftest import BACKENDS, fresh_database
from tests.web.conftest import RULES, World, made_world

TICKET, OF_TEAM = metadata.tables["ticket"], metadata.tables["ticket_team"]
STATES = [(key, state.name) for key, table in RULES.catalog.workflows.items() for state in table.waiting]
OWNERS = [None, None, "青禾:陈晓", "青禾:李雯", "谁都可以"]
POLICIES = ["kuaishou", "wechat", "taobao"]


@pytest.fixture(scope="module", params=BACKENDS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """180 tickets of three shops, in every state, late and paused and without rules, due at any hour."""
    made = made_world(fresh_database(request.param))
    rnd = random.Random(1)
    for number in range(180):
        workflow, state = STATES[number % len(STATES)]
        extra = {"member_level": rnd.choice(["1", "2"])} if rnd.random() < 0.3 else {}
        extra |= {"complaint_level": rnd.choice([1, 2])} if rnd.random() < 0.3 else {}
        extra |= {"amount_fen": rnd.randrange(2_000_000)} if rnd.random() < 0.3 else {}
        extra |= {"waybill_no": f"SF{number}"} if workflow == "lost_parcel" else {"review_id": f"R{number}"}
        made.place(workflow, state, rnd.choice(POLICIES), f"店铺{number % 3}", **extra)
    team = teams.add(made.engine, "退款组")
    with writing(made.engine) as connection:
        ids = list(connection.execute(TICKET.select()).scalars())
        for id in ids:
            connection.execute(TICKET.update().where(TICKET.c.id == id).values(**_moved(rnd, made.now)))
        for id in ids[::7]:
            connection.execute(OF_TEAM.insert().values(ticket_id=id, shop_id=1, team_id=team))
    yield made
    made.engine.dispose()


def _moved(rnd: random.Random, now: datetime) -> dict[str, object]:
    """What becomes of a ticket behind the engine's back: rows as there could be, not lives that were lived."""
    values: dict[str, object] = {"owner": rnd.choice(OWNERS), "escalated": rnd.random() < 0.1}
    values["paid_fen"] = rnd.randrange(2_000_000)
    values["entered_at"] = now - timedelta(seconds=rnd.randrange(900_000))
    if rnd.random() < 0.7:
        seconds = rnd.choice([rnd.randint(-9000, 9000), rnd.randint(0, 300_000), rnd.randint(0, 3_000_000), 0, 14400])
        values |= {"due_at": now + timedelta(seconds=seconds), "rule_id": "KS-EX-01", "no_clock_reason": None}
        values["provisional"] = rnd.random() < 0.1
    else:
        reason = rnd.choice(["no_limit", "policy_missing", "no_rule"])
        values |= {"due_at": None, "rule_id": None, "no_clock_reason": reason, "provisional": False}
        values["paused"] = [_paused(now)] if rnd.random() < 0.3 else []
    values["trouble"] = "KeyError" if rnd.random() < 0.1 else None
    return values


def _paused(now: datetime) -> dict[str, object]:
    at = {"counted_from": now.isoformat(), "due_at": now, "set_at": now}
    return {"rule": "WX-01", "version": "undated", "timeout": "auto_approve", **at, "left_seconds": 60}


# ── asked in Python, as plainly as can be ──


def _rows(engine: Engine) -> list[dict[str, object]]:
    statement = (
        TICKET.outerjoin(OF_TEAM, OF_TEAM.c.ticket_id == TICKET.c.id).select().where(TICKET.c.closed_at.is_(None))
    )
    with reading(engine) as connection:
        return [dict(row._mapping) for row in connection.execute(statement)]


def _fits(row, wanted: Wanted, now: datetime) -> bool:
    fields, due = row["fields"], row["due_at"]
    start, end = due_within(wanted, now)
    late = row["escalated"] or row["overdue_in"] == row["state"]
    amount = next(x for x in (row["refund_fen"], fields.get("amount_fen"), row["paid_fen"]) if x is not None)
    marks = {
        "late": late or (due is not None and due < now),
        "escalated": row["escalated"],
        "paused": bool(row["paused"]),
        "provisional": row["provisional"],
        "no_rule": row["no_clock_reason"] == "policy_missing",
        "trouble": row["trouble"] is not None,
    }
    return all([
        wanted.workflow in ("", row["workflow"]),
        wanted.policy in ("", row["policy"]),
        wanted.shop_id in (None, row["shop_id"]),
        wanted.team_id in (None, row["team_id"]),
        wanted.states is None or (row["workflow"], row["state"]) in wanted.states,
        wanted.owners is None or row["owner"] in wanted.owners,
        wanted.level in ("", str(fields.get("complaint_level"))),
        wanted.member in ("", str(fields.get("member_level"))),
        not wanted.mark or marks[wanted.mark],
        amount >= wanted.from_fen,
        start is None or (due is not None and due >= start),
        end is None or (due is not None and due < end),
    ])  # fmt: skip


def _order(row, now: datetime):
    late = row["escalated"] or row["overdue_in"] == row["state"]
    part = 0 if late else 1 if row["due_at"] is not None else 2
    return part, row["due_at"] if part == 1 else row["entered_at"], row["id"]


def maybe(*values):
    return st.sampled_from(["", "", *values])


@st.composite
def filters(draw, now: datetime):
    hour = whole_hour(now)
    states = draw(st.none() | st.frozensets(st.sampled_from(STATES), max_size=12))
    owners = draw(st.none() | st.frozensets(st.sampled_from([*OWNERS, "不在:这里"]), max_size=3))
    edges = [None, None, hour + timedelta(hours=2), hour + timedelta(hours=30)]
    return Wanted(
        workflow=draw(maybe(*RULES.catalog.workflows)), policy=draw(maybe(*POLICIES)),
        shop_id=draw(st.sampled_from([None, None, 1, 2, 3, 99])), states=states, owners=owners,
        team_id=draw(st.sampled_from([None, None, None, 1, 99])), due=draw(maybe(*DUE)),
        due_from=draw(st.sampled_from(edges)), due_to=draw(st.sampled_from(edges)), mark=draw(maybe(*MARKS)),
        level=draw(maybe("1", "2", "9")), member=draw(maybe("1", "2")),
        from_fen=draw(st.sampled_from([0, 0, *AMOUNTS])),
    )  # fmt: skip


@given(data=st.data())
@settings(max_examples=40)
def test_every_filter_finds_and_counts_what_it_says(world, data):
    now = world.now
    wanted = data.draw(filters(now))
    expected = sorted((row for row in _rows(world.engine) if _fits(row, wanted, now)), key=lambda row: _order(row, now))
    cube = tally.ask(world.engine, now)
    assert cube.can_tell(wanted)
    assert cube.count(cube.mask(wanted)) == len(expected)
    assert queries.count(world.engine, wanted, now, 1000) == len(expected)
    found, after = [], None
    while True:
        page = queries.queue(world.engine, wanted, now, after=after, limit=20)
        found += [waiting.ticket.id for waiting in page.rows]
        if (after := page.next) is None:
            break
    assert found == [row["id"] for row in expected]
    assert [id for id, _ in queries.chosen(world.engine, wanted, now)] == found
    rows, still = queries.some(world.engine, [row["id"] for row in _rows(world.engine)][:40], wanted, now)
    assert still == {waiting.ticket.id for waiting in rows} & set(found)


def test_the_cube_sums_money_and_hours(world):
    now, rows = world.now, _rows(world.engine)
    cube = tally.ask(world.engine, now)
    tickets = queries.loaded(world.engine, [row["id"] for row in rows])
    assert cube.fen(cube.all) == sum(map(amount_fen, tickets))
    for hours in (1, 5, 72):
        end = whole_hour(now) + timedelta(hours=hours)
        due = [row for row in rows if row["due_at"] is not None and now <= row["due_at"] < end]
        assert cube.count(cube.due_between(now, end)) == len(due)


def test_what_the_cube_cannot_tell_it_says_so(world):
    cube = tally.ask(world.engine, world.now)
    assert not cube.can_tell(Wanted(text="梅子酱"))
    assert not cube.can_tell(Wanted(from_fen=12345))
    assert not cube.can_tell(Wanted(due_from=world.now + timedelta(minutes=7)))
    assert not cube.can_tell(Wanted(due_to=whole_hour(world.now) + timedelta(days=30)))


def test_a_cube_of_nothing_counts_nothing():
    from aftersales.clock import parse

    cube = Cube([], parse("2026-10-02 14:32:00"))
    assert cube.count(cube.mask(Wanted(mark="late", due="4h", states=frozenset(STATES)))) == 0
    assert cube.fen(cube.all) == 0


def test_today_ends_at_midnight_in_beijing(world):
    _, end = due_within(Wanted(due="today"), world.now)
    assert end is not None
    assert f"{end.astimezone(SHANGHAI):%m-%d %H:%M}" == "10-03 00:00"


# ── kept in the process ──


def test_a_small_desk_is_counted_anew_each_time(database_url, monkeypatch):
    world = made_world(database_url)
    told = tally.of(world.engine)
    first = told.current(world.now)
    world.open()
    second = told.current(world.now)
    assert (first.count(first.all), second.count(second.all)) == (0, 1)
    assert tally.of(world.engine) is told


def test_a_large_desk_is_counted_behind_the_page(sqlite_url, monkeypatch):
    monkeypatch.setattr(tally, "SMALL", 0)
    monkeypatch.setattr(tally, "FRESH", 0.0)
    monkeypatch.setattr(tally, "TIMES", 0.0)
    monkeypatch.setattr(tally, "PATIENCE", 30.0)
    world = made_world(sqlite_url)
    world.open()
    told = tally.of(world.engine)
    first = told.current(world.now)
    assert first is not None
    assert first.count(first.all) == 1
    world.open()
    told.current(world.now)
    told._asking.join(30)
    newer = told.cube
    assert newer.count(newer.all) == 2


def test_a_ticket_read_for_the_list_has_its_newest_entry(database_url):
    world = made_world(database_url)
    ticket = world.open()
    world.do(ticket, "approve")
    world.do(ticket, "note", text="买家催")
    (waiting,) = queries.queue(world.engine, Wanted(), world.now).rows
    assert isinstance(waiting.ticket, Ticket)
    assert waiting.last.facts["text"] == "买家催"
    assert waiting.moved.trigger == "approve"


def test_a_first_page_across_shops_reads_no_more_than_it_shows(sqlite_url):
    """The plan, for every part: an index in its order, no sorting."""
    engine = create_engine(sqlite_url)
    queue = __import__("sys").modules["aftersales.queries.queue"]
    now = made_world(sqlite_url).now
    from sqlalchemy.dialects import sqlite

    for part, index in ((0, "ix_ticket_late"), (1, "ix_ticket_queue"), (2, "ix_ticket_still")):
        statement = queue._part_of_queue("sqlite", part, replace(Wanted(), workflow="exchange"), now, None).limit(50)
        sql = str(statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
        with reading(engine) as connection:
            plan = " ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}"))
        assert index in plan
        assert "TEMP B-TREE" not in plan
    engine.dispose()


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(level="L4"), "ix_ticket_level"),
        (Wanted(member="V7"), "ix_ticket_member"),
        (Wanted(from_fen=500_000), "ix_ticket_large"),
        (Wanted(shop_id=1), "ix_ticket_queue"),
    ],
)
def test_what_is_rare_is_found_by_its_index_and_no_ticket_is_scanned(database_url, wanted, index):
    """Every question that the first page and its count ask of the tickets, as it is asked."""
    engine = create_engine(database_url)
    now, asked = made_world(database_url).now, []
    sql_event.listen(engine, "before_cursor_execute", lambda *said: asked.append((said[2], said[3])))
    queries.queue(engine, wanted, now)
    queries.count(engine, wanted, now, 1000)
    of_tickets = [one for one in asked if "FROM ticket" in one[0]]
    with reading(engine) as connection:
        words = "EXPLAIN QUERY PLAN "
        if connection.dialect.name == "postgresql":
            words = "EXPLAIN "
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explained = [connection.exec_driver_sql(words + statement, values).all() for statement, values in of_tickets]
    plans = [str(row[-1]) for plan in explained for row in plan]
    engine.dispose()
    assert any(index in line for line in plans)
    assert not [line for line in plans if line == "SCAN ticket" or "Seq Scan on ticket " in line]


def test_the_sweep_writes_none_of_the_indexes_on_what_is_rare(sqlite_url):
    """SQLite opens every index that an UPDATE may change: those on expressions are not among them."""
    engine = create_engine(sqlite_url)
    columns = ", ".join(f"{name} = 1" for name in MOVING)
    with reading(engine) as connection:
        roots = dict(
            connection.exec_driver_sql("SELECT rootpage, name FROM sqlite_master WHERE tbl_name = 'ticket'").all()
        )
        code = connection.exec_driver_sql(f"EXPLAIN UPDATE ticket SET {columns} WHERE id = 1").all()
    engine.dispose()
    written = {roots[row[3]] for row in code if row[1] == "OpenWrite"}
    assert "ix_ticket_queue" in written
    assert not written & set(RARE)
