"""Where the platform's list and ours differ. Pure: it is asked anew each time, so what no longer holds is gone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aftersales.clock import shown
from aftersales.decide import Rules
from aftersales.feeds.report import Report
from aftersales.money import yuan
from aftersales.ticket import Ticket

#: kind of difference -> what people call it
KINDS = {
    "missing_here": "这里没有",
    "missing_there": "平台清单里没有",
    "closed_there": "平台已关闭",
    "state": "状态不同",
    "deadline": "期限不同",
    "amount": "金额不同",
    "type": "类型不同",
}


@dataclass(frozen=True)
class Difference:
    kind: str
    theirs: str
    ours: str


def differences(report: Report, gone: bool, ticket: Ticket | None, rules: Rules, now: datetime) -> Sequence[Difference]:
    """All that differs. `gone`: the ticket is in no list that claimed to be whole."""
    if ticket is None:
        return [Difference("missing_here", report.status, "")]
    if ticket.workflow != report.workflow:
        theirs = rules.catalog.workflows[report.workflow].label
        return [Difference("type", theirs, rules.workflow(ticket).label)]
    ours, closed = rules.workflow(ticket).state_label(ticket.state), ticket.closed_at is not None
    if gone:
        return [] if closed else [Difference("missing_there", "", ours)]
    if ticket.state not in report.agree:
        final = all(rules.workflow(ticket).state(one).final for one in report.agree)
        return [Difference("closed_there" if final and not closed else "state", report.status, ours)]
    return [] if closed else _of_an_open_one(report, ticket, now)


def _of_an_open_one(report: Report, ticket: Ticket, now: datetime) -> list[Difference]:
    found = []
    if report.due_at is not None and report.due_at > now and report.due_at != ticket.due_at:
        found.append(Difference("deadline", shown(report.due_at), shown(ticket.due_at) if ticket.due_at else ""))
    asked = ticket.fields.get("amount_fen")
    if ticket.workflow == "refund" and report.amount_fen is not None and report.amount_fen != asked:
        found.append(Difference("amount", yuan(report.amount_fen), yuan(asked) if asked is not None else ""))
    return found


def mark(found: Sequence[Difference]) -> str:
    """Tells these from others, so that what a person decides holds for what was seen; "" for none."""
    told = "\n".join(f"{one.kind}:{one.theirs}:{one.ours}" for one in found)
    return hashlib.blake2b(told.encode(), digest_size=16).hexdigest() if found else ""
