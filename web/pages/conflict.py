"""Somebody was first: what it was, what it is now and what was to be sent, side by side; nothing typed is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from aftersales.decide import Rules
from aftersales.ticket import NOWHERE, Clock, Event, Ticket
from aftersales.workflows.plain import PLAIN_ACTIONS
from aftersales.workflows.vocabulary import Fact
from web import words
from web.i18n import gettext, translated
from web.pages.step_form import Asked, Shown


@dataclass(frozen=True)
class Row:
    """One thing in three versions."""

    what: str
    then: str
    now: str
    mine: str

    @property
    def changed(self) -> bool:
        return self.then != self.now


@dataclass(frozen=True)
class Conflict:
    """`who`: those who changed it meanwhile; `typed`: (label, text) of what is not sent."""

    who: str
    then_version: int
    now_version: int
    then_at: datetime
    now_at: datetime
    rows: Sequence[Row]
    #: (event, who, what, from which state to which)
    happened: Sequence[tuple[Event, str, str, str]]
    typed: Sequence[tuple[str, str]]

    @property
    def as_note(self) -> str:
        return "\n".join(f"{label}：{text}" for label, text in self.typed)


NOTHING = "—"


def conflict(
    shown: Shown, asked: Asked, events: Sequence[Event], rules: Rules, now: datetime, name: Callable[[str], str]
) -> Conflict | None:
    """None where the form was not drawn from an older version. `name`: of the account of a login."""
    after = shown.changed_after
    if after is None or shown.sent is None:
        return None
    then = [event for event in events if event.seq <= after]
    since = [event for event in events if event.seq > after]
    last = events[-1]
    return Conflict(
        who=gettext("、").join(dict.fromkeys(_who(event, name) for event in _movers(since or events[-1:]))),
        then_version=after,
        now_version=shown.ticket.version,
        then_at=then[-1].recorded_at if then else shown.ticket.opened_at,
        now_at=last.recorded_at,
        rows=list(_rows(shown, asked, then, since, rules, now)),
        happened=[(event, _who(event, name), *_told(event, shown.ticket, rules)) for event in reversed(since)],
        typed=_typed(shown),
    )


def _movers(events: Sequence[Event]) -> Sequence[Event]:
    """The events that moved it; all of them, if none did."""
    return [event for event in events if event.kind in ("move", "adopt", "deadline", "calendar")] or events


def _who(event: Event, name: Callable[[str], str]) -> str:
    return name(event.actor_name) or words.actor_label(event.actor)


def _rows(
    shown: Shown, asked: Asked, then: Sequence[Event], since: Sequence[Event], rules: Rules, now: datetime
) -> Iterator[Row]:
    ticket = shown.ticket
    state_then = then[-1].to_state if then else ticket.state
    mine = asked.step.leads_to if asked.step is not None else ""
    yield Row(gettext("状态"), _state(state_then, ticket, rules), _state(ticket.state, ticket, rules), _said(mine))
    clocks_then = then[-1].clocks if then else ()
    lines = gettext("；").join(asked.step.lines) if asked.step is not None and asked.possible else NOTHING
    yield Row(
        gettext("时限"), _clocks(clocks_then, ticket, rules, now), _clocks(ticket.clocks, ticket, rules, now), lines
    )
    yield from _facts(shown, then, since, rules)


def _facts(shown: Shown, then: Sequence[Event], since: Sequence[Event], rules: Rules) -> Iterator[Row]:
    """What was filled in meanwhile, and what was typed here."""
    sent = shown.sent.texts if shown.sent is not None else {}
    own = {fact.name: fact for fact in shown.form.facts}
    given = {name: (fact, event.facts[name]) for event in since for name, fact in _asked_by(event, shown, rules)}
    before = {name: event.facts[name] for event in then for name in event.facts}
    for name, (fact, value) in given.items():
        was = words.shown_value(fact, name, before[name]) if name in before else NOTHING
        yield Row(
            translated(fact.label), _said(was), _said(words.shown_value(fact, name, value)), sent.get(name) or NOTHING
        )
    for name, text in sent.items():
        if text.strip() and name in own and name not in given:
            choice = {str(value): label for value, label in own[name].choices}.get(text, text)
            yield Row(translated(own[name].label), NOTHING, NOTHING, _said(choice))


def _asked_by(event: Event, shown: Shown, rules: Rules) -> Iterator[tuple[str, Fact]]:
    row = PLAIN_ACTIONS.get(event.trigger) or rules.workflow(shown.ticket).move(event.trigger)
    for fact in () if row is None else row.facts:
        if event.facts.get(fact.name) is not None:
            yield fact.name, fact


def _said(text: str) -> str:
    return translated(text) or NOTHING


def _state(name: str, ticket: Ticket, rules: Rules) -> str:
    return _said("新建" if name == NOWHERE else words.state_label(rules, ticket.workflow, name))


def _clocks(clocks: Sequence[Clock], ticket: Ticket, rules: Rules, now: datetime) -> str:
    told = [
        gettext(
            "{due} {then}（{rule}）",
            due=words.brief(clock.due_at, now),
            then=words.move_label(rules, ticket.workflow, clock.timeout),
            rule=clock.rule,
        )
        for clock in sorted(clocks, key=lambda clock: clock.due_at)
    ]
    return gettext("；").join(told) or gettext("没有时限")


def _told(event: Event, ticket: Ticket, rules: Rules) -> tuple[str, str]:
    """(what, from which state to which) of one event."""
    label = words.EVENT_KINDS.get(event.kind) or words.move_label(rules, ticket.workflow, event.trigger)
    if event.from_state == event.to_state:
        return translated(label), ""
    states = (_state(event.from_state, ticket, rules), _state(event.to_state, ticket, rules))
    return translated(label), gettext("{from_state} → {to_state}", from_state=states[0], to_state=states[1])


def _typed(shown: Shown) -> list[tuple[str, str]]:
    assert shown.sent is not None
    labels = {fact.name: fact.label for fact in shown.form.facts}
    choices = {fact.name: {str(value): label for value, label in fact.choices} for fact in shown.form.facts}
    return [
        (translated(labels.get(name, name)), choices.get(name, {}).get(text, text))
        for name, text in shown.sent.texts.items()
        if text.strip()
    ]
