"""What a ticket is about, in short for its title and in full beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aftersales.clock import shown
from aftersales.decide import Rules
from aftersales.ticket import Ticket
from aftersales.workflows.vocabulary import Fact
from web import words


@dataclass(frozen=True)
class Saying:
    """A value in words. `ours`: words of the tables, which have their English; else somebody wrote it."""

    text: str
    ours: bool = False


@dataclass(frozen=True)
class Line:
    label: str
    value: Saying


#: the first of these that a ticket has says what is wrong
_REASONS = ("reason", "issue", "fault", "rating", "kind")
_LONGEST = 40


def subject(ticket: Ticket, rules: Rules) -> list[Saying]:
    """Reason and item: 尺码不合适, 马丁靴. A reason 其他 says nothing: what was asked for stands instead."""
    facts = {fact.name: fact for fact in words.facts_of(rules.workflow(ticket))}
    name = next((one for one in _REASONS if ticket.fields.get(one) not in (None, "", "other")), None)
    parts = [] if name is None else [_saying(facts.get(name), name, ticket.fields[name])]
    item = ticket.fields.get("item_title") or ticket.item_no
    parts += [Saying(str(item))] if item else []
    return [Saying(_short(part.text), part.ours) for part in parts]


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def about(ticket: Ticket, rules: Rules) -> list[Line]:
    """Everything that is known of it: filled in at the opening, remembered since, told by a platform."""
    facts = {fact.name: fact for fact in words.facts_of(rules.workflow(ticket))}
    order = {name: place for place, name in enumerate(facts)}
    names = sorted(ticket.shown_fields, key=lambda name: (order.get(name, len(order)), name))
    return [line for name in names for line in _lines(facts.get(name), name, ticket.shown_fields[name])]


def _lines(fact: Fact | None, name: str, value: Any) -> Iterator[Line]:
    if value in (None, "") or name == "item_title" or (name == "paid_fen" and not value):
        return
    if isinstance(value, Mapping):  # what a platform's export says of a ticket, in its own words
        for label, said in value.items():
            if said:
                yield Line(str(label), Saying(str(said)))
        return
    known = fact or words.fact_named(name)
    if known is not None and value == known.default:
        return  # what nobody said is not told
    yield Line(words.field_label(known, name), _saying(known, name, value))


def _saying(fact: Fact | None, name: str, value: Any) -> Saying:
    if not isinstance(value, (bool, int)) and hasattr(value, "astimezone"):
        return Saying(shown(value), ours=True)
    ours = isinstance(value, bool) or (fact is not None and bool(fact.choices)) or name.endswith("_fen")
    return Saying(words.shown_value(fact, name, value), ours)
