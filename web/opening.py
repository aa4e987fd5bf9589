"""The form that opens a ticket, and what is known before it is sent, in words for its templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from aftersales import queries
from aftersales.clock import SHANGHAI
from aftersales.decide import Rules
from aftersales.errors import Refused
from aftersales.explain import explained
from aftersales.explanation import Explanation
from aftersales.money import yuan
from aftersales.policies.vocabulary import Policy, Window
from aftersales.preview_opening import Preview
from aftersales.saying import Written, say
from aftersales.ticket import Ticket
from aftersales.workflows.vocabulary import Actor, Fact, Opening, Workflow
from web import forms, words
from web.forms import Input
from web.i18n import translated
from web.site import Site, address_of

if TYPE_CHECKING:
    from web.pages.new import Entry

ICONS = {"exchange": "swap", "repair": "wrench", "refund": "yuan", "lost_parcel": "parcel", "bad_review": "star"}
VERDICTS = {"met": ("check", "通过"), "not_met": ("x", "不通过"), "not_known": ("help", "还不知道")}


# ── the types to choose from ──


@dataclass(frozen=True)
class Type:
    address: str
    icon: str
    label: str
    about: str
    #: the platforms that have a clock for it
    platforms: Sequence[str]


def types(rules: Rules, brought: Mapping[str, str]) -> list[Type]:
    asked = f"?{urlencode(dict(brought))}" if brought else ""
    return [
        Type(
            f"/new/{key}{asked}", ICONS.get(key, "list"), table.label, table.__doc__ or "",
            [policy.label for policy in rules.catalog.policies.values() if _sets_clocks(policy, table)],
        )
        for key, table in rules.catalog.workflows.items()
    ]  # fmt: skip


# ── the form ──


@dataclass(frozen=True)
class Place:
    """Where a ticket belongs: what is asked for whatever its type."""

    asks: tuple[Fact, ...]
    accepts: tuple[Fact, ...]
    label: str = words.PLACE_LABEL

    @property
    def facts(self) -> tuple[Fact, ...]:
        return (*self.asks, *self.accepts)


def place(site: Site, workflow: type[Workflow], shops: Sequence[str] = ()) -> Place:
    """`shops`: to choose from, where there are several."""
    policies = tuple((policy.key, policy.label) for policy in _policies(site, workflow))
    return Place(
        asks=(
            Fact("order_no", words.PLACE["order_no"]),
            Fact("policy", words.PLACE["policy"], "choice", policies),
        ),
        accepts=(
            Fact("shop", words.PLACE["shop"], "choice" if len(shops) > 1 else "text", _choices(shops)),
            Fact("item_no", words.PLACE["item_no"]),
            Fact("buyer", words.PLACE["buyer"]),
            Fact("authority", words.PLACE["authority"], "choice", tuple(words.AUTHORITIES.items()), default="local"),
        ),
    )


def _choices(shops: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, Written(name)) for name in shops) if len(shops) > 1 else ()


def _policies(site: Site, workflow: type[Workflow]) -> list[Policy]:
    """Those with a clock for this type first."""
    return sorted(site.rules().catalog.policies.values(), key=lambda policy: not _sets_clocks(policy, workflow))


def _sets_clocks(policy: Policy, workflow: type[Workflow]) -> bool:
    return any(rule.sets_clocks for state in workflow.waiting for rule in policy.rules_for(state))


@dataclass(frozen=True)
class Drawn:
    """The whole form: where it belongs, what must be filled in, what decides whether it may be opened, the rest."""

    drawn: forms.Drawn
    place: Mapping[str, Input]
    asked: Sequence[Input]
    deciding: Sequence[Input]
    more: Sequence[Input]
    #: by the name of the field: what it may hold, when it is needed
    hints: Mapping[str, str]


def draw(site: Site, entry: Entry, preview: Preview | None, problems: Mapping[str, str]) -> Drawn:
    opening, texts = entry.opening, entry.texts
    sent = forms.Posted(texts=texts if entry.key else _begun(opening, texts), actor=entry.actor)
    errors = {name: translated(problem) for name, problem in problems.items()}
    after = None if preview is None else preview.after
    most = {} if after is None else {"amount_fen": after.left_fen}
    drawn = forms.draw(
        opening, opening.by, version=0, actor=entry.actor, sent=sent, evidence=False, errors=errors, most=most
    )
    of_name = {one.name: one for one in drawn.inputs}
    first = [fact.name for fact in (*opening.asks, *(needed.fact for needed in opening.asks_if))]
    deciding = [name for name in of_name if name not in first and name in _deciding(site, opening)]
    rest = [name for name in of_name if name not in {*first, *deciding}]
    shops = [name for _, name in queries.shops(site.desk.engine)]
    fields = forms.inputs(place(site, entry.workflow, shops), {"authority": "local", **texts})
    where = {one.name: replace(one, error=errors.get(one.name, "")) for one in fields}
    return Drawn(
        drawn, where, [of_name[name] for name in dict.fromkeys(first)], [of_name[name] for name in deciding],
        [of_name[name] for name in rest], _hints(opening),
    )  # fmt: skip


def _begun(opening: Opening, texts: Mapping[str, str]) -> dict[str, str]:
    """Choices and boxes begin as they are by default, in a form that nobody has sent yet."""
    return {**{one.name: one.value for one in forms.inputs(opening, None) if one.value}, **texts}


def _deciding(site: Site, opening: Opening) -> set[str]:
    """The facts that conditions are about, and those that windows count from on any platform."""
    policies = site.rules().catalog.policies.values()
    windows = [rule for policy in policies for rule in policy.rules if isinstance(rule, Window)]
    counted = {rule.counted_from.name for rule in windows if opening in rule.moves}
    return counted | {guard.about for guard in opening.needs if guard.about}


def _hints(opening: Opening) -> dict[str, str]:
    hints: dict[str, str] = {
        needed.fact.name: say("{when} 时必填", when=needed.when.says) for needed in opening.asks_if
    }
    if any(fact.name == "amount_fen" for fact in opening.accepts):
        hints["amount_fen"] = "不填就是全部"
    return hints


def actors(opening: Opening) -> list[Actor]:
    """The agent's own first."""
    return sorted(opening.by, key=lambda one: one != Actor.AGENT)


def as_texts(opening: Opening, values: Mapping[str, Any]) -> dict[str, str]:
    """What earlier tickets tell, as it is typed into this form."""
    asked = {fact.name: fact for fact in opening.facts}
    place_names = ("item_no", "buyer", "policy")
    kept = {name: value for name, value in values.items() if name in asked or name in place_names}
    return {name: _as_text(asked.get(name), value) for name, value in kept.items()}


def _as_text(fact: Fact | None, value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(SHANGHAI).strftime("%Y-%m-%dT%H:%M:%S")
    if fact is not None and fact.kind == "fen":
        return f"{value // 100}.{value % 100:02}"
    return str(value)


# ── what is known ──


@dataclass(frozen=True)
class Line:
    """An earlier ticket."""

    ticket: Ticket
    address: str
    icon: str
    workflow: str
    state: str
    shop: str
    refunded: str


def lines(site: Site, tickets: Sequence[Ticket], shops: Sequence[tuple[int, str]]) -> list[Line]:
    rules, names = site.rules(), dict(shops)
    return [
        Line(
            ticket, address(ticket, shops), ICONS.get(ticket.workflow, "list"),
            words.workflow_label(rules, ticket.workflow), words.state_label(rules, ticket.workflow, ticket.state),
            names[ticket.shop_id] if len(shops) > 1 else "", yuan(ticket.refund_fen) if ticket.refund_fen else "",
        )
        for ticket in tickets
    ]  # fmt: skip


def address(ticket: Ticket, shops: Sequence[tuple[int, str]]) -> str:
    return address_of(ticket.id, ticket.number, several=len(shops) > 1)


@dataclass(frozen=True)
class ConditionLine:
    icon: str
    verdict: str
    says: str
    sentence: str
    clause: str
    awaits: Sequence[str]
    ticket: str | None


def conditions(site: Site, preview: Preview | None, shop: str) -> list[ConditionLine]:
    """What is not met first, then what is not known yet."""
    order = ("not_met", "not_known", "met")
    found = [] if preview is None else sorted(preview.conditions, key=lambda one: order.index(one.verdict))
    return [
        ConditionLine(
            VERDICTS[one.verdict][0], one.verdict, VERDICTS[one.verdict][1], one.sentence, one.clause,
            [fact.label for fact in one.awaits], one.ticket,
        )
        for one in found
    ]  # fmt: skip


def about(preview: Preview | None, refusal: Refused) -> str:
    """The field that a refusal is about; "" for none."""
    found = [] if preview is None else preview.conditions
    return next((one.about for one in found if (one.code, one.sentence) == (refusal.code, refusal.message)), "")


@dataclass(frozen=True)
class Then:
    """What happens when the form is sent."""

    state: str
    turn: str
    explanation: Explanation
    money: Sequence[str]


def then(site: Site, preview: Preview | None) -> Then | None:
    if preview is None or preview.opens is None:
        return None
    after, rules = preview.opens.after, site.rules()
    told = explained(after, preview.opens.events, rules, after.opened_at)
    ordered = [say("系统下单退款 {amount}", amount=yuan(payment.amount_fen)) for payment in preview.opens.payments]
    return Then(
        words.state_label(rules, after.workflow, after.state), words.turn(rules, after.workflow, after.state), told,
        ordered,
    )  # fmt: skip
