"""Reports: how the desk did in a day, a month or a quarter; every figure opens its tickets, every table is a file."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, HTTPException, Request, Response

from aftersales import clock, queries
from aftersales.clock import shown_day
from aftersales.decide import Rules
from aftersales.reports import figures, rollup
from aftersales.reports.figures import NOBODY, Scope
from aftersales.reports.measures import Measure
from aftersales.reports.sheets import as_csv, as_xlsx
from web import identity, reporting, words
from web.i18n import gettext
from web.rendering import page
from web.reporting import Cell, Links
from web.site import Site, TheSite

router = APIRouter()
ONE_DAY = timedelta(days=1)
PERIODS = {"day": "日", "month": "月", "quarter": "季"}
ROWS = 50
#: tickets measured before the page is shown; the rest in the background
AT_ONCE = 100
FILES = {"csv": "text/csv; charset=utf-8", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}


# ── which period ──


@dataclass(frozen=True)
class Asked:
    """What the address asks for; what does not exist is not asked for."""

    period: str
    day: date
    scope: Scope

    @property
    def earlier_scope(self) -> Scope:
        """The period before; of one that is not over, as many of its days as have begun of this."""
        first, last = _bounds(self.period, self.scope.first - ONE_DAY)
        so_far = shown_day(clock.now()) - self.scope.first
        if self.scope.last > shown_day(clock.now()) >= self.scope.first:
            last = min(last, first + so_far)
        return replace(self.scope, first=first, last=last)

    @property
    def earlier_name(self) -> str:
        """What the figures are compared with."""
        over = self.scope.last <= shown_day(clock.now())
        return {"day": "前一天", "month": "上月" if over else "上月同期", "quarter": "上季" if over else "上季同期"}[
            self.period
        ]

    def address(self, **changed: Any) -> str:
        asked = {"period": self.period, "day": self.day.isoformat(), "shop": self.scope.shop_id or ""}
        asked |= {name: getattr(self.scope, name) for name in ("workflow", "policy", "person")}
        return "/reports?" + urlencode({name: value for name, value in (asked | changed).items() if value})

    @property
    def earlier(self) -> str:
        return self.address(day=(self.scope.first - ONE_DAY).isoformat())

    @property
    def later(self) -> str | None:
        next_day = self.scope.last + ONE_DAY
        return self.address(day=next_day.isoformat()) if next_day <= shown_day(clock.now()) else None

    @property
    def name(self) -> str:
        if self.period == "day":
            return self.day.isoformat()
        if self.period == "month":
            return f"{self.day:%Y-%m}"
        return gettext("{year} 年第 {n} 季度", year=self.day.year, n=(self.day.month + 2) // 3)


def _asked(site: Site, query: Mapping[str, str]) -> Asked:
    period = query.get("period", "") if query.get("period") in PERIODS else "month"
    day = _day(query.get("day", "")) or shown_day(clock.now())
    first, last = _bounds(period, day)
    return Asked(period, day, _narrowed(site, query, Scope(first, last)))


def _narrowed(site: Site, query: Mapping[str, str], scope: Scope) -> Scope:
    catalog = site.rules().catalog
    shops = {str(id) for id, _ in queries.shops(site.desk.engine)}
    return replace(
        scope,
        shop_id=int(query["shop"]) if query.get("shop") in shops else None,
        workflow=query.get("workflow", "") if query.get("workflow") in catalog.workflows else "",
        policy=query.get("policy", "") if query.get("policy") in catalog.policies else "",
        person=query.get("person", "")[:200],
    )


def _day(text: str) -> date | None:
    if not re.fullmatch(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}", text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _bounds(period: str, day: date) -> tuple[date, date]:
    """The first and the last day of the day, month or quarter."""
    if period == "day":
        return day, day
    months = 1 if period == "month" else 3
    first = day.replace(day=1, month=day.month - (day.month - 1) % months)
    after = first
    for _ in range(months):
        after = (after + timedelta(days=32)).replace(day=1)
    return first, after - ONE_DAY


# ── the page ──


@router.get("/reports")
def reports(request: Request, site: TheSite) -> Response:
    asked, engine, rules = _asked(site, request.query_params), site.desk.engine, site.rules()
    behind = bring_up_to_date(site, rules)
    now, then = (figures.figures(engine, scope) for scope in (asked.scope, asked.earlier_scope))
    links, bars = Links(asked.scope), _bars(site, asked)
    context: dict[str, Any] = {
        "asked": asked,
        "periods": list(PERIODS.items()),
        "tiles": reporting.tiles(now, then, links),
        "tables": {table.key: table for table in reporting.tables(now, links, rules, _names(site))},
        "bars": bars,
        "links": {str(one): links(one) for one in reporting.TREND},
        "of_day": lambda measure, day: links(Measure(measure), **{"from": day.isoformat(), "to": day.isoformat()}),
        "totals": {str(one): now.of(one).count for one in reporting.TREND},
        "counted_at": figures.counted_at(engine),
        "behind": behind,
        "shops": [(str(id), name) for id, name in queries.shops(engine)],
        "workflows": [(key, table.label) for key, table in rules.catalog.workflows.items()],
        "policies": [(key, policy.label) for key, policy in rules.catalog.policies.items()],
        "people": sorted(_names(site).items()),
    }
    return page("reports.html", context)


def _bars(site: Site, asked: Asked) -> list[reporting.Bar]:
    """A day has no days to compare: it is shown among the two weeks that it ends. Days to come are left out."""
    scope = asked.scope
    last = max(scope.first, min(scope.last, shown_day(clock.now())))
    scope = replace(scope, first=scope.first - ONE_DAY * 13 if asked.period == "day" else scope.first, last=last)
    return reporting.trend(figures.by_day(site.desk.engine, scope, reporting.TREND), scope)


def _names(site: Site) -> dict[str, str]:
    return {login: account.name for login, account in identity.people(site).items()}


@router.get("/reports.{ending}")
def file(ending: str, request: Request, site: TheSite) -> Response:
    """All tables of the page: 元 and hours, shares from 0 to 1."""
    if ending not in FILES:
        raise HTTPException(404)
    asked, rules = _asked(site, request.query_params), site.rules()
    bring_up_to_date(site, rules)
    now = figures.figures(site.desk.engine, asked.scope)
    tables = reporting.tables(now, Links(asked.scope), rules, _names(site))
    sheets = [table.sheet() for table in tables]
    content = as_csv(sheets) if ending == "csv" else as_xlsx(sheets)
    name = quote(" ".join([gettext("报表"), f"{asked.name}.{ending}"]))
    return Response(content, media_type=FILES[ending], headers={
        "Content-Disposition": f"attachment; filename=\"report.{ending}\"; filename*=UTF-8''{name}"
    })  # fmt: skip


# ── the tickets behind a figure ──


@router.get("/reports/tickets")
def tickets(request: Request, site: TheSite) -> Response:
    query, rules = request.query_params, site.rules()
    if query.get("measure") not in set(Measure):
        raise HTTPException(404)
    measure = Measure(query["measure"])
    today = shown_day(clock.now())
    days = Scope(_day(query.get("from", "")) or today, _day(query.get("to", "")) or today)
    scope, cause = _narrowed(site, query, days), query.get("cause")
    after = _place(query.get("after", ""))
    bring_up_to_date(site, rules)
    found = figures.behind(site.desk.engine, scope, measure, cause=cause, after=after, limit=ROWS)
    context: dict[str, Any] = {
        "title": TITLES[measure],
        "back": _report_of(scope).address(),
        "scope": scope,
        "cause": None if cause is None else _cause_label(measure, cause, rules, scope.workflow),
        "person": _person(site, scope),
        "rows": [_row(site, row, measure, rules) for row in found.rows],
        "next": None if found.next is None else "-".join(map(str, (found.next[0].replace("-", ""), *found.next[1:]))),
        "first": after is None,
    }
    return page("report_tickets.html", context)


def _person(site: Site, scope: Scope) -> Cell | None:
    if scope.person == NOBODY:
        return Cell("label", "没有记名")
    return Cell("data", identity.name_of(site, scope.person)) if scope.person else None


def _report_of(scope: Scope) -> Asked:
    """The report that has this figure."""
    months = (scope.last.year - scope.first.year) * 12 + scope.last.month - scope.first.month
    period = "day" if scope.first == scope.last else "quarter" if months else "month"
    return Asked(period, scope.first, replace(scope, person=""))


def _place(text: str) -> tuple[str, int, int] | None:
    """None for anything that we did not write ourselves: then the list begins at its beginning."""
    read = re.fullmatch(r"(20[0-9]{2})([0-9]{2})([0-9]{2})-([0-9]{1,18})-([0-9]{1,9})", text)
    return (f"{read[1]}-{read[2]}-{read[3]}", int(read[4]), int(read[5])) if read else None


@dataclass(frozen=True)
class Row:
    behind: figures.Behind
    workflow: str
    state: str
    person: str
    cause: Cell
    amount: Cell


def _row(site: Site, row: figures.Behind, measure: Measure, rules: Rules) -> Row:
    return Row(
        row,
        words.workflow_label(rules, row.workflow),
        words.state_label(rules, row.workflow, row.state),
        identity.name_of(site, row.person),
        _cause_label(measure, row.cause, rules, row.workflow),
        Cell(AMOUNTS.get(measure, "count"), row.amount if measure in AMOUNTS else None),
    )


def _cause_label(measure: Measure, cause: str, rules: Rules, workflow: str) -> Cell:
    if measure in (Measure.CLOSED, *(waited for waited, _ in reporting.PARTIES.values())):
        return reporting.state_cells(rules, cause)[1]
    if measure is Measure.REASON:
        return reporting.cause_cell(measure, cause)
    if measure in (Measure.PAID_BY_ROBOT, Measure.PAID_BY_PEOPLE):
        return Cell("label", reporting.PURPOSES.get(cause, cause))
    if measure is Measure.STEP:
        return Cell("label", words.move_label(rules, workflow, cause))
    if measure in (Measure.ITEM, Measure.COURIER, Measure.PACKAGING):
        return Cell("data", cause)
    return Cell("label", reporting.rule_label(rules, cause))


TITLES = {
    Measure.OPENED: "新开的工单",
    Measure.RESOLVED: "这段时间开的、已经办结的",
    Measure.CLOSED: "办结的工单",
    Measure.REOPENED: "重新发起的工单",
    Measure.RESPONDED: "首次响应",
    Measure.RESPONDED_FAST: "2 分钟内首次响应",
    Measure.UNANSWERED: "没有人回应过就结束的",
    Measure.MET: "按时办完的时限",
    Measure.MISSED: "商家超时",
    Measure.EXPIRED_BUYER: "买家超时",
    Measure.EXPIRED_COURIER: "快递超时",
    Measure.EXPIRED_PLATFORM: "平台超时",
    Measure.TARGET_MISSED: "店内目标没有达到",
    Measure.PAID_BY_ROBOT: "系统付的钱",
    Measure.PAID_BY_PEOPLE: "客服同意付的钱",
    Measure.WAITED_MERCHANT: "等商家的时间",
    Measure.WAITED_BUYER: "等买家的时间",
    Measure.WAITED_COURIER: "等快递的时间",
    Measure.WAITED_PLATFORM: "等平台的时间",
    Measure.STEP: "办理的步骤",
    Measure.REASON: "按原因",
    Measure.ITEM: "按商品",
    Measure.COURIER: "按快递公司",
    Measure.PACKAGING: "买家对包装的意见",
}
MONEY = (Measure.PAID_BY_ROBOT, Measure.PAID_BY_PEOPLE)
SPANS = (Measure.RESPONDED, Measure.CLOSED, *(waited for waited, _ in reporting.PARTIES.values()))
AMOUNTS = {**dict.fromkeys(MONEY, "fen"), **dict.fromkeys(SPANS, "seconds")}


# ── keeping up ──

_counting = threading.Lock()


def bring_up_to_date(site: Site, rules: Rules) -> int:
    """Measures what is quickly measured now and the rest in the background. How many events still wait."""
    if not _counting.acquire(blocking=False):
        return figures.waiting(site.desk.engine)
    try:
        done = rollup.step(site.desk.engine, rules, at_most=AT_ONCE)
    finally:
        _counting.release()
    if done.behind:
        threading.Thread(target=_catch_up, args=(site, rules), name="reports", daemon=True).start()
    return done.behind


def _catch_up(site: Site, rules: Rules) -> None:
    if _counting.acquire(blocking=False):
        try:
            rollup.catch_up(site.desk.engine, rules)
        finally:
            _counting.release()
