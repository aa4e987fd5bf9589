"""Tickets handed on: one or many, to a person or a group; and what nobody has, dealt out after a look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import RedirectResponse

from aftersales import clock, handing, queries
from aftersales.errors import Refused
from aftersales.fill_in import text_problem
from aftersales.office import accounts, duty, teams
from aftersales.queries import Held
from aftersales.saying import say
from web import words
from web.identity import Me, name_of, people
from web.pages.choices import safe
from web.pages.team.frame import by, ids, team_page
from web.pages.team.people import Several, Text, receiver
from web.site import Site, TheSite

router = APIRouter()
Asked = Annotated[list[str], Query(default_factory=list)]


@dataclass(frozen=True)
class Sent:
    """The form of a transfer, as typed."""

    to: str = ""
    reason: str = ""
    summary: str = ""
    #: where to go afterwards; "": the overview
    back: str = ""

    @property
    def then(self) -> str:
        return safe(self.back) if self.back else "/team?done=handed"


@dataclass(frozen=True)
class Line:
    """One ticket to hand on, in words; `why_not`: what was in the way."""

    held: Held
    owner: str
    workflow: str
    state: str
    left: str
    urgency: str
    why_not: str


def _page(
    site: Site,
    held: Sequence[Held],
    sent: Sent,
    refusal: Refused | None = None,
    why_not: Mapping[int, str] | None = None,
) -> Response:
    engine = site.desk.engine
    everyone = [one for one in accounts.everyone(engine) if one.active]
    context = {
        "lines": [_line(site, one, (why_not or {}).get(one.id, "")) for one in held],
        "everyone": everyone,
        "loads": teams.loads(engine, [one.login for one in everyone]),
        "awake": {shift.login for shift in duty.on_duty(engine, clock.now())},
        "groups": [one for one in teams.groups(engine) if one.active],
        "sent": sent,
        "most": handing.MOST,
    }
    return team_page("transfer", "/team", context, refusal)


def _line(site: Site, held: Held, why_not: str) -> Line:
    rules, now = site.rules(), clock.now()
    return Line(
        held,
        name_of(site, held.owner),
        words.workflow_label(rules, held.workflow),
        words.state_label(rules, held.workflow, held.state),
        "" if held.due_at is None else words.left(held.due_at, now),
        words.urgency(held.due_at, now),
        why_not,
    )


@router.get("/team/transfer")
def transfer(site: TheSite, ticket: Asked, owner: str = "", back: str = "") -> Response:
    """`ticket`, as often as wanted: these; else all of `owner` (or "none"), the most urgent first."""
    engine = site.desk.engine
    wanted = ids(ticket)[: handing.MOST]
    if wanted:
        held = queries.these(engine, wanted)
    elif owner and text_problem(owner, 200) is None:
        held = queries.held_by(engine, None if owner == "none" else owner, handing.MOST)
    else:
        held = []
    return _page(site, held, Sent(back=back))


@router.post("/team/transfer")
def hand_over(
    site: TheSite, me: Me, ticket: Several, to: Text = "", reason: Text = "", summary: Text = "", back: Text = ""
) -> Response:
    wanted, sent = ids(ticket)[: handing.MOST], Sent(to, reason, summary, back)
    try:
        if not wanted:
            raise Refused("missing_field", say("还没有选工单，请至少选一张"))
        if not reason.strip():
            raise Refused("missing_field", say("还没有写原因，请写明为什么转"))
        handed = handing.hand_over(
            site.desk, wanted, receiver(to), clock.now(), by=by(me), reason=reason, summary=summary
        )
    except Refused as refusal:
        return _page(site, queries.these(site.desk.engine, wanted), sent, refusal)
    if not handed.refused:
        return RedirectResponse(sent.then, 303)
    says = say("已转出 {done} 张，这 {left} 张没有转成", done=len(handed.done), left=len(handed.refused))
    why_not = dict(handed.refused)
    return _page(site, queries.these(site.desk.engine, [*why_not]), sent, Refused("invalid_field", says), why_not)


# ── what nobody has ──


def _balance(site: Site, otherwise: str, refusal: Refused | None = None) -> Response:
    engine = site.desk.engine
    groups = [one for one in teams.groups(engine) if one.active]
    plan = handing.balanced(engine, clock.now(), next(iter(ids([otherwise])), None))
    context = {
        "plan": plan,
        "nobodys": queries.how_many_have(engine, None),
        "most": handing.MOST,
        "names": {login: account.name for login, account in people(site).items()},
        "groups": groups,
        "otherwise": otherwise,
    }
    return team_page("balance", "/team", context, refusal)


@router.get("/team/balance")
def balance(site: TheSite, otherwise: str = "") -> Response:
    return _balance(site, otherwise)


@router.post("/team/balance")
def deal(site: TheSite, me: Me, otherwise: Text = "") -> Response:
    """Counted anew: what somebody has taken since the look is left with them."""
    now = clock.now()
    plan = handing.balanced(site.desk.engine, now, next(iter(ids([otherwise])), None))
    if not plan.dealt:
        return _balance(site, otherwise, Refused("invalid_field", say("没有能分的工单，请先建规则或选一个小组")))
    handing.deal(site.desk, plan, now, by=by(me))
    return RedirectResponse("/team?done=dealt", 303)
