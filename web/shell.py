"""What stands around every page: the rooms, who is signed in, the day, and whether the clock is at work."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from aftersales import clock, queries
from aftersales.clock import SHANGHAI, shown, shown_day
from aftersales.database import DatabaseBusy
from aftersales.office import handover
from aftersales.office.accounts import Account
from aftersales.queries import UNREACHABLE, automation
from aftersales.queries.changes import newest_event
from web import identity, visit, words
from web.i18n import english, gettext
from web.site import Site


@dataclass(frozen=True)
class Room:
    """`key` of the keyboard: g and this letter go there."""

    path: str
    label: str
    icon: str
    key: str


ROOMS = (
    Room("/", "工单", "list", "q"),
    Room("/shift", "值班", "shift", "s"),
    Room("/rules", "规则", "book", "r"),
    Room("/reports", "报表", "chart", "p"),
    Room("/team", "团队", "user", "t"),
)
WEEKDAYS = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
#: a scheduler that has not been heard of for so long is not at work
SILENT_SECONDS = 60


@dataclass(frozen=True)
class Pulse:
    """Is the clock at work? `since`: when it was last heard of; `due`: what is due and has not fired, if it is not."""

    well: bool
    since: datetime | None
    sentence: str
    due: str = ""


@dataclass(frozen=True)
class Shell:
    rooms: Sequence[Room]
    here: str
    now: datetime
    today: str
    me: Account | None
    pulse: Pulse | None
    #: how far the clock of a training ground is ahead; None where the work is real
    ahead: timedelta | None
    #: hand-overs to this person that were not confirmed yet
    notes: int
    #: the newest event when the page was made: what comes after it the page is told
    event: int | None


def shell() -> Shell:
    """Of this visit. Also of an error page: without the database there is nobody signed in and no pulse."""
    site: Site | None = visit.current.get().known.get("site")
    now = clock.now()
    me, pulse, day, notes, event = None, None, "", 0, None
    if site is not None:
        day = today(site, now)
        with suppress(DatabaseBusy, *UNREACHABLE):
            event = newest_event(site.desk.engine)
            me, pulse = identity.me(site), pulse_of(site, now)
            notes = handover.unseen_count(site.desk.engine, me.login) if me else 0
    ahead = site.sandbox.ahead if site is not None and site.sandbox is not None else None
    return Shell(ROOMS, here(visit.current.get().path), now, day, me, pulse, ahead, notes, event)


def here(path: str) -> str:
    """The room a page belongs to, "" for none; tickets and views belong to the queue, canned replies to the team."""
    if path == "/" or path.startswith(("/t/", "/new", "/views", "/bulk")):
        return "/"
    if path.startswith("/replies"):
        return "/team"
    return next((room.path for room in ROOMS[1:] if path == room.path or path.startswith(room.path + "/")), "")


def today(site: Site, now: datetime) -> str:
    """10-02 周五 14:32, and the holiday if it is one."""
    day, calendar = shown_day(now), site.rules().calendar
    weekday = gettext(WEEKDAYS[now.astimezone(SHANGHAI).weekday()])
    parts = [f"{shown(now)[5:10]} {weekday} {shown(now)[11:16]}"]
    off = not calendar.is_workday(day) and now.astimezone(SHANGHAI).weekday() < 5
    if off:
        parts.append(gettext("节假日"))
    elif calendar.is_workday(day) and now.astimezone(SHANGHAI).weekday() >= 5:
        parts.append(gettext("补班"))
    return " · ".join(parts)


def pulse_of(site: Site, now: datetime) -> Pulse:
    return pulse_at(site, queries.last_beat(site.desk.engine), now)


def pulse_at(site: Site, beat: datetime | None, now: datetime) -> Pulse:
    """`beat`: when a scheduler last finished a round."""
    if site.sandbox is not None:  # a leap forward would look like silence
        return Pulse(True, beat, gettext("自动执行正常"))
    silent = (now - beat).total_seconds() if beat is not None else 0.0
    if beat is not None and silent <= max(SILENT_SECONDS, 3 * site.settings.poll_seconds):
        return Pulse(True, beat, gettext("自动执行正常"))
    return Pulse(False, beat, _silence(site, now, silent if beat is not None else None), _waiting(site, now))


def _silence(site: Site, now: datetime, silent: float | None) -> str:
    """Never begun, ended on purpose, or gone."""
    if silent is None:
        return gettext("自动执行还没有启动")
    span = words.lasting(silent)
    if all(beat.stopped for beat in automation.beats(site.desk.engine, now)):
        return gettext("自动执行已关闭 {span}", span=span)
    return gettext("自动执行停了 {span}", span=span)


def _waiting(site: Site, now: datetime) -> str:
    """How many clocks have run out without effect, "" for none: asked only while nothing fires, and bounded."""
    waiting = automation.backlog(site.desk.engine, now)
    if not waiting.due:
        return ""
    return gettext("{n} 多", n=automation.MANY) if waiting.many else str(waiting.due)


def language_switch() -> tuple[str, str]:
    """(code, name) of the other language."""
    return ("zh-CN", "中文") if english() else ("en", "English")
