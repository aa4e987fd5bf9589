"""Opening a ticket by hand: choose the type, look the order up, see what would refuse it, fill in what is asked for.

What a ticket would become is asked of the engine (preview_opening), here and in the parts of the page that are drawn
again while somebody fills in the form. Without scripts the button 查订单 sends the form to be looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from aftersales import clock, preview_opening, queries
from aftersales.clock import whole_second
from aftersales.decide import NewTicket
from aftersales.errors import Refused
from aftersales.fill_in import LONGEST_NAME
from aftersales.preview_opening import Preview, Remembered, remembered
from aftersales.queries import orders
from aftersales.saying import Said, Written
from aftersales.ticket import Ticket
from aftersales.workflows.vocabulary import Fact, Opening, Workflow
from web import forms, opening, visit, words
from web.forms import PostedForm
from web.identity import Me
from web.rendering import page
from web.site import Site, TheSite, address_of, several_shops

router = APIRouter()
#: what the address of a form may bring along: /new/exchange?order=…&shop=…
BROUGHT = {"order": "order_no", "item": "item_no", "buyer": "buyer", "shop": "shop", "policy": "policy"}


@dataclass(frozen=True)
class Entry:
    """A form as it was typed, or as it begins; `filled`: what was put in from earlier tickets of the order."""

    workflow: type[Workflow]
    texts: Mapping[str, str]
    actor: str = ""
    key: str = ""
    #: the platform that was put in before; a person may have chosen another since
    platform: str = ""
    filled: Mapping[str, str] = field(default_factory=dict)

    @property
    def opening(self) -> Opening:
        return self.workflow.openings()[0]

    def text(self, name: str) -> str:
        return self.texts.get(name, "").strip()

    def with_filled(self, known: Mapping[str, str]) -> Entry:
        """What is empty is filled in, nothing else."""
        filled = {name: text for name, text in known.items() if text and not self.text(name)}
        if known.get("policy") and self.text("policy") == self.platform != known["policy"]:
            filled["policy"] = known["policy"]
        return replace(self, texts={**self.texts, **filled}, filled=filled)


# ── pages ──


@router.get("/new")
def choose(request: Request, site: TheSite) -> Response:
    """Every type with what it is for; what the address brings along goes on to the form."""
    types = opening.types(site.rules(), request.query_params)
    return page("new/choose.html", {"types": types})


@router.get("/new/{key}")
def form(request: Request, key: str, site: TheSite) -> Response:
    brought = {name: request.query_params.get(short, "")[:LONGEST_NAME] for short, name in BROUGHT.items()}
    entry = Entry(_workflow(site, key), {name: text for name, text in brought.items() if text})
    return _form_page(site, entry)


@router.post("/new/{key}")
def submit(key: str, site: TheSite, posted: PostedForm, me: Me) -> Response:
    """Opens the ticket; or shows the form again with all that was typed and everything that is wrong with it."""
    entry = Entry(_workflow(site, key), posted.texts, posted.actor, posted.key, posted.platform)
    if posted.look:
        return _parts(site, entry) if visit.current.get().partial else _form_page(site, entry)
    place = opening.place(site, entry.workflow)
    where, facts = forms.read(place, entry.texts), forms.read(entry.opening, entry.texts)
    problems = {**where.problems, **facts.problems, **_unknown(place, entry)}
    if not problems:
        new = _new(entry, where.values, facts.values, me.login if me else "")
        try:
            opened = site.desk.open(new, shop=where.values.get("shop", site.settings.shop), key=posted.key)
        except Refused as refusal:
            shop = where.values.get("shop", site.settings.shop)
            return _form_page(site, entry, refusal=forms.sent_before(site, shop, posted, refusal))
        address = address_of(opened.id, opened.number, several=several_shops(site))
        # done=1: its first event is told on top of its page
        return RedirectResponse(f"{address}?done=1", 303)
    return _form_page(site, entry, problems)


def _workflow(site: Site, key: str) -> type[Workflow]:
    found = site.rules().catalog.workflows.get(key)
    if found is None:
        raise HTTPException(404)
    return found


def _unknown(place: opening.Place, entry: Entry) -> dict[str, str]:
    """Fields that the form does not have."""
    asked = {fact.name for fact in (*place.facts, *entry.opening.facts)}
    return {name: words.UNKNOWN_NAME for name in entry.texts if name not in asked}


def _new(entry: Entry, where: Mapping[str, Any], facts: Mapping[str, Any], actor_name: str = "") -> NewTicket:
    return NewTicket(
        workflow=entry.workflow.key, policy=where["policy"], trigger=entry.opening.name,
        actor=entry.actor or opening.actors(entry.opening)[0].value, at=whole_second(clock.now()), facts=facts,
        order_no=where.get("order_no", ""), item_no=where.get("item_no", ""), buyer=where.get("buyer", ""),
        authority=where.get("authority", "local"), actor_name=actor_name,
    )  # fmt: skip


# ── what is known by now ──


@dataclass(frozen=True)
class Known:
    """Of the order and the buyer, and what would become of the form as it stands."""

    earlier: Sequence[Ticket]
    of_buyer: Sequence[Ticket]
    remembered: Remembered
    entry: Entry
    #: None: the platform is not chosen yet, so no rule can be asked
    preview: Preview | None
    shops: Sequence[tuple[int, str]]
    #: the platform that was in the form when it was sent
    was: str = ""

    @property
    def shop_names(self) -> list[str]:
        return [name for _, name in self.shops]

    @property
    def platform(self) -> str:
        """The one that was put in, here or before."""
        return self.entry.filled.get("policy", self.entry.platform)

    @property
    def new_shop(self) -> str:
        """A name that no shop has: opening the ticket would add it."""
        shop = self.entry.text("shop")
        return Written(shop) if shop and self.shops and shop not in self.shop_names else ""


def _known(site: Site, typed: Entry) -> Known:
    engine, rules, place = site.desk.engine, site.rules(), opening.place(site, typed.workflow)
    shops = queries.shops(engine)
    ids = {name: id for id, name in shops}
    read = forms.read(place, typed.texts)
    order, shop_id = read.values.get("order_no"), ids.get(read.values.get("shop", ""))
    earlier = orders.of_order(engine, order, shop_id) if order else []
    told = remembered(earlier, read.values.get("item_no", ""))
    shop = _shop(site, typed, shops, earlier)
    policy = None if ids.get(shop) is None else orders.last_policy(engine, ids[shop], typed.workflow.code)
    known = {"shop": shop, "policy": policy or "", **opening.as_texts(typed.opening, told.values)}
    entry = typed.with_filled({name: text for name, text in known.items() if text})
    read, facts = forms.read(place, entry.texts), forms.read(entry.opening, entry.texts)
    preview, of_buyer = None, []
    if read.values.get("buyer") and ids.get(shop) is not None:
        of_buyer = orders.of_buyer(engine, read.values["buyer"], ids[shop], [ticket.id for ticket in earlier])
    if read.values.get("policy") in rules.catalog.policies:
        preview = preview_opening.look(engine, _new(entry, read.values, facts.values), shop, rules)
    return Known(earlier, of_buyer, told, entry, preview, shops, typed.text("policy"))


def _shop(site: Site, typed: Entry, shops: Sequence[tuple[int, str]], earlier: Sequence[Ticket]) -> str:
    """The one that was typed, that the order is of, or the only one."""
    if typed.text("shop"):
        return typed.text("shop")
    if earlier:
        return dict(shops)[earlier[0].shop_id]
    return site.settings.shop if len(shops) < 2 else ""


def _shown(site: Site, known: Known) -> dict[str, Any]:
    """What both the whole page and its parts need."""
    return {
        "known": known,
        "earlier": opening.lines(site, known.earlier, known.shops),
        "of_buyer": opening.lines(site, known.of_buyer, known.shops),
        "conditions": opening.conditions(site, known.preview, known.entry.text("shop")),
        "missing": [] if known.preview is None else [fact.label for fact in known.preview.missing],
        "then": opening.then(site, known.preview),
        "filled": known.entry.filled,
    }


def _parts(site: Site, entry: Entry) -> Response:
    """The parts that change while somebody fills in the form."""
    return page("new/_parts.html", _shown(site, _known(site, entry)))


def _form_page(
    site: Site, typed: Entry, problems: Mapping[str, str] | None = None, refusal: Refused | None = None
) -> Response:
    known = _known(site, typed)
    problems = dict(problems or {})
    if refusal is not None:
        about = opening.about(known.preview, refusal)
        problems |= {about: refusal.message} if about else {}
    context = {
        **_shown(site, known),
        "workflow": typed.workflow,
        "form": opening.draw(site, known.entry, known.preview, problems),
        "summary": _summary(site, typed, problems),
        "refusal": refusal,
    }
    status = forms.status(refusal) if refusal or not problems else 422
    return page("new/form.html", context, status)


def _summary(site: Site, entry: Entry, problems: Mapping[str, str]) -> list[tuple[str, str | Said, str]]:
    """(field, its label, what is wrong) in the order of the form."""
    facts: list[Fact] = [*opening.place(site, entry.workflow).facts, *entry.opening.facts]
    labels = {fact.name: fact.label for fact in facts}
    order = {name: place for place, name in enumerate(labels)}
    ordered = sorted(problems, key=lambda name: order.get(name, len(order)))
    return [(name, labels.get(name, name[:40]), problems[name]) for name in ordered]
