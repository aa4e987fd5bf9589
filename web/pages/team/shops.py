"""Shops: what they are called and what they run on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import RedirectResponse

from aftersales import clock
from aftersales.errors import Refused
from aftersales.office import accounts, shops
from aftersales.office.shops import Shop
from web.identity import people
from web.pages.team.frame import number, team_page
from web.pages.team.people import Several, Text
from web.site import Site, TheSite

router = APIRouter()
HERE = "/team/shops"


def _policies(site: Site) -> dict[str, str]:
    return {key: policy.label for key, policy in site.rules().catalog.policies.items()}


def _page(site: Site, refusal: Refused | None = None, typed: Mapping[str, Any] | None = None) -> Response:
    served = accounts.shops_served(site.desk.engine)
    everyone = [one for one in people(site).values() if one.active]
    context = {
        "shops": shops.everything(site.desk.engine),
        "policies": _policies(site),
        "names": {one.login: one.name for one in everyone},
        "of_all": sum(1 for one in everyone if one.id not in served),
        "typed": typed or {},
    }
    return team_page("shops", HERE, context, refusal)


@router.get(HERE)
def everything(site: TheSite) -> Response:
    return _page(site)


@router.post(HERE)
def add(site: TheSite, policy: Several, name: Text = "") -> Response:
    chosen = [one for one in policy if one in _policies(site)]
    try:
        shops.add(site.desk.engine, name, chosen, clock.now())
    except Refused as refusal:
        return _page(site, refusal, {"name": name, "policies": chosen})
    return RedirectResponse(f"{HERE}?done=added", 303)


def _shop(site: Site, shop_id: str) -> Shop:
    wanted = number(shop_id)
    found = next((one for one in shops.everything(site.desk.engine) if one.id == wanted), None)
    if found is None:
        raise HTTPException(404)
    return found


def _one(site: Site, shop: Shop, refusal: Refused | None = None, typed: Mapping[str, Any] | None = None) -> Response:
    said = {"name": shop.name, "policies": list(shop.policies)}
    context = {"shop": shop, "policies": _policies(site), "typed": typed or said, "fixed": site.settings.shop}
    return team_page("shop", HERE, context, refusal)


@router.get("/team/shops/{shop_id}")
def shop(shop_id: str, site: TheSite) -> Response:
    return _one(site, _shop(site, shop_id))


@router.post("/team/shops/{shop_id}")
def change(shop_id: str, site: TheSite, policy: Several, name: Text = "") -> Response:
    found = _shop(site, shop_id)
    chosen = [one for one in policy if one in _policies(site)]
    try:
        shops.change(site.desk.engine, found.id, name, chosen, fixed=site.settings.shop)
    except Refused as refusal:
        return _one(site, found, refusal, {"name": name, "policies": chosen})
    return RedirectResponse(f"{HERE}?done=saved", 303)
