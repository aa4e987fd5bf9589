"""The queue: open tickets, the most urgent first, a page at a time.

A page is found in two steps: the ids, from indexes that carry the order and the filters of every day, then the fifty
rows themselves with the entries of their histories that a list shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Engine,
    Select,
    Text,
    and_,
    any_,
    cast,
    func,
    intersect,
    literal,
    or_,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from aftersales import store
from aftersales.clock import SHANGHAI
from aftersales.database import Connection, reading
from aftersales.models import metadata, tickets
from aftersales.queries import search
from aftersales.rows import EVENT, event_from_row
from aftersales.ticket import Event, Ticket

_TICKET, _SHOP, _EVENT, _TEAM = (metadata.tables[name] for name in ("ticket", "shop", "ticket_event", "ticket_team"))
_HOUR = timedelta(hours=1)
#: a list of hits, and a selection of all, end here
MOST = 500
DUE = ("4h", "today", "72h")
MARKS = ("late", "escalated", "paused", "provisional", "no_rule", "trouble")
#: What so many tickets have is not listed before the queue is walked: it is met soon. Fewer are looked at one by one.
MANY, FEW = 30_000, 200
#: the same on PostgreSQL, which guesses how rare a thing is, and often wrong
LISTED = 2_000
#: tickets that are looked at one by one for a common word
SOON = 400


@dataclass(frozen=True)
class Wanted:
    """Which open tickets; what is empty asks for nothing. `owners`: logins, None among them for nobody's."""

    workflow: str = ""
    policy: str = ""
    shop_id: int | None = None
    #: (workflow, state): of a state, or of all states that wait for somebody
    states: frozenset[tuple[str, str]] | None = None
    owners: frozenset[str | None] | None = None
    #: the group it was given to
    team_id: int | None = None
    #: one of DUE
    due: str = ""
    due_from: datetime | None = None
    due_to: datetime | None = None
    #: one of MARKS
    mark: str = ""
    level: str = ""
    member: str = ""
    from_fen: int = 0
    #: what was typed into the search field
    text: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of the queue ended: the next one begins after it, however many tickets came and went since."""

    part: int
    at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """One row of the queue."""

    ticket: Ticket
    shop: str
    #: a part of the queue: LATE, RUNNING or STILL
    part: int
    #: the newest entry of its history, and the move that brought it where it stands
    last: Event | None
    moved: Event | None


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[Waiting]
    #: None: this was the last page
    next: Place | None


# ── what a filter asks of a row ──

_C = _TICKET.c


def _field(name: str) -> ColumnElement[str]:
    """What people or a platform's export said of a ticket, as text."""
    return cast(_C.fields.op("->>", return_type=Text())(text(f"'{name}'")), Text)


#: word for word what the partial indexes say, or they are not used
OPEN, IS_LATE = text("ticket.closed_at IS NULL"), text("(ticket.escalated OR ticket.overdue_in = ticket.state)")
_NOT_LATE = text("NOT coalesce(ticket.escalated OR ticket.overdue_in = ticket.state, false)")
_ODD = text(
    "(ticket.provisional OR ticket.trouble IS NOT NULL OR ticket.paused <> '[]'"
    " OR ticket.no_clock_reason = 'policy_missing')"
)
LEVEL, MEMBER = _field("complaint_level"), _field("member_level")
#: what a ticket is about: the money released, else asked for, else paid
AMOUNT = func.coalesce(_C.refund_fen, cast(_field("amount_fen"), BigInteger), _C.paid_fen)
#: the same words as in their indexes
_HAS_LEVEL, _HAS_MEMBER = text(f"{tickets.LEVEL} IS NOT NULL"), text(f"{tickets.MEMBER} IS NOT NULL")
_IS_LARGE = text(f"{tickets.AMOUNT} >= {tickets.LARGE_FEN}")
PAUSED, NO_RULE = text("ticket.paused <> '[]'"), text("ticket.no_clock_reason = 'policy_missing'")


def amount_fen(ticket: Ticket) -> int:
    """AMOUNT of one ticket."""
    asked: int | None = ticket.fields.get("amount_fen")
    if ticket.refund_fen is not None:
        return ticket.refund_fen
    return ticket.paid_fen if asked is None else asked


def due_within(wanted: Wanted, now: datetime) -> tuple[datetime | None, datetime | None]:
    """From when to when (exclusive) the due time has to be; None leaves that end open."""
    start, end = wanted.due_from, wanted.due_to
    if wanted.due:
        ends = {"4h": now + 4 * _HOUR, "today": end_of_day(now), "72h": whole_hour(now) + 72 * _HOUR}
        start = now if start is None else max(start, now)
        end = ends[wanted.due] if end is None else min(end, ends[wanted.due])
    return start, end


def whole_hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def end_of_day(now: datetime) -> datetime:
    """The first instant of tomorrow in Beijing."""
    midnight = now.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight + timedelta(days=1)).astimezone(now.tzinfo)


def _asked(dialect: str, wanted: Wanted, now: datetime) -> list[Any]:
    conditions: list[Any] = [
        column == value
        for column, value in (
            (_C.workflow, wanted.workflow),
            (_C.policy, wanted.policy),
            # the sum keeps SQLite from an index that begins with the shop, and from sorting all that it has
            (_C.shop_id if dialect == "postgresql" else _C.shop_id + 0, wanted.shop_id),
        )
        if value not in ("", None)
    ]
    conditions += [condition for rare in _rare(wanted).values() for condition in rare]
    if wanted.states is not None:
        conditions.append(_in_states(wanted.states))
    if wanted.owners is not None:
        conditions.append(_of_owners(wanted.owners))
    if wanted.team_id is not None:
        conditions.append(_C.id.in_(select(_TEAM.c.ticket_id).where(_TEAM.c.team_id == wanted.team_id)))
    if wanted.mark:
        conditions += _marked(wanted.mark, now)
    start, end = due_within(wanted, now)
    conditions += [] if start is None else [_C.due_at >= start]
    conditions += [] if end is None else [_C.due_at < end]
    if wanted.text:
        conditions.append(search.matching(dialect, wanted.text))
    return conditions


def _rare(wanted: Wanted) -> dict[str, list[Any]]:
    """What no index of the queue carries, by its name; each with the condition of its own index, if it has one."""
    found: dict[str, list[Any]] = {}
    if wanted.level:
        found["level"] = [wanted.level == LEVEL, _HAS_LEVEL]
    if wanted.member:
        found["member"] = [wanted.member == MEMBER, _HAS_MEMBER]
    if wanted.from_fen:
        found["from_fen"] = [wanted.from_fen <= AMOUNT] + [_IS_LARGE] * (wanted.from_fen >= tickets.LARGE_FEN)
    return found


def _in_states(states: Iterable[tuple[str, str]]) -> ColumnElement[bool]:
    of: dict[str, list[str]] = {}
    for workflow, state in sorted(states):
        of.setdefault(workflow, []).append(state)
    each = [and_(_C.workflow == workflow, _C.state.in_(names)) for workflow, names in of.items()]
    return or_(*each) if each else _C.id == -1


def _of_owners(owners: Iterable[str | None]) -> ColumnElement[bool]:
    logins = sorted(owner for owner in owners if owner is not None)
    named = [_C.owner.in_(logins)] if logins else []
    nobody = [or_(_C.owner.is_(None), _C.owner == "")] if None in owners else []
    return or_(*named, *nobody) if named or nobody else _C.id == -1


def _marked(mark: str, now: datetime) -> list[Any]:
    of: dict[str, list[Any]] = {
        "late": [or_(IS_LATE, _C.due_at < now)],
        "escalated": [text("ticket.escalated")],
        "paused": [_ODD, PAUSED],
        "provisional": [_ODD, text("ticket.provisional")],
        "no_rule": [_ODD, NO_RULE],
        "trouble": [_ODD, _C.trouble.is_not(None)],
    }
    return of[mark]


# ── a page ──

LATE, RUNNING, STILL = 0, 1, 2
#: The parts of the queue, one after the other, each with its order: late, those with a clock, those without (an
#: open ticket has a clock or a reason why not, i01).
_PARTS: tuple[tuple[tuple[Any, ...], Any], ...] = (
    ((OPEN, IS_LATE), _C.entered_at),
    ((OPEN, _C.due_at.is_not(None), _NOT_LATE), _C.due_at),
    ((OPEN, text("ticket.no_clock_reason IS NOT NULL"), _NOT_LATE), _C.entered_at),
)


def queue(
    engine: Engine, wanted: Wanted, now: datetime, *, after: Place | None = None, limit: int = 50
) -> Page:  # fmt: skip
    """Open tickets: late ones, then by due time, then those without a clock, the longest waiting first."""
    with reading(engine) as connection:
        found = _places(connection, wanted, now, after, limit + 1)
        rows = _rows(connection, {place.id: place.part for place in found[:limit]})
    return Page(rows, found[limit - 1] if len(found) > limit else None)


@dataclass(frozen=True, slots=True)
class Beside:
    """Where a ticket stands in a list: ids of its neighbours, None at an end; `place` counts from 1, None far down."""

    before: int | None = None
    after: int | None = None
    place: int | None = None


def beside(engine: Engine, wanted: Wanted, now: datetime, here: Place, counted: int = 200) -> Beside:
    """Around this place, whether or not the ticket is still there. The first `counted` places are looked through."""
    with reading(engine) as connection:
        first = _places(connection, wanted, now, None, counted)
        earlier = [one for one in first if _order(one) < _order(here)]
        later = [one for one in first if _order(one) > _order(here)]
        there = len(first) - len(earlier) - len(later)
        if later or len(first) < counted:
            before, after = next(reversed(earlier), None), next(iter(later), None)
            ids = before.id if before else None, after.id if after else None
            return Beside(*ids, len(earlier) + 1 if there else None)
        following = next((one.id for one in _places(connection, wanted, now, here, 2) if one.id != here.id), None)
        return Beside(next(_before(connection, wanted, now, here), None), following, counted if there else None)


def _order(place: Place) -> tuple[int, datetime, int]:
    return place.part, place.at, place.id


def place_of(ticket: Ticket) -> Place:
    """Where an open ticket stands in the queue."""
    if ticket.escalated or ticket.overdue:
        return Place(LATE, ticket.entered_at, ticket.id)
    if ticket.due_at is not None:
        return Place(RUNNING, ticket.due_at, ticket.id)
    return Place(STILL, ticket.entered_at, ticket.id)


def _before(connection: Connection, wanted: Wanted, now: datetime, here: Place) -> Iterator[int]:
    """The place before this one: the order read backwards, part by part."""
    for part in reversed([part for part in _parts_of(wanted) if part <= here.part]):
        belongs, order = _PARTS[part]
        statement = select(_C.id).where(*belongs, *_asked(connection.dialect.name, wanted, now))
        if part == here.part:
            statement = statement.where(order <= here.at, or_(order < here.at, _C.id < here.id))
        yield from connection.execute(statement.order_by(order.desc(), _C.id.desc()).limit(1)).scalars()


def some(engine: Engine, ids: Sequence[int], wanted: Wanted, now: datetime) -> tuple[list[Waiting], set[int]]:
    """These tickets, closed ones too, and which of them the filter still lets through."""
    with reading(engine) as connection:
        among = _C.id.in_(ids)
        parts: dict[int, int] = {}
        for part, (belongs, _) in enumerate(_PARTS):
            parts |= dict.fromkeys(connection.execute(select(_C.id).where(*belongs, among)).scalars(), part)
        still = set(
            connection.execute(select(_C.id).where(OPEN, among, *_asked(_dialect(engine), wanted, now))).scalars()
        )
        return _rows(connection, {id: parts.get(id, STILL) for id in ids}), still


def chosen(engine: Engine, wanted: Wanted, now: datetime, limit: int = MOST) -> list[tuple[int, int]]:
    """(id, version) of the first tickets of the queue: for doing something to all of them."""
    with reading(engine) as connection:
        ids = [place.id for place in _places(connection, wanted, now, None, limit)]
        versions = {row.id: row.version for row in connection.execute(select(_C.id, _C.version).where(_C.id.in_(ids)))}
    return [(id, versions[id]) for id in ids]


def count(engine: Engine, wanted: Wanted, now: datetime, limit: int) -> int:
    """How many tickets, counted one by one up to `limit`: for filters that the tally cannot tell."""
    with reading(engine) as connection:
        listed, rest = _listed(connection, replace(wanted, text=""))
        having, _ = search.walked(connection, wanted.text)
        found = 0
        for part in _parts_of(wanted):
            walk = _part_of_queue(_dialect(engine), part, rest, now, None).where(*listed, having)
            inner = walk.limit(limit - found).subquery()
            found += connection.execute(select(func.count()).select_from(inner)).scalar_one()
    return found


def _dialect(engine: Engine) -> str:
    return engine.dialect.name


def _places(connection: Connection, wanted: Wanted, now: datetime, after: Place | None, limit: int) -> list[Place]:
    found: list[Place] = []
    # each part walks along an index: what that does not carry is looked up on the way
    listed, rest = _listed(connection, replace(wanted, text=""))
    having, common = search.walked(connection, wanted.text)
    for part in _parts_of(wanted):
        if (after is None or part >= after.part) and len(found) < limit:
            here = after if after is not None and part == after.part else None
            walk, most = (
                _part_of_queue(connection.dialect.name, part, rest, now, here).where(*listed),
                limit - len(found),
            )
            rows = _soon(connection, walk, wanted.text, most) if common else None
            if rows is None:
                rows = connection.execute(walk.where(having).limit(most)).all()
            found += [Place(part, row.at, row.id) for row in rows]
    return found


def _soon(connection: Connection, walk: Select[Any], words: str, most: int) -> Sequence[Any] | None:
    """Common words are met soon: a few tickets are looked at one by one. None: that was not enough."""
    rows = connection.execute(walk.limit(SOON)).all()
    among = select(_C.id).where(_C.id.in_([row.id for row in rows]), search.each(connection, words))
    having = set(connection.execute(among).scalars())
    found = [row for row in rows if row.id in having][:most]
    return found if len(found) == most or len(rows) < SOON else None


def _listed(connection: Connection, wanted: Wanted) -> tuple[list[ColumnElement[bool]], Wanted]:
    """What is rare as lists of ids, so that walking along an index looks at no ticket; and the rest of the filter."""
    # the first condition is what is asked, the other that there is an index
    indexed = {name: select(_C.id).where(OPEN, *both) for name, both in _rare(wanted).items() if len(both) == 2}
    if connection.dialect.name == "postgresql":
        found = {name: connection.execute(one.limit(LISTED + 1)).scalars().all() for name, one in indexed.items()}
        lists = {
            name: _C.id == any_(literal(ids, ARRAY(BigInteger))) for name, ids in found.items() if len(ids) <= LISTED
        }
        return list(lists.values()), _without(wanted, lists)
    short = {name: one for name, one in indexed.items() if _counted(connection, one) < MANY}
    if not short:
        return [], wanted
    every = select(intersect(*short.values()).subquery().c.id) if len(short) > 1 else next(iter(short.values()))
    # `+ 0` keeps SQLite from beginning with all of these and sorting them
    return [(_C.id if _counted(connection, every) < FEW else _C.id + 0).in_(every)], _without(wanted, short)


def _without(wanted: Wanted, names: Iterable[str]) -> Wanted:
    return replace(wanted, **{name: getattr(Wanted, name) for name in names})


def _counted(connection: Connection, ids: Select[Any]) -> int:
    """How many, MANY at most."""
    return connection.execute(select(func.count()).select_from(ids.limit(MANY).subquery())).scalar_one()


def _parts_of(wanted: Wanted) -> Sequence[int]:
    """Where tickets of this filter can be at all."""
    if wanted.mark == "escalated":
        return (LATE,)
    clock = wanted.due or wanted.due_from or wanted.due_to or wanted.mark in ("late", "provisional")
    if wanted.mark == "no_rule":
        return LATE, STILL
    return (LATE, RUNNING) if clock else (LATE, RUNNING, STILL)


def _part_of_queue(dialect: str, part: int, wanted: Wanted, now: datetime, after: Place | None) -> Select[Any]:
    """The places of one part: keyset paging, since OFFSET reads all that it leaves out."""
    belongs, order = _PARTS[part]
    statement = select(_C.id, order.label("at")).where(*belongs, *_asked(dialect, wanted, now))
    if after is not None:
        statement = statement.where(order >= after.at, or_(order > after.at, _C.id > after.id))
    return statement.order_by(order, _C.id)


def _rows(connection: Connection, parts: Mapping[int, int]) -> list[Waiting]:
    tickets = store.load(connection, list(parts))
    shops = {row.id: row.name for row in connection.execute(select(_SHOP.c.id, _SHOP.c.name))}
    entries = _entries(connection, tickets)
    return [
        Waiting(
            ticket, shops.get(ticket.shop_id, ""), parts[ticket.id], entries.get((ticket.id, ticket.version)),
            entries.get((ticket.id, ticket.moved_seq)),
        )
        for ticket in tickets
    ]  # fmt: skip


_ENTRIES = select(*(_EVENT.c[name] for name in EVENT)).join_from(
    _EVENT, _TICKET, and_(_EVENT.c.ticket_id == _C.id, _EVENT.c.seq.in_([_C.version, _C.moved_seq]))
)


def _entries(connection: Connection, tickets: Iterable[Ticket]) -> dict[tuple[int, int], Event]:
    """The two entries that a row shows, by (ticket, seq)."""
    statement = _ENTRIES.where(_C.id.in_([ticket.id for ticket in tickets]))
    return {(row.ticket_id, row.seq): event_from_row(row) for row in connection.execute(statement)}


def any_ticket(engine: Engine) -> bool:
    """Whether a ticket was ever opened."""
    with reading(engine) as connection:
        return connection.execute(select(_C.id).limit(1)).first() is not None
