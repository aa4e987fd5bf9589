"""A list of the platform against ours: what differs goes to the inbox, and a person says what becomes of it.

A list is a file that the import can read, or a JSON file of the platform's own messages. Reading one changes no ticket.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

from aftersales import intake, store
from aftersales.clock import whole_second
from aftersales.database import reading
from aftersales.desk import Command, Desk
from aftersales.errors import Refused
from aftersales.feeds import PLATFORMS, compare, follow
from aftersales.feeds import report as reports
from aftersales.feeds.compare import Difference
from aftersales.feeds.receive import parsed
from aftersales.feeds.report import Report, Unclear
from aftersales.feeds.work import _do, _load, bring_in, compare_again
from aftersales.office import said
from aftersales.office.said import Said
from aftersales.saying import say

_T = TypeVar("_T")
BATCH = 500
LONGEST_JSON = 50 * 1024 * 1024


@dataclass
class Summary:
    """What one list said. `differing`: by kind of difference; `unread`: lines that could not be read."""

    read: int = 0
    same: int = 0
    differing: Counter[str] = field(default_factory=Counter)
    unread: int = 0
    unknown_shops: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, object]:
        return {
            "read": self.read, "same": self.same, "differing": dict(self.differing), "unread": self.unread,
            "unknown_shops": dict(self.unknown_shops),
        }  # fmt: skip


def reconcile_file(
    desk: Desk, path: Path, now: datetime, *, as_of: datetime | None = None, whole: bool = False, platform: str = "",
    shop: str = "",
) -> Summary:  # fmt: skip
    """Compare a file with ours. `as_of`: when the platform said so. `whole`: it holds every open ticket of the shops
    in it. `platform` and `shop`: whose messages a JSON file holds. intake.IntakeError: it cannot be read."""
    as_of = whole_second(min(as_of or now, now))
    if path.suffix.lower() == ".json":
        return reconcile_list(desk, _messages(path, platform, as_of), shop, path.name, now, as_of, whole=whole)
    summary, listed = Summary(), set()
    with intake.open_intake(path) as file:
        for outcomes in _batches(file.outcomes(now), BATCH):
            good = [one.ticket for one in outcomes if isinstance(one, intake.Good)]
            summary.unread += sum(isinstance(one, intake.Bad | intake.Differs) for one in outcomes)
            for name in dict.fromkeys(ticket.shop_name for ticket in good):
                these = [_report(ticket, as_of) for ticket in good if ticket.shop_name == name]
                shop_id = _take(desk, these, name, path.name, now, summary)
                listed |= {(shop_id, one.policy) for one in these if shop_id is not None}
    if whole:
        _missing(desk, listed, as_of, path.name, summary)
    return summary


def reconcile_list(
    desk: Desk, told: Iterable[Report | None], shop: str, source: str, now: datetime, as_of: datetime, *,
    whole: bool = False,
) -> Summary:  # fmt: skip
    """The same of reports that were pulled; None among them: one that could not be read."""
    summary, listed = Summary(), set()
    for some in _batches(told, BATCH):
        good = [one for one in some if one is not None]
        summary.unread += len(some) - len(good)
        shop_id = _take(desk, good, shop, source, now, summary)
        listed |= {(shop_id, one.policy) for one in good if shop_id is not None}
    if whole:
        _missing(desk, listed, as_of, source, summary)
    return summary


def _batches(told: Iterable[_T], most: int) -> Iterator[list[_T]]:
    left = iter(told)
    while some := list(islice(left, most)):
        yield some


def _take(desk: Desk, told: Sequence[Report], shop: str, source: str, now: datetime, summary: Summary) -> int | None:
    with reading(desk.engine) as connection:
        shop_id = store.shop_id_of(connection, shop, create=False)
    if shop_id is None:
        summary.unknown_shops[shop] += len(told)
        return None
    told = [one for one in told if one.policy]
    summary.read += len(told)
    if told:
        heard = said.hear(desk.engine, shop_id, [one.to_json() for one in told], source)
        found = compare_again(desk, heard, now)
        summary.same += sum(not these for these in found.values())
        summary.differing.update(one.kind for these in found.values() for one in these)
    return shop_id


def _missing(desk: Desk, listed: set[tuple[int, str]], as_of: datetime, source: str, summary: Summary) -> None:
    for shop_id, policy in listed:
        found = said.not_in_the_list(desk.engine, shop_id, policy, as_of, source)
        if found:
            summary.differing["missing_there"] += found


def _report(ticket: intake.ImportedTicket, as_of: datetime) -> Report:
    platform = PLATFORMS.get(ticket.platform)
    agree = (ticket.state,) if platform is None else platform.agreeing(ticket.workflow, ticket.state)
    return Report(
        ticket.platform, ticket.platform_ticket_no, ticket.workflow, ticket.platform_status, agree, as_of, ticket.kind,
        ticket.platform_due_at, ticket.applied_at, ticket.amount_fen, ticket.paid_fen, ticket.order_no, ticket.item_no,
        ticket.buyer, ticket.note, ticket.return_waybill_no, ticket.return_courier,
    )  # fmt: skip


def _messages(path: Path, platform: str, as_of: datetime) -> Iterator[Report | None]:
    if platform not in PLATFORMS:
        raise intake.IntakeError(f"JSON 文件要写明是哪个平台的：--platform，可选：{'、'.join(PLATFORMS)}")
    if path.stat().st_size > LONGEST_JSON:
        raise intake.IntakeError("JSON 文件最多 50 MB，请分成几个")
    told = parsed(path.read_bytes())
    if not isinstance(told, list):
        raise intake.IntakeError("这个文件不是 JSON 数组，每一项应是平台的一条售后消息")
    for one in told:
        found = reports.read(PLATFORMS[platform], one, as_of)
        if isinstance(found, Unclear):
            yield None
        elif isinstance(found, Sequence):
            yield from found


# ── what a person decides ──


def adopt(desk: Desk, heard: Said, seen: str, by: str, key: str, now: datetime) -> str:
    """Theirs, through the one door. Refused: it cannot be adopted, or is not what was seen any more."""
    found = _still(desk, heard, seen, now)
    report = Report.from_json(heard.report)
    kinds = {one.kind for one in found}
    if kinds & {"amount", "type", "missing_there"} and not kinds & {"state", "closed_there", "deadline"}:
        raise Refused("illegal_transition", "这种不同不能直接采用，请请人核对，或保留我们的")
    if heard.ticket_id is None:
        told = bring_in(desk, heard.shop_id, report, now)
        if said.one(desk.engine, heard.id).ticket_id is None:  # type: ignore[union-attr]
            raise Refused("invalid_field", told)
    else:
        told = _adopted(desk, heard.ticket_id, report, by, key, now)
    again = said.one(desk.engine, heard.id)
    compare_again(desk, [again] if again else [], now)
    return told


def _adopted(desk: Desk, ticket_id: int, report: Report, by: str, key: str, now: datetime) -> str:
    ticket, rules = _load(desk, ticket_id), desk.rules()
    if ticket.closed_at is not None:
        raise Refused(
            "illegal_transition", say("工单 {number} 已经结束，不再打开，请保留我们的或请人核对", number=ticket.number)
        )
    told = []
    wish = follow.step(report, ticket, rules)
    if wish is not None:
        told.append(_do(desk, ticket, wish, key, now, by))
        ticket = _load(desk, ticket_id)
    wish = follow.adoption(report, ticket, now)
    if wish is not None:
        desk.do(Command(ticket.id, wish.trigger, wish.actor, now, wish.facts, actor_name=by, key=f"{key}/adopt"))
        told.append(ticket.number)
        ticket = _load(desk, ticket_id)
    wish = follow.deadline(report, ticket, now)
    if wish is not None:
        desk.do(Command(ticket.id, wish.trigger, wish.actor, now, wish.facts, actor_name=by, key=f"{key}/due"))
        told.append(ticket.number)
    return "；".join(told)


def keep(desk: Desk, heard: Said, seen: str, reason: str, by: str, now: datetime) -> None:
    """Ours stays, and this difference is settled; the reason stands on the ticket."""
    if not reason.strip():
        raise Refused("missing_field", "请写明为什么保留我们的")
    found = _still(desk, heard, seen, now)
    if heard.ticket_id is not None:
        note = say("对账保留我们的：{reason}", reason=reason.strip())
        desk.do(Command(heard.ticket_id, "note", "agent", now, {"text": note}, actor_name=by))
    said.keep_ours(desk.engine, heard.id, compare.mark(found), reason.strip(), by, now)


def ask(desk: Desk, heard: Said, seen: str, agent: str, question: str, by: str, key: str, now: datetime) -> None:
    """Somebody is to look: the ticket is theirs, with the question on it. The difference stays in the inbox."""
    _still(desk, heard, seen, now)
    if heard.ticket_id is None:
        raise Refused("illegal_transition", "这里没有这张工单，请人核对前先采用平台的")
    if not agent.strip() or not question.strip():
        raise Refused("missing_field", "请选一位同事，并写下要问的")
    desk.do(
        Command(heard.ticket_id, "note", "agent", now, {"text": question.strip()}, actor_name=by, key=f"{key}/note")
    )
    desk.do(Command(heard.ticket_id, "assign", "agent", now, {"agent": agent}, actor_name=by, key=f"{key}/assign"))


def _still(desk: Desk, heard: Said, seen: str, now: datetime) -> list[Difference]:
    found = compare_again(desk, [heard], now)[heard.id]
    if not found or compare.mark(found) != seen:
        raise Refused("stale_version", "这一处不同在您打开之后变了，请看过现在的再决定")
    return found
