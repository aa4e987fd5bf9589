"""One book on one day, one rule of it with its whole history, links by id alone, and the book as a table to take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from aftersales import clock, rule_words
from aftersales.clock import SHANGHAI, UTC
from aftersales.durations import Counted
from aftersales.policies.vocabulary import Document, Policy, Rule, Ruling
from aftersales.queries import rules as questions
from aftersales.reports.sheets import Sheet, as_csv, as_xlsx
from aftersales.rule_changes import Coming, coming
from aftersales.rule_words import Entry, entries_on, history_of
from aftersales.saying import listed
from aftersales.work_calendar import WorkCalendar
from web.errors import Told
from web.i18n import gettext
from web.kept import Kept
from web.pages.reports import FILES
from web.pages.rules import shelf
from web.pages.rules.room import address_of, frame_of
from web.pages.rules.shelf import HOUSE, Tickets
from web.rendering import page, spoken
from web.site import Site, TheSite

router = APIRouter()
#: of a worked example: when the clock starts
_MORNING, _NIGHT = (10, 0), (23, 30)
#: so many days ahead is a day looked for on whose morrow nobody works
_AHEAD = 370


@dataclass(frozen=True)
class Line:
    """One row of the table. `anchor`: unique on the page; the first of an id is the id."""

    entry: Entry
    anchor: str
    address: str
    #: open tickets that go by it, and where they can be seen
    running: int
    queue: str


@dataclass(frozen=True)
class Group:
    """The rules of one type of ticket; `versions`: those that its clocks go by, one document of each."""

    key: str
    label: str
    versions: Sequence[Document]
    lines: Sequence[Line]


def lines_of(site: Site, policy: Policy, entries: Sequence[Entry], day: date, tickets: Tickets) -> list[Line]:
    seen: Counter[str] = Counter()
    catalog = site.rules().catalog
    found = []
    for entry in entries:
        seen[entry.id] += 1
        anchor = entry.id if seen[entry.id] == 1 else f"{entry.id}-{seen[entry.id]}"
        behind = shelf.policies_behind(catalog, policy, entry.id)
        running = tickets.under(behind, entry)
        queue = _queue(behind, entry) if running else ""
        found.append(Line(entry, anchor, address_of(policy.key, entry.id, day), running, queue))
    return found


def _queue(policies: Sequence[str], entry: Entry) -> str:
    """The queue of exactly these tickets' state; "" where one address cannot name them all."""
    if len(policies) != 1 or len(entry.states) != 1:
        return ""
    [state] = entry.states
    return "/?" + urlencode({"policy": policies[0], "state": f"{entry.workflow.key}.{state.name}"})


def groups_of(lines: Sequence[Line]) -> list[Group]:
    workflows = list(dict.fromkeys(line.entry.workflow for line in lines))
    return [_group(workflow, [line for line in lines if line.entry.workflow is workflow]) for workflow in workflows]


def _group(workflow: Any, lines: Sequence[Line]) -> Group:
    versions = {line.entry.document.label: line.entry.document for line in lines if line.entry.limit is not None}
    return Group(workflow.key, workflow.label, list(versions.values()), lines)


def in_force(groups: Sequence[Group]) -> list[tuple[Document, str]]:
    """The versions that clocks go by, each with the types of ticket it governs."""
    documents = {version.label: version for group in groups for version in group.versions}
    return [
        (document, listed(group.label for group in groups if label in {one.label for one in group.versions}))
        for label, document in documents.items()
    ]


def _sorted(entries: Sequence[Entry], workflows: Mapping[str, Any]) -> list[Entry]:
    """By type of ticket as everywhere in the desk, the clocks first, else as written."""
    order = {key: place for place, key in enumerate(workflows)}
    return sorted(entries, key=lambda one: (order.get(one.workflow.key, len(order)), one.limit is None))


def _asked_for(line: Line, text: str) -> bool:
    entry = line.entry
    told = (entry.id, entry.rule.label, entry.quote, entry.clause, rule_words.places(entry), entry.assumed)
    return text.casefold() in " ".join(told).casefold()


@dataclass(frozen=True)
class Notice:
    """A version that is to come, and the open tickets whose clock runs out under it and then starts a new one.
    `count`: None while they are still being counted."""

    coming: Coming
    count: int | None
    first: Sequence[questions.Next]

    @property
    def changes(self) -> int:
        return sum(change.matters for change in self.coming.changes)


#: reads every ticket due after the version begins, so no page waits for it
_next_under: Kept[tuple[int, list[questions.Next]]] = Kept(questions.next_under)


def notices(site: Site, policy: Policy, now: datetime) -> list[Notice]:
    found = []
    for one in coming(policy, now):
        counted = _next_under.of(site.desk.engine, policy.key, one.begins, one.leading) if one.leading else (0, [])
        found.append(Notice(one, *(counted or (None, []))))
    return found


@router.get("/rules")
def first(request: Request, site: TheSite) -> Response:
    return book(next(iter(site.rules().catalog.policies), HOUSE), request, site)


@router.get("/rules/find/{rule_id}")
def find(rule_id: str, site: TheSite) -> Response:
    """A rule by its id alone: the book it stands in; of the law, the book of the law."""
    catalog = site.rules().catalog
    found = shelf.books(catalog)
    law = found[shelf.STATUTE]
    for policy in (law, *catalog.policies.values()):
        if policy.rule(rule_id) is not None:
            return RedirectResponse(f"/rules/{policy.key}#{quote(rule_id)}", 303)
    if rule_id in {target.id for target in catalog.house.targets}:
        return RedirectResponse(f"/rules/{HOUSE}#{quote(rule_id)}", 303)
    raise shelf.unknown_rule(rule_id, [rule.id for policy in found.values() for rule in policy.rules])


@router.get(f"/rules/{HOUSE}")
def house(request: Request, site: TheSite) -> Response:
    rules, day = site.rules(), shelf.day_of(request)
    targets = [
        (target, address_of_state(target.state.workflow.key, target.state.name), _standing(site, target.state))
        for target in rules.catalog.house.targets
    ]
    context = {"house": rules.catalog.house, "targets": targets}
    return page("rules/house.html", {**frame_of(site, HOUSE, day), **context})


def address_of_state(workflow: str, state: str) -> str:
    return "/?" + urlencode({"state": f"{workflow}.{state}"})


def _standing(site: Site, state: Any) -> int:
    """Open tickets in this state, on all platforms."""
    counted = shelf.tickets(site).by_state
    return sum(n for (_, workflow, name), n in counted.items() if (workflow, name) == (state.workflow.key, state.name))


@router.get("/rules/{key}")
def book(key: str, request: Request, site: TheSite) -> Response:
    policy, day, rules = shelf.book_of(site, key), shelf.day_of(request), site.rules()
    tickets, asked = shelf.tickets(site), request.query_params
    entries = _sorted(entries_on(policy, day), rules.catalog.workflows)
    everything = lines_of(site, policy, entries, day, tickets)
    wanted, text = asked.get("type", ""), asked.get("q", "").strip()[:100]
    lines = [
        line
        for line in everything
        if (not wanted or line.entry.workflow.key == wanted) and (not text or _asked_for(line, text))
    ]
    context = {
        "policy": policy, "groups": groups_of(lines), "everything": groups_of(everything), "lines": lines,
        "tickets": tickets, "wanted": wanted, "text": text, "first_day": _first_day(policy),
        "in_force": in_force(groups_of(everything)), "rules_now": rules,
        "notices": notices(site, policy, clock.now()), "behind": _behind(site, policy),
    }  # fmt: skip
    return page("rules/book.html", {**frame_of(site, key, day), **context})


def _first_day(policy: Policy) -> str:
    return min((document.label for document in policy.documents if document.effective), default="")


def _behind(site: Site, policy: Policy) -> Mapping[str, Sequence[Policy]]:
    """Of the law: the platforms that go by each of its rules."""
    if policy.key != shelf.STATUTE:
        return {}
    return {rule.id: shelf.holders(site.rules().catalog, rule.id) for rule in policy.rules}


# ── one rule ──


@dataclass(frozen=True)
class Example:
    """A clock that starts then, counted by the calendar in force."""

    starts: datetime
    counted: Counted
    #: runs of days that are not counted, each with its reason: (first, last, why)
    skipped: Sequence[tuple[date, date, str]]


def examples(entry: Entry, day: date, calendar: WorkCalendar) -> list[Example]:
    """From the morning of the day, late that night, and from the eve of the next days off: where counting differs."""
    within = rule_words.counted(entry)
    if within is None:
        return []
    starts = [(day, _MORNING), (day, _NIGHT), (_eve(day, calendar), _MORNING)]
    found = {at: within.after(at, calendar) for at in (_instant(*start) for start in starts)}
    return [Example(at, counted, _runs(counted.skipped)) for at, counted in found.items()]


def _instant(day: date, at: tuple[int, int]) -> datetime:
    return datetime(day.year, day.month, day.day, *at, tzinfo=SHANGHAI).astimezone(UTC)


def _eve(day: date, calendar: WorkCalendar) -> date:
    """The next day whose morrow is off although its weekday is none of the weekend; the same day if there is none."""
    days = (day + timedelta(days=ahead) for ahead in range(1, _AHEAD))
    return next((one - timedelta(days=1) for one in days if one.weekday() < 5 and not calendar.is_workday(one)), day)


def _runs(skipped: Sequence[tuple[date, str]]) -> list[tuple[date, date, str]]:
    runs: list[tuple[date, date, str]] = []
    for day, why in skipped:
        if runs and runs[-1][2] == why and runs[-1][1] + timedelta(days=1) == day:
            runs[-1] = (runs[-1][0], day, why)
        else:
            runs.append((day, day, why))
    return runs


@router.get("/rules/{key}/rule/{rule_id}")
def rule(key: str, rule_id: str, request: Request, site: TheSite) -> Response:
    policy, day, rules = shelf.book_of(site, key), shelf.day_of(request), site.rules()
    found = shelf.rules_of(policy, rule_id)
    tickets, holding = shelf.tickets(site), [one for one in entries_on(policy, day) if one.id == rule_id]
    lines = lines_of(site, policy, holding, day, tickets)
    context = {
        "policy": policy, "rule_id": rule_id, "label": found[0].label, "lines": lines, "tickets": tickets,
        "histories": [(one, history_of(one)) for one in found],
        "examples": {line.anchor: examples(line.entry, day, rules.calendar) for line in lines},
        "standing": {line.anchor: _under(site, policy, line.entry, tickets) for line in lines},
        "try_out": _try_address(next((one for one in found if isinstance(one, Rule)), found[0]), policy, day),
        "behind": shelf.holders(rules.catalog, rule_id) if key == shelf.STATUTE else [],
    }  # fmt: skip
    return page("rules/rule.html", {**frame_of(site, key, day), **context})


def _try_address(rule: Rule | Ruling, policy: Policy, day: date) -> str:
    """Where a moment of one's own can be tried with this rule; "" for a rule without a clock."""
    if not isinstance(rule, Rule) or policy.key == shelf.STATUTE:
        return ""
    return "/try?" + urlencode({"rule": f"{policy.key}/{rule.id}", "start": f"{day.isoformat()}T10:00"})


def _under(site: Site, policy: Policy, entry: Entry, tickets: Tickets) -> list[tuple[str, int, str]]:
    """(version, how many open tickets run under it, where they are): a clock keeps the version it started under."""
    if not isinstance(entry.rule, Rule):
        return []
    behind = shelf.policies_behind(site.rules().catalog, policy, entry.id)
    versions = dict.fromkeys(line.document.label for line in entry.rule.history)
    counted = [
        (version, sum(tickets.running(one, entry.id, version) for one in behind), _queue(behind, entry))
        for version in versions
    ]
    return [one for one in counted if one[1]]


@router.get("/rules/{key}/history")
def history(key: str, request: Request, site: TheSite) -> Response:
    policy, day = shelf.book_of(site, key), shelf.day_of(request)
    histories = [(one, history_of(one)) for one in policy.rules]
    context = {"policy": policy, "histories": histories}
    return page("rules/history.html", {**frame_of(site, key, day), **context})


# ── as a table ──

_COLUMNS = (
    "编号", "名称", "工单类型", "在哪一步", "轮到谁", "限多久", "怎么算", "从什么时候起", "到期会怎样", "到期以后",
    "只管哪些工单", "原文", "假定", "没有启用", "文件", "条款", "生效", "公布", "出处", "可信度", "核对于",
)  # fmt: skip


@router.get("/rules/{key}/export.{kind}")
def export(key: str, kind: str, request: Request, site: TheSite) -> Response:
    """The book of that day as CSV or XLSX, in the language of the page."""
    policy, day = shelf.book_of(site, key), shelf.day_of(request)
    if kind not in FILES:
        raise Told(404, gettext("只能导出 csv 或 xlsx"))
    entries = _sorted(entries_on(policy, day), site.rules().catalog.workflows)
    title = f"{spoken(policy.label).striptags()} {day.isoformat()}"
    rows = [[_plain(text) for text in _cells(one)] for one in entries]
    sheet = Sheet(title, [gettext(name) for name in _COLUMNS], rows)
    content = as_csv([sheet]) if kind == "csv" else as_xlsx([sheet])
    name = f"attachment; filename=\"rules.{kind}\"; filename*=UTF-8''{quote(title)}.{kind}"
    return Response(content, media_type=FILES[kind], headers={"Content-Disposition": name})


def _cells(entry: Entry) -> list[Any]:
    document, turns = entry.document, [party.value for party in rule_words.turns(entry)]
    return [
        entry.id, entry.rule.label, entry.workflow.label, rule_words.places(entry), listed(turns),
        rule_words.length(entry), rule_words.counting(entry), rule_words.starts(entry), rule_words.ends(entry),
        rule_words.leads_to(entry), entry.only, entry.quote, entry.assumed, entry.off, document.title,
        entry.clause, document.effective or "", document.published or "", document.source,
        rule_words.TRUST.get(document.confidence, document.confidence), document.checked_on or "",
    ]  # fmt: skip


def _plain(text: Any) -> str:
    return spoken(text).striptags() if text else ""
