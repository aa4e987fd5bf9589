"""What tickets are found by: written with the change, never by the clock, made anew when it is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from alembic import command
from sqlalchemy import event, select

from aftersales import bigrams, database, search_index
from aftersales.database import create_all, create_engine, migrate, reading, writing
from aftersales.errors import Refused
from aftersales.queries.search import _TICKET, found, matching
from tests.unit.test_cli import typed
from tests.web.conftest import World, made_world


@pytest.fixture
def world(database_url: str) -> World:
    return made_world(database_url)


def numbers(world: World, text: str, **rest: object) -> list[str]:
    return [one.number for one in found(world.engine, text, **rest)]


def rows(world: World) -> int:
    with reading(world.engine) as connection:
        table = "ticket_words_docsize" if world.engine.dialect.name == "sqlite" else "ticket_words"
        return connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()


def forget(world: World, ticket_id: int) -> None:
    """Takes a ticket out of the index, as no program of ours would."""
    with writing(world.engine) as connection:
        if world.engine.dialect.name == "postgresql":
            connection.exec_driver_sql("DELETE FROM ticket_words WHERE ticket_id = %s", (ticket_id,))
        else:
            connection.exec_driver_sql("DELETE FROM ticket_words_docsize WHERE id >> 20 = ?", (ticket_id,))


def test_a_ticket_is_found_by_what_it_is_called_and_by_what_was_written(world: World) -> None:
    ticket = world.open("lost_parcel", waybill_no="SF7788990011")
    other = world.open("exchange", ship_to="杭州市西湖区文三路 90 号")
    world.do(ticket, "note", text="买家说外箱破损，Ｂox 压扁了")
    world.do(other, "record_contact", channel="phone", summary="答应补发鞋带")
    world.do(other, "add_evidence", kind="photo", note="鞋底开胶")
    for asked in (
        ticket.number,
        "sf7788990011",
        "990011",
        "外箱",
        "破损",
        "BOX",
        "ｂｏｘ压",
        "破损 外箱",
        "订单0001",
        "0001",
    ):
        assert ticket.number in numbers(world, asked), asked
    for asked in ("文三路90", "鞋带", "开胶", "杭州 开胶"):
        assert numbers(world, asked) == [other.number], asked
    for asked in ("梅子", "梅子酱 马丁靴", "丁"):
        assert set(numbers(world, asked)) == {ticket.number, other.number}, asked
    for asked in (
        "",
        "  ",
        "破损鞋带",
        "破损 鞋带",
        "箱外",
        "size",
        "lost",
        "photo",
        "待商家",
        "%",
        '"',
        "'; --",
        "😀",
    ):
        assert numbers(world, asked) == [], asked


def test_a_text_that_has_all_the_pairs_but_not_the_word_is_not_found(world: World) -> None:
    ticket = world.open()
    world.do(ticket, "note", text="外箱破，破损不大")
    assert numbers(world, "外箱破损") == []
    assert numbers(world, "破损不大") == [ticket.number]


def test_a_step_of_a_buyer_brings_its_waybill_and_its_words(world: World) -> None:
    ticket = world.open()
    world.do(ticket, "approve")
    assert numbers(world, "SF0000012345") == []
    world.do(ticket, "submit_return_waybill", "buyer", waybill_no="SF0000012345")
    assert numbers(world, "012345") == [ticket.number]


def test_a_refused_step_leaves_nothing_to_be_found(world: World) -> None:
    ticket = world.open()
    with pytest.raises(Refused):
        world.do(ticket, "submit_return_waybill", "buyer", waybill_no="SF0000012345")
    assert numbers(world, "012345") == []


def test_imported_tickets_are_found(world: World) -> None:
    landed = world.place("exchange", "pending_merchant_review")
    assert numbers(world, "导入0001") == [landed.number]


def test_what_the_clock_opens_is_found_and_what_it_moves_writes_nothing(world: World) -> None:
    for _ in range(3):
        world.open(ago=47)
    before, statements = rows(world), []
    event.listen(world.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    world.now += timedelta(days=1)
    swept = world.desk.sweep(world.now)
    world.desk.sweep_one_by_one(world.now + timedelta(days=40))
    assert len(swept.fired) == 3
    assert statements
    assert [one for one in statements if "ticket_words" in one] == []
    assert rows(world) == before


def test_of_each_text_the_beginning_is_searched(world: World) -> None:
    ticket = world.open()
    world.do(ticket, "note", text="头" + "长" * (bigrams.LONGEST - 3) + "中间" + "尾" * 17_000 + "末尾了")
    assert numbers(world, "头长") == [ticket.number]
    assert numbers(world, "长中") == [ticket.number]
    assert numbers(world, "末尾") == []


def test_only_these_shops_and_open_ones_first(world: World) -> None:
    closed, open_ = world.open(), world.open()
    newest = world.open(shop="分店")
    world.do(newest, "cancel", "buyer")
    world.do(closed, "cancel", "buyer")
    assert [one.id for one in found(world.engine, "梅子酱")] == [open_.id, newest.id, closed.id]
    assert [one.id for one in found(world.engine, "梅子酱", shops=[newest.shop_id])] == [newest.id]
    assert found(world.engine, "梅子酱", shops=[]) == []
    assert [one.id for one in found(world.engine, "梅子酱", limit=1)] == [open_.id]


def test_a_question_is_cut_to_a_hundred_characters_and_eight_words(world: World) -> None:
    ticket = world.open()
    assert numbers(world, "梅子 " * 5_000) == [ticket.number]
    assert bigrams.asked("a b c d e f g h i j") == [*"abcdefgh"]


# ── lost and made anew ──


def test_what_is_missing_is_named_and_made_anew(world: World) -> None:
    whole, lost = world.open(), world.open()
    world.do(whole, "note", text="破损")
    assert [*search_index.missing(world.engine)] == []
    forget(world, lost.id)
    assert [*search_index.missing(world.engine)] == [lost.id]
    search_index.rebuild(world.engine)
    assert [*search_index.missing(world.engine)] == []
    assert numbers(world, "破损") == [whole.number]
    assert numbers(world, lost.number) == [lost.number]


def test_the_command_says_what_is_missing_and_mends_it(world: World, database_url: str) -> None:
    lost = world.open()
    forget(world, lost.id)
    told = typed("db", "reindex", "--check", "--db", database_url)
    said = f"1 张工单有内容搜不到（编号 {lost.id}），请运行 aftersales db reindex\n"
    assert (told.returncode, told.stderr) == (1, said)
    assert typed("db", "reindex", "--db", database_url).stdout == "搜索索引已重建：1 条\n"
    assert typed("db", "reindex", "--check", "--db", database_url).stdout == "搜索索引完整\n"


def test_made_anew_it_is_what_it_was(world: World) -> None:
    tickets = [
        world.open(),
        world.open("lost_parcel"),
        world.place("exchange", "pending_merchant_review"),
        world.inspecting(),
    ]
    world.do(tickets[0], "note", text="买家要\n换 42 码")
    before = rows(world)
    assert search_index.rebuild(world.engine) == before == rows(world)
    assert numbers(world, "要换42码") == [tickets[0].number]


def test_the_migration_fills_it_for_the_tickets_that_are_there(world: World, database_url: str) -> None:
    ticket = world.open()
    world.do(ticket, "note", text="破损")
    with writing(world.engine) as connection:
        command.downgrade(database._config(connection), "0002")
    world.engine.dispose()
    migrate(database_url)
    assert numbers(world, "破损") == [ticket.number]


def test_a_database_in_memory_searches_too() -> None:
    engine = create_engine("sqlite://")
    create_all(engine)
    assert found(engine, "破损") == []
    engine.dispose()


def test_the_index_answers_and_not_the_tickets(world: World) -> None:
    world.open()
    statement = select(_TICKET.c.id).where(matching(world.engine.dialect.name, "破损"))
    with reading(world.engine) as connection:
        compiled = str(statement.compile(connection, compile_kwargs={"literal_binds": True}))
        if world.engine.dialect.name == "sqlite":
            plan = [row[3] for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + compiled)]
            assert any("ticket_words VIRTUAL TABLE INDEX" in line for line in plan)
            assert not any(line.startswith("SCAN ticket ") or line == "SCAN ticket" for line in plan)
        else:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            plan = [row[0] for row in connection.exec_driver_sql("EXPLAIN " + compiled.replace("%", "%%"))]
            assert any("ix_ticket_words_pairs" in line for line in plan)
