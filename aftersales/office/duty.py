"""Who is on duty when: a plan of the week, and exceptions from it. The counting is in rota.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Engine, delete, insert, select

from aftersales import rota
from aftersales.clock import whole_second
from aftersales.database import Connection, reading, writing
from aftersales.errors import Refused
from aftersales.models import metadata
from aftersales.rota import Exceptional, Span, Weekly
from aftersales.saying import say

_ACCOUNT, _WEEK, _CHANGE = (metadata.tables[name] for name in ("account", "duty_week", "duty_change"))
#: an exception lasts at most this long; a longer absence is a changed week
LONGEST = timedelta(days=62)
_A_DAY = 24 * 60


class Shift(NamedTuple):
    """Somebody on duty, from one instant up to, and without, the other."""

    login: str
    name: str
    from_at: datetime
    to_at: datetime


class Change(NamedTuple):
    """An exception as the page lists it."""

    id: int
    login: str
    name: str
    from_at: datetime
    to_at: datetime
    works: bool
    reason: str


# ── asked ──


def on_duty(engine: Engine, at: datetime) -> list[Shift]:
    """Whose shift it is at this instant, and until when (looked for a day ahead), by login."""
    with reading(engine) as connection:
        return on_duty_in(connection, at)


def on_duty_in(connection: Connection, at: datetime) -> list[Shift]:
    found = _shifts(connection, at, at + timedelta(days=1))
    return [shift for shift in found if shift.from_at == at]


def shifts(engine: Engine, start: datetime, end: datetime) -> list[Shift]:
    """Everybody's time on duty between the two instants, cut off there, by start and then by login."""
    with reading(engine) as connection:
        return _shifts(connection, start, end)


def gaps(engine: Engine, start: datetime, end: datetime) -> list[Span]:
    """When nobody is on duty, in order: (from_at, to_at)."""
    spans = [Span(shift.from_at, shift.to_at) for shift in shifts(engine, start, end)]
    return rota.nobody(spans, start, end)


def _shifts(connection: Connection, start: datetime, end: datetime) -> list[Shift]:
    names, week = {}, []
    active = select(_ACCOUNT.c.login, _ACCOUNT.c.name, _WEEK.c.weekday, _WEEK.c.from_minute, _WEEK.c.to_minute)
    for login, name, *times in connection.execute(active.join_from(_WEEK, _ACCOUNT).where(_ACCOUNT.c.active)):
        names[login] = name
        week.append(Weekly(login, *times))
    exceptions = []
    for change in _changes(connection, start, end):
        names[change.login] = change.name
        exceptions.append(Exceptional(change.login, change.from_at, change.to_at, change.works))
    by_login = rota.spans_of(week, exceptions, start, end)
    found = [Shift(login, names[login], *span) for login, spans in by_login.items() for span in spans]
    return sorted(found, key=lambda shift: (shift.from_at, shift.login))


def _changes(connection: Connection, start: datetime, end: datetime) -> list[Change]:
    columns = (_CHANGE.c.id, _ACCOUNT.c.login, _ACCOUNT.c.name, _CHANGE.c.from_at, _CHANGE.c.to_at)
    question = (
        select(*columns, _CHANGE.c.works, _CHANGE.c.reason)
        .join_from(_CHANGE, _ACCOUNT)
        .where(_ACCOUNT.c.active, _CHANGE.c.to_at > start, _CHANGE.c.from_at < end)
        .order_by(_CHANGE.c.from_at, _CHANGE.c.id)
        .limit(500)
    )
    return [Change(*row) for row in connection.execute(question)]


def changes(engine: Engine, start: datetime, end: datetime) -> list[Change]:
    """The exceptions that touch this time, the earliest first; 500 at most."""
    with reading(engine) as connection:
        return _changes(connection, start, end)


def week(engine: Engine) -> list[Weekly]:
    """The plan of a week, of everybody who still works here."""
    columns = (_ACCOUNT.c.login, _WEEK.c.weekday, _WEEK.c.from_minute, _WEEK.c.to_minute)
    question = select(*columns).join_from(_WEEK, _ACCOUNT).where(_ACCOUNT.c.active)
    with reading(engine) as connection:
        rows = connection.execute(question.order_by(_ACCOUNT.c.login, _WEEK.c.weekday, _WEEK.c.from_minute))
        return [Weekly(*row) for row in rows]


# ── changed ──


def plan_week(engine: Engine, account_id: int, days: Iterable[tuple[int, int, int]]) -> None:
    """This person's week anew: (weekday, from_minute, to_minute). Refused: a time that overlaps another of the same."""
    rows = [_row(account_id, *day) for day in days]
    _no_overlap(rows)
    with writing(engine) as connection:
        connection.execute(delete(_WEEK).where(_WEEK.c.account_id == account_id))
        if rows:
            connection.execute(insert(_WEEK), rows)


def _row(account_id: int, weekday: int, from_minute: int, to_minute: int) -> dict[str, Any]:
    """A shift that ends no later than it begins goes over midnight."""
    if to_minute <= from_minute:
        to_minute += _A_DAY
    return {"account_id": account_id, "weekday": weekday, "from_minute": from_minute, "to_minute": to_minute}


def _no_overlap(rows: Sequence[dict[str, Any]]) -> None:
    taken = sorted(
        (row["weekday"] * _A_DAY + row["from_minute"], row["weekday"] * _A_DAY + row["to_minute"]) for row in rows
    )
    # the night of Sunday reaches into Monday
    after = [(begin + 7 * _A_DAY, end + 7 * _A_DAY) for begin, end in taken[:1]]
    for (_, end), (begin, _) in zip(taken, [*taken[1:], *after], strict=False):
        if begin < end:
            day = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")[begin // _A_DAY % 7]
            raise Refused("invalid_field", say("{day}的班次和前一班重叠了，请把时间错开", day=day))


def except_(
    engine: Engine, account_id: int, from_at: datetime, to_at: datetime, *, works: bool, reason: str = ""
) -> None:
    """An exception from the week. Refused: it ends before it begins, or lasts more than two months."""
    from_at, to_at = whole_second(from_at), whole_second(to_at)
    if to_at <= from_at:
        raise Refused("invalid_field", say("结束时间要晚于开始时间，请核对后重填"))
    if to_at - from_at > LONGEST:
        raise Refused("invalid_field", say("一条例外最长 62 天，更久请改每周排班"))
    values = {"account_id": account_id, "from_at": from_at, "to_at": to_at, "works": works, "reason": reason}
    with writing(engine) as connection:
        connection.execute(insert(_CHANGE).values(**values))


def no_exception(engine: Engine, change_id: int) -> None:
    """Takes an exception back; one that is gone already is gone."""
    with writing(engine) as connection:
        connection.execute(delete(_CHANGE).where(_CHANGE.c.id == change_id))
