"""Works on what was received, in the background: of one lane in order, at least once, effective once.

A message is leased, read by its platform's table, and what it asks for goes through the one door under a key made of
its id. Killed anywhere, it is done again and finds what was done: by the key, or by where the ticket stands. What
goes wrong is tried again, longer each time, and is at last a dead letter that people see and may send round again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import cast

from aftersales import clock, store
from aftersales.database import reading
from aftersales.decide import Imported
from aftersales.desk import Command, Desk
from aftersales.errors import Refused, UnknownTicket
from aftersales.feeds import KUAIDI100, PLATFORMS, compare, follow, kuaidi100, parcel
from aftersales.feeds import report as reports
from aftersales.feeds.receive import parsed
from aftersales.feeds.report import Nothing, Parcel, Report, Unclear, Understood
from aftersales.feeds.wish import Wish
from aftersales.office import feeds as office
from aftersales.office import said
from aftersales.office.feeds import Message
from aftersales.office.said import Said
from aftersales.ticket import Ticket
from aftersales.workflows.plain import PLAIN_ACTIONS

log = logging.getLogger(__name__)

#: a parcel may be heard of before the ticket that names it
WAYBILL_KEPT, WAYBILL_AGAIN = timedelta(days=3), timedelta(minutes=10)
POLL_SECONDS = 1.0


class _Unknown(Exception):
    """A waybill of no ticket, so far."""


def work(desk: Desk, now: Callable[[], datetime] = clock.now, most: int = 1000) -> int:
    """All that is due now; gives how many messages were looked at."""
    for count in range(most):
        message = office.claim(desk.engine, now())
        if message is None:
            return count
        work_on(desk, message, now())
    return most


def work_on(desk: Desk, message: Message, now: datetime) -> None:
    try:
        understood = understand(message)
        if isinstance(understood, Unclear):
            office.dead(desk.engine, message, understood.why, now)
        else:
            office.done(desk.engine, message, _followed(desk, message, understood, now), now)
    except _Unknown as unknown:
        _wait_for_ticket(desk, message, str(unknown), now)
    except Exception as error:  # whatever goes wrong stops one message only
        log.warning("message %s of %s failed: %s", message.id, message.platform, error, exc_info=error)
        office.failed(desk.engine, message, f"{type(error).__name__}: {error}", now)


def understand(message: Message) -> Understood:
    told = parsed(message.body)
    if message.platform == KUAIDI100:
        return kuaidi100.read(told, message.received_at)
    platform = PLATFORMS.get(message.platform)
    return Unclear("没有这个平台") if platform is None else reports.read(platform, told, message.received_at)


def _wait_for_ticket(desk: Desk, message: Message, why: str, now: datetime) -> None:
    if now - message.received_at >= WAYBILL_KEPT:
        office.dead(desk.engine, message, why, now)
    else:
        office.later(desk.engine, message, why, now + WAYBILL_AGAIN)


def _followed(desk: Desk, message: Message, understood: Understood, now: datetime) -> str:
    """What came of it, in words."""
    if isinstance(understood, Nothing):
        return understood.why
    assert not isinstance(understood, Unclear)
    told: list[str] = []
    for n, one in enumerate([*understood]):
        key = f"feed/{message.platform}/{message.message_id}/{n}"
        if isinstance(one, Parcel):
            told.append(_parcel(desk, message.shop_id, one, key, now))
        else:
            told.append(hear(desk, message.shop_id, cast(Report, one), key, now))
    return "；".join(told)


# ── a courier ──


def _parcel(desk: Desk, shop_id: int, news: Parcel, key: str, now: datetime) -> str:
    ids = office.tickets_of_waybill(desk.engine, shop_id, news.waybill_no)
    if not ids:
        raise _Unknown(f"运单 {news.waybill_no} 还没有对应的工单")
    told = []
    for ticket_id in ids:
        ticket = _load(desk, ticket_id)
        wish = parcel.news(news, ticket)
        told.append(f"{ticket.number} 不需要变动" if wish is None else _do(desk, ticket, wish, key, now))
    return "；".join(told)


# ── a platform ──


def hear(desk: Desk, shop_id: int, report: Report, key: str, now: datetime) -> str:
    """What the platform says of one ticket is written down, and followed as far as it may be without a person."""
    if not report.policy:
        return "这里还没有这个平台的规则，没有采用"
    [heard] = said.hear(desk.engine, shop_id, [report.to_json()], "feed")
    if heard.said_at > report.said_at:
        return "比已经知道的旧，没有采用"
    if heard.ticket_id is None:
        told = bring_in(desk, shop_id, report, now)
        compare_again(desk, [_again(desk, heard)], now)
        return told
    followed = _follow(desk, heard.ticket_id, report, key, now)
    compare_again(desk, [heard], now)
    return "；".join(followed) or "与工单一致"


def _follow(desk: Desk, ticket_id: int, report: Report, key: str, now: datetime) -> list[str]:
    rules, told = desk.rules(), []
    ticket = _load(desk, ticket_id)
    wish = follow.step(report, ticket, rules)
    if wish is not None:
        told.append(_do(desk, ticket, wish, key, now))
        ticket = _load(desk, ticket_id)
    wish = follow.adoption(report, ticket, now)
    if wish is not None and ticket.authority == "platform":
        told.append(_do(desk, ticket, wish, key, now))
        ticket = _load(desk, ticket_id)
    elif wish is not None:
        told.append(f"{ticket.number} 与平台不同，等人对账")
    wish = follow.deadline(report, ticket, now)
    if wish is not None:
        told.append(_do(desk, ticket, wish, key, now))
    return told


def bring_in(desk: Desk, shop_id: int, report: Report, now: datetime) -> str:
    """A ticket that is not here is taken over in the state it has there, if what a ticket needs is told."""
    lacking = [label for label, told in (("订单号", report.order_no), ("实付金额", report.paid_fen)) if not told]
    if lacking or report.paid_fen is None:
        return f"这里没有 {report.platform_no}，消息里缺{'、'.join(lacking)}，等人对账"
    shop = office.shop_name(desk.engine, shop_id)
    [landed] = desk.import_tickets([imported(report, report.paid_fen)], shop=shop, now=now)
    if isinstance(landed, Refused):
        return f"{report.platform_no} 没有开成：{landed.message}"
    return f"{landed.number} 已从平台接过来" if isinstance(landed, Ticket) else f"{landed.number} 已经在这里"


def imported(report: Report, paid_fen: int) -> Imported:
    """As an import takes it. What a message leaves out is filled in as an import does."""
    fields: dict[str, object] = {"note": report.note} if report.note else {}
    if report.workflow == "repair":
        fields = {"fault": report.note or "（平台消息中没有故障说明）", "mode": "mail_in"}
    else:
        fields["reason"] = "other"
    if report.refund_kind:
        fields["kind"] = report.refund_kind
    if report.waybill_no and report.workflow != "repair":
        fields |= {"return_waybill_no": report.waybill_no, "return_courier": report.courier}
    return Imported(
        report.workflow, report.policy, report.agree[0], report.applied_at or report.said_at, report.order_no, paid_fen,
        report.amount_fen if report.workflow == "refund" else None, report.item_no, report.buyer, report.platform_no,
        report.status, report.due_at, fields,
    )  # fmt: skip


# ── comparing ──


def compare_again(desk: Desk, heard: list[Said], now: datetime) -> dict[int, list[compare.Difference]]:
    """What differs of each, now; the inbox is told. A difference that was decided to be kept is none."""
    found = differences(desk, heard, now)
    said.mark(desk.engine, {id: bool(one) for id, one in found.items()})
    return found


def differences(desk: Desk, heard: list[Said], now: datetime) -> dict[int, list[compare.Difference]]:
    """By Said.id; reads only."""
    rules = desk.rules()
    ids = [one.ticket_id for one in heard if one.ticket_id is not None]
    with reading(desk.engine) as connection:
        tickets = {ticket.id: ticket for ticket in store.load(connection, ids)} if ids else {}
    found = {}
    for one in heard:
        ticket = None if one.ticket_id is None else tickets.get(one.ticket_id)
        report = Report.from_json(one.report)
        these = list(compare.differences(report, one.gone, ticket, rules, now))
        found[one.id] = [] if these and compare.mark(these) == one.kept else these
    return found


def _again(desk: Desk, heard: Said) -> Said:
    found = said.one(desk.engine, heard.id)
    assert found is not None
    return found


# ── the one door ──


def _load(desk: Desk, ticket_id: int) -> Ticket:
    with reading(desk.engine) as connection:
        found = store.load(connection, [ticket_id])
    if not found:
        raise UnknownTicket(ticket_id)
    return found[0]


def _do(desk: Desk, ticket: Ticket, wish: Wish, key: str, now: datetime, by: str = "") -> str:
    """A step refused is told and is no failure: tried again it would be refused again."""
    full = f"{key}/{ticket.id}/{wish.trigger}"
    with reading(desk.engine) as connection:
        if store.remembered(connection, ticket.shop_id, full) is not None:
            return f"{ticket.number} 已经办过"
    try:
        desk.do(Command(ticket.id, wish.trigger, wish.actor, now, wish.facts, key=full, actor_name=by))
    except Refused as refused:
        return f"{ticket.number} 没有办成：{refused.message}"
    return f"{ticket.number}：{_label(desk, ticket, wish)}"


def _label(desk: Desk, ticket: Ticket, wish: Wish) -> str:

    row = PLAIN_ACTIONS.get(wish.trigger) or desk.rules().workflow(ticket).move(wish.trigger)
    return row.label if row is not None else wish.trigger


class Worker:
    """A thread that works from `start` to `stop`; several, in several processes, take turns."""

    def __init__(self, desk: Desk, poll_seconds: float = POLL_SECONDS) -> None:
        self.desk, self.poll = desk, poll_seconds
        self._stopping, self._woken = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeds", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self) -> None:
        self._woken.set()

    def _run(self) -> None:
        forgotten = 0.0
        while not self._stopping.is_set():
            try:
                if work(self.desk, most=100) == 100:
                    continue
                if (today := clock.now().timestamp()) - forgotten > 3600:
                    office.forget(self.desk.engine, clock.now())
                    forgotten = today
            except Exception as error:  # noqa: BLE001 -- nothing may end the working; the database may be away
                log.warning("the feeds wait: %s", error)
                self._stopping.wait(5 * self.poll)
            self._woken.wait(self.poll)
            self._woken.clear()
