"""How long does the server take for a page, as a multiple of an empty page of the same site?

    python benchmarks/filled.py --db sqlite:////tmp/filled.db --open 100000
    python benchmarks/pages.py --db sqlite:////tmp/filled.db --json

Asks every page of a filled database (filled.py) through the whole site, in this process and without a network, and
prints the first time (what is kept for later is not kept yet), the median and the 95th percentile in milliseconds, the
median of the processor time that this process spent (on a busy machine the figure to trust; with SQLite it is all the
work there is), and the ratio of the latter to `/me`, a page that shows next to nothing. Pages are asked in turn, so
that a busy moment falls on all alike. What does not exist
is told and left out.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine
from starlette.testclient import TestClient

from aftersales import clock, store
from aftersales.application import assemble
from aftersales.database import reading, writing
from aftersales.office import accounts
from aftersales.serving import collect_garbage_rarely
from aftersales.settings import Settings
from web.app import create_app
from web.visit import SESSION

EMPTY = "empty page"
#: no page may take longer (milliseconds, the median of the processor time: on a quiet machine the time itself)
BOUND_MS = 150


@dataclass
class Asked:
    name: str
    path: str
    seconds: list[float] = field(default_factory=list)
    #: the first time, when nothing is kept yet
    first: float = 0.0
    #: of the processor
    worked: list[float] = field(default_factory=list)
    bytes: int = 0


# ── which pages ──


def pages(engine: Engine, client: TestClient) -> Iterator[Asked]:
    """Names and addresses, made of what is in the database."""
    yield Asked(EMPTY, "/me")
    yield Asked("queue", "/")
    login = "店铺:客服01"
    for name, query in (
        ("one shop", "shop=3"), ("type", "workflow=exchange"), ("state", "state=refund.pending_merchant_review"),
        ("platform", "policy=taobao"), ("owner", f"owner={login}"), ("no owner", "owner=none"), ("due 4 h", "due=4h"),
        ("due today", "due=today"), ("late", "mark=late"), ("escalated", "mark=escalated"), ("turn", "turn=merchant"),
        ("over 500 yuan", "from_yuan=500"), ("over 5,000 yuan", "from_yuan=5000"),
        ("over 10,000 yuan", "from_yuan=10000"), ("paused", "mark=paused"), ("provisional", "mark=provisional"),
        ("no rule", "mark=no_rule"), ("trouble", "mark=trouble"), ("due in a spell", _spell()),
        ("a team", "team=1"), ("shop and type", "shop=3&workflow=refund"), ("shop and owner", f"shop=3&owner={login}"),
        ("nothing at all", f"shop=3&state=exchange.in_dispute&owner={login}&mark=trouble"),
        ("rare word", "q=麒麟"), ("common word", "q=快递"), ("every ticket's word", "q=买家"),
        ("order's end", "q=012345"),
        ("common word in a shop", "q=快递&shop=3"), ("common word, of an owner", f"q=快递&owner={login}"),
        ("common word, over 5,000 yuan", "q=快递&from_yuan=5000"), ("common word, late", "q=快递&mark=late"),
        *_rare(engine),
    ):  # fmt: skip
        yield Asked(f"queue: {name}", f"/?{query}")
    if deep := _deep(client, "/"):
        yield Asked("queue: page 20", deep)
    yield Asked("queue: far down", f"/?after=1-{int(clock.now().timestamp()) + 20 * 24 * 3600}-1")
    yield Asked("rows: 100 of them", f"/rows?ids={','.join(map(str, range(1000, 1100)))}&shop=3")
    for name, word in (("rare", "麒麟"), ("common", "快递"), ("two words", "快递 破损"), ("nothing", "没有这个")):
        yield Asked(f"palette: {name}", f"/search.json?q={word}")
    id, steps = _a_ticket(engine)
    yield Asked("ticket", f"/t/{id}")
    yield Asked("ticket of a list", f"/t/{id}?view=" + quote("workflow=exchange"))
    yield Asked("ticket of the busiest buyer", f"/t/{_of_busiest_buyer(engine)}")
    yield Asked("ticket: machine", f"/t/{id}/machine")
    yield Asked("ticket: evidence", f"/t/{id}/evidence")
    yield Asked("ticket.json", f"/t/{id}.json")
    for step in steps:
        yield Asked(f"form: {step}", f"/t/{id}/{step}")
    for name, path in (
        ("new ticket", "/new"), ("new exchange", "/new/exchange"),
        ("shift", "/shift"), ("shift of a shop", "/shift?shop=3"),
        ("rules", "/rules"), ("rules of a platform", "/rules/kuaishou"), ("rules of the house", "/rules/house"),
        ("rules: check", "/rules/check"), ("rules: assumed", "/rules/assumed"), ("rules: diff", "/rules/kuaishou/diff"),
        ("rules: history", "/rules/kuaishou/history"), ("rules: machine", "/rules/machines/exchange"),
        ("reports", "/reports"), ("reports of a quarter", "/reports?period=quarter"),
        ("reports of a day", "/reports?period=day"), ("reports: tickets", _reported(client)),
        *((f"team: {part}", f"/team/{part}") for part in ("duty", "calendar", "groups", "shops", "people")),
        ("team", "/team"), ("team: balance", "/team/balance"), ("team: a person", "/team/people/2"),
        ("automation", "/automation"), ("replies", "/replies"), ("try", "/try"), ("views", "/views"),
        ("palette.json", "/palette.json"), ("readyz", "/readyz"),
    ):  # fmt: skip
        if path:
            yield Asked(name, path)


def _spell() -> str:
    """The morning after tomorrow, as the addresses of the shift board say it."""
    day = clock.shown_day(clock.now()) + timedelta(days=2)
    return f"due_from={day}T08:00&due_to={day}T10:00"


#: fields that a platform's export fills in, by the name of their filter
_GIVEN = {"level": "complaint_level", "member": "member_level"}


def _rare(engine: Engine) -> Iterator[tuple[str, str]]:
    """The commonest and the rarest value of each field, and both fields together."""
    found = {}
    with reading(engine) as connection:
        for name, key in _GIVEN.items():
            counted = f"SELECT fields ->> '{key}', count(*) FROM ticket WHERE closed_at IS NULL GROUP BY 1 ORDER BY 2"
            rows = [row for row in connection.exec_driver_sql(counted).all() if row[0]]
            if rows:
                found[name] = (rows[0][0], rows[-1][0])
                yield f"{name}, rare", f"{name}={rows[0][0]}"
                yield f"{name}, common", f"{name}={rows[-1][0]}"
    if len(found) == len(_GIVEN):
        yield "level and member", "&".join(f"{name}={common}" for name, (_, common) in found.items())
        yield "level in a shop", f"level={found['level'][0]}&shop=3"


def _reported(client: TestClient) -> str | None:
    """The tickets behind the first figure of the reports."""
    return next((path for path in _links(client, "/reports") if path.startswith("/reports/tickets")), None)


def _links(client: TestClient, path: str) -> list[str]:
    found = [part.partition('"')[0] for part in client.get(path).text.split('href="')[1:]]
    return [link.replace("&amp;", "&") for link in found]


def _deep(client: TestClient, path: str) -> str | None:
    """Nineteen pages on, by the links of the pages."""
    for _ in range(19):
        further = [link for link in _links(client, path) if "after=" in link]
        if not further:
            return None
        path = further[-1]
    return path


def _a_ticket(engine: Engine) -> tuple[int, list[str]]:
    """One with the longest story, which the merchant has to review, and two of its forms."""
    asked = (
        "SELECT id FROM ticket WHERE state = 'pending_merchant_review' AND workflow = 'exchange' "
        "AND closed_at IS NULL ORDER BY version DESC LIMIT 1"
    )
    with reading(engine) as connection:
        return connection.exec_driver_sql(asked).scalar_one(), ["reject", "note"]


def _of_busiest_buyer(engine: Engine) -> int:
    asked = "SELECT max(id), shop_id, buyer FROM ticket WHERE buyer <> '' GROUP BY 2, 3 ORDER BY count(*) DESC LIMIT 1"
    with reading(engine) as connection:
        return int(connection.exec_driver_sql(asked).one()[0])


# ── measuring ──


def signed_in(engine: Engine, client: TestClient) -> None:
    account = accounts.named(engine, "店铺:客服01")
    assert account is not None, "the database was not made by filled.py"
    client.cookies.set(SESSION, accounts.sign_in(engine, account, clock.now()))


def scheduler_at_work(engine: Engine) -> None:
    """As far as pages can tell, for as long as this takes: what they do when it stands still is another matter."""
    with writing(engine) as connection:
        store.beat(connection, "benchmark", started_at=clock.now(), at=clock.now() + timedelta(hours=1))


def measure(client: TestClient, asked: list[Asked], rounds: int, patience: float) -> list[str]:
    """Fills in the seconds; returns the names of what is not there. Slow pages are asked less often."""
    left_out, spent = [], dict.fromkeys((one.name for one in asked), 0.0)
    for nth in range(rounds + 1):
        for one in asked:
            if one.name in left_out or (nth > 3 and spent[one.name] > patience and one.name != EMPTY):
                continue
            started, working = time.perf_counter(), time.process_time()
            answer = client.get(one.path, follow_redirects=True)
            taken, worked = time.perf_counter() - started, time.process_time() - working
            if answer.status_code != 200:
                left_out.append(f"{one.name}")
                print(f"left out: {one.name}: {one.path} answers {answer.status_code}")
            elif nth == 0:
                one.first = taken
            else:
                one.seconds.append(taken)
                one.worked.append(worked)
                one.bytes = len(answer.content)
                spent[one.name] += taken
    return left_out


def percentile(seconds: list[float], share: float) -> float:
    return sorted(seconds)[math.ceil(share * len(seconds)) - 1]


def results(asked: list[Asked]) -> list[dict[str, Any]]:
    floor = statistics.median(next(one.worked for one in asked if one.name == EMPTY))
    return [
        {
            "page": one.name,
            "first_ms": round(one.first * 1000, 1),
            "p50_ms": round(statistics.median(one.seconds) * 1000, 1),
            "p95_ms": round(percentile(one.seconds, 0.95) * 1000, 1),
            "cpu_ms": round(statistics.median(one.worked) * 1000, 1),
            "ratio": round(statistics.median(one.worked) / floor, 1),
            "kb": round(one.bytes / 1024),
            "path": one.path,
        }
        for one in asked
        if one.seconds
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", required=True, help="URL of a database filled by filled.py")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--patience", type=float, default=2.0, help="seconds for a slow page")
    parser.add_argument("--only", default="", help="pages whose name holds this")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    application = assemble(Settings(database_url=given.db))
    client = TestClient(create_app(application.desk, application.rules, application.settings))
    signed_in(application.engine, client)
    scheduler_at_work(application.engine)
    asked = [one for one in pages(application.engine, client) if given.only in one.name or one.name == EMPTY]
    collect_garbage_rarely()
    measure(client, asked, given.rounds, given.patience)
    told = results(asked)
    if given.json:
        print(json.dumps(told, ensure_ascii=False))
        return
    print(f"{'page':32} {'first':>8} {'p50':>8} {'p95':>8} {'cpu':>8} {'ratio':>8} {'KB':>5}")
    for one in told:
        slow = "  over the bound" if one["cpu_ms"] > BOUND_MS else ""
        times = " ".join(f"{one[name]:8.1f}" for name in ("first_ms", "p50_ms", "p95_ms", "cpu_ms", "ratio"))
        print(f"{one['page']:32} {times} {one['kb']:5}{slow}")


if __name__ == "__main__":
    main()
