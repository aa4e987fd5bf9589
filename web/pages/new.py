"""Opening a ticket by hand: choose the type, then fill in what its opening asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import RedirectResponse

from aftersales import clock, queries
from aftersales.decide import NewTicket
from aftersales.errors import Refused
from aftersales.fill_in import LONGEST_NAME, filled_in
from aftersales.policies.vocabulary import Policy
from aftersales.workflows.vocabulary import Fact, Opening, Workflow
from web import forms, words
from web.forms import Posted, PostedForm
from web.rendering import page
from web.site import Site, TheSite

router = APIRouter()


@dataclass(frozen=True)
class Place:
    """Where a ticket belongs: what is asked for whatever its type."""

    asks: tuple[Fact, ...]
    accepts: tuple[Fact, ...]
    label: str = words.PLACE_LABEL

    @property
    def facts(self) -> tuple[Fact, ...]:
        return (*self.asks, *self.accepts)

    def read(self, posted: Posted) -> dict[str, Any]:
        """Refused: something is absent, or longer than the database can look for."""
        names = {fact.name: fact.label for fact in self.facts}
        own = replace(posted, texts={name: text for name, text in posted.texts.items() if name in names})
        given = filled_in(self, own.facts(self), clock.now())
        for name, value in given.items():
            if len(value) > LONGEST_NAME:
                raise Refused("invalid_field", words.too_long(names[name], len(value), LONGEST_NAME))
        return given


def _place(site: Site, workflow: type[Workflow]) -> Place:
    policies = tuple((policy.key, policy.label) for policy in _policies(site, workflow))
    return Place(
        asks=(
            Fact("policy", words.PLACE["policy"], "choice", policies),
            Fact("order_no", words.PLACE["order_no"]),
        ),
        accepts=(
            Fact("item_no", words.PLACE["item_no"]),
            Fact("buyer", words.PLACE["buyer"]),
            Fact("shop", words.PLACE["shop"], default=site.settings.shop),
            Fact("authority", words.PLACE["authority"], "choice", tuple(words.AUTHORITIES.items()), default="local"),
        ),
    )


def _policies(site: Site, workflow: type[Workflow]) -> list[Policy]:
    """Those with a clock for this type first."""
    return sorted(site.rules().catalog.policies.values(), key=lambda policy: not _sets_clocks(policy, workflow))


def _sets_clocks(policy: Policy, workflow: type[Workflow]) -> bool:
    return any(rule.sets_clocks for state in workflow.waiting for rule in policy.rules_for(state))


# ── pages ──


@router.get("/new")
def choose(site: TheSite) -> Response:
    types = [(f"/new/{key}", table.label, table.__doc__ or "") for key, table in site.rules().catalog.workflows.items()]
    return page("new.html", {"types": types})


@router.get("/new/{key}")
def form(key: str, site: TheSite) -> Response:
    return _form_page(site, _workflow(site, key))


@router.post("/new/{key}")
def submit(key: str, site: TheSite, posted: PostedForm) -> Response:
    workflow = _workflow(site, key)
    try:
        opened = _open(site, workflow, posted)
    except Refused as refusal:
        shop = posted.texts.get("shop") or site.settings.shop
        return _form_page(site, workflow, posted, forms.sent_before(site, shop, posted, refusal))
    by_id = len(queries.shops(site.desk.engine)) > 1
    return RedirectResponse(f"/t/{opened.id if by_id else opened.number}", 303)


def _open(site: Site, workflow: type[Workflow], posted: Posted) -> Any:
    place, opening = _place(site, workflow), _opening(workflow)
    where = place.read(posted)
    known = {fact.name for fact in place.facts}
    own = replace(posted, texts={name: text for name, text in posted.texts.items() if name not in known})
    new = NewTicket(
        workflow=workflow.key, policy=where["policy"], trigger=opening.name, actor=posted.actor, at=clock.now(),
        facts=own.facts(opening), order_no=where["order_no"], item_no=where.get("item_no", ""),
        buyer=where.get("buyer", ""), authority=where.get("authority", "local"),
    )  # fmt: skip
    return site.desk.open(new, shop=where.get("shop", site.settings.shop), key=posted.key)


def _workflow(site: Site, key: str) -> type[Workflow]:
    found = site.rules().catalog.workflows.get(key)
    if found is None:
        raise HTTPException(404)
    return found


def _opening(workflow: type[Workflow]) -> Opening:
    return workflow.openings()[0]


def _form_page(
    site: Site, workflow: type[Workflow], sent: Posted | None = None, refusal: Refused | None = None
) -> Response:
    opening = _opening(workflow)
    context: Mapping[str, Any] = {
        "workflow": workflow.label,
        "action": f"/new/{workflow.key}",
        "place": forms.inputs(_place(site, workflow), None if sent is None else sent.texts),
        "form": forms.draw(opening, opening.by, version=0, sent=sent, evidence=False),
        "shops": [name for _, name in queries.shops(site.desk.engine)],
        "refusal": refusal,
    }
    return page("new_form.html", context, forms.status(refusal))
