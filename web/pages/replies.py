"""Canned replies for the ticket at hand, and an ear on what is said to the buyer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aftersales import clock
from aftersales.decide import Rules
from aftersales.errors import Refused
from aftersales.office import promises
from aftersales.office import replies as office
from aftersales.office.promises import STOP, Hit, Promise
from aftersales.office.replies import Reply
from aftersales.saying import listed, say
from aftersales.ticket import Event, Ticket
from aftersales.workflows.bad_review import BadReview
from aftersales.workflows.facts import proposal_reason, summary, text
from aftersales.workflows.lost_parcel import LostParcel
from aftersales.workflows.plain import RECORD_CONTACT, PlainAction
from aftersales.workflows.refund import Refund
from aftersales.workflows.vocabulary import Step
from web.forms import Posted
from web.pages.step_form import Shown
from web.site import Site

#: the texts of these rows are read by the buyer
BUYER_READS: Mapping[str, str] = {
    RECORD_CONTACT.name: summary.name,
    BadReview.contact.name: summary.name,
    BadReview.offer_remedy.name: text.name,
    BadReview.reply.name: text.name,
    LostParcel.ask_info.name: text.name,
    Refund.propose.name: proposal_reason.name,
}
FORBIDDEN, WARNED = "promise_forbidden", "promise_warned"


# ── the card ──


@dataclass(frozen=True)
class ReplyLine:
    """A reply with the ticket's values in it. `missing`: variables this ticket has no value for."""

    reply: Reply
    text: str
    missing: Sequence[str]


def panel(site: Site, ticket: Ticket, events: Sequence[Event], rules: Rules, now: datetime) -> dict[str, Any]:
    """What ticket/replies.html shows."""
    found = office.offered(site.desk.engine, ticket.workflow, ticket.state, ticket.shop_id)
    return {
        "lines": [ReplyLine(reply, *office.filled(reply.text, ticket, now)) for reply in found],
        "check": f"/replies/check?policy={ticket.policy}",
        "reads": json.dumps(BUYER_READS),
    }


# ── what is about to be said ──


@dataclass(frozen=True)
class Spoken:
    """The texts to the buyer in a form, and what the rules find in them."""

    site: Site
    ticket: Ticket
    texts: Sequence[tuple[str, list[Hit]]] = ()

    @property
    def hits(self) -> list[Hit]:
        return [hit for _, hits in self.texts for hit in hits]

    @property
    def stopped(self) -> bool:
        return any(hit.rule.severity == STOP for hit in self.hits)

    @property
    def marked(self) -> list[list[tuple[str, bool]]]:
        """Each text in which something was found, in pieces: (piece, whether it is to be marked)."""
        return [promises.pieces(said, hits) for said, hits in self.texts if hits]

    @property
    def rules(self) -> list[Promise]:
        return list({hit.rule.label: hit.rule for hit in self.hits}.values())

    def note(self, site: Site, account: str) -> None:
        """It went out: what was found in it is for a lead to look at."""
        for said, hits in self.texts:
            promises.note_hits(
                site.desk.engine, hits, said, shop_id=self.ticket.shop_id, ticket_id=self.ticket.id, account=account,
                at=clock.now(),
            )  # fmt: skip


def spoken(site: Site, ticket: Ticket, row: Step | PlainAction, posted: Posted) -> Spoken:
    """What this form says to the buyer. The ticket's own platform may be called by its name."""
    wanted = BUYER_READS.get(row.name)
    said = [posted.texts.get(wanted, "") if wanted else "", posted.summary]
    if not any(said):
        return Spoken(site, ticket)
    rules = promises.every_rule(site.desk.engine)
    return Spoken(site, ticket, [(one, promises.find(one, rules, platform=ticket.policy)) for one in said if one])


def listen(site: Site, ticket: Ticket, row: Step | PlainAction, posted: Posted) -> Spoken:
    """Refused: something in it must not be said, or may be said only by somebody who was told so and insists; or a file
    was chosen and not uploaded."""
    if posted.unsent:
        raise Refused("file_not_sent", say("您选了文件，但还没有上传。请先按「上传」，再提交这一步"))
    heard_now = spoken(site, ticket, row, posted)
    if not heard_now.hits:
        return heard_now
    words = listed([rule.label for rule in heard_now.rules])
    if heard_now.stopped:
        raise Refused(FORBIDDEN, say("给买家的话里有不能说的：{words}。请按下面的说明改了再提交", words=words))
    if not posted.insists:
        raise Refused(WARNED, say("给买家的话里有不妥的：{words}。请改一改；确实要这样说，请勾选后再提交", words=words))
    return heard_now


def heard(site: Site, shown: Shown) -> Spoken | None:
    """For the form that is shown again: what was found in it, if that was why."""
    if shown.sent is None or shown.refusal is None or shown.refusal.code not in (FORBIDDEN, WARNED):
        return None
    return spoken(site, shown.ticket, shown.form, shown.sent)
