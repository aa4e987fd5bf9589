"""THE ONE DOOR. Everything that changes a ticket comes through here: load, decide, record, in one transaction.

The web, the API, an import, a courier's feed and the scheduler are equals: they bring commands, one or a thousand.
Before anybody acts on a ticket its clock catches up, so an outcome never depends on when the scheduler last ran.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from aftersales import arrivals, decide, search_index, store
from aftersales.arrivals import Landed
from aftersales.clock import shown, shown_day, whole_second
from aftersales.database import Connection, DatabaseBusy, Engine, reading, writing
from aftersales.decide import Attempt, Imported, NewTicket, Rules
from aftersales.dispatch import ITEM_WORDS, Dispatch
from aftersales.errors import Refused, UnknownTicket
from aftersales.fill_in import LONGEST_NAME, text_problem
from aftersales.known import what_guards_ask
from aftersales.logs import brief
from aftersales.office import transfers
from aftersales.saying import Written, listed, say
from aftersales.ticket import Attachment, Change, Entry, Event, Opening, Ticket
from aftersales.workflows import facts
from aftersales.workflows.context import Known
from aftersales.workflows.links import LINKS, Tells
from aftersales.workflows.plain import ASSIGN, PLAIN_ACTIONS

log = logging.getLogger(__name__)

#: a ticket that cannot be decided is looked at again after so long, doubled each time
FIRST_RETRY, LONGEST_RETRY = timedelta(minutes=1), timedelta(hours=6)


@dataclass(frozen=True)
class Command:
    """What somebody wants done to a ticket. `at`: aware UTC; `version`: the version its form was drawn from."""

    ticket_id: int
    trigger: str
    actor: str
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)
    evidence: Sequence[str] = ()
    actor_name: str = ""
    version: int | None = None
    #: the same key a second time does nothing and answers as the first time
    key: str | None = None
    #: files of the evidence that this command adds; they lie in the evidence folder already
    files: Sequence[Attachment] = ()

    def fingerprint(self) -> str:
        return _fingerprint([self.ticket_id, self.trigger, self.actor, dict(self.facts), list(self.evidence)])


@dataclass
class Swept:
    """What one pass of the scheduler did."""

    #: (ticket, event): every alarm that fired, with due_at and recorded_at
    fired: list[tuple[Ticket, Event]] = field(default_factory=list)
    set_aside: list[tuple[int, str]] = field(default_factory=list)
    claimed: int = 0


class Desk:
    """The door to one database, under the rules that hold when it is asked."""

    def __init__(self, engine: Engine, rules: Callable[[], Rules], told: Callable[[datetime], None] | None = None):
        self.engine, self.rules = engine, rules
        #: told of every alarm that was set, so that a sleeping scheduler wakes in time
        self._told = told

    # ── people, feeds, platforms ──

    def open(self, new: NewTicket, *, shop: str, key: str | None = None) -> Ticket:
        """Opens a ticket. Refused: none is opened."""
        return _again_if_overtaken(lambda: self._opened(replace(new, at=whole_second(new.at)), shop, key))

    def _opened(self, new: NewTicket, shop: str, key: str | None) -> Ticket:
        fingerprint = _fingerprint([dict(vars(new), at=None)])
        with writing(self.engine) as connection:
            shop_id = store.shop_id_of(connection, shop)
            before = _answered(connection, shop_id, key, fingerprint)
            if before is not None:
                return before
            ticket = self._open(connection, new, shop_id, key)
            if key is not None:
                store.remember(connection, shop_id, key, fingerprint, ticket.id, ticket.version, new.at)
        self._wake(ticket)
        return ticket

    def import_tickets(self, imported: Sequence[Imported], *, shop: str, now: datetime) -> list[Landed]:
        """Takes over tickets that live on the platform, in the state each shows there, in one transaction.

        Gives what became of each, in their order: the ticket opened, that it was there, or why neither. What was there
        is left as it is. The shop is added if it is new.
        """
        now = whole_second(now)
        for _ in range(_TRIES - 1):
            with suppress(store.Taken):
                return self._imported(imported, shop, now)
        return self._imported(imported, shop, now)

    def _imported(self, imported: Sequence[Imported], shop: str, now: datetime) -> list[Landed]:
        keys = arrivals.keys_of(imported)
        with writing(self.engine) as connection:
            shop_id = store.shop_id_of(connection, shop)
            there = arrivals.there_already(connection, shop_id, keys)
            fresh = arrivals.first_of_each(keys, imported, there)
            opened = arrivals.decided(connection, fresh, self.rules(), shop_id, now)
            dispatch = Dispatch(connection, now)
            opened = {key: dispatch.opened(one) if isinstance(one, Change) else one for key, one in opened.items()}
            changes = [change for change in opened.values() if isinstance(change, Change)]
            store.write(connection, changes)
            search_index.write(connection, changes)
            for change in changes:
                transfers.keep(connection, change.after, change.events)
        for change in changes:
            self._wake(change.after)
        return arrivals.landed(keys, there, opened)

    def do(self, command: Command) -> Ticket:
        """Takes a step or a plain action. Refused: nothing has changed but what the clock had to do anyway."""
        return _again_if_overtaken(lambda: self._done(replace(command, at=whole_second(command.at))))

    def _done(self, command: Command) -> Ticket:
        refusal: Refused | None = None
        with writing(self.engine) as connection:
            ticket = _load(connection, command.ticket_id)
            before = _answered(connection, ticket.shop_id, command.key, command.fingerprint())
            if before is not None:
                return before
            command = _not_before(ticket, command)
            ticket = self._caught_up(connection, ticket, command.at)
            try:
                change = self._decided(connection, ticket, command)
            except Refused as refused:
                refusal = refused
            else:
                self._record(connection, change, command.key)
                store.attach(connection, change.after, change.events[-1], command.files)
                if command.key is not None:
                    store.remember(
                        connection, ticket.shop_id, command.key, command.fingerprint(), ticket.id,
                        change.after.version, command.at,
                    )  # fmt: skip
                ticket = change.after
        self._wake(ticket)
        if refusal is not None:
            raise refusal
        return ticket

    def try_out(self, commands: Sequence[Command]) -> list[Change | Refused]:
        """What each would do if it were done now, each to a ticket of its own: nothing is written."""
        ids = [command.ticket_id for command in commands]
        with reading(self.engine) as connection:
            tickets = {ticket.id: ticket for ticket in store.load(connection, ids)}
            histories = store.histories(connection, ids)
            return [self._tried(connection, tickets, histories, command) for command in commands]

    def _tried(
        self, connection: Connection, tickets: Mapping[int, Ticket], histories: Mapping[int, Sequence[Entry]],
        command: Command,
    ) -> Change | Refused:  # fmt: skip
        ticket = tickets.get(command.ticket_id)
        if ticket is None:
            return Refused("illegal_transition", say("没有编号为 {number} 的工单", number=command.ticket_id))
        command = _not_before(ticket, replace(command, at=whole_second(command.at)))
        caught_up = decide.catch_up(ticket, command.at, self.rules())
        try:
            ticket = ticket if caught_up is None else caught_up.after
            return self._decided(connection, ticket, command, histories[ticket.id])
        except Refused as refusal:
            return refusal

    def _decided(
        self, connection: Connection, ticket: Ticket, command: Command, history: Sequence[Entry] | None = None
    ) -> Change:
        _not_stale(ticket, command.version)
        rules = self.rules()
        attempt = Attempt(
            command.trigger, command.actor, command.at, command.facts, command.evidence, command.actor_name
        )
        if command.trigger == ASSIGN.name:
            attempt = _to_somebody(connection, ticket, attempt)
        if command.trigger in PLAIN_ACTIONS:
            return decide.act(ticket, attempt, rules)
        history = store.history(connection, ticket.id) if history is None else history
        known = what_guards_ask(connection, ticket, command.trigger, command.facts, rules)
        return decide.take(ticket, attempt, rules, history=history, known=known)

    def _caught_up(self, connection: Connection, ticket: Ticket, now: datetime) -> Ticket:
        """The clock before the person: what was due before now happens first, dated when it was due."""
        change = decide.catch_up(ticket, now, self.rules())
        if change is None:
            return ticket
        self._record(connection, change, None)
        return change.after

    # ── one transaction's writing ──

    def _open(
        self, connection: Connection, new: NewTicket, shop_id: int, key: str | None, parent: Ticket | None = None
    ) -> Ticket:
        """`parent`: the ticket for which the system opens this one."""
        rules = self.rules()
        if new.workflow not in rules.catalog.workflows:
            able = listed(rules.catalog.workflows)
            says = say("没有「{key}」这种工单，可选：{able}", key=Written(new.workflow), able=able)
            raise Refused("unknown_rule", says)
        if new.policy not in rules.catalog.policies:
            able = listed(rules.catalog.policies)
            says = say("没有「{key}」这个平台的规则，可选：{able}", key=Written(new.policy), able=able)
            raise Refused("unknown_rule", says)
        open_key = decide.open_key(new)
        number = self._still_open(connection, store.open_ticket_on(connection, shop_id, new.workflow, open_key), new.at)
        ticket_id, ticket_number = self._next(connection, shop_id, new.workflow, new.at)
        refunded = store.refunded_on(connection, shop_id, new.order_no, new.item_no)
        known = Known(duplicate_open=number, refunded_fen=refunded)
        change = decide.open_ticket(new, rules, ticket_id=ticket_id, number=ticket_number, shop_id=shop_id, known=known)
        change = Dispatch(connection, new.at).opened(change, parent)
        self._record(connection, change, key)
        return change.after

    def _still_open(self, connection: Connection, ticket_id: int | None, now: datetime) -> str | None:
        """The number of the ticket that is in the way, once its clock has caught up: it may be closed by now."""
        if ticket_id is None:
            return None
        ticket = self._caught_up(connection, _load(connection, ticket_id), now)
        return None if ticket.closed_at is not None else ticket.number

    def _next(self, connection: Connection, shop_id: int, workflow: str, opened_at: datetime) -> tuple[int, str]:
        """An id for machines and a number for people: EX-221001-0042, by the Shanghai day of opening."""
        code = self.rules().catalog.workflows[workflow].code
        [ticket_id] = store.next_ids(connection, 1)
        [number] = store.next_numbers(connection, shop_id, code, shown_day(opened_at), 1)
        return ticket_id, number

    def _record(self, connection: Connection, change: Change, key: str | None) -> None:
        store.write(connection, [change], command_key=key)
        search_index.write(connection, [change])
        transfers.keep(connection, change.after, change.events)
        store.tell_schedulers(connection, change.after.alarm_at)
        self._follow(connection, change)

    def _follow(self, connection: Connection, change: Change) -> None:
        """What the change opens beside the ticket, and what it tells those already linked."""
        for opening in change.opens:
            linked = self._open(connection, _linked(change.after, opening), change.after.shop_id, None, change.after)
            store.link(connection, linked.id, change.after.id, opening.relation, change.events[-1].recorded_at)
        for event, told in _tellings(change, self.rules()):
            self._tell(connection, change.after, told, event)

    def _tell(self, connection: Connection, ticket: Ticket, told: Tells, event: Event) -> None:
        """The linked ticket takes the step if it still can; if it has gone another way, that stands."""
        for relation, other in store.linked(connection, ticket.id):
            if relation != told.over or other.workflow != told.step.workflow.key or other.closed_at is not None:
                continue
            other = self._caught_up(connection, _load(connection, other.id), event.recorded_at)
            attempt = Attempt(told.step.name, "system", event.recorded_at)
            try:
                change = decide.take(other, attempt, self.rules(), history=store.history(connection, other.id))
            except Refused:
                continue
            self._record(connection, change, None)

    def _wake(self, ticket: Ticket) -> None:
        if self._told is not None and ticket.alarm_at is not None:
            self._told(ticket.alarm_at)

    # ── the clock ──

    def sweep(self, now: datetime, limit: int = 500) -> Swept:
        """Fires the alarms that came before now, oldest first, up to `limit` tickets, in one transaction.

        A ticket that cannot be decided is set aside with its error and a backoff; the others go on.
        """
        now = whole_second(now)
        rules = self.rules()
        swept = Swept()
        with writing(self.engine) as connection:
            tickets = store.claim_due(connection, now, limit)
            swept.claimed = len(tickets)
            changes: list[Change] = []
            for ticket in tickets:
                try:
                    changes.append(decide.catch_up(ticket, now, rules) or decide.remind(ticket, now, rules))
                except (Exception, SystemExit) as error:  # noqa: BLE001 -- whatever a rule does stops one ticket only
                    self._set_aside(connection, ticket, error, now, swept)
            store.write(connection, changes)
            for change in changes:
                self._follow(connection, change)
            swept.fired = [(change.after, event) for change in changes for event in change.events]
        return swept

    def sweep_one_by_one(self, now: datetime, limit: int = 500) -> Swept:
        """As sweep, for a batch that the database refused: each ticket in a transaction of its own."""
        now = whole_second(now)
        with reading(self.engine) as connection:
            ids = store.due_ids(connection, now, limit)
        swept = Swept(claimed=len(ids))
        for ticket_id in ids:
            try:
                with writing(self.engine) as connection:
                    ticket = _load(connection, ticket_id)
                    if ticket.alarm_at is None or ticket.alarm_at >= now:
                        continue
                    rules = self.rules()
                    change = decide.catch_up(ticket, now, rules) or decide.remind(ticket, now, rules)
                    self._record(connection, change, None)
                swept.fired += [(change.after, event) for event in change.events]
            except (DatabaseBusy, store.Stale):
                continue  # an outage, or somebody else moved it: nothing is wrong with the ticket
            except (Exception, SystemExit) as error:
                if getattr(error, "connection_invalidated", False):
                    raise
                with writing(self.engine) as connection:
                    self._set_aside(connection, _load(connection, ticket_id), error, now, swept)
        return swept

    def _set_aside(
        self, connection: Connection, ticket: Ticket, error: BaseException, now: datetime, swept: Swept
    ) -> None:
        reason = f"{type(error).__name__}: {error}"[:500]
        wait = min(FIRST_RETRY * 2 ** min(ticket.trouble_count, 10), LONGEST_RETRY)
        until = shown(now + wait)
        log.error("set aside until %s: %s", until, brief(error), exc_info=error, extra={"ticket": ticket.number})
        store.set_aside(connection, ticket.id, reason, now + wait)
        swept.set_aside.append((ticket.id, reason))

    def recount_provisional(self, now: datetime) -> int:
        """Counts again every clock that went through a year not published yet (decision 14). Returns how many moved."""
        now, moved = whole_second(now), 0
        with reading(self.engine) as connection:
            ids = store.provisional_ids(connection)
        for ticket_id in ids:
            with writing(self.engine) as connection:
                ticket = _load(connection, ticket_id)
                change = decide.recount(ticket, now, self.rules())
                if change is not None:
                    store.write(connection, [change])
                    moved += 1
        return moved

    def next_alarm(self) -> datetime | None:
        with reading(self.engine) as connection:
            return store.next_alarm(connection)


# ── small parts ──

#: what another transaction took while this one was deciding, and the refusal that deserves
_TAKEN = {
    "waybill": ("invalid_waybill", "运单号刚刚被另一张工单用了，请核对后重填"),
    "open_key": ("duplicate_open_ticket", "这个商品刚刚已开了同类售后单，请在那一张上处理"),
    "attachment": ("duplicate_file", "这份文件刚刚已经传过，没有再存一份"),
    "platform_no": ("duplicate_open_ticket", "这个平台单号已经有工单了，请在那一张上处理"),
}
_TRIES = 5


def _again_if_overtaken(attempt: Callable[[], Ticket]) -> Ticket:
    """Somebody else wrote first: decide again on what is there now."""
    for last in (*[False] * (_TRIES - 1), True):
        try:
            return attempt()
        except store.Taken as taken:
            if taken.what in _TAKEN:
                raise Refused(*_TAKEN[taken.what]) from None
            if last:
                raise
        except store.Stale:
            if last:
                raise
    raise AssertionError("unreachable")


def _fingerprint(told: list[Any]) -> str:
    """Tells one request from another, whatever was put into it."""
    return hashlib.sha256(json.dumps(told, default=str, sort_keys=True).encode()).hexdigest()


def _load(connection: Connection, ticket_id: int) -> Ticket:
    found = store.load(connection, [ticket_id], lock=True)
    if not found:
        raise UnknownTicket(say("没有编号为 {number} 的工单", number=ticket_id))
    return found[0]


def _answered(connection: Connection, shop_id: int, key: str | None, fingerprint: str) -> Ticket | None:
    """What this key was answered before. The same key for something else is a mistake of the caller."""
    if key is None:
        return None
    row = store.remembered(connection, shop_id, key)
    if row is None:
        return None
    if row.fingerprint != fingerprint:
        raise Refused("invalid_field", "这个幂等键已经用于另一个请求，请换一个键重新提交")
    return _load(connection, row.ticket_id)


def _not_before(ticket: Ticket, command: Command) -> Command:
    """A clock that was set back does not make history run backwards: nothing is earlier than what is recorded."""
    last = ticket.recorded_at
    return command if last is None or command.at >= last else replace(command, at=last)


def _not_stale(ticket: Ticket, version: int | None) -> None:
    """A form drawn before the ticket last moved loses politely; notes and reminders do not make it stale."""
    if version is not None and version < ticket.moved_seq:
        raise Refused("stale_version", "工单在您打开之后已有变动，请刷新看过最新情况再提交，已填的内容不会丢")


def _to_somebody(connection: Connection, ticket: Ticket, attempt: Attempt) -> Attempt:
    """Handed to a group: to whoever of it would be given it as a new one. Nobody free: it waits in the group."""
    team, agent = attempt.facts.get(facts.team.name), attempt.facts.get(facts.agent.name)
    if not isinstance(team, str) or not team.strip() or text_problem(team, LONGEST_NAME) is not None:
        return attempt
    freest = Dispatch(connection, attempt.at).freest(team.strip(), ticket.shop_id, ticket.owner)
    return replace(attempt, facts={**attempt.facts, facts.agent.name: agent or freest})


def _linked(parent: Ticket, opening: Opening) -> NewTicket:
    """A linked ticket takes the policy, the authority, the order, the item and the buyer of its parent."""
    assert parent.recorded_at is not None
    actor = {"apply": "buyer", "report": "system", "detect": "system"}.get(opening.trigger, "system")
    return NewTicket(
        workflow=opening.workflow, policy=parent.policy, trigger=opening.trigger, actor=actor,
        at=parent.recorded_at, facts={k: v for k, v in opening.facts.items() if v is not None},
        order_no=parent.order_no, item_no=parent.item_no, buyer=parent.buyer, authority=parent.authority,
        extra={name: parent.fields[name] for name in ITEM_WORDS if name in parent.fields},
    )  # fmt: skip


def _tellings(change: Change, rules: Rules) -> list[tuple[Event, Tells]]:
    workflow = rules.workflow(change.after)
    found = []
    for event in change.events:
        move = workflow.move(event.trigger) if event.kind == "move" else None
        if move is not None:
            found += [(event, told) for told in LINKS.told_by(move, event.from_state, event.to_state)]
    return found
