"""One step for many tickets: which steps can be, what was chosen, and what each ticket answers.

Each ticket goes through the one door in a transaction of its own, with the version it was seen at and a key of its
own, so that a second click does nothing and a ticket that somebody else has just moved is left alone.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request

from aftersales import queries
from aftersales.database import DatabaseBusy
from aftersales.decide import Rules
from aftersales.desk import Command
from aftersales.errors import Refused, UnknownTicket
from aftersales.queries.queue import MOST
from aftersales.ticket import Change, Ticket
from aftersales.workflows.plain import ASSIGN, NOTE, PlainAction
from aftersales.workflows.vocabulary import Actor, Fact, Step
from web import rows, words
from web.forms import MAX_BODY, Posted
from web.i18n import gettext
from web.site import Site, address_of

PLAIN = {action.name: action for action in (ASSIGN, NOTE)}
#: what each ticket has of its own cannot be filled in for many
_OF_ONE = {"waybill_no", "courier", "review_id", "address", "return_address", "ship_to"}
_TICKET = re.compile(r"([0-9]{1,18})\.([0-9]{1,9})")
_NEEDED = {"evidence_required", "buyer_not_informed", "missing_field"}


# ── which steps ──


@dataclass(frozen=True)
class Offer:
    """A step for many: `name` is workflow.step, `states` are those of these tickets that it leaves (workflow.state)."""

    name: str
    label: str
    kind: str
    states: Sequence[str]


def steps_for(rules: Rules, tickets: Iterable[Ticket]) -> list[Offer]:
    """All that agents may do to these tickets together."""
    states = {(ticket.workflow, ticket.state) for ticket in tickets}
    found = []
    for key, table in rules.catalog.workflows.items():
        here = [state for state in table.waiting if (key, state.name) in states]
        for move in table.moves:
            leaves = [f"{key}.{state.name}" for state in here if state in move.sources]
            if leaves and isinstance(move, Step) and for_many(move):
                found.append(Offer(f"{key}.{move.name}", move.label, table.label, leaves))
    return found


def for_many(step: Step) -> bool:
    """An agent may take it, and nothing has to be filled in that differs from ticket to ticket."""
    own = [fact for fact in step.asks if fact.name in _OF_ONE or fact.kind in ("fen", "time")]
    return Actor.AGENT in step.by and not own


# ── what was chosen ──


@dataclass(frozen=True)
class Picked:
    """A selection that came back: tickets with the version each was seen at."""

    step: str
    tickets: Sequence[tuple[int, int]]
    texts: Mapping[str, str] = field(default_factory=dict)
    #: the query of the list, to go back to; `everything`: all tickets of that list were chosen
    back: str = ""
    everything: bool = False
    key: str = ""

    @property
    def ids(self) -> list[int]:
        return [id for id, _ in self.tickets]


async def _picked(request: Request) -> Picked:
    try:
        form = await request.form(max_files=0, max_fields=MOST + 100, max_part_size=MAX_BODY)
    except ValueError:
        raise HTTPException(400, words.BROKEN_FORM) from None
    sent = [(name, value.replace("\r\n", "\n")) for name, value in form.multi_items() if isinstance(value, str)]
    own = {name: value for name, value in sent if name.startswith("_")}
    found = [match for name, value in sent if name == "_t" and (match := _TICKET.fullmatch(value))]
    key = own.get("_key", "")
    return Picked(
        step=own.get("_step", ""),
        tickets=list({int(match[1]): (int(match[1]), int(match[2])) for match in found}.values())[:MOST],
        texts={name: value for name, value in sent if not name.startswith("_")},
        back=own.get("_back", "")[:1000],
        everything=own.get("_all") == "1",
        key=key if re.fullmatch(r"[0-9A-Za-z_-]{16,64}", key) else "",
    )


PickedTickets = Annotated[Picked, Depends(_picked)]


# ── what each ticket answers ──


@dataclass(frozen=True)
class Answer:
    """`kind`: can, lack (something is missing), busy (changed meanwhile) or not (it cannot be done now)."""

    ticket: Ticket
    address: str
    kind: str
    reason: str = ""
    change: Change | None = None

    @property
    def seen(self) -> str:
        return f"{self.ticket.id}.{self.ticket.version}"


@dataclass(frozen=True)
class Preview:
    picked: Picked
    form: Step | PlainAction | None
    label: str
    answers: Sequence[Answer]
    #: what happens to those that can, in a sentence
    then: str
    #: new each time it is drawn
    key: str = field(default_factory=lambda: secrets.token_urlsafe(18))

    def of(self, kind: str) -> list[Answer]:
        return [answer for answer in self.answers if answer.kind == kind]

    @property
    def can(self) -> int:
        return len(self.of("can"))


def form_of(site: Site, name: str) -> Step | PlainAction | None:
    workflow, _, trigger = name.partition(".")
    if name in PLAIN:
        return PLAIN[name]
    table = site.rules().catalog.workflows.get(workflow)
    move = table.move(trigger) if table else None
    return move if isinstance(move, Step) and for_many(move) else None


def preview(site: Site, picked: Picked, actor_name: str, now: datetime, *, by_id: bool) -> Preview:
    """What would come of it now; nothing is written."""
    form = form_of(site, picked.step)
    tickets = queries.loaded(site.desk.engine, picked.ids)
    if form is None:
        return Preview(picked, None, "", [_untold(ticket, by_id) for ticket in tickets], "")
    mine = [ticket for ticket in tickets if _fits(form, ticket)]
    tried = _tried(site, picked, form, mine, actor_name, now)
    of = {ticket.id: result for ticket, result in zip(mine, tried, strict=True)}
    answers = [_answer(site, form, ticket, of.get(ticket.id), by_id=by_id) for ticket in tickets]
    return Preview(picked, form, form.label, answers, _then(site.rules(), form, answers))


def _tried(
    site: Site, picked: Picked, form: Step | PlainAction, tickets: Sequence[Ticket], actor_name: str, now: datetime
) -> Sequence[Change | Refused]:
    try:
        facts = Posted(texts=picked.texts).facts(form)
    except Refused as refusal:
        return [refusal] * len(tickets)
    seen = dict(picked.tickets)
    return site.desk.try_out([_command(form, ticket.id, facts, seen, actor_name, now) for ticket in tickets])


def _command(
    form: Step | PlainAction, id: int, facts: Mapping[str, Any], seen: Mapping[int, int], actor_name: str,
    now: datetime, key: str | None = None,
) -> Command:  # fmt: skip
    return Command(id, form.name, "agent", now, facts, actor_name=actor_name, version=seen[id], key=key)


def _fits(form: Step | PlainAction, ticket: Ticket) -> bool:
    return isinstance(form, PlainAction) or form.workflow.key == ticket.workflow


def _untold(ticket: Ticket, by_id: bool) -> Answer:
    return Answer(ticket, _address(ticket, by_id), "not", gettext("请先选要做的步骤"))


def _answer(
    site: Site, form: Step | PlainAction, ticket: Ticket, result: Change | Refused | None, *, by_id: bool
) -> Answer:  # fmt: skip
    address = _address(ticket, by_id)
    if result is None:
        label = words.workflow_label(site.rules(), ticket.workflow)
        return Answer(ticket, address, "not", gettext("「{step}」不是{type}工单的步骤", step=form.label, type=label))
    if isinstance(result, Refused):
        kind = "busy" if result.code == "stale_version" else "lack" if result.code in _NEEDED else "not"
        return Answer(ticket, address, kind, result.message)
    return Answer(ticket, address, "can", change=result)


def _address(ticket: Ticket, by_id: bool) -> str:
    return address_of(ticket.id, ticket.number, several=by_id)


def _then(rules: Rules, form: Step | PlainAction, answers: Sequence[Answer]) -> str:
    """Where most of them go, and which limit begins there."""
    changes = [answer.change for answer in answers if answer.change is not None]
    if not changes or isinstance(form, PlainAction):
        return ""
    states = Counter(change.after.state for change in changes)
    state, n = states.most_common(1)[0]
    after = next(change.after for change in changes if change.after.state == state)
    label, clock = words.state_label(rules, after.workflow, state), after.clock
    if clock is None:
        return gettext("执行后：{n} 张进入「{state}」。没做成的仍保持选中，并逐张说明原因。", n=n, state=label)
    said = rows.clause(rules.policy(after), clock.rule, clock.version, clock.timeout)
    return gettext(
        "执行后：{n} 张进入「{state}」，开始{rule}（{id}）。没做成的仍保持选中，并逐张说明原因。",
        n=n, state=label, rule=said.label, id=said.rule,
    )  # fmt: skip


# ── doing it ──


@dataclass(frozen=True)
class Done:
    label: str
    done: Sequence[Ticket]
    failed: Sequence[Answer]


def do(site: Site, picked: Picked, actor_name: str, now: datetime, *, by_id: bool) -> Done:
    """Each ticket for itself; what one cannot keeps no other back."""
    form = form_of(site, picked.step)
    if form is None or not picked.key:
        raise HTTPException(400, words.BROKEN_FORM)
    done: list[Ticket] = []
    failed: list[Answer] = []
    seen = dict(picked.tickets)
    try:
        facts = Posted(texts=picked.texts).facts(form)
    except Refused as refusal:
        raise HTTPException(422, refusal.message) from None
    for ticket in queries.loaded(site.desk.engine, picked.ids):
        if not _fits(form, ticket):
            failed.append(_answer(site, form, ticket, None, by_id=by_id))
            continue
        try:
            command = _command(form, ticket.id, facts, seen, actor_name, now, f"{picked.key}-{ticket.id}")
            done.append(site.desk.do(command))
        except Refused as refusal:
            failed.append(_answer(site, form, ticket, refusal, by_id=by_id))
        except (DatabaseBusy, UnknownTicket) as problem:
            failed.append(Answer(ticket, _address(ticket, by_id), "not", str(problem)))
    return Done(form.label, done, failed)


def same_for_all(form: Step | PlainAction) -> Sequence[Fact]:
    """What the form asks that can be filled in once for all."""
    asked = {fact.name for fact in form.asks}
    return [fact for fact in form.facts if fact.name not in _OF_ONE and (fact.name in asked or fact.kind == "text")]
