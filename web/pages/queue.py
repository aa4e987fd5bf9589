"""The queue: what runs out first, by which rule, what then happens, whose turn it is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from aftersales import clock, queries
from aftersales.clock import UTC
from aftersales.desk import Desk
from aftersales.office import teams, views
from aftersales.queries import Page, Place, Wanted, tally
from aftersales.queries.queue import MOST, end_of_day
from web import identity
from web.bulk import steps_for
from web.filters import Filters, read
from web.i18n import gettext
from web.rendering import page
from web.rows import Row, Telling
from web.site import Site, TheSite
from web.views_bar import Around, Choice, ViewGroup

router = APIRouter()
ROWS = 50
#: hits are counted one by one up to here
COUNTED = 1000
#: rows that a script may ask for at once
_IDS = re.compile(r"[0-9]{1,18}(,[0-9]{1,18}){0,99}")


# ── a place in the queue, as it stands in an address ──


def _written(place: Place) -> str:
    return f"{place.part}-{int(place.at.timestamp())}-{place.id}"


def _read(text: str) -> Place | None:
    """None for anything that we did not write ourselves: then the queue begins at its beginning."""
    found = re.fullmatch(r"([012])-([0-9]{1,11})-([0-9]{1,18})", text)
    if found is None:
        return None
    part, seconds, id = map(int, found.groups())
    return Place(part, datetime.fromtimestamp(seconds, UTC), id)


# ── the page ──


@dataclass(frozen=True)
class Section:
    """Rows of one urgency. `count`: of all pages, where that is known."""

    name: str
    label: str
    hint: str
    icon: str
    count: int | None
    rows: Sequence[Row]


_SECTIONS = {
    "late": ("已逾期或已升级", "到期后规则不自动推进，要人处理", "late"),
    "soon": ("4 小时内", "", ""),
    "today": ("今天", "", ""),
    "later": ("以后", "", ""),
    "none": ("没有在走的时限", "暂停、无时限或规则缺失", "noclock"),
}


@router.get("/")
def queue(request: Request, site: TheSite) -> Response:
    around, wanted = _around(site, request.query_params)
    after = _read(request.query_params.get("after", ""))
    found = queries.queue(site.desk.engine, wanted, around.now, after=after, limit=ROWS)
    told = telling(site, around.now)
    rows = [told.row(waiting) for waiting in found.rows]
    filters, total = around.filters, _total(site.desk, around, wanted, found, after)
    saved = views.seen_by(site.desk.engine, around.me.login if around.me else "")
    groups = around.views(saved)
    context: dict[str, Any] = {
        "filters": filters,
        "title": _title(around, groups),
        "total": total,
        "total_is_least": total is not None and total > COUNTED and around.count(filters) is None,
        "groups": groups,
        "types": around.types(),
        "platforms": around.platforms(),
        "menus": around.menus(),
        "sections": _sections(around, wanted, rows),
        "rows": rows,
        "here": filters.address(),
        "first_page": filters.address() if after is not None else None,
        "next_page": filters.address(after=_written(found.next)) if found.next is not None else None,
        "steps": steps_for(site.rules(), [row.ticket for row in rows]),
        "most": MOST,
        "people": [account for account in around.people.values() if account.active],
        "empty": None if rows else _empty(site, around, after),
        "conditions": [] if rows else around.conditions(),
        "rule_problems": [str(problem) for problem in site.rule_problems()],
    }
    return page("queue.html", context)


@router.get("/rows")
def some_rows(request: Request, site: TheSite, ids: str = "") -> Response:
    """The rows of these tickets as they are now, for a list that is being looked at; a part of a page."""
    around, wanted = _around(site, request.query_params)
    if not _IDS.fullmatch(ids):
        return page("rows.html", {"rows": [], "still": set(), "view": ""})
    asked = list(dict.fromkeys(map(int, ids.split(","))))
    found, still = queries.some(site.desk.engine, asked, wanted, around.now)
    told = telling(site, around.now)
    rows = [told.row(waiting) for waiting in found]
    return page("rows.html", {"rows": rows, "still": still, "view": around.filters.query})


def telling(site: Site, now: datetime) -> Telling:
    shops = queries.shops(site.desk.engine)
    people, me = identity.people(site), identity.me(site)
    return Telling(site.rules(), now, end_of_day(now), len(shops) > 1, people, me)


def _around(site: Site, asked: Mapping[str, str]) -> tuple[Around, Wanted]:
    rules, now, engine = site.rules(), clock.now(), site.desk.engine
    shops = dict(queries.shops(engine))
    filters = read(asked, rules, shops)
    cube = tally.of(engine).current(now)
    people, me = identity.people(site), identity.me(site)
    around = Around(rules, filters, shops, people, me, cube, now, _teams(site))
    return around, filters.wanted(rules)


def _teams(site: Site) -> dict[int, str]:
    return {group.id: group.name for group in teams.groups(site.desk.engine) if group.active}


def _total(desk: Desk, around: Around, wanted: Wanted, found: Page, after: Place | None) -> int | None:
    """How many tickets the filter finds: by the tally, else counted up to COUNTED + 1."""
    if after is None and found.next is None:
        return len(found.rows)
    told = around.count(around.filters)
    if told is not None or around.cube is None:
        return told
    return queries.count(desk.engine, wanted, around.now, COUNTED + 1)


def _title(around: Around, groups: Sequence[ViewGroup]) -> Choice:
    """The view that the filter is; else that it is a choice of tickets."""
    chosen = [view for group in groups for view in group.views if view.chosen]
    if chosen:
        return chosen[0]
    label = gettext("搜索结果") if around.filters.q else gettext("筛选结果")
    return Choice(label, around.filters.address(), None, True)


def _sections(around: Around, wanted: Wanted, rows: Sequence[Row]) -> list[Section]:
    found = []
    for name, (label, hint, icon) in _SECTIONS.items():
        inside = [row for row in rows if row.section == name]
        if inside:
            found.append(Section(name, label, hint, icon, _of_section(around, wanted, name), inside))
    return found


def _of_section(around: Around, wanted: Wanted, name: str) -> int | None:
    cube = around.cube
    if cube is None or not cube.can_tell(wanted):
        return None
    late, clockless = cube.where("late", 1) | cube.where("past", 1), cube.where("due", "")
    soon = cube.where("soon", 1)
    today = cube.due_between(cube.at, end_of_day(cube.at)) & ~soon
    of = {"late": late, "soon": soon & ~late, "today": today & ~late, "none": clockless & ~late}
    of["later"] = cube.all & ~(late | soon | today | clockless)
    return cube.count(cube.mask(wanted) & of[name])


def _empty(site: Site, around: Around, after: Place | None) -> str:
    """Which kind of nothing: searched, filtered, mine, done, past_end, or new (no ticket was ever opened)."""
    if after is not None:
        return "past_end"
    if around.filters.q:
        return "searched"
    if around.me and around.filters == Filters(owner=around.me.login):
        return "mine"
    if around.filters.given:
        return "filtered"
    return "done" if queries.any_ticket(site.desk.engine) else "new"


def named_views(site: Site) -> list[tuple[str, str]]:
    """(name, address) of every view this person has; without counts."""
    around, _ = _around(site, {})
    saved = views.seen_by(site.desk.engine, around.me.login if around.me else "")
    return [(view.label, view.address) for group in around.views(saved) for view in group.views]
