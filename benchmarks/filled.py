"""Fills a database with a busy shop, for benchmarks of pages and reports.

    python benchmarks/filled.py --db sqlite:////tmp/filled.db --open 100000 --closed 20000

A demo shop (45 days of clock, every state of every type, moved by the real engine) is played once and copied until
there are enough: with new numbers, orders, buyers, waybills and notes, over 20 shops and 30 people, each copy a while
earlier than the last. Deadlines of open tickets stay ahead of now. Only the seals of the copies are not valid.

The database must be empty; 100,000 open tickets take a minute and 600 MB on SQLite, twice as long on PostgreSQL.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from aftersales import clock, search_index, store
from aftersales.database import checkpoint, create_engine, migrate, writing
from aftersales.demo import run_demo
from aftersales.models.search import TABLES
from aftersales.office import accounts

SHOPS, OWNERS = 20, 30
#: of the open tickets, how many have a clock; of all, how many have an owner
WITH_CLOCK, OWNED = 0.85, 0.7
#: of the tickets of the last shop, how many are one buyer's
ONE_BUYERS = 0.3
SLICE = 2_000

SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴", ("雯", "晓", "小雨", "建国", "思远", "欣怡", "浩", "静")
ITEMS = ("马丁靴", "羽绒服", "蓝牙耳机", "电饭煲", "儿童书包", "保温杯", "机械键盘", "帆布鞋", "空气炸锅", "瑜伽垫")
#: (share of the tickets, note)
NOTES = (
    (0.30, "买家催快递，已经回复会尽快处理"),
    (0.10, "外箱破损，买家拍了照片"),
    (0.05, "仓库说没有这个颜色，等补货"),
    (0.01, "买家情绪激动，要求投诉，转组长"),
    (0.0005, "麒麟路驿站代收，联系不上"),
)


@dataclass(frozen=True)
class Model:
    """A ticket of the demo shop with its events and payments: a JSON text, so that a copy is one replacing."""

    text: str
    #: how much earlier a copy may be, in seconds
    room: int


# ── the demo shop ──


def models() -> tuple[list[Model], list[Model], list[Model]]:
    """(open with a clock, open without, closed)"""
    with tempfile.TemporaryDirectory() as folder:
        run_demo(f"sqlite:///{folder}/demo.db", io.StringIO())
        with sqlite3.connect(Path(folder) / "demo.db") as db:
            db.row_factory = sqlite3.Row
            found = [_model(db, row) for row in db.execute("SELECT * FROM ticket ORDER BY id")]
        db.close()
    return tuple([model for kind, model in found if kind == wanted] for wanted in range(3))  # type: ignore[return-value]


def _model(db: sqlite3.Connection, ticket: sqlite3.Row) -> tuple[int, Model]:
    rows = {"ticket": [dict(ticket)]}
    for table in ("ticket_event", "payment"):
        found = db.execute(f"SELECT * FROM {table} WHERE ticket_id = ? ORDER BY id", (ticket["id"],))
        rows[table] = [{name: row[name] for name in row.keys() if name != "id"} for row in found]  # noqa: SIM118
    kind = 2 if ticket["closed_at"] else 1 if ticket["due_at"] is None else 0
    room = 36 * 3600 if kind == 1 else 80 * 24 * 3600
    if kind == 0:
        ahead = datetime.fromisoformat(ticket["alarm_at"] + "+00:00") - clock.now()
        room = max(0, int(ahead.total_seconds()))
    return kind, Model(json.dumps(rows, ensure_ascii=False), room)


# ── copies ──

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d:\d\d)")
_WAYBILL = re.compile(r"\b(SF|JD|ZT|YT|YD)\d{10,}")


def copies(kinds: Sequence[Sequence[Model]], opened: int, closed: int, seed: int) -> Iterator[dict[str, Any]]:
    dice = random.Random(seed)
    for place in range(1, opened + closed + 1):
        kind = 2 if place > opened else 0 if dice.random() < WITH_CLOCK else 1
        yield _copy(dice.choice(kinds[kind]), place, dice)


def _copy(model: Model, id: int, dice: random.Random) -> dict[str, Any]:
    earlier = timedelta(seconds=dice.randint(0, model.room))
    text = _INSTANT.sub(lambda found: _moved(found, earlier), model.text)
    rows: dict[str, Any] = json.loads(_WAYBILL.sub(lambda found: f"{found[1]}{dice.randrange(10**12):012d}", text))
    (ticket,) = rows["ticket"]
    code, day = ticket["number"].split("-")[:2]
    order = f"{dice.randrange(10**17):018d}"
    regular = id % SHOPS == SHOPS - 1 and dice.random() < ONE_BUYERS
    buyer = "买家常客" if regular else f"买家{dice.choice(SURNAMES)}{dice.choice(GIVEN)}{dice.randrange(10**5)}"
    ticket |= {
        "id": id, "shop_id": id % SHOPS + 1, "number": f"{code}-{day}-{id:07d}", "order_no": order,
        "item_no": dice.choice(ITEMS), "buyer": buyer,
        "owner": f"店铺:客服{dice.randint(1, OWNERS):02d}" if dice.random() < OWNED else None,
        "open_key": None if ticket["open_key"] is None else f"{order}/{id}", "platform_no": None,
    }  # fmt: skip
    for share, note in NOTES:
        if dice.random() < share:
            _add_note(rows, note)
    for table in ("ticket_event", "payment"):
        for row in rows[table]:
            row |= {"ticket_id": id, "shop_id": ticket["shop_id"]}
    for payment in rows["payment"]:
        payment["idempotency_key"] = f"{id}:{payment['purpose']}"
    return rows


def _moved(found: re.Match[str], earlier: timedelta) -> str:
    moved = datetime.fromisoformat(f"{found[1]} {found[3]}") - earlier
    return f"{moved:%Y-%m-%d}{found[2]}{moved:%H:%M:%S}"


def _add_note(rows: dict[str, Any], text: str) -> None:
    (ticket,) = rows["ticket"]
    ticket["version"] += 1
    last = rows["ticket_event"][-1]
    note = {
        "seq": ticket["version"], "kind": "note", "trigger": "note", "actor": "agent",
        "actor_name": ticket["owner"] or "", "from_state": ticket["state"], "to_state": ticket["state"],
        "at": last["recorded_at"], "facts": json.dumps({"text": text}, ensure_ascii=False), "command_key": None,
        "due_at": None, "rule_id": None, "rule_version": None,
    }  # fmt: skip
    rows["ticket_event"].append(last | note)


# ── filling ──


def fill(engine: Engine, opened: int, closed: int, *, seed: int = 1) -> None:
    kinds, waiting = models(), _Waiting()
    people(engine)
    with writing(engine) as connection:
        _without_index(connection)
        for rows in copies(kinds, opened, closed, seed):
            waiting.add(rows)
            if waiting.tickets >= SLICE:
                waiting.write(connection)
        waiting.write(connection)
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT setval('ticket_id_seq', max(id)) FROM ticket")
        search_index.fill(connection)
        _with_index(connection)
    with writing(engine) as connection:
        connection.exec_driver_sql("ANALYZE")
    checkpoint(engine)


def people(engine: Engine) -> None:
    """20 shops, 30 people who serve them all, one of them a lead."""
    with writing(engine) as connection:
        shops = [store.shop_id_of(connection, f"店铺{place:02d}") for place in range(1, SHOPS + 1)]
    for place in range(1, OWNERS + 1):
        name = f"{SURNAMES[place % 10]}{GIVEN[place % 8]}"
        role = "lead" if place == 1 else "agent"
        accounts.add(engine, f"店铺:客服{place:02d}", name, clock.now(), role=role, shops=shops)


class _Waiting:
    """Rows of all tables until there are enough of them."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {"ticket": [], "ticket_event": [], "payment": []}

    @property
    def tickets(self) -> int:
        return len(self.rows["ticket"])

    def add(self, rows: dict[str, list[dict[str, Any]]]) -> None:
        for table, found in rows.items():
            self.rows[table] += found

    def write(self, connection: Connection) -> None:
        _, insert = store._HANDS[connection.dialect.name]
        for table, rows in self.rows.items():
            if rows:
                names = tuple(rows[0])
                insert(connection, table, names, [tuple(row[name] for name in names) for row in rows])
            rows.clear()


def _without_index(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("DROP INDEX ix_ticket_words_pairs")


def _with_index(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(TABLES["postgresql"][1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", required=True, help="URL of an empty database")
    parser.add_argument("--open", type=int, default=100_000, help="open tickets")
    parser.add_argument("--closed", type=int, default=20_000, help="closed ones, over the last 80 days")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    migrate(given.db)
    engine = create_engine(given.db)
    started = time.perf_counter()
    fill(engine, given.open, given.closed, seed=given.seed)
    print(f"{given.open + given.closed:,} tickets in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
