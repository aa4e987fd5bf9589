"""Named conditions, each with the refusal it gives and a sentence that says what to do.

A condition used under `only=` makes the row disappear (illegal_transition); under `needs=` it refuses with
its own code. `reads` says what must be loaded before it can be asked: nothing (the ticket alone), `facts`
(what was filled in), `history` (evidence and contacts), `known` (other tickets). Those that read nothing
decide which buttons are shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from aftersales.clock import shown
from aftersales.money import voucher_share, yuan
from aftersales.saying import Listed, Written, listed, say
from aftersales.workflows import facts as f
from aftersales.workflows.context import Closing, Context
from aftersales.workflows.facts import Evidence
from aftersales.workflows.vocabulary import Fact, Needed, State, needed

NOTHING, FACTS, HISTORY, KNOWN = "nothing", "facts", "history", "known"


#: how a condition stands before anybody tries
MET, NOT_MET, NOT_KNOWN = "met", "not_met", "not_known"


@dataclass(frozen=True)
class Standing:
    """How a condition stands, in a sentence, by which clause; `awaits`: the facts that would tell."""

    verdict: str
    sentence: str
    clause: str = ""
    awaits: tuple[Fact, ...] = ()


@dataclass(frozen=True)
class Guard:
    code: str
    #: a sentence for people: what is wrong and what to do
    says: str
    test: Callable[[Context], bool]
    reads: str = NOTHING
    #: a sentence that names what was found; `says` where absent
    explain: Callable[[Context], str] | None = None
    #: the facts without which it cannot be told, some of them in some cases only
    of: tuple[Fact | Needed, ...] = ()
    #: the field of the form that a refusal is about
    about: str = ""
    #: the largest amount it lets through, in 分
    limit: Callable[[Context], int] | None = None
    #: said before anybody tries, where it is met or not known yet; without it, only what is not met is worth a word
    asks: Callable[[Context], Iterable[Standing]] | None = None

    def sentence(self, context: Context) -> str:
        return self.says if self.explain is None else self.explain(context)

    def awaits(self, context: Context) -> tuple[Fact, ...]:
        """What must be known before it can be told."""
        facts = [one if isinstance(one, Fact) else one.fact if one.when.test(context) else None for one in self.of]
        return tuple(fact for fact in facts if fact is not None and context.value(fact) is None)

    def standing(self, context: Context) -> list[Standing]:
        """How it stands for this attempt, which may lack facts. What is not met is said as the refusal says it."""
        awaits = self.awaits(context)
        told = list(self.asks(context)) if self.asks else []
        if awaits:
            return [replace(one, verdict=NOT_KNOWN, awaits=awaits) for one in told]
        if self.test(context):
            return told
        clause = next((one.clause for one in told if one.verdict == NOT_MET), "")
        others = [one for one in told if one.verdict != NOT_MET]
        return [Standing(NOT_MET, self.sentence(context), clause), *others]


def asking(sentence: str, clause: str = "") -> Callable[[Context], Iterable[Standing]]:
    """The same sentence for every attempt."""
    return lambda c: [Standing(MET, sentence, clause)]


# ── 条件（用在 only=、when() 里） ──


def condition(says: str) -> Callable[[Callable[[Context], bool]], Guard]:
    return lambda test: Guard("illegal_transition", says, test)


def is_one_of(fact: Fact, *values: Any) -> Guard:
    """The ticket's fact has one of these values."""
    says = say("{label}为{values}", label=fact.label, values=_labels(fact, values))
    return Guard("illegal_transition", says, lambda c: c.remembered(fact) in values, of=(fact,))


def is_given(fact: Fact, *values: Any) -> Guard:
    """What is filled in now has one of these values."""
    says = say("{label}：{value}", label=fact.label, value=_labels(fact, values))
    return Guard("illegal_transition", says, lambda c: c.value(fact) in values, FACTS, of=(fact,))


def _labels(fact: Fact, values: Iterable[Any]) -> Listed:
    return listed(str(dict(fact.choices).get(value, value)) for value in values)


def is_yes(fact: Fact) -> Guard:
    return Guard("illegal_transition", fact.label, lambda c: bool(c.value(fact)))


def has(fact: Fact) -> Guard:
    return Guard("illegal_transition", say("有{label}", label=fact.label), lambda c: c.remembered(fact) is not None)


def lacks(fact: Fact) -> Guard:
    return Guard("illegal_transition", say("没有{label}", label=fact.label), lambda c: c.remembered(fact) is None)


def both(*conditions: Guard) -> Guard:
    says = listed((one.says for one in conditions), "且")
    of = tuple(fact for one in conditions for fact in one.of)
    return Guard("illegal_transition", says, lambda c: all(one.test(c) for one in conditions), of=of)


def in_state(*states: State) -> Guard:
    says = say("处于{states}", states=listed(state.label for state in states))
    return Guard("illegal_transition", says, lambda c: c.ticket.state in {s.name for s in states})


permitted_by_policy = Guard("illegal_transition", "这个平台没有这一步", lambda c: c.policy.permits(c.move))
agreed_at_once = condition("平台规则自动同意")(lambda c: c.policy.agrees_at_once(c.move, c))


@condition("退款额为 0")
def nothing_to_pay(c: Context) -> bool:
    asked = c.ticket.fields.get("amount_fen")
    return (asked_amount(c) if asked is None else asked) == 0


nothing_proposed = condition("协商金额为 0")(lambda c: c.ticket.fields.get("proposed_fen") == 0)


@condition("邮费不少于退款额")
def freight_eats_it(c: Context) -> bool:
    return bool(freight_deducted(c) >= c.ticket.fields.get("amount_fen", c.ticket.left_fen))


def freight_deducted(c: Context) -> int:
    """OP-07: 港澳台无理由拒收扣去程邮费, in 分."""
    refused_without_reason = c.remembered(f.no_reason) and c.remembered(f.region) == "hk_mo_tw"
    return int(c.remembered(f.freight_fen)) if refused_without_reason else 0


# ── 沟通与凭证 ──


@dataclass(frozen=True)
class _Evidenced:
    """At least one of these kinds, added since the state was entered."""

    kinds: tuple[Evidence, ...]

    def __call__(self, c: Context) -> bool:
        return any(entry.facts.get("kind") in self.kinds for entry in c.evidence_since_entered())


def evidence(*kinds: Evidence, because: str) -> Guard:
    """Any one of these, added since the present state was entered."""
    says = say("{because}，请先上传{kinds}", because=because, kinds=listed((kind.label for kind in kinds), "或"))
    return Guard("evidence_required", says, _Evidenced(kinds), HISTORY)


CONSENT = (Evidence.CHAT_LOG, Evidence.CALL_CONFIRMED_IN_IM)

consent = evidence(*CONSENT, because="须有买家同意的记录")
agent_has_consent = Guard(consent.code, consent.says, lambda c: c.actor != "agent" or consent.test(c), HISTORY)
has_return_defect = evidence(Evidence.PHOTO, Evidence.UNBOXING_VIDEO, because="拒收退回件须有凭证")
has_courier_reply = evidence(Evidence.COURIER_REPLY, because="须有快递公司的书面答复")
has_receiver_proof = evidence(Evidence.RECEIVER_STATEMENT, Evidence.COURIER_REPLY, because="认定真实签收须有签收证明")
has_repair_record = evidence(Evidence.REPAIR_RECORD, because="寄回前须有维修记录")
has_check_in_photo = evidence(Evidence.PHOTO, because="上门须有签到照片")
has_freight_photo = evidence(Evidence.PHOTO, because="拒付运费须有图片")
has_transfer_photo = evidence(Evidence.PHOTO, because="线下退款须有转账凭证")
has_new_evidence = evidence(*Evidence, because="再次申诉须有新的凭证")


def _all_damage_proof(c: Context) -> bool:
    kinds = {entry.facts.get("kind") for entry in c.evidence_since_entered()}
    return {Evidence.PHOTO, Evidence.UNBOXING_VIDEO} <= kinds


has_damage_proof = Guard("evidence_required", "报破损须有照片和拆包视频，请先上传这两样", _all_damage_proof, HISTORY)


def _empty_parcel_on_video(c: Context) -> bool:
    kinds = {entry.facts.get("kind") for entry in c.evidence_since_entered()}
    return c.facts.get("reason_code") != 22 or Evidence.UNBOXING_VIDEO in kinds


video_of_empty_parcel = Guard(
    "evidence_required", "空包或缺配件的拒收，请先上传拆包视频", _empty_parcel_on_video, HISTORY
)


def _by_agent_since_applied(c: Context) -> bool:
    return any(entry.actor == "agent" for entry in c.evidence_since_applied())


has_reject_evidence = Guard(
    "evidence_required",
    "驳回须上传凭证（商家方，本次申请之后），请先上传再驳回",
    _by_agent_since_applied,
    HISTORY,
)


def _by_agent_since_entered(c: Context) -> bool:
    return any(entry.actor == "agent" for entry in c.evidence_since_entered())


has_agent_evidence = Guard("evidence_required", "结为无责须有凭证，请先上传再结案", _by_agent_since_entered, HISTORY)


def _chat_log_ever(c: Context) -> bool:
    return any(e.kind == "evidence" and e.facts.get("kind") == Evidence.CHAT_LOG for e in c.history)


has_chat_log = Guard("evidence_required", "投诉须有平台聊天记录，请先上传再投诉", _chat_log_ever, HISTORY)


def _informed(c: Context) -> bool:
    channels = {entry.facts.get("channel") for entry in c.contacts_since_applied()}
    if "im" in channels or c.remembered(f.proposal_unanswered):
        return True
    confirmed = any(e.facts.get("kind") == Evidence.CALL_CONFIRMED_IN_IM for e in c.evidence_since_applied())
    return "phone" in channels and confirmed


buyer_informed = Guard(
    "buyer_not_informed",
    "请先在平台聊天里与买家沟通并登记；电话沟通的，还要有买家在聊天里确认的凭证",
    _informed,
    HISTORY,
)

# ── 资格、次数、期限 ──


sku_is_exchangeable = Guard(
    "not_entitled",
    "这个商品不支持换货，请改为退款或维修",
    lambda c: bool(c.value(f.sku_exchangeable)),
    FACTS,
    about=f.sku_exchangeable.name,
    asks=asking("商品支持换货"),
)
not_worn = Guard(
    "not_entitled",
    "穿过、洗过或影响二次销售的商品不受理换货，请向买家说明",
    lambda c: not c.value(f.worn),
    FACTS,
    about=f.worn.name,
    asks=asking("没有穿过、洗过，不影响二次销售"),
)
no_open_ticket_on_item = Guard(
    "duplicate_open_ticket",
    "这个商品已有进行中的同类售后单，请在那一张上处理",
    lambda c: c.known.duplicate_open is None,
    KNOWN,
    lambda c: say("这个商品已有进行中的售后单 {number}，请在那一张上处理", number=c.known.duplicate_open),
    about="item_no",
    asks=asking("没有进行中的同类售后单"),
)


def _attempts_left(c: Context) -> bool:
    limit = c.policy.attempts(c.move)
    used = c.ticket.fields.get("attempts_used", c.value(f.prior_attempts))
    return limit is None or used < limit


def _attempts(c: Context) -> Iterable[Standing]:
    found = c.policy.attempts_by(c.move)
    if found is not None:
        rule, most = found
        used = c.ticket.fields.get("attempts_used", c.value(f.prior_attempts))
        sentence = say("申请次数：最多 {most} 次，已用 {used} 次", most=most, used=used)
        yield Standing(MET if used < most else NOT_MET, sentence, rule)


def _windows(c: Context) -> Iterable[Standing]:
    return [_window(window, c) for window in c.policy.windows(c.move, c)]


def _window(window: Closing, c: Context) -> Standing:
    if window.closes is None:
        awaits = window.awaits or (window.counted_from,)
        sentence = say("{label}：限{length}", label=window.label, length=window.length)
        return Standing(NOT_KNOWN, sentence, window.rule, awaits)
    sentence = say("{label}：到 {time} 为止", label=window.label, time=shown(window.closes))
    return Standing(MET if c.now <= window.closes else NOT_MET, sentence, window.rule)


attempts_left = Guard(
    "attempts_exhausted",
    "申请和修改的次数已经用完，不能再提交，请与买家另行协商",
    _attempts_left,
    about=f.prior_attempts.name,
    asks=_attempts,
)
within_window = Guard(
    "window_closed",
    "期限已过，不能再办理",
    lambda c: c.policy.window_closed(c.move, c) is None,
    NOTHING,
    lambda c: c.policy.window_closed(c.move, c) or "",
    asks=_windows,
)
reject_allowed = Guard(
    "reject_not_allowed",
    "平台规则不允许拒绝这类退款，请同意或与买家协商",
    lambda c: c.policy.forbids(c.move, c) is None,
    NOTHING,
    lambda c: say("{rule}，不能拒绝，请同意或与买家协商", rule=c.policy.forbids(c.move, c)),
)
#: states where a buyer may ask the platform in only after the merchant let the clock run out
_CLOCKED_STATES = {"inspecting", "awaiting_reship", "pending_merchant_review"}

overdue = Guard(
    "not_yet_due",
    "商家的处理期限还没到，到期后仍未处理才能申请平台介入",
    lambda c: c.ticket.state not in _CLOCKED_STATES or c.ticket.overdue,
)


def _statute_category(c: Context) -> bool:
    exempt = {"custom_made", "perishable", "opened_digital", "periodical"}
    return c.value(f.refund_reason) != "no_reason_7d" or c.value(f.category) not in exempt


def _seven_days_asked(c: Context) -> Iterable[Standing]:
    if c.value(f.refund_reason) == "no_reason_7d":
        yield Standing(MET, "商品适用七天无理由")


not_exempt_from_seven_days = Guard(
    "not_entitled",
    "定作、鲜活易腐、已拆封数字化商品、报刊不适用七天无理由，请买家改选其他原因",
    _statute_category,
    FACTS,
    of=(f.refund_reason,),
    about=f.refund_reason.name,
    asks=_seven_days_asked,
)

# ── 运单与地址 ──

_WAYBILL = re.compile(r"[0-9A-Za-z]{8,32}")


def _waybill(c: Context) -> str | None:
    number = c.facts.get("waybill_no")
    if number is None:
        return None
    if not _WAYBILL.fullmatch(number):
        return say("运单号「{number}」写法不对，应为 8 到 32 位字母或数字，请核对后重填", number=Written(number))
    if number in c.known.waybills_in_use or number == c.ticket.fields.get("waybill_no"):
        return say("运单号 {number} 已经用过，请填这次的新运单号", number=number)
    return None


waybill_ok = Guard(
    "invalid_waybill",
    "运单号不对或已经用过，请核对后重填",
    lambda c: _waybill(c) is None,
    KNOWN,
    lambda c: _waybill(c) or "",
    about=f.waybill_no.name,
)

FORWARDERS = ("转运仓", "轉運倉", "集运仓", "集運倉")


def _address_ok(c: Context) -> bool:
    where = c.facts.get("address") or c.ticket.fields.get("ship_to") or ""
    return not any(word in where for word in FORWARDERS)


address_ok = Guard(
    "forbidden_address",
    "收货地址是转运仓，不能发货，请让买家换一个地址并填在这里",
    _address_ok,
    FACTS,
    about=f.address.name,
)

# ── 金额（分） ──


def positive(fact: Fact) -> Guard:
    def test(c: Context) -> bool:
        amount = c.facts.get(fact.name)
        return amount is None or amount > 0

    return Guard("invalid_field", say("{label}须大于 0", label=fact.label), test, FACTS, about=fact.name)


def left_fen(c: Context) -> int:
    """What may still be refunded, in 分: what the ticket was told of before, or what other tickets refunded."""
    return c.ticket.paid_fen - max(c.ticket.refunded_fen, c.known.refunded_fen)


def at_most(fact: Fact, limit: Callable[[Context], int], what: str, reads: str = FACTS) -> Guard:
    def test(c: Context) -> bool:
        amount = c.facts.get(fact.name)
        return amount is None or amount <= limit(c)

    def too_much(c: Context) -> str:
        amount, most = yuan(c.facts[fact.name]), yuan(limit(c))
        return say("{label} {amount} 超过{what} {most}，请改小", label=fact.label, amount=amount, what=what, most=most)

    return Guard(
        "amount_exceeded",
        say("{label}超过{what}，请改小", label=fact.label, what=what),
        test,
        reads,
        too_much,
        about=fact.name,
        limit=limit,
    )


def _asked(c: Context) -> int:
    return int(c.ticket.fields.get("amount_fen") or 0)


amount_positive = positive(f.amount_fen)
asked_amount_positive = Guard(
    "invalid_field",
    "退款金额须大于 0；已全额退过的订单不能再申请",
    lambda c: _is_voucher(c) or asked_amount(c) > 0,
    FACTS,
    of=(f.paid_fen, f.refund_kind),
    about=f.amount_fen.name,
)


def _money_left(c: Context) -> Iterable[Standing]:
    """What may still be refunded: what earlier tickets refunded counts, whatever was filled in."""
    if f.paid_fen.name not in c.facts:
        return [Standing(MET, "还能退多少")]
    paid, refunded, left = (yuan(fen) for fen in (c.ticket.paid_fen, c.ticket.refunded_fen, c.ticket.left_fen))
    return [Standing(MET, say("还能退 {left}：实付 {paid}，已退 {refunded}", left=left, paid=paid, refunded=refunded))]


refunded_within_paid = Guard(
    "invalid_field",
    "已退金额不能多于实付金额，请核对后重填",
    lambda c: c.ticket.left_fen >= 0,
    FACTS,
    of=(f.paid_fen,),
    about=f.refunded_fen.name,
    asks=_money_left,
)
asked_amount_within_paid = Guard(
    "amount_exceeded",
    "退款金额超过还能退的金额，请改小",
    lambda c: not vouchers_add_up(c) or asked_amount(c) <= c.ticket.left_fen,
    FACTS,
    lambda c: say(
        "退款金额 {amount} 超过还能退的金额 {most}，请核对", amount=yuan(asked_amount(c)), most=yuan(c.ticket.left_fen)
    ),
    of=(f.paid_fen, f.refund_kind, needed(f.voucher_total, when=is_given(f.refund_kind, "voucher"))),
    about=f.amount_fen.name,
)
amount_within_paid = at_most(f.amount_fen, left_fen, "还能退的金额", KNOWN)
money_still_there = Guard(
    "amount_exceeded",
    "这件商品的钱已经用别的方案退给买家，不能再打款",
    lambda c: (c.ticket.refund_fen or 0) <= left_fen(c),
    KNOWN,
)
amount_within_asked = at_most(f.amount_fen, _asked, "申请金额")
deduction_below_asked = at_most(f.deduct_fen, lambda c: _asked(c) - 1, "能扣的金额")


def remedy_limit(c: Context) -> int:
    return max(0, left_fen(c) - freight_deducted(c))


remedy_within_paid = at_most(f.amount_fen, remedy_limit, "还能退的金额", KNOWN)
amount_editable = Guard(
    "amount_not_editable",
    "仅退款的金额不可修改，请按申请金额处理，或请买家修改申请",
    lambda c: c.facts.get("amount_fen") in (None, _asked(c)) or not c.policy.fixes_amount(c.move, c),
    FACTS,
    about=f.amount_fen.name,
)
consent_to_deduct = Guard(
    "evidence_required",
    "扣减须有买家同意的记录，请先上传聊天记录或聊天确认",
    lambda c: not c.facts.get("deduct_fen") or consent.test(c),
    HISTORY,
)

# ── 卡券 ──


def vouchers_left(c: Context) -> int:
    given = {fact.name: c.value(fact) or 0 for fact in (f.voucher_total, f.voucher_used, f.voucher_refunded)}
    return int(given["voucher_total"] - given["voucher_used"] - given["voucher_refunded"])


def vouchers_add_up(c: Context) -> bool:
    """Else what they are worth cannot be told; conditions of their own say what is wrong with the numbers."""
    total, count = c.value(f.voucher_total), c.facts.get("voucher_count") or vouchers_left(c)
    return not _is_voucher(c) or total is None or 0 <= count <= total


def asked_amount(c: Context) -> int:
    """What an application asks for, in 分: given, or all that is left.

    Vouchers are computed: in proportion, 分 truncated (KS-LL-02); with none used, the request that takes the last
    ones takes the remainder (KS-LL-01).
    """
    if not _is_voucher(c):
        given = c.facts.get("amount_fen")
        return c.ticket.left_fen if given is None else int(given)
    count = c.facts.get("voucher_count") or vouchers_left(c)
    if c.value(f.voucher_used) == 0 and count == vouchers_left(c):
        return c.ticket.left_fen
    return voucher_share(c.ticket.paid_fen, count, c.value(f.voucher_total))


def _is_voucher(c: Context) -> bool:
    return bool(c.value(f.refund_kind) == "voucher")


_VOUCHERS_COUNTED = (f.refund_kind, needed(f.voucher_total, when=is_given(f.refund_kind, "voucher")))


voucher_amount_is_computed = Guard(
    "invalid_field",
    "卡券的退款金额由系统计算，请不要填申请金额",
    lambda c: not _is_voucher(c) or c.facts.get("amount_fen") is None,
    FACTS,
    of=(f.refund_kind,),
    about=f.amount_fen.name,
)
some_voucher_left = Guard(
    "invalid_field",
    "没有未使用的卡券可退，请核对张数",
    lambda c: not _is_voucher(c) or c.facts.get("voucher_count") is not None or vouchers_left(c) > 0,
    FACTS,
    of=_VOUCHERS_COUNTED,
    about=f.voucher_total.name,
)
unused_vouchers_cover_it = Guard(
    "not_entitled",
    "要退的张数超过未使用的张数，已使用的卡券不能退",
    lambda c: not _is_voucher(c) or (c.facts.get("voucher_count") or 0) <= vouchers_left(c),
    FACTS,
    of=_VOUCHERS_COUNTED,
    about=f.voucher_count.name,
)


def voucher_expired(c: Context) -> bool:
    """The request came after the end of validity (KS-LL-03/05)."""
    expires = c.value(f.expires_at)
    return expires is not None and c.ticket.applied_at > expires


is_expired_voucher = condition("申请时卡券已过期")(lambda c: _is_voucher(c) and voucher_expired(c))
is_voucher_in_validity = condition("申请时卡券在有效期内")(lambda c: _is_voucher(c) and not voucher_expired(c))
system_opens_only_expired_vouchers = Guard(
    "forbidden_actor",
    "系统只能为已过期的卡券发起退款",
    lambda c: c.actor != "system" or (_is_voucher(c) and voucher_expired(c)),
    FACTS,
)

# ── 退款 ──


def _minute_since_last_try(c: Context) -> bool:
    tried = c.ticket.fields.get("refund_tried_at")
    return tried is None or c.now - tried >= timedelta(seconds=60)


minute_since_last_try = Guard("not_yet_due", "同一订单一分钟内只能发起一次打款，请过一分钟再试", _minute_since_last_try)

# ── 维修 ──


@condition("需要上门维修")
def visit_needed(c: Context) -> bool:
    return bool(c.remembered(f.needs_on_site) or c.remembered(f.mode) == "on_site")


def in_future(fact: Fact) -> Guard:
    says = say("{label}须晚于现在，请重填", label=fact.label)
    return Guard("invalid_field", says, lambda c: c.facts[fact.name] > c.now, FACTS, about=fact.name)


def not_past(fact: Fact) -> Guard:
    says = say("{label}已经过去，请重填", label=fact.label)
    return Guard("invalid_field", says, lambda c: c.facts[fact.name] >= c.now, FACTS, about=fact.name)


def visit_not_beyond_limit(fact: Fact) -> Guard:
    """KS-RP-07 stays the outer limit of a visit agreed in the grace period."""

    def limit(c: Context) -> Any:
        if c.ticket.state == "visit_grace":
            return c.ticket.due_at
        return c.remembered(f.visit_limit_at) if c.ticket.state == "visit_scheduled" else None

    return Guard(
        "invalid_field",
        say("{label}不能晚于最迟上门时间", label=fact.label),
        lambda c: (last := limit(c)) is None or c.facts[fact.name] <= last,
        FACTS,
        lambda c: say("{label}不能晚于最迟上门时间 {time}，请重填", label=fact.label, time=shown(limit(c))),
        about=fact.name,
    )


def _invoice_or_agreed(c: Context) -> bool:
    invoiced = _Evidenced((Evidence.INVOICE,))(c)
    return invoiced or c.facts["amount_fen"] == c.remembered(f.negotiated_fen)


invoice_or_negotiated_amount = Guard(
    "evidence_required", "请先上传维修发票，或按双方协商的金额填写", _invoice_or_agreed, HISTORY
)
pays_submitted_amount = Guard(
    "invalid_field",
    "支付金额须等于提交的维修费",
    lambda c: bool(c.facts["amount_fen"] == c.remembered(f.invoice_fen)),
    FACTS,
    lambda c: say("支付金额须等于提交的维修费 {amount}，请重填", amount=yuan(c.remembered(f.invoice_fen) or 0)),
    about=f.amount_fen.name,
)
claims_entitlement = Guard(
    "not_entitled",
    "买家主张的与规则支持的不一致",
    lambda c: c.facts["kind"] == c.remembered(f.entitlement),
    FACTS,
    about=f.claim_kind.name,
)
no_agreement_proven = Guard(
    "not_entitled",
    "须先由平台核实双方未达成一致，请买家申请平台介入",
    lambda c: not c.remembered(f.needs_mutual_evidence),
)

# ── 丢件 ──

_PACKAGING_ISSUES = ("lost", "damaged", "shortage")


def _feedback_recorded(c: Context) -> bool:
    needed = c.ticket.state == "confirmed_lost" or c.remembered(f.parcel_issue) in _PACKAGING_ISSUES
    return not needed or c.remembered(f.packaging_feedback) is not None


packaging_feedback_recorded = Guard(
    "missing_field", "丢件、破损、短少须先收集买家对包装的意见，请先登记", _feedback_recorded
)
something_left_to_refund = Guard(
    "invalid_field",
    "已经没有可退的金额，请改用补发或补偿",
    lambda c: c.facts["kind"] != "refund" or remedy_limit(c) > 0,
    KNOWN,
    about=f.remedy_kind.name,
)
address_ok_for_reship = Guard(
    "forbidden_address",
    address_ok.says,
    lambda c: c.facts["kind"] != "reship" or _address_ok(c),
    FACTS,
    about=f.address.name,
)
parcel_not_signed = Guard(
    "invalid_field", "已签收的包裹不算停滞，请按签收未收到处理", lambda c: not c.facts.get("signed"), FACTS
)


def _quiet_long_enough(c: Context) -> bool:
    return bool(c.at - c.facts["last_trace_at"] >= timedelta(hours=c.facts["threshold_hours"]))


quiet_long_enough = Guard("not_yet_due", "停滞还没满设定的小时数，到时再报", _quiet_long_enough, FACTS)

# ── 中差评 ──

PROMISES = ("返现", "返現", "好评", "好評", "改评", "改評", "删评", "刪評")


def _no_forbidden_promise(c: Context) -> bool:
    words = c.facts.get("text") or ""
    return not c.facts.get("conditional_on_rating") and not any(word in words for word in PROMISES)


no_forbidden_promise = Guard(
    "forbidden_promise",
    "补救不得以改评为条件，也不得提返现、好评、改评、删评，请改写",
    _no_forbidden_promise,
    FACTS,
    about=f.text.name,
)
one_reply_only = Guard(
    "attempts_exhausted", "每条评价只能回复一次，已经回复过了", lambda c: c.remembered(f.replies) < 1
)
one_appeal_only = Guard(
    "attempts_exhausted", "投诉不成立只能再申诉一次，请改为公开回复", lambda c: c.remembered(f.appeals) < 1
)


# ── what a condition about evidence would take ──

#: conditions that want something else than one piece out of their kinds: each group needs one piece
_KINDS_WANTED: dict[str, tuple[tuple[Evidence, ...], ...]] = {
    has_damage_proof.says: ((Evidence.PHOTO,), (Evidence.UNBOXING_VIDEO,)),
    video_of_empty_parcel.says: ((Evidence.UNBOXING_VIDEO,),),
    has_chat_log.says: ((Evidence.CHAT_LOG,),),
    agent_has_consent.says: (CONSENT,),
    # proof of the merchant's own, of whatever kind
    has_reject_evidence.says: (
        (
            Evidence.PHOTO,
            Evidence.UNBOXING_VIDEO,
            Evidence.INSPECTION_REPORT,
            Evidence.CHAT_LOG,
            Evidence.WEIGHT_RECORD,
        ),
    ),
    has_agent_evidence.says: (
        (Evidence.TRACKING_SNAPSHOT, Evidence.COURIER_REPLY, Evidence.RECEIVER_STATEMENT, Evidence.CHAT_LOG),
    ),
}


def kinds_wanted(guard: Guard) -> tuple[tuple[Evidence, ...], ...]:
    """The kinds of evidence that satisfy this condition: of each group one piece; () if it is not about evidence."""
    if isinstance(guard.test, _Evidenced):
        return (guard.test.kinds,)
    return _KINDS_WANTED.get(guard.says, ())
