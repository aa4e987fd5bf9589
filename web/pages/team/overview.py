"""Everybody's hands: who is on duty, who has how much, what nobody has, what was handed to me."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter, Response

from aftersales import clock, queries
from aftersales.database import Engine
from aftersales.office import accounts, duty, teams, transfers
from aftersales.office.accounts import Account
from aftersales.office.duty import Shift
from aftersales.office.transfers import Transfer
from aftersales.rota import Span
from web import words
from web.identity import Me
from web.pages.team.frame import team_page
from web.site import Site, TheSite

router = APIRouter()
#: how far ahead somebody should be there
AHEAD = timedelta(hours=72)


@dataclass(frozen=True)
class Hands:
    """One person: on duty until when, or from when; how many open tickets, in which groups."""

    account: Account
    until: datetime | None
    from_at: datetime | None
    open: int
    groups: list[str]
    #: of the fullest hands, for the bar
    percent: int


@dataclass(frozen=True)
class Gap:
    """A time without anybody, and how many clocks run out in it."""

    span: Span
    due: int

    @property
    def seconds(self) -> int:
        return int((self.span.to_at - self.span.from_at).total_seconds())


def hands(engine: Engine, now: datetime) -> list[Hands]:
    """Everybody who works here, whoever is on duty first."""
    everyone = [one for one in accounts.everyone(engine) if one.active]
    loads = teams.loads(engine, [one.login for one in everyone])
    groups: dict[str, list[str]] = {}
    for group in teams.groups(engine):
        for login in group.members if group.active else ():
            groups.setdefault(login, []).append(group.name)
    coming: dict[str, Shift] = {}
    for shift in duty.shifts(engine, now, now + AHEAD):
        coming.setdefault(shift.login, shift)
    most = max([*loads.values(), 1])
    found = [
        _hands(one, coming.get(one.login), now, loads.get(one.login, 0), groups.get(one.login, []), most)
        for one in everyone
    ]
    return sorted(found, key=lambda one: (one.until is None, one.from_at or now + AHEAD, -one.open, one.account.login))


def _hands(account: Account, shift: Shift | None, now: datetime, has: int, groups: list[str], most: int) -> Hands:
    until = shift.to_at if shift is not None and shift.from_at <= now else None
    from_at = shift.from_at if shift is not None and shift.from_at > now else None
    return Hands(account, until, from_at, has, groups, 100 * has // most)


def gaps(engine: Engine, now: datetime) -> list[Gap]:
    """Without anybody, in the next three days; none where nobody ever has duty, since nobody is expected then."""
    if not duty.week(engine):
        return []
    found = duty.gaps(engine, now, now + AHEAD)
    return [Gap(span, queries.run_out_between(engine, span.from_at, span.to_at)) for span in found]


@dataclass(frozen=True)
class Handed:
    """A ticket that was handed to me, in words."""

    told: Transfer
    by: str
    workflow: str
    state: str
    left: str
    urgency: str


def _handed(site: Site, told: Transfer, names: dict[str, str], now: datetime) -> Handed:
    rules = site.rules()
    return Handed(
        told,
        names.get(told.by_login, told.by_login),
        words.workflow_label(rules, told.workflow),
        words.state_label(rules, told.workflow, told.state),
        "" if told.due_at is None else words.left(told.due_at, now),
        words.urgency(told.due_at, now),
    )


@router.get("/team")
def overview(site: TheSite, me: Me) -> Response:
    engine, now = site.desk.engine, clock.now()
    everybody = hands(engine, now)
    names = {one.account.login: one.account.name for one in everybody}
    mine = [] if me is None else transfers.unseen(engine, me.login)
    without = gaps(engine, now)
    context = {
        "hands": everybody,
        "nobodys": queries.how_many_have(engine, None),
        "first": next(iter(queries.held_by(engine, None, 1)), None),
        "gaps": without,
        "hours": f"{round(sum(gap.seconds for gap in without) / 3600, 1):g}",
        "due": sum(gap.due for gap in without),
        "holiday": _holiday(site, now),
        "mine": [_handed(site, told, names, now) for told in mine],
        "me": me,
        "now": now,
    }
    return team_page("overview", "/team", context)


def _holiday(site: Site, now: datetime) -> str:
    """The first day off by the calendar, not by the weekend, of the next three days; "" if there is none."""
    calendar, day = site.rules().calendar, clock.shown_day(now)
    for n in range(4):
        ahead = day + timedelta(days=n)
        if not calendar.is_workday(ahead) and calendar.is_holiday(ahead):
            return calendar.reason(ahead)
    return ""
