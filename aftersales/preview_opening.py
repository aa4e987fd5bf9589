"""What would become of a ticket if it were opened now: asked before anybody submits the form.

    look(engine, new, shop, rules)       -> Preview, with what the database knows of the order and the item
    preview(new, rules, known)           -> the same, without a database

Nothing is decided here: `decide` opens the ticket on paper, and each condition is the guard's own answer, so what is
said is what `desk.open` then does. A form that is not filled in yet has conditions that are not known yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aftersales import decide, store
from aftersales.database import Connection, Engine, reading
from aftersales.decide import NewTicket, Rules
from aftersales.errors import Refused
from aftersales.fill_in import LONGEST_NAME, clean, text_problem
from aftersales.ticket import Change, Ticket
from aftersales.workflows import facts as f
from aftersales.workflows.context import NOTHING_KNOWN, Context, Known
from aftersales.workflows.guards import KNOWN, NOT_KNOWN, NOT_MET, Guard, Standing
from aftersales.workflows.vocabulary import Fact, Opening

ORDER = Fact("order_no", "订单号")
#: what is true of the item of an order, whatever is asked for: a later ticket can take it from an earlier one
KEPT = (
    f.paid_fen, f.signed_at, f.receipt_confirmed_at, f.category, f.region, f.freight_fen, f.voucher_total, f.expires_at,
    f.ship_to,
)  # fmt: skip


@dataclass(frozen=True)
class Condition:
    """One thing that could refuse the opening. `verdict`: met, not_met or not_known; `code`: of the refusal."""

    code: str
    verdict: str
    sentence: str
    clause: str = ""
    #: what must be filled in to tell
    awaits: tuple[Fact, ...] = ()
    #: the field of the form that it is about
    about: str = ""
    #: the ticket that is in the way
    ticket: str | None = None


@dataclass(frozen=True)
class Preview:
    conditions: tuple[Condition, ...]
    #: what must be filled in before anything can be opened
    missing: tuple[Fact, ...]
    #: what `desk.open` would say, or what it would do
    refused: Refused | None
    opens: Change | None

    @property
    def after(self) -> Ticket | None:
        return None if self.opens is None else self.opens.after

    def verdicts(self, verdict: str) -> list[Condition]:
        return [one for one in self.conditions if one.verdict == verdict]


# ── on paper ──


def preview(new: NewTicket, rules: Rules, known: Known = NOTHING_KNOWN) -> Preview:
    """`new.facts` may lack things, and hold things that are not well formed."""
    move = rules.catalog.workflows[new.workflow].move(new.trigger)
    assert isinstance(move, Opening)
    refused, change = None, None
    try:
        change = decide.open_ticket(new, rules, ticket_id=0, number="", shop_id=0, known=known)
    except Refused as refusal:
        refused = refusal
    context = decide.opening_context(new, _well_formed(move, new.facts), rules, known=known)
    conditions = [one for guard in move.needs for one in _conditions(guard, context, _unkeyed(new))]
    return Preview(tuple(conditions), tuple(_missing(new, move, rules)), refused, change)


def _well_formed(move: Opening, given: Mapping[str, Any]) -> dict[str, Any]:
    """What can be relied upon of a form that is not finished."""
    found: dict[str, Any] = {}
    for fact in move.facts:
        try:
            found |= {fact.name: clean(fact, given[fact.name])} if given.get(fact.name) not in (None, "") else {}
        except ValueError:
            continue
    return found


def _missing(new: NewTicket, move: Opening, rules: Rules) -> Iterable[Fact]:
    if not new.order_no:
        yield ORDER
    for fact in (*move.asks, *decide.also_asked(new, rules)):
        if new.facts.get(fact.name) in (None, ""):
            yield fact


def _unkeyed(new: NewTicket) -> tuple[Fact, ...]:
    """What must be known before other tickets of the item, the parcel or the review can be looked for."""
    fact = decide.KEYED_BY.get(new.workflow, ORDER)
    there = new.order_no if fact is ORDER else new.facts.get(fact.name)
    return () if there else (fact,)


def _conditions(guard: Guard, context: Context, unkeyed: tuple[Fact, ...]) -> Iterable[Condition]:
    for one in guard.standing(context):
        told = one
        if guard.reads == KNOWN and unkeyed:
            told = Standing(NOT_KNOWN, one.sentence, one.clause, unkeyed)
        in_the_way = context.known.duplicate_open if guard.reads == KNOWN and told.verdict == NOT_MET else None
        yield Condition(guard.code, told.verdict, told.sentence, told.clause, told.awaits, guard.about, in_the_way)


# ── with what the database knows ──


def look(engine: Engine, new: NewTicket, shop: str, rules: Rules) -> Preview:
    """As `desk.open` would find it at `new.at`; nothing is written."""
    with reading(engine) as connection:
        return preview(new, rules, _known(connection, new, shop, rules))


def _known(connection: Connection, new: NewTicket, shop: str, rules: Rules) -> Known:
    texts = (shop, new.order_no, new.item_no, decide.open_key(new))
    if any(text_problem(text, 3 * LONGEST_NAME) for text in texts):
        return NOTHING_KNOWN  # refused for what they are; the database need not be asked
    shop_id = store.shop_id_of(connection, shop, create=False)
    if shop_id is None:
        return NOTHING_KNOWN
    refunded = store.refunded_on(connection, shop_id, new.order_no, new.item_no, lock=False)
    return Known(duplicate_open=_open_by_then(connection, new, shop_id, rules), refunded_fen=refunded)


def _open_by_then(connection: Connection, new: NewTicket, shop_id: int, rules: Rules) -> str | None:
    """The number of the ticket in the way, unless its clock will have closed it."""
    ticket_id = store.open_ticket_on(connection, shop_id, new.workflow, decide.open_key(new))
    if ticket_id is None:
        return None
    [ticket] = store.load(connection, [ticket_id])
    change = decide.catch_up(ticket, new.at, rules)
    return None if change is not None and change.after.closed_at is not None else ticket.number


# ── what earlier tickets tell ──


@dataclass(frozen=True)
class Remembered:
    """What earlier tickets of the order tell of it: the value of a field and the ticket it is from."""

    values: Mapping[str, Any] = field(default_factory=dict)
    #: item numbers of the order, the latest first
    items: Sequence[str] = ()
    ticket: str = ""


def remembered(earlier: Sequence[Ticket], item_no: str = "") -> Remembered:
    """`earlier`: tickets of one order, the latest first. Of the item, or of the order's only one."""
    items = tuple(dict.fromkeys(ticket.item_no for ticket in earlier if ticket.item_no))
    wanted = item_no or (items[0] if len(items) == 1 else "")
    of_item = [ticket for ticket in earlier if ticket.item_no == wanted]
    values: dict[str, Any] = {}
    for ticket in earlier:
        values.setdefault("buyer", ticket.buyer)
        values.setdefault("policy", ticket.policy)
    values |= {"item_no": wanted}
    for fact in KEPT:
        told = (ticket.shown_fields.get(fact.name) for ticket in of_item)
        values[fact.name] = next((value for value in told if value not in (None, "", 0)), None)
    values[f.prior_attempts.name] = max((ticket.fields.get(f.attempts_used.name, 0) for ticket in of_item), default=0)
    known = {name: value for name, value in values.items() if value}
    return Remembered(known, items, (of_item or earlier)[0].number if earlier else "")
