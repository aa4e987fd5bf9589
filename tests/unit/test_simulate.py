"""The seeded shop: the same seed gives the same history, everywhere."""

import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest

from aftersales import audit
from aftersales.application import in_memory
from aftersales.catalog import built_in
from aftersales.database import create_engine
from aftersales.desk import Command, Desk
from aftersales.habits import ARRIVALS, HABITS, Dice
from aftersales.simulate import (
    ONE_MINUTE,
    ONE_SECOND,
    START,
    Scheduler,
    read_log,
    simulate,
    simulate_command,
    standard_rules,
    told,
)
from aftersales.workflows.vocabulary import Step

SMALL = {"days": 6, "per_day": 25}


def played(url, seed=7):
    engine = create_engine(url)
    rules = standard_rules()
    return simulate(Desk(engine, lambda: rules), rules, seed=seed, **SMALL)


# ── the hash ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_seed_gives_the_same_log_on_both_databases(sqlite_url, postgres_url):
    one, other = played(sqlite_url), played(postgres_url)
    assert one.hash == other.hash
    assert (one.tickets, one.events, one.states, one.refused) == (
        other.tickets, other.events, other.states, other.refused,
    )  # fmt: skip


def test_another_seed_gives_another_log(sqlite_url):
    desk, rules = in_memory()
    assert played(sqlite_url).hash != simulate(desk, rules, seed=8, **SMALL).hash


def test_the_same_seed_gives_the_same_log_in_every_process():
    """Whatever the order of sets and the zone of the machine."""
    program = (
        "from aftersales.application import in_memory; from aftersales.simulate import simulate;"
        "print(simulate(*in_memory(), seed=7, days=3, per_day=20).hash)"
    )
    hashes = set()
    for number, zone in ((1, "Asia/Shanghai"), (2, "America/New_York")):
        environment = {**os.environ, "PYTHONHASHSEED": str(number), "TZ": zone}
        ran = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        hashes.add(ran.stdout)
    assert len(hashes) == 1


def test_the_hash_sees_every_event():
    desk, rules = in_memory()
    simulated = simulate(desk, rules, seed=7, days=2, per_day=10)
    desk.do(Command(1, "note", "agent", START + timedelta(days=3), {"text": "多一条备注"}))
    log = read_log(desk, rules)
    assert log.events >= simulated.events + 1
    assert log.hash != simulated.hash


# ── the shop ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def month():
    desk, rules = in_memory()
    yield desk, rules, simulate(desk, rules, seed=1, days=30, per_day=20)
    desk.engine.dispose()


def test_no_promise_is_broken(month):
    desk, rules, simulated = month
    assert simulated.problems == []
    assert audit.audit(desk.engine, rules).ok


def test_everything_that_goes_wrong_in_a_shop_goes_wrong_here(month):
    _, _, simulated = month
    assert simulated.repeated > 10
    assert simulated.outages > 10
    assert simulated.fired > 100
    assert {"duplicate_open_ticket", "stale_version", "invalid_waybill", "evidence_required"} <= set(simulated.refused)


def test_all_five_types_are_there_in_many_states(month):
    _, _, simulated = month
    assert set(simulated.states) == set(built_in().workflows)
    assert all(len(states) >= 8 for states in simulated.states.values())


def test_courier_feeds_report_late_and_the_clock_counts_from_the_fact(month):
    desk, _, _ = month
    sql = "SELECT at, recorded_at FROM ticket_event WHERE \"trigger\" = 'return_signed'"
    with desk.engine.connect() as connection:
        late = [row for row in connection.exec_driver_sql(sql) if row[0] < row[1]]
    assert len(late) > 5


def test_the_scheduler_looks_a_second_after_an_alarm_unless_it_is_down():
    scheduler = Scheduler(Dice("x"), START, 0)
    scheduler.down = [(START + 5 * ONE_MINUTE, START + 9 * ONE_MINUTE)]
    for alarm, looks in [(1, 1), (5, 9), (7, 9), (9, 9), (10, 10)]:
        expected = START + looks * ONE_MINUTE + (ONE_SECOND if looks != 9 or alarm == 9 else timedelta(0))
        assert scheduler.looks_at(START + alarm * ONE_MINUTE) == expected


def test_dice_fall_alike_in_every_version_of_python():
    dice = Dice("1/1")
    assert [round(dice.between(0, 100), 6) for _ in range(3)] == [49.474798, 62.485175, 69.143123]


# ── the habits ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_step_of_every_workflow_is_somebody_s_habit():
    for workflow in built_in().workflows.values():
        habits = {habit.step for state in workflow.states for habit in HABITS.get(state, ())}
        assert {move for move in workflow.moves if isinstance(move, Step)} <= habits


def test_every_waiting_state_has_habits_that_leave_it_and_ask_for_what_the_step_takes():
    for workflow in built_in().workflows.values():
        assert all(state in HABITS for state in workflow.waiting)
    for state, habits in HABITS.items():
        for habit in (habit for habit in habits if habit.step is not None):
            known = {fact.name for fact in habit.step.facts}
            assert state in habit.step.sources
            assert set(habit.facts) <= known, habit
            assert not habit.reported or "occurred_at" in known, habit


def test_everybody_who_comes_says_what_the_opening_takes():
    for arrival in ARRIVALS:
        assert set(arrival.facts) <= {fact.name for fact in arrival.opening.facts}, arrival


# ── the command ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_command_prints_the_hash_for_people_and_for_programs(capsys):
    asked = {"seed": 3, "days": 2, "per_day": 8, "database_url": None}
    assert simulate_command(**asked, as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert simulate_command(**asked, as_json=False) == 0
    assert f"事件日志哈希：{found['hash']}" in capsys.readouterr().out


def test_the_command_leaves_a_database_with_tickets_alone(sqlite_url, capsys):
    asked = {"seed": 3, "days": 1, "per_day": 5, "database_url": sqlite_url, "as_json": False}
    assert simulate_command(**asked) == 0
    assert simulate_command(**asked) == 2
    assert "只在空库上演" in capsys.readouterr().err


def test_broken_promises_are_told():
    desk, rules = in_memory()
    simulated = simulate(desk, rules, seed=1, days=1, per_day=1)
    broken = type(simulated)(**{**simulated.__dict__, "problems": ["EX-1: its events are not numbered"]})
    assert "被打破的承诺" in told(broken)
