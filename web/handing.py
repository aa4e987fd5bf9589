"""The hand-over on the shift board: what the system writes of it by itself, and the notes that wait to be read."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aftersales.clock import SHANGHAI
from aftersales.desk import Command
from aftersales.errors import Refused, UnknownTicket
from aftersales.office import duty, handover
from aftersales.office.accounts import Account
from aftersales.office.duty import Shift
from aftersales.office.handover import MOST_TICKETS, Handover, Note
from aftersales.queries import board
from aftersales.queries.board import Held
from aftersales.workflows.plain import ASSIGN
from web.site import Site

#: where nobody keeps a plan of duty: the usual day, in hours of Shanghai
LEAVES_AT, COMES_AT = 18, 9
AHEAD = timedelta(days=14)
PAUSED = 20
HISTORY = 10
REASON = "交班"


@dataclass(frozen=True)
class Plan:
    """When somebody goes and comes back, and who takes over. `known`: a plan of duty says so."""

    ends_at: datetime
    back_at: datetime
    takes_over: str | None
    known: bool


@dataclass(frozen=True)
class Handing:
    """The form. `before_end`: run out before the shift ends; `before_back`: before the next one begins."""

    plan: Plan
    before_end: Sequence[Held]
    before_back: Sequence[Held]
    paused: Sequence[Held]
    receivers: Sequence[Account]
    to_login: str
    text: str
    asks_to_confirm: bool
    moves: bool
    saved_at: datetime | None
    key: str = field(default_factory=lambda: secrets.token_urlsafe(18))

    @property
    def to(self) -> Account | None:
        return next((one for one in self.receivers if one.login == self.to_login), None)


@dataclass(frozen=True)
class Typed:
    """The form as it came back."""

    to: str = ""
    text: str = ""
    confirm: bool = True
    move: bool = True


def plan(site: Site, login: str, now: datetime) -> Plan:
    shifts = duty.shifts(site.desk.engine, now, now + AHEAD)
    mine = [one for one in shifts if one.login == login]
    if not mine:
        return _usual_day(shifts, now, login)
    ends_at = mine[0].to_at if mine[0].from_at <= now else now
    later = [one.from_at for one in mine if one.from_at > ends_at]
    back_at = later[0] if later else ends_at + timedelta(hours=15)
    return Plan(ends_at, back_at, _takes_over(shifts, login, ends_at), True)


def _usual_day(shifts: Sequence[Shift], now: datetime, login: str) -> Plan:
    local = now.astimezone(SHANGHAI)
    evening = local.replace(hour=LEAVES_AT, minute=0, second=0, microsecond=0)
    ends_at = max(evening, local)
    back_at = (ends_at + timedelta(days=1)).replace(hour=COMES_AT, minute=0, second=0, microsecond=0)
    return Plan(ends_at, back_at, _takes_over(shifts, login, ends_at), False)


def _takes_over(shifts: Iterable[Shift], login: str, at: datetime) -> str | None:
    """Who begins at that time or is there then, the latest to have come; else who comes next."""
    others = [one for one in shifts if one.login != login and one.to_at > at]
    there = [one for one in others if one.from_at <= at]
    if there:
        return max(there, key=lambda one: (one.from_at, one.login)).login
    return min(others, key=lambda one: (one.from_at, one.login)).login if others else None


def handing(
    site: Site, me: Account, everyone: Mapping[str, Account], shops: Sequence[int], now: datetime, typed: Typed | None
) -> Handing:
    """The form as it is first shown, as it was saved, or with what was typed into it."""
    engine, when = site.desk.engine, plan(site, me.login, now)
    due = board.held_until(engine, me.login, shops, when.back_at, MOST_TICKETS)
    receivers = [one for one in everyone.values() if one.active and one.login != me.login]
    draft = handover.draft_of(engine, me.login)
    to_login = typed.to if typed else (draft.to_login if draft and draft.to_login else when.takes_over or "")
    return Handing(
        plan=when,
        before_end=[one for one in due if one.due_at is not None and one.due_at < when.ends_at],
        before_back=[one for one in due if one.due_at is not None and one.due_at >= when.ends_at],
        paused=board.held_paused(engine, me.login, shops, PAUSED),
        receivers=receivers,
        to_login=to_login,
        text=typed.text if typed else draft.text if draft else "",
        asks_to_confirm=typed.confirm if typed else draft.asks_to_confirm if draft else True,
        moves=typed.move if typed else True,
        saved_at=draft.written_at if draft else None,
    )


# ── handed over ──


def hand_over(site: Site, me: Account, to: Account | None, note: Note, key: str, now: datetime) -> Handover:
    """The note first, then ticket by ticket: each changes hands by itself, once, and only while it is still mine."""
    handed = handover.hand_over(site.desk.engine, me, to, note, key, now)
    moved = [ticket for ticket in handed.tickets if _moved(site, me, handed, ticket, now)]
    if list(handed.moved) != moved:
        handover.tickets_moved(site.desk.engine, handed, moved)
    return handed


def _moved(site: Site, me: Account, handed: Handover, ticket_id: int, now: datetime) -> bool:
    if ticket_id in handed.moved:
        return True
    given = {"agent": handed.to_login, "reason": REASON}
    key = f"handover-{handed.id}-{ticket_id}"
    try:
        owners = board.owners(site.desk.engine, [ticket_id])
        if owners.get(ticket_id) != me.login:
            return owners.get(ticket_id) == handed.to_login
        site.desk.do(Command(ticket_id, ASSIGN.name, "agent", now, given, actor_name=me.login, key=key))
    except (Refused, UnknownTicket):
        return False
    return True


@dataclass(frozen=True)
class Told:
    """A note as the page shows it, its tickets by number."""

    note: Handover
    numbers: Sequence[tuple[int, str, bool]]

    @property
    def stayed(self) -> Sequence[tuple[int, str, bool]]:
        return [one for one in self.numbers if not one[2]]


def told(site: Site, notes: Sequence[Handover]) -> list[Told]:
    """With (id, number, moved) of each ticket; those that are no more are left out."""
    named = board.numbers(site.desk.engine, sorted({one for note in notes for one in note.tickets}))
    return [
        Told(note, [(one, named[one], one in note.moved) for one in note.tickets if one in named]) for note in notes
    ]
