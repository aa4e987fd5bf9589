"""Rows of tickets alike: what `rows.py` makes of one ticket after the other, poured from one mould. Pure.

A leap (alike.py) says what becomes of every ticket of a kind. All rows of those that were due at the same instant are
the same but for ids, numbers, versions and hashes, so the functions of rows.py write them once, and these are filled
in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from json.encoder import encode_basestring as _quoted
from typing import Any, NamedTuple

from aftersales import rows
from aftersales.alike import Kind, Leap, Leaps
from aftersales.rows import MARKS, MOVING, RESTING, Instants, clocks_to_json
from aftersales.ticket import Event

#: the columns that a mould needs to know of a ticket: its kind, then what is its own
DUE = (
    *("workflow", "policy", "state", "rule_id", "rule_version", "clock_timeout"),
    *("id", "shop_id", "number", "version", "last_hash", "due_at"),
)
KIND, OWN, ALIKE = slice(0, 6), slice(6, 12), 12
TICKET_ID, DUE_AT = DUE.index("id"), DUE.index("due_at")
#: of MOVING, what follows from `clocks`
_CLOCK = MOVING[-7:]
_ENTERED, _CLOCKS, _ALARM = (MOVING.index(name) for name in ("entered_at", "clocks", "alarm_at"))


class Cast(NamedTuple):
    """All that tickets alike which were due at the same instant have in common."""

    due: datetime
    #: of the UPDATE, behind what is the ticket's own; of the event, between `seq` and `previous_hash`
    changed: tuple[Any, ...]
    event: tuple[Any, ...]
    story: str
    #: of what the outside is told, around the number and the id
    told: tuple[str, str, str]
    #: `changed` and `event` as lines of COPY
    lines: tuple[str, str] = ("", "")


class Mould(dict[Any, Cast]):
    """Makes the rows of tickets alike: one Cast for every due time, as the column has it."""

    def __init__(self, leap: Leap, now: datetime, instants: Instants) -> None:
        self.leap, self.now, self.instants = leap, now, instants
        self.recorded_at = instants[now][0]
        own = ("version", "moved_seq", *(["entered_seq"] if leap.arrives else []), "last_hash")
        after, _ = leap.landing(now, now)
        self.moving = rows.moving_values(after, "", "", instants)
        self.often = [place for place, name in enumerate(MOVING) if name in leap.changed or name in _CLOCK]
        values = (*rows.marks_values(after, instants), *rows.resting_values(after, instants))
        named = zip((*MARKS, *RESTING), values, strict=True)
        rarely = {name: value for name, value in named if name in leap.changed}
        self.rarely = tuple(rarely.values())
        #: of the UPDATE, in the order of the rows
        self.columns = (*own, *(MOVING[place] for place in self.often), *rarely)

    def __missing__(self, due_at: Any) -> Cast:
        due, instants = rows.instant_of(due_at), self.instants
        alarm_at, event = self.leap.happening(due, self.now)
        clocks = clocks_to_json(event.clocks, instants)
        facts = rows.to_json(event.facts) if event.facts else "{}"
        cast = self[due_at] = Cast(
            due,
            self._changed(event, alarm_at, clocks),
            rows.happened(event, facts, clocks, None, instants),
            rows.story(event, facts, clocks, None, instants),
            rows.told(event, instants),
        )
        return cast

    def _changed(self, event: Event, alarm_at: datetime | None, clocks: str) -> tuple[Any, ...]:
        moving = list(self.moving)
        moving[_ENTERED] = self.instants[event.at][0]
        moving[_CLOCKS] = clocks
        moving[_ALARM] = None if alarm_at is None else self.instants[alarm_at][0]
        moving[-7:] = rows.clock_values(event.clocks, self.instants)
        return (*[moving[place] for place in self.often], *self.rarely)

    def pour(self, row: Sequence[Any]) -> tuple[Any, Any, Any, str]:
        """The rows of the UPDATE, the event and the outbox, and the new hash, for a row of DUE columns."""
        ticket_id, shop_id, number, version, previous, due_at = row[OWN]
        cast, seq = self[due_at], version + 1
        head = rows.seal(previous, shop_id, ticket_id, seq, cast.story)
        before, between, behind = cast.told
        payload = f"{before}{_quoted(number)}{between}{ticket_id}{behind}"
        seqs = (seq, seq, seq) if self.leap.arrives else (seq, seq)
        return (
            (*seqs, head, *cast.changed, ticket_id, version, previous),
            (shop_id, ticket_id, seq, *cast.event, previous, head),
            (shop_id, ticket_id, seq, "ticket.move", payload, self.recorded_at, 0),
            head,
        )

    def told(self, row: Sequence[Any]) -> tuple[str, datetime]:
        """The timeout, and when it was due."""
        return self.leap.event.trigger, self[row[DUE_AT]].due


class CopyMould(Mould):
    """The same, as lines of COPY at once: PostgreSQL's driver would look at every value."""

    def __missing__(self, due_at: Any) -> Cast:
        cast = super().__missing__(due_at)
        cast = self[due_at] = cast._replace(lines=(rows.copy_text(cast.changed), rows.copy_text(cast.event)))
        return cast

    def pour(self, row: Sequence[Any]) -> tuple[Any, Any, Any, str]:
        ticket_id, shop_id, number, version, previous, due_at = row[OWN]
        cast, seq = self[due_at], version + 1
        head = rows.seal(previous, shop_id, ticket_id, seq, cast.story)
        before, between, behind = cast.told
        payload = rows.copy_text([f"{before}{_quoted(number)}{between}{ticket_id}{behind}"])
        seqs = f"{seq}\t{seq}\t{seq}" if self.leap.arrives else f"{seq}\t{seq}"
        changed, event = cast.lines
        return (
            f"{seqs}\t{head}\t{changed}\t{ticket_id}\t{version}\t{previous}",
            f"{shop_id}\t{ticket_id}\t{seq}\t{event}\t{previous}\t{head}",
            f"{shop_id}\t{ticket_id}\t{seq}\tticket.move\t{payload}\t{self.recorded_at}\t0",
            head,
        )


class Moulds:
    """Those of one sweep. `copied`: the database takes lines of COPY."""

    def __init__(self, leaps: Leaps, now: datetime, *, copied: bool = False) -> None:
        self._mould = CopyMould if copied else Mould
        self._leaps, self._now, self._instants = leaps, now, Instants()
        late_before = leaps.late_before(now)
        #: as the columns of either database have it
        self._late_before = {datetime: late_before, str: rows.sqlite_instant(late_before)}
        self._made: dict[tuple[Sequence[Any], bool], Mould | None] = {}

    def find(self, row: Sequence[Any]) -> Mould | None:
        """For a row of DUE columns and whether it may be alike; None: this ticket must be looked at itself."""
        if not row[ALIKE]:
            return None
        due_at = row[DUE_AT]
        key = (row[KIND], due_at < self._late_before[type(due_at)])
        if key not in self._made:
            leap = self._leaps.find(Kind(*row[KIND]), key[1], self._now)
            self._made[key] = None if leap is None else self._mould(leap, self._now, self._instants)
        return self._made[key]
