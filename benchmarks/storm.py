"""How long does an agent wait for a step to be posted while a storm of deadlines is swept?

    python benchmarks/storm.py --db sqlite:////tmp/storm.db --n 50000 --armed 100000 --json

Fills an empty database as sweep.py does. An agent posts `approve` on one ticket after the other, first with nothing
else going on, then while a scheduler, in a process of its own, fires `n` overdue tickets. Milliseconds of a posted
step, both times: p50, p95, max.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from sqlalchemy import Engine
from sweep import BASE, HOUR, prepare

from aftersales.catalog import built_in
from aftersales.database import create_engine, migrate, reading
from aftersales.decide import Rules
from aftersales.desk import Command, Desk
from aftersales.scheduler import Scheduler
from aftersales.serving import collect_garbage_rarely
from aftersales.work_calendar import WorkCalendar

NOW = BASE + HOUR
#: a very fast agent
PAUSE_SECONDS = 0.02
QUIET_SECONDS, MOST_STEPS = 5.0, 20_000


def desk_on(url: str) -> Desk:
    rules = Rules(built_in(), WorkCalendar.default())
    return Desk(create_engine(url), lambda: rules)


def sweep(url: str) -> None:
    """As the scheduler does, with its batches and pauses."""
    collect_garbage_rarely()
    Scheduler(desk_on(url)).run_once(NOW)


def not_due(engine: Engine) -> Iterator[int]:
    """The tickets that are due last."""
    last = "SELECT id FROM ticket WHERE alarm_at IS NOT NULL ORDER BY alarm_at DESC"
    with reading(engine) as connection:
        return iter(connection.exec_driver_sql(f"{last} LIMIT {MOST_STEPS}").scalars().all())


def posted(desk: Desk, tickets: Iterator[int], goes_on: Callable[[], bool]) -> list[float]:
    """Milliseconds of each step."""
    waited = []
    while goes_on():
        command = Command(next(tickets), "approve", "agent", NOW)
        began = time.perf_counter()
        desk.do(command)
        waited.append((time.perf_counter() - began) * 1000)
        time.sleep(PAUSE_SECONDS)
    return waited


def figures(waited: list[float]) -> dict[str, float]:
    ranked = sorted(waited)
    p50, p95 = (ranked[int(share * (len(ranked) - 1))] for share in (0.5, 0.95))
    return {"steps": len(ranked), "p50": round(p50, 1), "p95": round(p95, 1), "max": round(ranked[-1], 1)}


def measured(url: str) -> dict[str, object]:
    desk = desk_on(url)
    tickets = not_due(desk.engine)
    until = time.perf_counter() + QUIET_SECONDS
    quiet = posted(desk, tickets, lambda: time.perf_counter() < until)
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, __file__, "--db", url, "--sweep"]) as scheduler:
        storm = posted(desk, tickets, lambda: scheduler.poll() is None)
    seconds = round(time.perf_counter() - began, 1)
    return {"quiet_ms": figures(quiet), "storm_ms": figures(storm), "storm_seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", required=True, help="URL of an empty database")
    parser.add_argument("--n", type=int, default=50_000, help="overdue tickets")
    parser.add_argument("--armed", type=int, default=100_000, help="tickets that are not due")
    parser.add_argument("--sweep", action="store_true", help=argparse.SUPPRESS)  # the scheduler's own process
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.sweep:
        sweep(given.db)
        return
    migrate(given.db)
    prepare(create_engine(given.db), given.n, 1, given.armed)
    result = measured(given.db)
    print(json.dumps(result) if given.json else "\n".join(f"{name:13} {value}" for name, value in result.items()))


if __name__ == "__main__":
    main()
