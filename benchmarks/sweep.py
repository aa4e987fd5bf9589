"""How fast are overdue tickets moved, as a multiple of the least that the database must do for it?

    python benchmarks/sweep.py --db sqlite:////tmp/sweep.db --n 10000 --armed 1000000 --json

Fills an empty database with exchange tickets in `pending_merchant_review` under KS-EX-01: `n` overdue ones for each
measurement, among `armed` that are not due. Then, in turn, several rounds of

* the floor: one transaction of three set-based statements that do the same row writes (ticket, event, outbox);
* the sweep: claim, decide, write, commit, in batches, as the scheduler does (`--way store`: with a change made by
  hand where the engine decides, to see what deciding costs).

Rates change with the hour and the machine; the ratio of the two in one run is the figure.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import Connection, Engine

from aftersales.catalog import built_in
from aftersales.database import checkpoint, create_engine, migrate, writing
from aftersales.decide import Rules
from aftersales.desk import Desk
from aftersales.serving import collect_garbage_rarely
from aftersales.store import claim_due, write
from aftersales.ticket import Change, Clock, Event, Ticket
from aftersales.work_calendar import WorkCalendar

#: the overdue tickets of measurement k fell due in the hour before BASE + k hours
BASE = datetime(2022, 12, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


# ── The data ──────────────────────────────────────────────────────────────────────────────────────────────────────────

SAID = {
    "sqlite": {
        "{numbers}": "WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < {count})",
        "{from}": "numbers",
        "{at}": "strftime('%Y-%m-%d %H:%M:%S.000000', {base} + ({seconds}), 'unixepoch')",
        "{in_json}": "strftime('%Y-%m-%dT%H:%M:%SZ', {base} + ({seconds}), 'unixepoch')",
        "{hash}": "lower(hex(randomblob(32)))",
        "{clocks}": "json_array(json_object({clock}))",
        "{payload}": "json_object({words})",
        "{no}": "0",
        "{time_of}": "unixepoch({column})",
    },
    "postgresql": {
        "{numbers}": "",
        "{from}": "generate_series(1::bigint, {count}) AS numbers(i)",
        "{at}": "to_timestamp({base} + ({seconds}))",
        "{in_json}": """to_char(to_timestamp({base} + ({seconds})), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')""",
        "{hash}": "md5(random()::text) || md5(random()::text)",
        "{clocks}": "jsonb_build_array(jsonb_build_object({clock}))",
        "{payload}": "jsonb_build_object({words})",
        "{no}": "false",
        "{time_of}": "extract(epoch FROM {column})::bigint",
    },
}


class Speaker:
    """Writes the few expressions that the two databases spell differently."""

    def __init__(self, dialect: str) -> None:
        self.said = SAID[dialect]

    def numbers(self, count: int) -> tuple[str, str]:
        return self.said["{numbers}"].format(count=count), self.said["{from}"].format(count=count)

    def at(self, seconds: str, base: int) -> str:
        return self.said["{at}"].format(base=base, seconds=seconds)

    def clocks(self, rule: str, timeout: str, start: str, end: str, base: int) -> str:
        """One running clock, as the store writes it; `start` and `end` in seconds after `base`."""
        in_json = self.said["{in_json}"]
        starts, ends = in_json.format(base=base, seconds=start), in_json.format(base=base, seconds=end)
        words = f"'counted_from', {starts}, 'due_at', {ends}, 'rule', '{rule}', 'set_at', {starts}, "
        return self.said["{clocks}"].format(clock=f"{words}'timeout', '{timeout}', 'version', '2022-09-30'")

    def payload(self, words: str) -> str:
        return self.said["{payload}"].format(words=words)

    def time_of(self, column: str) -> str:
        return self.said["{time_of}"].format(column=column)


FILL = """
INSERT INTO ticket (id, shop_id, number, workflow, policy, authority, state, version, opened_at, applied_at, entered_at,
    applied_seq, entered_seq, moved_seq, escalated, goods, paid_fen, refunded_fen, order_no, item_no, buyer, owner,
    fields, flags, clocks, paused, alarm_at, open_key, recorded_at, last_hash, trouble_count,
    due_at, rule_id, rule_version, clock_timeout, clock_from, clock_basis, provisional)
{numbers}
SELECT {first} + i * {step}, 1, {number}, 'exchange', 'kuaishou', 'local', 'pending_merchant_review', 1,
    {opened}, {opened}, {opened}, 1, 1, 1, {no}, 'buyer', 19900, 0, {order}, '1', '', 'agent' || (i % 20),
    '{{"paid_fen":19900,"reason":"size","ship_to":"上海市浦东新区","sku_exchangeable":true}}', '[]', {clocks}, '[]',
    {due}, 'item ' || ({first} + i * {step}), {opened}, {hash},
    0, {due}, 'KS-EX-01', '2022-09-30', 'auto_approve', {opened}, 'rule', {no}
FROM {from}
"""


def fill(connection: Connection, first: int, step: int, count: int, seconds: str, base: datetime) -> None:
    """`count` tickets with the ids first + step, first + 2 step ...; the i-th is due `seconds` (of i) after base."""
    speak, start = Speaker(connection.dialect.name), int(base.timestamp())
    opened = f"{seconds} - 172800"
    numbers, source = speak.numbers(count)
    values = {
        "numbers": numbers,
        "from": source,
        "first": first,
        "step": step,
        "number": f"'EX-221129-' || ({first} + i * {step})",
        "order": f"'E' || ({first} + i * {step})",
        "opened": speak.at(opened, start),
        "due": speak.at(seconds, start),
        "clocks": speak.clocks("KS-EX-01", "auto_approve", opened, seconds, start),
        "hash": speak.said["{hash}"],
        "no": speak.said["{no}"],
    }
    statement = FILL.format(**values)
    connection.exec_driver_sql(statement if connection.dialect.name == "sqlite" else statement.replace("%", "%%"))


def prepare(engine: Engine, n: int, measurements: int, armed: int) -> None:
    """Every fourth of the oldest tickets is overdue in one of the measurements; the others fall due in 2 to 30 days."""
    with writing(engine) as connection:
        if connection.exec_driver_sql("SELECT count(*) FROM ticket").scalar():
            raise SystemExit("this database is not empty")
        created = "now()" if connection.dialect.name == "postgresql" else "'2022-12-01 00:00:00.000000'"
        connection.exec_driver_sql(f"INSERT INTO shop (id, name, created_at) VALUES (1, 'bench', {created})")
        for k in range(measurements):
            fill(connection, 4 * n * k, 4, n, "-1 - (i * 7919) % 3599", BASE + k * HOUR)
        beside = min(armed, 3 * n * measurements)
        for offset in (1, 2, 3):
            fill(connection, offset, 4, beside // 3, f"172800 + (i * {86400 * 28 // max(armed, 1) + 1})", BASE)
        fill(connection, 4 * n * measurements + 3, 1, armed - beside // 3 * 3, "172800 + (i * 7919) % 2419200", BASE)
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT setval('ticket_id_seq', max(id)) FROM ticket")
        connection.exec_driver_sql("ANALYZE")
    checkpoint(engine)


# ── The floor ─────────────────────────────────────────────────────────────────────────────────────────────────────────


FLOOR = (
    """
INSERT INTO ticket_event (shop_id, ticket_id, seq, kind, "trigger", actor, actor_name, from_state, to_state,
    at, recorded_at, due_at, rule_id, rule_version, facts, clocks, previous_hash, hash)
SELECT 1, id, 2, 'move', 'auto_approve', 'system', '', state, 'awaiting_buyer_return',
    due_at, {now}, due_at, rule_id, rule_version, '{{}}', {clocks}, last_hash, {hash}
FROM ticket WHERE alarm_at < {now}
""",
    """
INSERT INTO outbox (shop_id, ticket_id, seq, topic, payload, created_at, attempts)
SELECT 1, id, 2, 'ticket.move', {payload}, {now}, 0 FROM ticket WHERE alarm_at < {now}
""",
    """
UPDATE ticket SET state = 'awaiting_buyer_return', version = version + 1, entered_at = due_at, entered_seq = 2,
    moved_seq = 2, left_state = state, clocks = {clocks}, alarm_at = {later}, recorded_at = {now}, last_hash = {hash},
    due_at = {later}, rule_id = 'KS-EX-02', clock_timeout = 'return_timeout', clock_from = due_at
WHERE alarm_at < {now}
""",
)


def floor(engine: Engine, now: datetime, _batch: int) -> int:
    speak = Speaker(engine.dialect.name)
    due = speak.time_of("due_at")
    words = "'at', due_at, 'from', state, 'number', number, 'ticket', id, 'to', 'awaiting_buyer_return', "
    values = {
        "now": speak.at("0", int(now.timestamp())),
        "later": speak.at(f"{due} + 864000", 0),
        "clocks": speak.clocks("KS-EX-02", "return_timeout", due, f"{due} + 864000", 0),
        "payload": speak.payload(words + "'trigger', 'auto_approve'"),
        "hash": speak.said["{hash}"],
    }
    with writing(engine) as connection:
        return [connection.exec_driver_sql(statement.format(**values)).rowcount for statement in FLOOR][-1]


# ── The sweep ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def store_only(engine: Engine, now: datetime, batch: int) -> int:
    """Claim and write alone, with a change made by hand where the engine decides: what deciding costs comes on top."""
    moved = 0
    while True:
        with writing(engine) as connection:
            tickets = claim_due(connection, now, batch)
            write(connection, [by_hand(ticket, now) for ticket in tickets])
        moved += len(tickets)
        if len(tickets) < batch:
            return moved


def by_hand(ticket: Ticket, now: datetime) -> Change:
    (clock,) = ticket.clocks
    due, seq = clock.due_at, ticket.version + 1
    clocks = (Clock("KS-EX-02", "2022-09-30", "return_timeout", due, due + timedelta(days=10), due),)
    to = "awaiting_buyer_return"
    move = ("move", clock.timeout, "system", "", ticket.state, to, due, now)
    event = Event(seq, *move, due_at=due, rule=clock.rule, rule_version=clock.version, clocks=clocks)
    after = ticket.but(
        state=to,
        version=seq,
        entered_at=due,
        entered_seq=seq,
        moved_seq=seq,
        left_state=ticket.state,
        clocks=clocks,
        alarm_at=clocks[0].alarm_at,
        recorded_at=now,
    )
    return Change(ticket, after, (event,))


def whole_engine(engine: Engine, now: datetime, batch: int, *, alike: bool = True) -> int:
    """What a scheduler does at its alarm, with the real rules."""
    rules = Rules(built_in(), WorkCalendar.default())
    desk, moved = Desk(engine, lambda: rules), 0
    while True:
        swept = desk.sweep(now, batch, alike=alike)
        moved += len(swept.alarms)
        if swept.claimed < batch:
            return moved


WAYS: dict[str, Callable[[Engine, datetime, int], int]] = {
    "engine": whole_engine,
    "each": partial(whole_engine, alike=False),
    "store": store_only,
}


# ── Measuring ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def measure(engine: Engine, way: str, n: int, rounds: int, batch: int) -> Iterator[tuple[float, float]]:
    """Seconds of the floor and of the sweep, round by round."""
    for k in range(rounds):
        seconds = []
        for place, run in enumerate((floor, WAYS[way])):
            started = time.perf_counter()
            moved = run(engine, BASE + (2 * k + place) * HOUR, batch)
            seconds.append(time.perf_counter() - started)
            if moved != n:
                raise SystemExit(f"{moved} tickets moved, {n} were due")
            checkpoint(engine)
        yield seconds[0], seconds[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", required=True, help="URL of an empty database")
    parser.add_argument("--n", type=int, default=10_000, help="overdue tickets of each measurement")
    parser.add_argument("--armed", type=int, default=1_000_000, help="tickets that are not due")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--way", choices=WAYS, default="engine")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    migrate(given.db)
    engine = create_engine(given.db)
    collect_garbage_rarely()  # as the scheduler's own process does
    prepare(engine, given.n, 2 * given.rounds, given.armed)
    rounds = list(measure(engine, given.way, given.n, given.rounds, given.batch))
    result = {
        "per_second": round(given.n / statistics.median(swept for _, swept in rounds)),
        "floor_per_second": round(given.n / statistics.median(least for least, _ in rounds)),
        "ratio": round(statistics.median(swept / least for least, swept in rounds), 2),
        "n": given.n,
        "armed": given.armed,
    }
    print(json.dumps(result) if given.json else "\n".join(f"{name:17} {value:>12,}" for name, value in result.items()))


if __name__ == "__main__":
    main()
