"""What is written comes back, whole or not at all; what must never be true is refused. On both databases."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from aftersales import store
from aftersales.database import Violation, create_engine, reading, writing
from aftersales.rows import EVENT, TICKET, event_from_row, event_hash
from aftersales.store import Stale, Taken
from aftersales.ticket import NOWHERE, Change, Clock, Event, Payment, Ticket

T0 = datetime(2022, 10, 1, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
REVIEW = Clock("KS-EX-01", "2022-09-30", "auto_approve", T0, T0 + 48 * HOUR, T0)
RETURN = Clock("KS-EX-02", "2022-09-30", "return_timeout", T0 + 48 * HOUR, T0 + 288 * HOUR, T0 + 48 * HOUR)
UNUSUAL = Clock(
    rule="KS-RP-06",
    version="2022-09-30",
    timeout="visit_missed",
    counted_from=T0,
    due_at=T0 + 5 * HOUR,
    set_at=T0 + HOUR,
    basis="agreement",
    computed_due_at=T0 + 9 * HOUR,
    provisional=True,
    left_seconds=7,
)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = create_engine(database_url)
    with writing(engine) as connection:
        assert store.shop_id_of(connection, "一号店") == 1
    yield engine
    engine.dispose()


# ── small words to tell stories with ──────────────────────────────────────────────────────────────────────────────────


def a_ticket(ticket_id: int = 1, **rest: Any) -> Ticket:
    values: dict[str, Any] = {
        "id": ticket_id,
        "shop_id": 1,
        "number": f"EX-221001-{ticket_id:04d}",
        "workflow": "exchange",
        "policy": "kuaishou",
        "authority": "local",
        "state": "pending_merchant_review",
        "version": 1,
        "opened_at": T0,
        "applied_at": T0,
        "entered_at": T0,
        "applied_seq": 1,
        "entered_seq": 1,
        "moved_seq": 1,
        "paid_fen": 19900,
        "clocks": (REVIEW,),
        "alarm_at": REVIEW.alarm_at,
        "open_key": f"E{ticket_id}/1",
        "recorded_at": T0,
    }
    return Ticket(**values | rest)


def an_event(seq: int = 1, kind: str = "move", trigger: str = "apply", **rest: Any) -> Event:
    values: dict[str, Any] = {
        "actor": "buyer",
        "actor_name": "买家小李",
        "from_state": NOWHERE if seq == 1 else "pending_merchant_review",
        "to_state": "pending_merchant_review",
        "at": T0,
        "recorded_at": T0 + timedelta(microseconds=250_000),
    }
    return Event(seq, kind, trigger, **values | rest)


def opened(ticket: Ticket, **rest: Any) -> Change:
    return Change(None, ticket, (an_event(clocks=ticket.clocks),), **rest)


def noted(before: Ticket, **changes: Any) -> Change:
    """One more event, which changes what is given."""
    after = before.but(version=before.version + 1, **changes)
    return Change(before, after, (an_event(after.version, "note", "note", clocks=after.clocks),))


def by_somebody_else(before: Ticket) -> Change:
    after = before.but(version=before.version + 1, state="elsewhere")
    return Change(before, after, (an_event(after.version, actor_name="别人"),))


def write(engine: Engine, *changes: Change, **rest: Any) -> list[Ticket]:
    """Writes them in one transaction; returns the tickets as they then stand."""
    with writing(engine) as connection:
        store.write(connection, changes, **rest)
    return load(engine, *(change.after.id for change in changes))


def load(engine: Engine, *ids: int) -> list[Ticket]:
    with reading(engine) as connection:
        return store.load(connection, ids)


def rows(engine: Engine, statement: str) -> list[tuple[Any, ...]]:
    with reading(engine) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement)]


def refused(engine: Engine, statement: str) -> str:
    """The constraint that refuses the statement."""
    with pytest.raises(Violation) as found, writing(engine) as connection:
        connection.exec_driver_sql(statement)
    return found.value.constraint


# ── what is written comes back ────────────────────────────────────────────────────────────────────────────────────────


def full(ticket_id: int) -> Ticket:
    """A value in each field that is not its default."""
    return a_ticket(
        ticket_id,
        authority="platform",
        state="inspecting",
        applied_at=T0 + HOUR,
        entered_at=T0 + 2 * HOUR + timedelta(microseconds=1),
        applied_seq=1,
        entered_seq=1,
        moved_seq=1,
        left_state="awaiting_merchant_receipt",
        overdue_in="inspecting",
        escalated=True,
        goods="merchant",
        paid_fen=2**62,
        refunded_fen=100,
        refund_fen=6666,
        order_no="2022100100001",
        item_no="SKU-1",
        buyer="李*",
        owner="小王",
        fields={
            "ship_to": '上海市\n"浦东"\\新区 😀',
            "signed_at": T0 - HOUR,
            "worn": False,
            "note": None,
            "evidence": ["photo", "unboxing_video"],
            "pieces": {"b": 1, "a": [True, -5]},
        },
        flags=("collect_goods", "buyer_feedback_due"),
        clocks=(RETURN, UNUSUAL),
        paused=(REVIEW,),
        alarm_at=T0 + 3 * HOUR,
        open_key="2022100100001/SKU-1",
        platform_no="7001",
        recorded_at=T0 + 4 * HOUR,
    )


def test_every_field_of_a_new_ticket_comes_back(engine: Engine) -> None:
    ticket = full(1)
    [found] = write(engine, opened(ticket))

    assert found == ticket.but(last_hash=found.last_hash)
    assert type(found.fields["signed_at"]) is datetime
    assert type(found.escalated) is bool
    assert found.opened_at.tzinfo is UTC
    default = a_ticket()
    same = [name for name in TICKET if getattr(ticket, name) == getattr(default, name)]
    same_by_nature = {"id", "shop_id", "number", "workflow", "policy", "opened_at"}
    versions = {"version", "applied_seq", "entered_seq", "moved_seq"}
    written_elsewhere = {"last_hash", "trouble", "trouble_count", "no_clock_reason", "closed_at"}
    assert set(same) <= same_by_nature | versions | written_elsewhere, (
        "the test must give each field a value of its own"
    )


def test_every_field_that_may_change_comes_back_changed(engine: Engine) -> None:
    [before] = write(engine, opened(a_ticket()))
    after = full(1).but(version=2, applied_seq=2, entered_seq=2, moved_seq=2, number=before.number)

    [found] = write(engine, Change(before, after, (an_event(2, clocks=after.clocks),)))

    assert found == after.but(last_hash=found.last_hash)


def test_a_closed_ticket_comes_back(engine: Engine) -> None:
    [before] = write(engine, opened(a_ticket()))
    closed = {"clocks": (), "alarm_at": None, "closed_at": T0 + HOUR, "open_key": None, "state": "cancelled"}
    [found] = write(engine, noted(before, **closed))
    assert (found.closed_at, found.clocks, found.due_at, found.alarm_at) == (T0 + HOUR, (), None, None)


@pytest.mark.parametrize(
    "changes",
    [{"state": "x"}, {"flags": ("f",)}, {"fields": {"a": 1}}, {"owner": "小张"}, {"applied_at": T0 + HOUR}],
    ids=lambda changes: next(iter(changes)),
)
def test_each_kind_of_change_writes_what_it_changed_and_nothing_else(engine: Engine, changes: dict[str, Any]) -> None:
    [before, other] = write(engine, opened(full(1)), opened(a_ticket(2)))
    [found] = write(engine, noted(before, **changes))
    assert found == before.but(version=2, last_hash=found.last_hash, **changes)
    assert load(engine, 2) == [other]


def test_the_clock_that_ends_first_stands_in_columns_of_its_own(engine: Engine) -> None:
    write(engine, opened(a_ticket(clocks=(RETURN, UNUSUAL))))
    columns = "rule_id, rule_version, clock_timeout, clock_basis"
    assert rows(engine, f"SELECT {columns} FROM ticket") == [("KS-RP-06", "2022-09-30", "visit_missed", "agreement")]


def test_tickets_come_in_the_order_asked_and_missing_ones_are_left_out(engine: Engine) -> None:
    write(engine, *(opened(a_ticket(number)) for number in (1, 2, 3)))
    assert [ticket.id for ticket in load(engine, 3, 9, 1)] == [3, 1]
    with writing(engine) as connection:
        assert [ticket.id for ticket in store.load(connection, [3, 1], lock=True)] == [3, 1]
        assert store.load_by_number(connection, 1, "EX-221001-0002", lock=True) == load(engine, 2)[0]
        assert store.load_by_number(connection, 2, "EX-221001-0002") is None, "another shop's"


def test_history_comes_oldest_first_with_its_facts(engine: Engine) -> None:
    [ticket] = write(engine, opened(a_ticket()))
    facts = {"kind": "photo", "occurred_at": T0, "pieces": [1, {"x": None}]}
    evidence = an_event(2, "evidence", "add_evidence", facts=facts, actor="agent")
    write(engine, Change(ticket, ticket.but(version=2), (evidence,)))
    with reading(engine) as connection:
        first, second = store.history(connection, 1)
        assert store.histories(connection, [1, 5]) == {1: [first, second], 5: []}
    assert (first.seq, first.kind, first.trigger, first.at, first.facts) == (1, "move", "apply", T0, {})
    assert (second.actor, second.facts) == ("agent", facts)


# ── all or nothing ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_change_of_a_version_that_is_gone_is_stale_and_nothing_is_kept(engine: Engine) -> None:
    one, two, three = write(engine, *(opened(a_ticket(number)) for number in (1, 2, 3)))
    write(engine, by_somebody_else(two))
    with pytest.raises(Stale) as stale:
        write(engine, noted(one), noted(two), noted(three, owner="小王"))
    assert stale.value.ticket_ids == (2,)
    assert [ticket.version for ticket in load(engine, 1, 2, 3)] == [1, 2, 1]
    assert rows(engine, "SELECT count(*) FROM ticket_event") == [(4,)]
    assert rows(engine, "SELECT count(*) FROM outbox") == [(4,)]


def test_a_double_click_is_stale(engine: Engine) -> None:
    """Twice the very same change: nothing but the version tells them apart."""
    [ticket] = write(engine, opened(a_ticket()))
    write(engine, noted(ticket))
    with pytest.raises(Stale) as stale:
        write(engine, noted(ticket))
    assert stale.value.ticket_ids == (1,)


def test_a_ticket_that_is_not_there_is_stale(engine: Engine) -> None:
    with pytest.raises(Stale):
        write(engine, noted(a_ticket(7)))


def test_a_version_that_does_not_count_its_events_is_a_mistake_of_the_caller(engine: Engine) -> None:
    with pytest.raises(ValueError, match="EX-221001-0001: version 3 does not count its events"):
        write(engine, opened(a_ticket(version=3)))


def test_two_changes_of_one_ticket_in_one_call_are_one(engine: Engine) -> None:
    [ticket] = write(engine, opened(a_ticket()))
    first = noted(ticket, state="a")
    second = noted(first.after, state="b")
    write(engine, first, second)
    [found] = load(engine, 1)
    assert (found.version, found.state) == (3, "b")
    assert chain(engine, 1) == found.last_hash
    with pytest.raises(Stale):
        write(engine, noted(found), noted(found))


def test_two_changes_of_one_ticket_in_one_transaction_make_one_chain(engine: Engine) -> None:
    """The door lets the clock catch up, then takes the step: the second change begins from the first's `after`."""
    [ticket] = write(engine, opened(a_ticket()))
    with writing(engine) as connection:
        caught_up = noted(ticket, state="a")
        store.write(connection, [caught_up])
        store.write(connection, [noted(caught_up.after, state="b")])
    [found] = load(engine, 1)
    assert (found.version, found.state) == (3, "b")
    assert chain(engine, 1) == found.last_hash


def test_what_was_not_loaded_anew_cannot_break_the_chain_in_a_later_transaction(engine: Engine) -> None:
    [ticket] = write(engine, opened(a_ticket()))
    change = noted(ticket)
    write(engine, change)
    with pytest.raises(Stale):
        write(engine, noted(change.after))


def test_what_was_rolled_back_is_in_nobodys_way(engine: Engine) -> None:
    """PostgreSQL: the temporary tables are rolled back too, while statements prepared for them live on."""
    for attempt in range(8):
        with pytest.raises(Stale):
            write(engine, opened(a_ticket(attempt + 100)), noted(a_ticket(7)))
    [ticket] = write(engine, opened(a_ticket(1)))
    for _ in range(8):
        with pytest.raises(Violation):
            write(engine, noted(ticket, refund_fen=10**6))
        [ticket] = write(engine, noted(ticket, state="moved"))
    assert ticket.version == 9
    assert chain(engine, 1) == ticket.last_hash


def test_a_thousand_changes_are_written_like_one(engine: Engine) -> None:
    tickets = write(engine, *(opened(a_ticket(number)) for number in range(1, 1001)))
    found = write(engine, *(noted(ticket, state="moved") for ticket in tickets))
    assert {(ticket.version, ticket.state) for ticket in found} == {(2, "moved")}
    assert chain(engine, 777) == found[776].last_hash


# ── the chain of hashes ───────────────────────────────────────────────────────────────────────────────────────────────


def chain(engine: Engine, ticket_id: int) -> str:
    """Seals the events of a ticket again, as `audit` does; returns the last hash."""
    names = ", ".join(f'"{name}"' for name in EVENT)
    previous = ""
    for row in rows(engine, f"SELECT {names} FROM ticket_event WHERE ticket_id = {ticket_id} ORDER BY seq"):
        *_, command_key, kept_previous, kept = row
        assert kept_previous == previous
        previous = event_hash(previous, row[0], row[1], event_from_row(row), command_key)
        assert kept == previous
    return previous


def test_the_events_of_a_ticket_are_a_chain(engine: Engine) -> None:
    [ticket] = write(engine, opened(full(1)), command_key="key 1")
    facts = {"text": "改为“换货”\n", "z": [1, 2], "a": {"y": True, "x": None}, "occurred_at": T0}
    event = an_event(2, "note", "note", facts=facts, due_at=T0, rule="KS-EX-01", rule_version="2022-09-30")
    [found] = write(engine, Change(ticket, ticket.but(version=2), (event,)))
    assert found.last_hash == chain(engine, 1)


def test_a_seal_is_the_sha256_of_a_json_array(engine: Engine) -> None:
    """Spelt out, so that anybody can check a chain without this program."""
    facts = {"b": "是", "a": 1, "at_at": T0}
    event = an_event(facts=facts, due_at=T0, rule="KS-EX-01", rule_version="2022-09-30", clocks=(REVIEW, UNUSUAL))
    day = "2022-10-01T"
    review = {"counted_from": f"{day}02:00:00Z", "due_at": "2022-10-03T02:00:00Z", "rule": "KS-EX-01"}
    review |= {"set_at": f"{day}02:00:00Z", "timeout": "auto_approve", "version": "2022-09-30"}
    unusual: dict[str, Any] = {
        "basis": "agreement",
        "computed_due_at": f"{day}11:00:00Z",
        "counted_from": f"{day}02:00:00Z",
    }
    unusual |= {"due_at": f"{day}07:00:00Z", "left_seconds": 7, "provisional": True, "rule": "KS-RP-06"}
    unusual |= {"set_at": f"{day}03:00:00Z", "timeout": "visit_missed", "version": "2022-09-30"}
    told = ["", 1, 42, 1, "move", "apply", "buyer", "买家小李", NOWHERE, "pending_merchant_review"]
    told += [f"{day}02:00:00Z", f"{day}02:00:00.250000Z", f"{day}02:00:00Z", "KS-EX-01", "2022-09-30"]
    told += [{"a": 1, "at_at": f"{day}02:00:00Z", "b": "是"}, [review, unusual], "key"]
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    assert event_hash("", 1, 42, event, "key") == hashlib.sha256(text.encode()).hexdigest()


# ── what the outside is told, money, waybills ─────────────────────────────────────────────────────────────────────────


def test_the_outside_is_told_of_moves_reminders_targets_deadlines_and_owners_only(engine: Engine) -> None:
    [ticket] = write(engine, opened(a_ticket()))
    kinds = ("note", "reminder", "evidence", "target", "contact", "deadline", "assign", "calendar")
    events = tuple(an_event(seq, kind, kind) for seq, kind in enumerate(kinds, 2))
    write(engine, Change(ticket, ticket.but(version=9), events))
    told = rows(engine, "SELECT topic, seq, attempts, sent_at FROM outbox ORDER BY id")
    assert told == [
        ("ticket.move", 1, 0, None),
        ("ticket.reminder", 3, 0, None),
        ("ticket.target", 5, 0, None),
        ("ticket.deadline", 7, 0, None),
        ("ticket.assign", 8, 0, None),
    ]
    [(payload,)] = rows(engine, "SELECT payload FROM outbox WHERE seq = 1")
    said = json.loads(payload) if isinstance(payload, str) else payload
    assert said["at"] in ("2022-10-01T02:00:00Z", T0)
    assert {**said, "at": None} == {
        "at": None,
        "from": NOWHERE,
        "number": "EX-221001-0001",
        "ticket": 1,
        "to": "pending_merchant_review",
        "trigger": "apply",
    }


LEDGER = "SELECT purpose, amount_fen, status, idempotency_key, tried_at FROM payment ORDER BY id"


def paying(before: Ticket, at: datetime, *payments: Payment) -> Change:
    event = an_event(before.version + 1, "move", "pay", recorded_at=at)
    return Change(before, before.but(version=before.version + 1), (event,), payments)


def test_a_payment_is_ordered_once_and_a_retry_keeps_its_key(engine: Engine) -> None:
    [ticket] = write(engine, opened(a_ticket()))
    [ticket] = write(engine, paying(ticket, T0, Payment("refund", 6666)))
    [ordered] = rows(engine, LEDGER)
    assert ordered[:4] == ("refund", 6666, "ordered", "1:EX-221001-0001:refund:2")
    [ticket] = write(engine, paying(ticket, T0 + HOUR, Payment("refund", 6666, "failed")))
    [failed] = rows(engine, LEDGER)
    assert failed == (*ordered[:2], "failed", *ordered[3:]), "a failure is not a try"
    [ticket] = write(engine, paying(ticket, T0 + 2 * HOUR, Payment("refund", 6666)))
    [again] = rows(engine, LEDGER)
    assert again[:4] == ordered[:4]
    assert again[4] != ordered[4]
    write(engine, paying(ticket, T0 + 3 * HOUR, Payment("refund", 6666, "paid"), Payment("compensation", 1)))
    assert [row[:3] for row in rows(engine, LEDGER)] == [("refund", 6666, "paid"), ("compensation", 1, "ordered")]


def test_only_after_a_failure_may_another_amount_be_ordered_and_it_is_another_order(engine: Engine) -> None:
    [ticket] = write(engine, opened(a_ticket()))
    [ticket] = write(engine, paying(ticket, T0, Payment("compensation", 500)))
    with pytest.raises(Violation, match="i28_payment_ledger_rule"):
        write(engine, paying(ticket, T0, Payment("compensation", 800)))
    [ticket] = write(engine, paying(ticket, T0, Payment("compensation", 500, "failed")))
    [ticket] = write(engine, paying(ticket, T0, Payment("compensation", 800)))
    [row] = rows(engine, LEDGER)
    assert row[:4] == ("compensation", 800, "ordered", "1:EX-221001-0001:compensation:4")


def test_money_that_left_has_left(engine: Engine) -> None:
    [ticket] = write(engine, opened(a_ticket()))
    [ticket] = write(engine, paying(ticket, T0, Payment("refund", 1, "paid")))
    with pytest.raises(Violation) as refusal:
        write(engine, paying(ticket, T0, Payment("refund", 1)))
    assert refusal.value.constraint == "i28_payment_ledger_rule"


def test_a_waybill_is_used_once_in_a_shop(engine: Engine) -> None:
    write(engine, opened(a_ticket(1), waybills=("SF12345678",)))
    with reading(engine) as connection:
        assert store.waybill_used(connection, 1, "SF12345678")
        assert not store.waybill_used(connection, 2, "SF12345678"), "another shop's"
    with pytest.raises(Taken) as taken:
        write(engine, opened(a_ticket(2), waybills=("SF12345678",)))
    assert taken.value.what == "waybill"
    assert load(engine, 2) == []


@pytest.mark.parametrize(
    ("what", "second"),
    [
        ("open_key", {"open_key": "E1/1"}),
        ("platform_no", {"platform_no": "7001"}),
        ("number", {"number": "EX-221001-0001"}),
    ],
)
def test_what_is_taken_is_named(engine: Engine, what: str, second: dict[str, Any]) -> None:
    write(engine, opened(a_ticket(1, platform_no="7001")))
    with pytest.raises(Taken) as taken:
        write(engine, opened(a_ticket(2, **second)))
    assert taken.value.what == what
    with reading(engine) as connection:
        assert store.open_ticket_on(connection, 1, "exchange", "E1/1") == 1
        assert store.open_ticket_on(connection, 1, "refund", "E1/1") is None
        assert store.find_platform_no(connection, 1, "kuaishou", "7001") == 1
        assert store.find_platform_no(connection, 1, "wechat", "7001") is None


def test_a_closed_ticket_frees_its_item(engine: Engine) -> None:
    [ticket] = write(engine, opened(a_ticket(1)))
    write(engine, noted(ticket, clocks=(), alarm_at=None, closed_at=T0))  # even if it keeps its key
    [second] = write(engine, opened(a_ticket(2, open_key="E1/1")))
    assert second.id == 2


# ── the scheduler ─────────────────────────────────────────────────────────────────────────────────────────────────────


def claim(engine: Engine, now: datetime, limit: int = 10) -> list[int]:
    with writing(engine) as connection:
        tickets = store.claim_due(connection, now, limit)
        ids = [ticket.id for ticket in tickets]
        assert store.due_ids(connection, now, limit) == ids
        return ids


def test_due_is_what_rang_before_now_the_longest_waiting_first(engine: Engine) -> None:
    alarms = {1: T0 + HOUR, 2: T0, 3: T0 + HOUR, 4: T0 + 2 * HOUR, 5: None}
    write(engine, *(opened(a_ticket(number, alarm_at=alarm)) for number, alarm in alarms.items()))
    assert claim(engine, T0) == [], "an act exactly at the deadline is in time"
    assert claim(engine, T0 + timedelta(seconds=1)) == [2]
    assert claim(engine, T0 + 3 * HOUR) == [2, 1, 3, 4]
    assert claim(engine, T0 + 3 * HOUR, limit=2) == [2, 1]
    with reading(engine) as connection:
        assert store.next_alarm(connection) == T0


def test_no_alarm_no_waking(engine: Engine) -> None:
    with reading(engine) as connection:
        assert store.next_alarm(connection) is None


def test_a_poisoned_ticket_waits_aside_until_a_change_succeeds(engine: Engine) -> None:
    [ticket] = write(engine, opened(a_ticket()))
    for _ in range(2):
        with writing(engine) as connection:
            store.set_aside(connection, 1, "ZeroDivisionError: \0", T0 + 99 * HOUR)
    [found] = load(engine, 1)
    trouble = {"trouble": "ZeroDivisionError: ", "trouble_count": 2, "alarm_at": T0 + 99 * HOUR}
    assert found == ticket.but(**trouble), "no event and no new version: nothing happened to it"
    [found] = write(engine, noted(found))
    assert (found.trouble, found.trouble_count) == (None, 0)


def explained(connection: Connection, statement: str, *parameters: Any) -> str:
    words = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
    spoken = store._spoken(connection.dialect.name, words + statement)
    return "\n".join(str(row) for row in connection.exec_driver_sql(spoken, parameters))


def test_the_scheduler_finds_what_is_due_and_when_to_wake_without_looking_at_the_rest(engine: Engine) -> None:
    write(engine, *(opened(a_ticket(number)) for number in range(1, 1001)))
    with writing(engine) as connection:
        connection.exec_driver_sql("ANALYZE")
        for statement, parameters in (
            (store.CLAIM_DUE, (store._at(connection, T0), 500)),
            (store.NEXT_ALARM, ()),
        ):
            plan = explained(connection, statement, *parameters)
            assert "ix_ticket_alarm" in plan
            assert "TEMP B-TREE" not in plan


def test_two_schedulers_never_get_the_same_ticket(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    with writing(engine) as connection:
        store.shop_id_of(connection, "一号店")
    write(engine, *(opened(a_ticket(number)) for number in range(1, 401)))
    claims: list[list[int]] = []
    both_hold = threading.Barrier(4, timeout=10)

    def one() -> None:
        with writing(engine) as connection:
            claims.append([ticket.id for ticket in store.claim_due(connection, T0 + 99 * HOUR, 100)])
            both_hold.wait()

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.dispose()
    assert sorted(number for claimed in claims for number in claimed) == list(range(1, 401))


def test_a_scheduler_passes_over_a_ticket_that_a_person_is_moving(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    with writing(engine) as connection:
        store.shop_id_of(connection, "一号店")
    write(engine, *(opened(a_ticket(number)) for number in (1, 2)))
    with writing(engine) as person:
        store.load(person, [1], lock=True)
        with writing(engine) as scheduler:
            assert [ticket.id for ticket in store.claim_due(scheduler, T0 + 99 * HOUR, 10)] == [2]
    engine.dispose()


def test_a_heartbeat_is_the_last_one(engine: Engine) -> None:
    for fired in (1, 2):
        with writing(engine) as connection:
            store.beat(connection, "host:1", started_at=T0, at=T0 + fired * HOUR, next_alarm_at=None, fired=fired)
    assert rows(engine, "SELECT name, fired, note FROM heartbeat") == [("host:1", 2, "")]


# ── ids, numbers, keys, links ─────────────────────────────────────────────────────────────────────────────────────────


def test_numbers_count_up_per_shop_kind_and_day(engine: Engine) -> None:
    day = date(2022, 10, 1)
    with writing(engine) as connection:
        assert store.next_numbers(connection, 1, "EX", day, 2) == ["EX-221001-0001", "EX-221001-0002"]
        assert store.next_numbers(connection, 1, "EX", day, 1) == ["EX-221001-0003"]
        assert store.next_numbers(connection, 1, "RF", day, 1) == ["RF-221001-0001"]
        assert store.next_numbers(connection, 2, "EX", day, 1) == ["EX-221001-0001"]
        assert store.next_numbers(connection, 1, "EX", date(2022, 10, 2), 1) == ["EX-221002-0001"]
        assert store.next_numbers(connection, 3, "EX", day, 10_000)[-1] == "EX-221001-10000"


def test_ids_are_new(engine: Engine) -> None:
    with writing(engine) as connection:
        ids = list(store.next_ids(connection, 3))
        store.write(connection, [opened(a_ticket(number)) for number in ids])
        more = list(store.next_ids(connection, 2))
    assert len({*ids, *more}) == 5


def test_a_shop_is_made_once_and_found_by_name(engine: Engine) -> None:
    with writing(engine) as connection:
        second = store.shop_id_of(connection, "二号店")
        assert store.shop_id_of(connection, "二号店") == second != 1
        assert store.shop_id_of(connection, "三号店", create=False) is None


def test_a_key_is_remembered_with_what_it_was_used_for(engine: Engine) -> None:
    write(engine, opened(a_ticket()), command_key="k1")
    with writing(engine) as connection:
        assert store.remembered(connection, 1, "k1") is None
        store.remember(connection, 1, "k1", "f" * 64, 1, 1, T0)
    with reading(engine) as connection:
        assert store.remembered(connection, 1, "k1") == store.Remembered("f" * 64, 1, 1, T0)
        assert store.remembered(connection, 2, "k1") is None
    with pytest.raises(Taken, match="command"), writing(engine) as connection:
        store.remember(connection, 1, "k1", "other", 1, 1, T0)
    assert rows(engine, "SELECT command_key FROM ticket_event") == [("k1",)]


def test_links_are_found_from_both_ends(engine: Engine) -> None:
    write(engine, *(opened(a_ticket(number)) for number in (1, 2, 3)))
    with writing(engine) as connection:
        store.link(connection, 2, 1, "reopened_from", T0)
        store.link(connection, 3, 1, "remedy_of")
        assert [(relation, ticket.id) for relation, ticket in store.linked(connection, 1)] == [
            ("reopened_from", 2),
            ("remedy_of", 3),
        ]
        assert [(relation, ticket.id) for relation, ticket in store.linked(connection, 2)] == [("reopened_from", 1)]
    with pytest.raises(Taken, match="link"), writing(engine) as connection:
        store.link(connection, 2, 1, "reopened_from", T0)


def test_no_link_leads_to_another_shop(engine: Engine) -> None:
    with writing(engine) as connection:
        other = store.shop_id_of(connection, "二号店")
        store.write(connection, [opened(a_ticket(1)), opened(a_ticket(2, shop_id=other))])
        with pytest.raises(ValueError, match="not tickets of one shop"):
            store.link(connection, 2, 1, "parcel_of", T0)


# ── what the database itself refuses ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("constraint", "wrong"),
    [
        ("ck_ticket_i01_open_has_clock_or_reason", {"clocks": ()}),
        ("ck_ticket_i01_open_has_clock_or_reason", {"no_clock_reason": "ran_out"}),
        ("ck_ticket_i02_closed_has_no_clock", {"closed_at": T0}),
        ("ck_ticket_i02_closed_has_no_clock", {"closed_at": T0, "clocks": ()}),
        ("ck_ticket_i19_refunded_within_paid", {"refund_fen": 19901}),
        ("ck_ticket_i19_refunded_within_paid", {"refunded_fen": 100, "refund_fen": 19801}),
        ("ck_ticket_i19_refunded_within_paid", {"workflow": "lost_parcel", "refunded_fen": 19901}),
        ("ck_ticket_i19_money_not_negative", {"refund_fen": -1}),
        ("ck_ticket_i19_money_not_negative", {"refunded_fen": -1}),
        ("ck_ticket_i19_money_not_negative", {"paid_fen": -1, "refunded_fen": -1}),
        ("ck_ticket_authority_known", {"authority": "nobody"}),
        ("fk_ticket_shop_id", {"shop_id": 99}),
    ],
)
def test_a_ticket_that_must_not_be_is_refused_by_name(engine: Engine, constraint: str, wrong: dict[str, Any]) -> None:
    for change in (opened(a_ticket(1, **wrong)), noted(write(engine, opened(a_ticket(2)))[0], **wrong)):
        if constraint == "fk_ticket_shop_id" and change.before:
            continue  # a ticket stays in its shop
        with pytest.raises(Violation) as refusal:
            write(engine, change)
        named = refusal.value.constraint
        assert named == constraint or (constraint.startswith("fk_") and named == "FOREIGN KEY constraint failed")


A_PAYMENT = """
INSERT INTO payment (shop_id, ticket_id, purpose, amount_fen, status, idempotency_key, tried_at, created_at)
SELECT 1, 1, '{}', {}, '{}', '{}', opened_at, opened_at FROM ticket WHERE id = 1
"""
_EVENT = ", ".join(f'"{name}"' for name in EVENT)
EVENTS_AGAIN = f"INSERT INTO ticket_event ({_EVENT}) SELECT {_EVENT} FROM ticket_event"
A_LINK = """
INSERT INTO ticket_link (from_id, to_id, relation, shop_id, created_at)
SELECT 1, {}, '{}', 1, opened_at FROM ticket WHERE id = 1
"""


@pytest.mark.parametrize(
    ("constraint", "statement"),
    [
        ("ck_ticket_i03_version_counts_events", "UPDATE ticket SET version = 0"),
        ("ck_ticket_x13_clock_has_rule", "UPDATE ticket SET rule_id = NULL"),
        ("ck_payment_i19_amount_positive", A_PAYMENT.format("x", 0, "ordered", "k")),
        ("ck_payment_status_known", A_PAYMENT.format("x", 1, "lost", "k")),
        ("uq_payment_i20_purpose", A_PAYMENT.format("refund", 1, "ordered", "k")),
        ("uq_payment_i20_idempotency_key", A_PAYMENT.format("x", 1, "ordered", "1:EX-221001-0001:refund:2")),
        ("uq_ticket_event_i03_seq", EVENTS_AGAIN),
        ("ck_ticket_link_relation_known", A_LINK.format(2, "friend_of")),
        ("ck_ticket_link_i25_not_itself", A_LINK.format(1, "parcel_of")),
        ("i28_ticket_event_no_update", "UPDATE ticket_event SET actor = 'nobody'"),
        ("i28_ticket_event_no_delete", "DELETE FROM ticket_event"),
        ("i28_payment_no_delete", "DELETE FROM payment"),
        ("i28_payment_ledger_rule", "UPDATE payment SET amount_fen = amount_fen + 1"),
        ("i28_payment_ledger_rule", "UPDATE payment SET ticket_id = 2"),
    ],
)
def test_what_must_not_be_done_is_refused_by_name(engine: Engine, constraint: str, statement: str) -> None:
    ticket, _ = write(engine, opened(a_ticket(1)), opened(a_ticket(2)))
    write(engine, paying(ticket, T0, Payment("refund", 5)))
    assert refused(engine, statement) == constraint


def test_replacing_an_event_is_refused_too(sqlite_url: str) -> None:
    """REPLACE deletes without asking the triggers, unless recursive_triggers is on."""
    engine = create_engine(sqlite_url)
    with writing(engine) as connection:
        store.shop_id_of(connection, "一号店")
    write(engine, opened(a_ticket()))
    assert refused(engine, "INSERT OR REPLACE INTO ticket_event SELECT * FROM ticket_event").startswith("i28")
    engine.dispose()


def test_truncating_events_is_refused(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    assert refused(engine, "TRUNCATE ticket_event") == "i28_ticket_event_no_truncate"
    assert refused(engine, "TRUNCATE payment") == "i28_payment_no_truncate"
    engine.dispose()


@pytest.mark.parametrize("money", [0.5, 19900.5, "abc", float("inf")])
def test_money_that_is_no_whole_number_is_refused(engine: Engine, money: Any) -> None:
    with pytest.raises(Violation):
        write(engine, opened(a_ticket(paid_fen=money, refunded_fen=0)))
    assert load(engine, 1) == []


def test_a_naive_instant_is_refused(engine: Engine) -> None:
    naive = T0.replace(tzinfo=None)
    for wrong in ({"entered_at": naive}, {"fields": {"signed_at": naive}}):
        with pytest.raises(ValueError, match="has no time zone"):
            write(engine, opened(a_ticket(**wrong)))


def test_a_refusal_tells_nothing_of_the_row(engine: Engine) -> None:
    secret = "上海市浦东新区 13800000000"
    with pytest.raises(Violation) as refusal:
        write(engine, opened(a_ticket(buyer=secret, fields={"ship_to": secret}, refund_fen=99999)))
    told = [str(refusal.value), repr(refusal.value), str(refusal.value.__cause__)]
    assert not any(secret in text or "13800000000" in text for text in told)
    assert refusal.value.__suppress_context__
