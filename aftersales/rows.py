"""How the plain values of ticket.py become rows and JSON, and come back. Pure, and the same for both databases.

Instants are written in two forms, both in UTC: as a column of SQLite `2022-10-01 02:00:00.000000`, inside JSON
`2022-10-01T02:00:00Z` (with a fraction only if there is one). JSON is canonical: sorted keys, no spaces, nothing
escaped that need not be, so that equal values give equal text and equal hashes on every database.

Inside `fields` and `facts`, text under a key that ends in `_at` is an instant (domain/fields.md: times end in `_at`)
and comes back as an aware datetime. They hold text, whole numbers, booleans, null, lists and objects: no floats, which
JSONB rewrites (1e2 becomes 100), and no tuples, which come back as lists.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from inspect import signature
from json.encoder import encode_basestring as _quoted
from operator import attrgetter
from typing import Any

from aftersales.ticket import Clock, Entry, Event, Ticket

# ── Instants ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def sqlite_instant(instant: datetime) -> str:
    """`2022-10-01 02:00:00.000000` in UTC: as text, these sort as the instants do. ValueError for a naive one."""
    if instant.tzinfo is not UTC:
        if instant.utcoffset() is None:
            raise ValueError(f"the instant {instant} has no time zone")
        instant = instant.astimezone(UTC)
    return "%04d-%02d-%02d %02d:%02d:%02d.%06d" % (  # noqa: UP031 -- half the time of isoformat
        instant.year,
        instant.month,
        instant.day,
        instant.hour,
        instant.minute,
        instant.second,
        instant.microsecond,
    )


def json_instant(instant: datetime) -> str:
    """`2022-10-01T02:00:00Z`, in UTC. ValueError for a naive datetime."""
    return _json_form(sqlite_instant(instant))


def _json_form(text: str) -> str:
    if text.endswith(".000000"):
        return f"{text[:10]}T{text[11:19]}Z"
    return f"{text[:10]}T{text[11:]}Z"


class Instants(dict[datetime, tuple[str, str]]):
    """Both forms of an instant, each made once in a batch: (column, JSON). Most instants of a change are one object."""

    def __missing__(self, instant: datetime) -> tuple[str, str]:
        column = sqlite_instant(instant)
        forms = self[instant] = (column, _json_form(column))
        return forms


# ── JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return json_instant(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")


def _instants_under_at(found: dict[str, Any]) -> dict[str, Any]:
    for key, value in found.items():
        if key[-3:] == "_at" and type(value) is str and value[-1:] == "Z":
            found[key] = _instant_or_text(value)
    return found


def _instant_or_text(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text


to_json: Callable[[Any], str] = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False, default=_plain
).encode

#: the value of a JSON text that `to_json` wrote, or that JSONB gives back
_decode_values = json.JSONDecoder(object_hook=_instants_under_at).raw_decode
_decode_plain = json.JSONDecoder().raw_decode


def from_json(text: str | bytes) -> Any:
    return _decode_values(text if isinstance(text, str) else bytes(text).decode())[0]


def clocks_to_json(clocks: Sequence[Clock], instants: Instants) -> str:
    """A list of objects; what a clock usually is (basis rule, not provisional, running) is left out."""
    return f"[{','.join([_clock_to_json(clock, instants) for clock in clocks])}]" if clocks else "[]"


def _clock_to_json(clock: Clock, instants: Instants) -> str:
    if clock.basis != "rule" or clock.provisional or clock.left_seconds is not None or clock.computed_due_at:
        return to_json(_unusual_clock(clock))
    return (
        f'{{"counted_from":"{instants[clock.counted_from][1]}","due_at":"{instants[clock.due_at][1]}",'
        f'"rule":{_quoted(clock.rule)},"set_at":"{instants[clock.set_at][1]}",'
        f'"timeout":{_quoted(clock.timeout)},"version":{_quoted(clock.version)}}}'
    )


def _unusual_clock(clock: Clock) -> dict[str, Any]:
    names = ("rule", "version", "timeout", "counted_from", "due_at", "set_at")
    written = {name: getattr(clock, name) for name in names}
    if clock.basis != "rule":
        written["basis"] = clock.basis
    if clock.provisional:
        written["provisional"] = True
    for name in ("computed_due_at", "left_seconds"):
        if getattr(clock, name) is not None:
            written[name] = getattr(clock, name)
    return written


def clocks_from_json(text: str) -> tuple[Clock, ...]:
    if text == "[]":
        return ()
    # Nearly always one clock of six texts: found between its quotes in half the time that parsing takes.
    part = text.split('"')
    if len(part) == 25 and "\\" not in text:
        places = _JSONB_ORDER if part[1] == "rule" else _CANONICAL_ORDER
        rule, version, timeout, counted_from, due_at, set_at = [part[place] for place in places]
        instant = datetime.fromisoformat
        return (Clock(rule, version, timeout, instant(counted_from), instant(due_at), instant(set_at)),)
    return tuple([_clock_from(found) for found in _decode_plain(text)[0]])


#: rule, version, timeout, counted_from, due_at, set_at: JSONB sorts keys by their length first
_CANONICAL_ORDER = (11, 23, 19, 3, 7, 15)
_JSONB_ORDER = (3, 19, 15, 23, 7, 11)


def _clock_from(found: dict[str, Any]) -> Clock:
    instant = datetime.fromisoformat
    computed = found.get("computed_due_at")
    return Clock(
        found["rule"],
        found["version"],
        found["timeout"],
        instant(found["counted_from"]),
        instant(found["due_at"]),
        instant(found["set_at"]),
        found.get("basis", "rule"),
        instant(computed) if computed else None,
        found.get("provisional", False),
        found.get("left_seconds"),
    )


# ── Lines of COPY ─────────────────────────────────────────────────────────────────────────────────────────────────────


def copy_text(values: Sequence[Any]) -> str:
    """Texts, whole numbers and None as PostgreSQL's COPY reads them, with tabs between."""
    return "\t".join([_copied(value) for value in values])


def _copied(value: object) -> str:
    if not isinstance(value, str):
        return r"\N" if value is None else str(value)
    if "\\" in value or "\n" in value or "\t" in value or "\r" in value:
        return value.replace("\\", r"\\").replace("\n", r"\n").replace("\t", r"\t").replace("\r", r"\r")
    return value


# ── Tickets ───────────────────────────────────────────────────────────────────────────────────────────────────────────

#: what a ticket is from its first event to its last
FIXED = ("id", "shop_id", "number", "workflow", "policy", "opened_at")
#: what nearly every change changes, in the order of `moving_values`
MOVING = (
    *("state", "version", "entered_at", "entered_seq", "moved_seq", "left_state", "clocks", "alarm_at"),
    *("no_clock_reason", "recorded_at", "last_hash"),
    # the clock that ends first
    *("due_at", "rule_id", "rule_version", "clock_timeout", "clock_from", "clock_basis", "provisional"),
)
#: what some changes change
MARKS = (
    *("applied_at", "applied_seq", "overdue_in", "escalated", "goods", "refunded_fen", "refund_fen", "fields"),
    *("flags", "paused"),
)
#: what changes rarely. Indexes are on these, and an UPDATE that does not name the columns of an index costs less
RESTING = ("authority", "paid_fen", "order_no", "item_no", "buyer", "owner", "closed_at", "open_key", "platform_no")
#: the columns that `ticket_from_row` takes: the fields of Ticket, in its order
TICKET = tuple(signature(Ticket).parameters)

marks: Callable[[Ticket], tuple[Any, ...]] = attrgetter(*MARKS)
resting: Callable[[Ticket], tuple[Any, ...]] = attrgetter(*RESTING)
_AT = {name: place for place, name in enumerate(TICKET)}
_INSTANTS = tuple(_AT[name] for name in TICKET if name.endswith("_at"))
_ESCALATED, _FIELDS, _FLAGS, _CLOCKS, _PAUSED = (
    _AT[name] for name in ("escalated", "fields", "flags", "clocks", "paused")
)
_NO_CLOCK = (None, None, None, None, None, None, 0)


def fixed_values(ticket: Ticket, instants: Instants) -> tuple[Any, ...]:
    return (
        ticket.id,
        ticket.shop_id,
        ticket.number,
        ticket.workflow,
        ticket.policy,
        instants[ticket.opened_at][0],
    )


def moving_values(ticket: Ticket, clocks: str, head: str, instants: Instants) -> tuple[Any, ...]:
    """In the order of MOVING. `clocks`: the ticket's clocks as JSON; `head`: the hash of its newest event."""
    alarm_at, recorded_at = ticket.alarm_at, ticket.recorded_at
    return (
        ticket.state,
        ticket.version,
        instants[ticket.entered_at][0],
        ticket.entered_seq,
        ticket.moved_seq,
        ticket.left_state,
        clocks,
        None if alarm_at is None else instants[alarm_at][0],
        ticket.no_clock_reason,
        None if recorded_at is None else instants[recorded_at][0],
        head,
        *clock_values(ticket.clocks, instants),
    )


def clock_values(clocks: tuple[Clock, ...], instants: Instants) -> tuple[Any, ...]:
    if not clocks:
        return _NO_CLOCK
    clock = clocks[0] if len(clocks) == 1 else min(clocks, key=lambda each: each.due_at)
    return (
        instants[clock.due_at][0],
        clock.rule,
        clock.version,
        clock.timeout,
        instants[clock.counted_from][0],
        clock.basis,
        1 if clock.provisional else 0,
    )


def marks_values(ticket: Ticket, instants: Instants) -> tuple[Any, ...]:
    """In the order of MARKS."""
    return (
        instants[ticket.applied_at][0],
        ticket.applied_seq,
        ticket.overdue_in,
        1 if ticket.escalated else 0,
        ticket.goods,
        ticket.refunded_fen,
        ticket.refund_fen,
        to_json(ticket.fields),
        to_json(ticket.flags),
        clocks_to_json(ticket.paused, instants),
    )


def resting_values(ticket: Ticket, instants: Instants) -> tuple[Any, ...]:
    """In the order of RESTING."""
    return (
        ticket.authority,
        ticket.paid_fen,
        ticket.order_no,
        ticket.item_no,
        ticket.buyer,
        ticket.owner,
        None if ticket.closed_at is None else instants[ticket.closed_at][0],
        ticket.open_key,
        ticket.platform_no,
    )


def ticket_from_row(row: Sequence[Any]) -> Ticket:
    """The ticket of a row of TICKET columns. Instants are datetimes, or text as SQLite keeps it; JSON is text."""
    values = list(row)
    instant = datetime.fromisoformat
    for place in _INSTANTS:
        if type(values[place]) is str:
            values[place] = instant(values[place] + "+00:00")
    values[_ESCALATED] = values[_ESCALATED] == 1
    values[_FIELDS] = _decode_values(values[_FIELDS])[0]
    flags, clocks, paused = values[_FLAGS], values[_CLOCKS], values[_PAUSED]
    values[_FLAGS] = () if flags == "[]" else tuple(_decode_plain(flags)[0])
    values[_CLOCKS] = () if clocks == "[]" else clocks_from_json(clocks)
    values[_PAUSED] = () if paused == "[]" else clocks_from_json(paused)
    return Ticket(*values)


# ── Events ────────────────────────────────────────────────────────────────────────────────────────────────────────────

EVENT = (
    *("shop_id", "ticket_id", "seq", "kind", "trigger", "actor", "actor_name", "from_state", "to_state"),
    *("at", "recorded_at", "due_at", "rule_id", "rule_version", "facts", "clocks", "command_key"),
    *("previous_hash", "hash"),
)
OUTBOX = ("shop_id", "ticket_id", "seq", "topic", "payload", "created_at", "attempts")
ENTRY = ("seq", "kind", "trigger", "actor", "at", "facts")


def event_hash(previous: str, shop_id: int, ticket_id: int, event: Event, command_key: str | None = None) -> str:
    """The seal of an event: SHA-256, in hex, of the UTF-8 JSON array of

    previous hash ("" before the first), shop_id, ticket_id, seq, kind, trigger, actor, actor_name, from_state,
    to_state, at, recorded_at, due_at, rule, rule_version, facts, clocks, command_key

    in the canonical form that this file describes. Whoever changes an event, or drops or inserts one, must change
    every later one of its ticket and the ticket's `last_hash` too.
    """
    instants = Instants()
    clocks, facts = clocks_to_json(event.clocks, instants), to_json(event.facts)
    return seal(previous, shop_id, ticket_id, event.seq, story(event, facts, clocks, command_key, instants))


def seal(previous: str, shop_id: int, ticket_id: int, seq: int, story: str) -> str:
    """`event_hash` of an event whose `story` is known."""
    return hashlib.sha256(f'["{previous}",{shop_id},{ticket_id},{seq},{story}]'.encode()).hexdigest()


def story(event: Event, facts: str, clocks: str, command_key: str | None, instants: Instants) -> str:
    """What is sealed of an event beside whose and which it is."""
    due_at, rule, version = event.due_at, event.rule, event.rule_version
    return (
        f"{_quoted(event.kind)},{_quoted(event.trigger)},"
        f"{_quoted(event.actor)},{_quoted(event.actor_name)},{_quoted(event.from_state)},{_quoted(event.to_state)},"
        f'"{instants[event.at][1]}","{instants[event.recorded_at][1]}",'
        f"{'null' if due_at is None else _quoted(instants[due_at][1])},"
        f"{'null' if rule is None else _quoted(rule)},{'null' if version is None else _quoted(version)},"
        f"{facts},{clocks},{'null' if command_key is None else _quoted(command_key)}"
    )


def event_values(
    previous: str, ticket: Ticket, event: Event, clocks: str, command_key: str | None, instants: Instants
) -> tuple[Any, ...]:
    """In the order of EVENT: the sealed row of this event. `clocks`: its clocks as JSON."""
    facts = to_json(event.facts) if event.facts else "{}"
    shop_id, ticket_id, seq = ticket.shop_id, ticket.id, event.seq
    head = seal(previous, shop_id, ticket_id, seq, story(event, facts, clocks, command_key, instants))
    return shop_id, ticket_id, seq, *happened(event, facts, clocks, command_key, instants), previous, head


def happened(event: Event, facts: str, clocks: str, command_key: str | None, instants: Instants) -> tuple[Any, ...]:
    """Of EVENT, those between `seq` and `previous_hash`: what happened, whoever it happened to."""
    return (
        event.kind,
        event.trigger,
        event.actor,
        event.actor_name,
        event.from_state,
        event.to_state,
        instants[event.at][0],
        instants[event.recorded_at][0],
        None if event.due_at is None else instants[event.due_at][0],
        event.rule,
        event.rule_version,
        facts,
        clocks,
        command_key,
    )


def event_from_row(row: Sequence[Any]) -> Event:
    """The event of a row of EVENT columns, which `audit` seals again and compares. JSON is text or already decoded."""
    (_, _, seq, kind, trigger, actor, name, source, target, at, recorded, due, rule, version, facts, clocks, *_) = row
    return Event(
        *(seq, kind, trigger, actor, name, source, target, instant_of(at), instant_of(recorded)),
        facts=from_json(facts) if isinstance(facts, str) else facts,
        due_at=None if due is None else instant_of(due),
        rule=rule,
        rule_version=version,
        clocks=clocks_from_json(clocks if isinstance(clocks, str) else to_json(clocks)),
    )


def entry_from_row(row: Sequence[Any]) -> Entry:
    """The entry of a row of ENTRY columns."""
    seq, kind, trigger, actor, at, facts = row
    return Entry(seq, kind, trigger, actor, instant_of(at), from_json(facts))


def instant_of(value: Any) -> datetime:
    """The instant of a column, as either driver gives it."""
    return datetime.fromisoformat(value + "+00:00") if isinstance(value, str) else value


def outbox_values(ticket: Ticket, event: Event, instants: Instants) -> tuple[Any, ...]:
    """In the order of OUTBOX: what the outside is told of this event."""
    before, between, behind = told(event, instants)
    payload = f"{before}{_quoted(ticket.number)}{between}{ticket.id}{behind}"
    created_at = instants[event.recorded_at][0]
    return ticket.shop_id, ticket.id, event.seq, "ticket." + event.kind, payload, created_at, 0


def told(event: Event, instants: Instants) -> tuple[str, str, str]:
    """The payload of an event, without the ticket's number and id that stand between."""
    at, came_from = instants[event.at][1], _quoted(event.from_state)
    behind = f',"to":{_quoted(event.to_state)},"trigger":{_quoted(event.trigger)}}}'
    return f'{{"at":"{at}","from":{came_from},"number":', ',"ticket":', behind
