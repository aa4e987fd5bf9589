"""`aftersales demo`: what a newcomer sees, and what is in the database afterwards."""

import io
import re
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from aftersales import audit, queries
from aftersales.clock import parse
from aftersales.database import create_engine
from aftersales.demo import padded, run_demo, width
from aftersales.simulate import standard_rules
from aftersales.workflows.exchange import Exchange

NOW = parse("2026-11-24 16:10:00")


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """What was printed, what was made, and where."""
    url = f"sqlite:///{tmp_path_factory.mktemp('demo') / 'demo.db'}"
    out = io.StringIO()
    return out, run_demo(url, out, now=NOW), url


# ── the shop it makes ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_there_are_a_few_hundred_tickets_in_every_state_there_is(shown):
    _, made, _ = shown
    assert 300 <= made.tickets <= 450
    assert made.missing == []


def test_every_promise_holds_in_it(shown):
    _, _, url = shown
    assert audit.audit(create_engine(url), standard_rules()).ok


def test_its_queue_is_alive_now(shown):
    """Clocks run into the future, and nothing is overdue that the sweep should have fired."""
    _, _, url = shown
    with create_engine(url).connect() as connection:
        dues = [row[0] for row in connection.exec_driver_sql("SELECT due_at FROM ticket WHERE due_at IS NOT NULL")]
    assert len(dues) > 25
    assert min(dues) > "2026-11-24 08:09"  # in UTC


# ── the worked example ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_exchange_that_nobody_answered_was_agreed_by_the_clock(shown):
    _, made, url = shown
    *_, agreed = (event for event in queries.events(create_engine(url), made.example.id) if event.kind == "move")
    assert (agreed.trigger, agreed.actor, agreed.rule) == ("auto_approve", "system", "KS-EX-01")
    assert agreed.at == made.example.opened_at + timedelta(hours=48)
    assert made.example.state == Exchange.awaiting_buyer_return.name


def test_the_screen_says_why(shown):
    out, made, _ = shown
    story = out.getvalue().partition("■ 时钟走了")[0]
    for said in (
        "买家「申请换货」 → 待商家审核",
        "系统「逾期未处理，视为同意换货」 → 待买家寄回",
        "KS-EX-01「商家处理换货申请」限48小时（2022-09-30版），2026-11-23 10:00:00 到期",
        f"换货 {made.example.number}（快手小店）",
        "KS-EX-02「买家寄回原商品」限10天",
    ):
        assert said in story


# ── what is printed ───────────────────────────────────────────────────────────────────────────────────────────────────


def clocks_of_the_book():
    rules = [rule for policy in standard_rules().catalog.policies.values() for rule in policy.clock_rules]
    return {rule.id for rule in rules if rule.sets_clocks}


def test_what_the_scheduler_did_is_told_by_rule_with_an_example(shown):
    out, _, url = shown
    table = out.getvalue().partition("What the scheduler did")[2].partition("每种一句话")[0]
    fired = dict(re.findall(r"^  (\S+)\s+\S.*?\s+(\d+)  [A-Z]{2}-\d{6}-\d{4}$", table, re.MULTILINE))
    with create_engine(url).connect() as connection:
        sql = "SELECT rule_id, count(*) FROM ticket_event WHERE kind = 'move' AND due_at IS NOT NULL GROUP BY rule_id"
        counted = {rule: str(times) for rule, times in connection.exec_driver_sql(sql)}
    # which rules fire changes with every change of the habits; the exchange that nobody answered always does
    assert "KS-EX-01" in counted
    assert len(clocks_of_the_book() & set(counted)) >= 8
    assert {rule: fired.get(rule) for rule in counted if rule != "platform_deadline"} == {
        rule: times for rule, times in counted.items() if rule != "platform_deadline"
    }


def test_it_says_what_to_do_next(shown):
    out, _, _ = shown
    assert "make serve" in out.getvalue()
    assert "http://127.0.0.1:8000/" in out.getvalue()


def test_tables_line_up_where_a_chinese_character_takes_two_columns(shown):
    out, _, _ = shown
    table = out.getvalue().partition("The clock ran")[2].partition("■")[0].strip().splitlines()[2:]
    assert len(table) == 6
    assert len({width(line) for line in table}) == 1
    assert "\x1b" not in out.getvalue()


def test_padding_counts_columns():
    assert width("KS-EX-01 换货") == 13
    assert padded("换货", 6) == "换货  "
    assert padded("换货", 6, right=True) == "  换货"


# ── the file ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_demo_is_made_anew(tmp_path):
    url = f"sqlite:///{tmp_path / 'demo.db'}"
    first = run_demo(url, io.StringIO(), now=NOW)
    second = run_demo(url, io.StringIO(), now=NOW)
    assert (first.tickets, first.example.number) == (second.tickets, second.example.number)


@pytest.mark.parametrize("content", ["a database", "no database at all"])
def test_any_other_file_stays_as_it_is(tmp_path, content):
    file = tmp_path / "shop.db"
    if content == "a database":
        with closing(sqlite3.connect(file)) as database:
            database.execute("CREATE TABLE precious (x)")
    else:
        file.write_text("notes")
    before, out = file.read_bytes(), io.StringIO()
    with pytest.raises(SystemExit) as ended:
        run_demo(f"sqlite:///{file}", out, now=NOW)
    assert ended.value.code == 2
    assert "不是演示数据库" in out.getvalue()
    assert file.read_bytes() == before
    assert not file.with_name("shop.db-wal").exists()


def test_another_database_is_refused():
    with pytest.raises(SystemExit) as ended:
        run_demo("postgresql://shop@db/shop", io.StringIO(), now=NOW)
    assert ended.value.code == 2
