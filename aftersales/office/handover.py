"""Hand-over notes: what one shift tells the next, and which tickets go along.

A note is a draft until it is handed over; the receiver then says that it was read. Tickets change their owner through
the one door, each by itself, and their clocks run on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, and_, delete, func, insert, or_, select, update

from aftersales.clock import whole_second
from aftersales.database import Connection, reading, writing
from aftersales.errors import Refused
from aftersales.fill_in import text_problem
from aftersales.models import metadata
from aftersales.office.accounts import Account
from aftersales.saying import say

_HANDOVER = metadata.tables["handover"]
_H = _HANDOVER.c
LONGEST_NOTE = 5000
MOST_TICKETS = 200
A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Handover:
    """`tickets` are offered, `moved` went to the receiver: ticket ids."""

    id: int
    key: str
    from_login: str
    to_login: str
    text: str
    asks_to_confirm: bool
    tickets: Sequence[int]
    moved: Sequence[int]
    written_at: datetime
    handed_at: datetime | None
    seen_at: datetime | None


@dataclass(frozen=True)
class Note:
    """What somebody writes: to whom, what, and the tickets that go along."""

    to_login: str = ""
    text: str = ""
    asks_to_confirm: bool = True
    tickets: Sequence[int] = field(default_factory=tuple)


_WHOLE = select(*(_H[name] for name in Handover.__dataclass_fields__))
_UNSEEN = and_(_H.handed_at.is_not(None), _H.seen_at.is_(None))


def _note(row: Sequence[Any]) -> Handover:
    return Handover(*row)


# ── writing ──


def save(engine: Engine, me: Account, note: Note, key: str, at: datetime) -> None:
    """Keeps the note as this person's only draft."""
    _well_formed(note)
    with writing(engine) as connection:
        if _of_key(connection, key) is None:
            _write(connection, me, note, key, at, handed=False)


def hand_over(engine: Engine, me: Account, to: Account | None, note: Note, key: str, at: datetime) -> Handover:
    """Hands the note over; the same form sent twice does it once. The tickets are still where they were."""
    _well_formed(note)
    if to is None or not to.active:
        raise Refused("invalid_field", say("接班人：没有这个账号，或已停用，请从列表里选"))
    if to.login == me.login:
        raise Refused("invalid_field", say("接班人：不能交给自己，请选另一个人"))
    if not note.text.strip() and not note.tickets:
        raise Refused("missing_field", say("您要交代的：没有写内容，也没有要转的工单，请至少写一句"))
    with writing(engine) as connection:
        before = _of_key(connection, key)
        if before is not None and before.handed_at is not None:
            return before
        _write(connection, me, replace(note, to_login=to.login), key, at, handed=True)
        made = _of_key(connection, key)
    assert made is not None
    return made


def _well_formed(note: Note) -> None:
    if len(note.text) > LONGEST_NOTE:
        raise Refused(
            "invalid_field", say("您要交代的：太长了（{n} 字），最多 {most} 字", n=len(note.text), most=LONGEST_NOTE)
        )
    problem = text_problem(note.text, LONGEST_NOTE)
    if problem is not None:
        raise Refused("invalid_field", say("您要交代的：{problem}", problem=problem))
    if len(note.tickets) > MOST_TICKETS:
        raise Refused("invalid_field", say("一次最多交 {n} 张工单，其余请在「团队」里转", n=MOST_TICKETS))


def _write(connection: Connection, me: Account, note: Note, key: str, at: datetime, *, handed: bool) -> None:
    """In place of this person's draft, if there is one."""
    connection.execute(delete(_HANDOVER).where(_H.from_login == me.login, _H.handed_at.is_(None)))
    at = whole_second(at)
    to_login = note.to_login if note.to_login != me.login else ""
    connection.execute(
        insert(_HANDOVER).values(
            key=key,
            from_login=me.login,
            to_login=to_login,
            text=note.text,
            asks_to_confirm=note.asks_to_confirm,
            tickets=list(note.tickets),
            moved=[],
            written_at=at,
            handed_at=at if handed else None,
            seen_at=None,
        )
    )


def _of_key(connection: Connection, key: str) -> Handover | None:
    row = connection.execute(_WHOLE.where(_H.key == key)).first()
    return None if row is None else _note(row)


def tickets_moved(engine: Engine, handover: Handover, moved: Sequence[int]) -> None:
    with writing(engine) as connection:
        connection.execute(update(_HANDOVER).where(_H.id == handover.id).values(moved=list(moved)))


def seen(engine: Engine, me: Account, handover_id: int, at: datetime) -> bool:
    """The receiver has read it; a second time changes nothing. False: it is not theirs to confirm."""
    mine = and_(_H.id == handover_id, _H.to_login == me.login, _H.handed_at.is_not(None))
    with writing(engine) as connection:
        if connection.execute(select(_H.id).where(mine)).first() is None:
            return False
        connection.execute(update(_HANDOVER).where(mine, _H.seen_at.is_(None)).values(seen_at=whole_second(at)))
    return True


# ── reading ──


def draft_of(engine: Engine, login: str) -> Handover | None:
    with reading(engine) as connection:
        row = connection.execute(_WHOLE.where(_H.from_login == login, _H.handed_at.is_(None))).first()
    return None if row is None else _note(row)


def unseen(engine: Engine, login: str, at: datetime, limit: int = 10) -> list[Handover]:
    """What was handed to this person and not yet confirmed, the oldest first; what asks for none, for a day."""
    lasts = or_(_H.asks_to_confirm, _H.handed_at > at - A_DAY)
    statement = _WHOLE.where(_UNSEEN, _H.to_login == login, lasts).order_by(_H.id).limit(limit)
    with reading(engine) as connection:
        return [_note(row) for row in connection.execute(statement)]


def unseen_count(engine: Engine, login: str) -> int:
    """Of those that ask to be confirmed: for the mark on every page."""
    mine = and_(_UNSEEN, _H.to_login == login, _H.asks_to_confirm)
    with reading(engine) as connection:
        return connection.execute(select(func.count()).where(mine)).scalar_one()


def history(engine: Engine, login: str, limit: int = 10, before: int | None = None) -> list[Handover]:
    """Handed over by or to this person, the newest first. `before`: an id to page on from."""
    statement = _WHOLE.where(_H.handed_at.is_not(None), or_(_H.from_login == login, _H.to_login == login))
    if before is not None:
        statement = statement.where(_H.id < before)
    with reading(engine) as connection:
        return [_note(row) for row in connection.execute(statement.order_by(_H.id.desc()).limit(limit))]
