"""Why this due time, and what then: sentences word for word, and what they foretell."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from inspect import getsource
from pathlib import Path

import pytest

from aftersales import clocks, database, decide, queries, scenarios
from aftersales.application import in_memory
from aftersales.catalog import built_in
from aftersales.clock import parse
from aftersales.decide import Imported, NewTicket, Rules
from aftersales.desk import Command, Desk
from aftersales.explain import NO_CLOCK, explain, explain_event, one_line, render
from aftersales.policies.kuaishou import KUAISHOU, v2022_09_30
from aftersales.policies.vocabulary import Document, Policy, Rule, days, hours, since
from aftersales.ticket import Clock
from aftersales.work_calendar import Overrides, WorkCalendar
from aftersales.workflows.exchange import Exchange

RULES = Rules(built_in(), WorkCalendar.default())
ASKED = {"exchange": {"reason": "other"}, "refund": {"reason": "other"}, "repair": {"fault": "不开机"}}
STORIES = Path(__file__).parents[1] / "scenarios"


class Story:
    """One ticket on a desk of its own; the scheduler fires one second after each due time."""

    def __init__(self, workflow, policy, at, *, desk=None, rules=RULES, **facts):
        self.rules = rules
        self.desk = desk or Desk(in_memory()[0].engine, lambda: self.rules)
        self.now = parse(at)
        opening = self.rules.catalog.workflows[workflow].openings()[0]
        told = {"paid_fen": 19900, **ASKED.get(workflow, {}), **facts}
        authority, by = told.pop("authority", "local"), told.pop("by", "buyer")
        new = NewTicket(workflow, policy, opening.name, by, self.now, told, order_no="E1", authority=authority)
        self.id = self.desk.open(new, shop="甲").id

    def until(self, at):
        end = parse(at)
        while (alarm := self.desk.next_alarm()) is not None and alarm < end:
            self.desk.sweep(alarm + timedelta(seconds=1))
        self.now = end
        return self

    def do(self, at, trigger, by="agent", evidence=(), name="", **facts):
        self.until(at)
        self.desk.do(Command(self.id, trigger, by, self.now, facts, evidence, actor_name=name))
        return self

    @property
    def ticket(self):
        return queries.ticket(self.desk.engine, self.id)

    @property
    def events(self):
        return queries.events(self.desk.engine, self.id)

    def explained(self, at=None):
        return explain(self.desk.engine, self.ticket, self.rules, now=parse(at) if at else self.now)

    def line(self, start):
        """The one line of the text that starts so."""
        [found] = [line for line in render(self.explained()).splitlines() if line.startswith(start)]
        return found


def an_exchange(at="2022-10-01 10:00:00", **rest):
    return Story("exchange", "kuaishou", at, **rest)


def a_refund(policy, at, **rest):
    return Story("refund", policy, at, **rest)


def an_inspection():
    """Signed for by the merchant on the 20th, which was reported on the 24th."""
    story = an_exchange("2023-01-14 09:00:00")
    story.do("2023-01-15 09:00:00", "approve")
    story.do("2023-01-16 09:00:00", "submit_return_waybill", "buyer", waybill_no="YT2000000001")
    return story.do("2023-01-24 10:00:00", "return_signed", "system", occurred_at="2023-01-20 18:00:00")


def a_confirmation():
    """The replacement was signed for at noon of 2022-12-25: ten days to confirm."""
    story = an_exchange("2022-12-15 12:00:00")
    story.do("2022-12-15 13:00:00", "approve")
    story.do("2022-12-16 13:00:00", "submit_return_waybill", "buyer", waybill_no="SF2000000001")
    story.do("2022-12-20 13:00:00", "return_signed", "system")
    story.do("2022-12-21 13:00:00", "accept_and_reship", waybill_no="SF2000000002")
    return story.do("2022-12-25 12:00:00", "new_item_signed", "system")


# ── the whole ──


def test_an_agent_can_read_the_whole_aloud():
    story = an_exchange("2022-10-01 10:00:00").until("2022-10-02 14:32:00")
    assert render(story.explained()).splitlines() == [
        "换货 EX-221001-0001（快手小店）",
        "现在：待商家审核，等商家。",
        "到期：2022-10-03 10:00:00（北京时间），还剩 19 小时 28 分。",
        "依据：KS-EX-01「商家处理换货申请」限48小时（2022-09-30版），《快手小店售后服务管理规则》。",
        (
            "原文：“商户应在48小时内处理，逾期未处理的，系统将默认商户同意该换货申请，进入消费者换货环节”"
            "（原始资料，S3 第52行，2026-11-23 核对）。"
        ),
        "假定：买家修改申请后重新计48小时（决定 7）。",
        "起算：2022-10-01 10:00:00，进入「待商家审核」（买家「申请换货」）。",
        "计法：按小时连续计，节假日不停。",
        "暂停、改期：都没有。",
        (
            "到期会怎样：系统执行「逾期未处理，视为同意换货」，工单转到「待买家寄回」；"
            "随后开始「买家寄回原商品」10天（KS-EX-02），到 2022-10-13 10:00:00。"
        ),
        "还会提醒：2022-10-03 06:00:00（到期前 4 小时）。",
    ]


def test_one_line_for_lists():
    story = an_exchange("2022-10-01 10:00:00")
    assert one_line(story.explained()) == (
        "换货 EX-221001-0001：KS-EX-01 限48小时（2022-09-30版），自申请 2022-10-01 10:00:00 起，"
        "到 2022-10-03 10:00:00，到期视为同意换货"
    )


def test_it_needs_no_terminal():
    text = render(an_exchange().explained())
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)


def test_what_a_program_reads_is_plain_json_with_instants_in_utc(database_url):
    desk = Desk(database.create_engine(database_url), lambda: RULES)
    story = an_exchange(desk=desk)
    tree = json.loads(json.dumps(story.explained().to_json(), ensure_ascii=False))
    assert (tree["due_at"], tree["clocks"][0]["cited"]["rule"]) == ("2022-10-03T02:00:00Z", "KS-EX-01")
    assert tree["clocks"][0]["outcome"]["starts"] == [
        {"rule": "KS-EX-02", "label": "买家寄回原商品", "length": "10天", "due_at": "2022-10-13T02:00:00Z",
         "resumed": False}
    ]  # fmt: skip
    assert tree["one_line"] == one_line(story.explained())
    assert tree["text"] == render(story.explained())


# ── until when ──


@pytest.mark.parametrize(
    ("at", "left"),
    [
        ("2022-10-03 09:59:57", "还剩 3 秒"),
        ("2022-10-03 10:00:00", "现在是最后一秒，这时办理仍算按时"),
        ("2022-10-03 10:00:05", "已过 5 秒，系统即将执行"),
    ],
)
def test_how_long_is_left(at, left):
    [line] = [line for line in render(an_exchange().explained(at)).splitlines() if line.startswith("到期：")]
    assert line == f"到期：2022-10-03 10:00:00（北京时间），{left}。"


# ── from which fact ──


def test_counted_from_a_fact_that_was_reported_late():
    assert an_inspection().line("起算：") == (
        "起算：2023-01-20 18:00:00，进入「已签收，待拆包验货」（系统「退回件已签收」，2023-01-24 10:00:00 才收到）。"
    )


def test_counted_from_an_automatic_step():
    story = an_exchange("2022-10-01 10:00:00").until("2022-10-05 10:00:00")
    assert story.line("起算：") == (
        "起算：2022-10-03 10:00:00，进入「待买家寄回」（系统「逾期未处理，视为同意换货」，2022-10-03 10:00:01 执行）。"
    )
    assert "自「逾期未处理，视为同意换货」 2022-10-03 10:00:00 起" in one_line(story.explained())


def test_counted_from_when_people_were_told_after_an_outage():
    story = an_exchange("2022-10-01 10:00:00")
    outage = story.explained("2022-10-13 12:00:00")
    assert outage.clocks[0].outcome.starts[0].due_at == parse("2022-10-23 12:00:00")
    story.desk.sweep(parse("2022-10-14 00:00:00"))
    story.now = parse("2022-10-14 00:00:00")
    assert story.line("起算：") == (
        "起算：2022-10-14 00:00:00，进入「待买家寄回」（系统「逾期未处理，视为同意换货」，"
        "2022-10-03 10:00:00 就已生效，但停机期间没有人知道，所以从得知的时刻足额起算）。"
    )


def test_counted_from_the_application():
    story = Story("repair", "kuaishou", "2024-02-26 10:00:00").do("2024-02-27 11:00:00", "approve_on_site")
    assert story.line("起算：") == "起算：2024-02-26 10:00:00，申请（买家「申请维修」）。"


def test_counted_from_the_first_visit():
    story = Story("repair", "kuaishou", "2024-02-26 10:00:00", needs_on_site=True).until("2024-03-01 09:00:00")
    story.do("2024-03-02 09:00:00", "visit", evidence=["photo"], occurred_at="2024-03-02 08:00:00")
    assert story.line("起算：") == (
        "起算：2024-03-02 08:00:00，首次上门（客服「已上门」，2024-03-02 09:00:00 才收到）。"
    )


def test_counted_from_a_time_that_was_filled_in():
    story = a_refund(
        "kuaishou_local", "2023-09-29 01:00:00", by="system", kind="voucher", voucher_total=1,
        expires_at="2023-09-28 23:59:59",
    )  # fmt: skip
    first = story.explained().clocks[0]
    assert (first.cited.rule, first.start.fact, first.start.label) == ("KS-LL-03", "expires_at", "卡券到期")


# ── how it was counted ──


def test_working_days_name_each_day_skipped_and_each_make_up_day():
    story = a_refund("kuaishou_local", "2023-09-28 10:00:00", kind="voucher", voucher_total=1)
    assert story.line("计法：") == (
        "计法：起算当天不算，从次日起只数工作日（调休上班的周末也算），到第 7 个工作日的 24 点；"
        "跳过 8 天：2023-09-29 中秋、2023-09-30 至 2023-10-06 国庆节；"
        "周末但要上班、照算的 2 天：2023-10-07 至 2023-10-08 调休上班。"
    )


@pytest.mark.parametrize(
    ("story", "how"),
    [
        (an_inspection, "计法：一天按连续 24 小时计，到期与起算是同一钟点，节假日不停。"),
        (lambda: an_exchange(), "计法：按小时连续计，节假日不停。"),
        (lambda: a_visit(), "计法：到约定上门时间为止。"),
    ],
)
def test_the_other_ways_of_counting(story, how):
    assert story().line("计法：") == how


def a_visit():
    story = Story("repair", "kuaishou", "2024-02-26 10:00:00").do("2024-02-26 11:00:00", "approve_on_site")
    return story.do(
        "2024-02-27 11:00:00", "agree_visit", evidence=["chat_log"], visit_at="2024-02-28 09:00:00"
    )  # fmt: skip


def test_a_year_that_is_not_published_makes_the_due_time_provisional():
    story = a_refund("kuaishou_local", "2026-12-25 10:00:00", kind="voucher", voucher_total=1)
    assert story.line("暂定：") == (
        "暂定：2027 年的放假安排还没有公布，先只按周末休息计；公布后系统会重算，到期时间可能变。"
    )
    assert "到 2027-01-05 23:59:59（暂定），到期升级处理" in one_line(story.explained())


def test_when_the_year_is_published_it_is_counted_again():
    story = a_refund("kuaishou_local", "2026-12-25 10:00:00", kind="voucher", voucher_total=1)
    published = Overrides(holidays={parse("2027-01-01").date(): "元旦"}, published_years=frozenset([2027]))
    story.rules = Rules(RULES.catalog, WorkCalendar(published))
    assert story.line("暂定：") == "暂定：放假安排已经公布，等待系统重算，到期时间可能变。"
    story.now = parse("2026-12-26 09:00:00")
    assert story.desk.recount_provisional(story.now) == 1
    assert story.line("改期：").startswith("改期：放假安排公布，系统 2026-12-26 09:00:00 把到期从 ")
    assert "暂定：" not in render(story.explained())


# ── pauses and other deadlines ──


def test_a_pause_keeps_the_time_that_was_left():
    story = a_confirmation().do("2022-12-28 12:00:00", "report_reship_problem", "buyer", issue="signed_not_received")
    text = render(story.explained())
    assert "现在：换货包裹异常，等商家。" in text
    assert (
        "暂停中的时限：KS-EX-04「买家确认收货」限10天（2022-09-30版），还剩 7 天，继续时从那一刻起走完剩下的时间。"
        in text
    )
    assert story.line("暂停：") == ("暂停：2022-12-28 12:00:00「换货包裹有问题」时暂停，当时还剩 7 天，还没有继续。")
    assert "继续以后到期会怎样：系统执行「逾期未确认，换货完成」，工单以「换货完成」结束。" in text
    assert one_line(story.explained()) == (
        "换货 EX-221215-0001：换货包裹异常，等商家；「买家确认收货」（KS-EX-04）暂停，还剩 7 天"
    )


def test_what_was_paused_goes_on():
    story = a_confirmation().do("2022-12-28 12:00:00", "report_reship_problem", "buyer", issue="signed_not_received")
    story.do("2022-12-30 12:00:00", "reship_found", "system")
    assert story.explained().due_at == parse("2023-01-06 12:00:00")
    assert story.line("暂停：") == (
        "暂停：2022-12-28 12:00:00「换货包裹有问题」时暂停，当时还剩 7 天，2022-12-30 12:00:00「换货包裹找到」后继续。"
    )
    assert story.line("起算：") == ("起算：2022-12-25 12:00:00，进入「待买家确认收货」（系统「换货商品已签收」）。")
    assert "到 2023-01-06 12:00:00（暂停过 1 次），到期换货完成" in one_line(story.explained())


def test_the_same_limit_started_again_is_no_pause():
    """KS-RP-08 counts from the first visit, also after a breach that was cured in time."""
    story = Story("repair", "kuaishou", "2024-01-01 09:00:00", needs_on_site=True).until("2024-01-05 09:00:00")
    story.do("2024-01-06 09:00:00", "visit", evidence=["photo"])
    story.do("2024-01-10 09:00:00", "extend_by_agreement", evidence=["chat_log"], new_due_at="2024-01-11 09:00:00")
    story.until("2024-01-12 09:00:00").do("2024-01-13 09:00:00", "cure", evidence=["chat_log"])
    [clock] = story.explained().clocks
    assert (clock.cited.rule, clock.pauses) == ("KS-RP-08", ())


def test_a_deadline_of_the_platform_replaces_the_computed_one():
    story = a_refund("wechat", "2024-02-09 09:00:00", authority="platform", kind="return_refund")
    story.do("2024-02-10 09:01:00", "set_platform_deadline", "platform", due_at="2024-02-18 09:00:00")
    assert story.line("改期：") == (
        "改期：平台 2024-02-10 09:01:00 把到期从 2024-02-11 09:00:00 改到 2024-02-18 09:00:00。"
    )
    assert story.line("说明：") == "说明：这张工单以平台为准，平台同步来的期限和结果优先于系统推算的。"
    assert one_line(story.explained()) == (
        "退款 RF-240209-0001：平台期限到 2024-02-18 09:00:00（原按 WX-02 限48小时到 2024-02-11 09:00:00），到期视为同意"
    )


def test_a_deadline_of_the_platform_where_no_rule_has_one():
    story = a_refund("wechat", "2024-08-01 09:00:00", authority="platform", kind="return_refund")
    story.do("2024-08-01 21:00:00", "propose", amount_fen=100, reason="优惠券补偿")
    story.do("2024-08-01 21:01:00", "set_platform_deadline", "platform", due_at="2024-08-03 21:00:00")
    text = render(story.explained()).splitlines()
    assert "依据：平台给的期限。" in text
    assert "计法：期限由平台直接给出，不是按规则算的。" in text
    assert "改期：平台 2024-08-01 21:01:00 给出期限 2024-08-03 21:00:00。" in text
    assert (
        "到期会怎样：系统执行「买家逾期未答复方案，回到待处理」，工单转到「待商家处理」；"
        "登记买家拒绝或未答复协商方案：是；随后继续「商家处理退货退款」（WX-02）剩下的时间，到 2024-08-05 09:00:00。"
    ) in text


def test_a_deadline_that_both_agreed_on():
    story = a_visit().do(
        "2024-02-28 08:00:00",
        "extend_by_agreement",
        evidence=["chat_log"],
        name="小李",
        new_due_at="2024-02-29 23:00:00",
    )
    assert story.line("改期：") == (
        "改期：双方约定，客服 小李 2024-02-28 08:00:00 把到期从 2024-02-28 09:00:00 改到 2024-02-29 23:00:00。"
    )
    assert one_line(story.explained()) == (
        "维修 RP-240226-0001：双方约定期限到 2024-02-29 23:00:00"
        "（原按 KS-RP-06 以约定上门时间为限到 2024-02-28 09:00:00），到期商家违约"
    )


# ── several clocks ──


def test_of_several_clocks_the_first_is_named_and_what_becomes_of_the_others():
    story = a_refund("wechat", "2024-02-25 09:00:00", kind="return_refund")
    story.do("2024-02-25 10:00:00", "approve_return")
    story.do("2024-02-26 11:00:00", "submit_return_waybill", "buyer", waybill_no="SF3000000001")
    story.do("2024-02-27 11:00:00", "return_signed", "system")
    text = render(story.explained()).splitlines()
    assert text[2] == (
        "同时在走 2 个时限，先到的先执行：LAW-02 到 2024-03-05 23:59:59，WX-04 到 2024-03-07 11:00:00；"
        "LAW-02 执行后，其余的随之结束。"
    )
    assert [line for line in text if line.startswith("——")] == ["—— 第 1 个时限 ——", "—— 第 2 个时限 ——"]
    assert "计法：起算当天不算，从次日数到第 7 天的 24 点。" in text
    assert one_line(story.explained()).endswith("到期视为收货；另有 1 个时限同时在走")


# ── and then ──


def test_an_escalation_moves_nothing_and_unlocks_something():
    [clock] = an_inspection().explained().clocks
    assert (clock.outcome.escalation, clock.outcome.to.key) == (True, "inspecting")
    assert an_inspection().line("到期会怎样：") == (
        "到期会怎样：系统执行「逾期未验货，升级处理」，升级给主管，工单留在「已签收，待拆包验货」，不会自己往下走；"
        "从那时起可以「买家申请平台介入」。"
    )


@pytest.mark.parametrize(
    ("kind", "then"),
    [
        (
            "return_refund",
            (
                "因为退款类型为退货退款，工单转到「待买家退货」；"
                "随后开始「买家退货」7天（WX-03），到 2024-03-05 09:00:00。"
            ),
        ),
        (
            "unshipped",
            (
                "因为不属于「退款类型为退货退款」或「退款额为 0」，工单转到「退款打款中」；系统下单退款 ¥199.00；"
                "之后没有时限：文档没有给出平台裁定与打款的时限（WX-G2，一直有效）。"
            ),
        ),
    ],
)
def test_where_it_leads_is_resolved_for_this_very_ticket(kind, then):
    story = a_refund("wechat", "2024-02-25 09:00:00", kind=kind)
    assert story.line("到期会怎样：") == f"到期会怎样：系统执行「逾期未处理，视为同意」，{then}"
    ways = story.explained().clocks[0].outcome.ways
    assert {way.to.key: way.taken for way in ways} == {
        "awaiting_buyer_return": kind == "return_refund",
        "refunded": False,
        "refund_executing": kind == "unshipped",
    }


def test_a_breach_says_what_the_buyer_may_claim_and_pays_nothing():
    outcome = a_visit().line("到期会怎样：")
    assert outcome == (
        "到期会怎样：系统执行「逾期未上门，商家违约」，工单转到「商家逾期违约，买家可主张」；"
        "登记买家可主张：退货退款；登记商户自行取回商品：是；"
        "之后没有时限：违约不会自动退款，须买家主张；平台裁定没有时限（KS-RP-03，2022-09-30版）。"
    )


def test_what_a_linked_ticket_is_told():
    story = Story("lost_parcel", "wechat", "2024-03-01 09:00:00", waybill_no="SF4000000001", issue="lost")
    story.do("2024-03-01 10:00:00", "trace")
    story.do("2024-03-02 10:00:00", "courier_replied", evidence=["courier_reply"], result="lost")
    story.do("2024-03-02 11:00:00", "record_packaging_feedback", text="加气泡膜")
    story.do("2024-03-02 12:00:00", "choose_remedy", evidence=["chat_log"], kind="refund")
    parcel = story.ticket.number
    [(_, refund)] = queries.linked(story.desk.engine, story.id)
    story.id = refund.id
    story.do("2024-03-02 13:00:00", "payment_failed", "system")
    clock = Clock("platform_deadline", "", "intervention_window_expired", story.now, story.now, story.now, "platform")
    ticket = story.ticket.but(clocks=(clock,), state="rejected_pending_buyer", no_clock_reason=None)
    outcome = explain(story.desk.engine, ticket, RULES, now=story.now).clocks[0].outcome
    assert outcome.tells == (f"关联的丢件·物流异常工单 {parcel}「方案失败」",)


def test_a_timeout_that_is_gone_from_the_workflow_is_said_and_not_guessed():
    story = an_exchange()
    clock = story.ticket.clocks[0]._replace(timeout="renamed")
    explanation = explain(story.desk.engine, story.ticket.but(clocks=(clock,)), RULES, now=story.now)
    assert (
        "到期会怎样：到期动作「renamed」已经不在换货流程里；届时系统会把工单搁置并提醒人，不会自己移动它。"
        in render(explanation)
    )
    assert one_line(explanation).endswith("到期动作「renamed」已经不在换货流程里")


def test_a_state_that_is_gone_from_the_workflow_is_said_and_not_guessed():
    story = an_exchange()
    explanation = explain(story.desk.engine, story.ticket.but(state="renamed"), RULES, now=story.now)
    assert "现在：renamed，流程表里已经没有这个状态，请管理员处理。" in render(explanation)


def test_a_ticket_that_was_set_aside_says_so():
    story = an_exchange()
    aside = story.ticket.but(trouble="ValueError: 坏了", trouble_count=3, alarm_at=parse("2022-10-03 10:08:00"))
    assert render(explain(story.desk.engine, aside, RULES, now=story.now)).splitlines()[-1] == (
        "注意：系统处理这张工单失败过 3 次，暂时搁置，2022-10-03 10:08:00 再试，请管理员查看：ValueError: 坏了。"
    )


@pytest.mark.parametrize("name", ["exchange", "operations", "refund", "repair", "voucher"])
def test_what_is_foretold_is_what_happens(name, monkeypatch):
    """In every scenario, at every alarm: where the ticket goes, and which clocks run then and until when."""
    sweep, told = scenarios.Stage.sweep, []

    def watched(stage):
        before = stage.ticket()
        [first, *_] = explain(stage.desk.engine, before, stage.rules, now=stage.now).clocks or [None]
        sweep(stage)
        event = next((e for e in queries.events(stage.desk.engine, before.id) if e.seq == before.version + 1), None)
        if first is None or event is None or event.kind != "move":
            return
        told.append(first.outcome.timeout)
        assert (first.outcome.timeout, first.outcome.to.key) == (event.trigger, event.to_state)
        kept = [clock for clock in event.clocks if clock.rule in first.outcome.runs_on]
        starts = {(clock.rule, clock.due_at) for clock in event.clocks if clock not in kept}
        assert {(one.rule, one.due_at) for one in first.outcome.starts} == starts

    monkeypatch.setattr(scenarios.Stage, "sweep", watched)
    for scenario in scenarios.read(STORIES / f"{name}.yaml"):
        scenarios.play(scenario, *in_memory())
    assert told


# ── no clock ──


def no_clock(story):
    return story.explained().no_clock


def test_no_limit_gives_the_reason_of_the_rule():
    story = an_exchange().do("2022-10-01 11:00:00", "approve")
    story.do("2022-10-02 11:00:00", "submit_return_waybill", "buyer", waybill_no="SF5000000001")
    assert story.line("时限：") == (
        "时限：没有在走的时限。规则没有规定运输的时限，验货期从物流签收起算（KS-EX-G3，2022-09-30版）。"
    )
    assert one_line(story.explained()) == (
        "换货 EX-221001-0001：退回途中，待商家收货，等快递，没有时限："
        "规则没有规定运输的时限，验货期从物流签收起算（KS-EX-G3，2022-09-30版）"
    )


def test_the_target_of_the_house_is_a_reminder():
    story = Story("repair", "kuaishou", "2024-01-25 09:00:00")
    assert story.line("还会提醒：") == "还会提醒：2024-01-27 09:00:00（店铺目标「处理维修申请」）。"


def test_a_rule_that_is_switched_off():
    told = no_clock(a_refund("taobao", "2024-01-01 09:00:00", kind="return_refund"))
    assert (told.code, told.sentence) == (
        "off",
        "规则册里有 TB-01「卖家响应退货退款」限5天，但没有启用：数字来自第三方旧帮助页，未核实，不启用",
    )


def test_a_rule_that_was_not_in_force_yet():
    told = no_clock(an_exchange("2022-09-29 23:59:59"))
    assert (told.code, told.sentence) == (
        "policy_missing",
        "KS-EX-01「商家处理换货申请」从 2022-09-30 起才有规定，当时还没有在用的版本，系统不猜时限，请人处理",
    )


def test_an_agreement_at_once_that_was_not_in_force_yet():
    told = no_clock(a_refund("kuaishou_local", "2022-12-21 23:59:59", kind="voucher", voucher_total=1))
    assert (told.code, told.sentence) == (
        "policy_missing",
        "KS-LL-04「卡券申请退款，系统自动同意」从 2022-12-22 起才有规定，当时还没有在用的版本，系统不猜时限，请人处理",
    )


def test_a_book_without_a_rule_for_the_state():
    told = no_clock(Story("repair", "kuaishou", "2022-09-29 09:00:00"))
    assert (told.code, told.sentence) == (
        "no_rule",
        "快手小店的规则里没有「待商家审核」的时限，2022-09-30 起的版本才有规定",
    )


def test_a_clock_that_ran_out_where_the_ticket_stays():
    story = an_inspection().until("2023-01-28 09:00:00")
    assert no_clock(story).sentence == (
        "「商家拆包验货」限7天（KS-EX-03）已于 2023-01-27 18:00:00 到期，工单留在这一步，没有新的时限"
    )


def test_a_clock_that_would_already_have_run_out():
    story = Story("repair", "kuaishou", "2024-01-01 09:00:00", needs_on_site=True).until("2024-01-05 09:00:00")
    story.do("2024-01-06 09:00:00", "visit", evidence=["photo"]).until("2024-02-10 09:00:00")
    story.do("2024-02-11 09:00:00", "cure", evidence=["chat_log"])
    assert no_clock(story).sentence == "按起算时间，这一步的时限早已过完，不再计时"


def test_a_ruling_that_ended_the_clock_and_one_that_set_none():
    story = Story("repair", "kuaishou", "2023-02-01 09:00:00")
    story.do("2023-02-01 10:00:00", "record_contact", channel="im", summary="说明")
    story.do("2023-02-01 11:00:00", "reject", evidence=["photo"], reason_code=16)
    story.do("2023-02-02 12:00:00", "request_intervention", "buyer")
    story.do("2023-02-05 12:00:00", "platform_rule", "platform", outcome="previous")
    assert no_clock(story).sentence == "上一步「平台裁定」结束了原来的时限，没有开始新的"
    story.do("2023-02-06 12:00:00", "request_intervention", "buyer")
    story.do("2023-02-07 12:00:00", "platform_rule", "platform", outcome="repairing")
    assert no_clock(story).sentence == "上一步「平台裁定」没有填新的期限，所以不计时"


def imported(state, due_at=None):
    story = an_exchange()
    taken_over = Imported(
        "exchange", "kuaishou", state, parse("2022-09-25 09:00:00"), "E2", 19900, platform_due_at=due_at
    )
    [landed] = story.desk.import_tickets([taken_over], shop="甲", now=story.now)
    story.id = landed.id
    return story


def test_a_ticket_taken_over_from_the_platform():
    assert no_clock(imported("inspecting")).sentence == (
        "工单从平台接管，这一步什么时候开始没有告知，系统不猜时限，以平台给出的期限和结果为准"
    )
    assert no_clock(imported("inspecting", parse("2022-09-30 09:00:00"))).sentence == (
        "接管时平台的期限已经过了，平台做了什么没有告知，系统不重复执行，等平台同步结果"
    )


def test_every_reason_that_the_engine_declares_has_a_sentence():
    source = getsource(clocks) + getsource(decide)
    declared = set(re.findall(r'no_clock_reason="(\w+)"', source))
    assert declared | {"no_rule", "no_limit", "off", "policy_missing", "ran_out"} == set(NO_CLOCK)


def test_a_reason_that_nobody_knows_is_shown_as_it_stands():
    story = Story("repair", "kuaishou", "2024-01-25 09:00:00")
    ticket = story.ticket.but(no_clock_reason="because")
    assert explain(story.desk.engine, ticket, RULES, now=story.now).no_clock.sentence == "登记的原因是「because」"


# ── closed ──


def test_how_the_clock_closed_it():
    story = an_exchange("2023-02-24 20:00:00").do("2023-02-25 08:15:30", "approve").until("2023-03-08 09:00:00")
    assert one_line(story.explained()) == (
        "换货 EX-230224-0001：超时关闭，2023-03-07 08:15:30 逾期未寄回，关闭换货（KS-EX-02 限10天，2022-09-30版）"
    )
    text = render(story.explained()).splitlines()
    assert text[1] == "现在：超时关闭，已经结束。"
    assert text[2] == (
        "结束：KS-EX-02「买家寄回原商品」限10天（2022-09-30版），2023-03-07 08:15:30 到期；"
        "系统在 2023-03-07 08:15:31（到期后 1 秒）执行「逾期未寄回，关闭换货」，自到期时刻起生效，"
        "工单从「待买家寄回」转到「超时关闭」。"
    )
    assert text[3].startswith("依据：KS-EX-02")


def test_how_a_person_closed_it():
    story = an_exchange().do("2022-10-01 12:00:00", "cancel", "buyer")
    assert story.line("结束：") == (
        "结束：2022-10-01 12:00:00，买家「买家撤销」，工单从「待商家审核」转到「买家撤销」。"
    )
    assert one_line(story.explained()) == "换货 EX-221001-0001：买家撤销，2022-10-01 12:00:00 买家「买家撤销」"


# ── one event ──


def test_the_lines_of_a_history():
    story = an_inspection().until("2023-01-28 09:00:00")
    assert [explain_event(event, story.ticket, RULES).sentence for event in story.events] == [
        "2023-01-14 09:00:00，买家「申请换货」，工单在「待商家审核」",
        "2023-01-15 09:00:00，客服「同意换货」，工单从「待商家审核」转到「待买家寄回」",
        "2023-01-16 09:00:00，买家「填写退货运单」，工单从「待买家寄回」转到「退回途中，待商家收货」",
        (
            "2023-01-20 18:00:00，系统「退回件已签收」（2023-01-24 10:00:00 才记录），"
            "工单从「退回途中，待商家收货」转到「已签收，待拆包验货」"
        ),
        "2023-01-26 18:00:00，系统「到期前提醒」（2023-01-26 18:00:01 才记录）",
        "2023-01-27 14:00:00，系统「到期前提醒」（2023-01-27 14:00:01 才记录）",
        (
            "KS-EX-03「商家拆包验货」限7天（2022-09-30版），2023-01-27 18:00:00 到期；"
            "系统在 2023-01-27 18:00:01（到期后 1 秒）执行「逾期未验货，升级处理」，自到期时刻起生效"
        ),
    ]
    last = explain_event(story.events[-1], story.ticket, RULES)
    assert (last.cited.rule, last.due_at, last.late_seconds) == ("KS-EX-03", parse("2023-01-27 18:00:00"), 1)


# ── the book has changed since ──


def book(*exchange_rules, documents=(v2022_09_30,)):
    """Kuaishou's book with these rules only."""
    policy = Policy("kuaishou", "快手小店", list(documents), list(exchange_rules))
    return Rules(replace(RULES.catalog, policies={**RULES.catalog.policies, "kuaishou": policy}), RULES.calendar)


def test_a_version_that_is_gone_from_the_book_is_said():
    story = an_exchange()
    story.rules = book()
    text = render(story.explained()).splitlines()
    assert "依据：KS-EX-01（2022-09-30版，规则册里已经没有这个版本）。" in text
    assert "计法：规则册里已经没有这条规则的这个版本，无法重算。" in text
    assert "到期：2022-10-03 10:00:00（北京时间），还剩 48 小时。" in text
    assert "起算：2022-10-01 10:00:00，进入「待商家审核」（买家「申请换货」）。" in text
    assert one_line(story.explained()).startswith("换货 EX-221001-0001：KS-EX-01（2022-09-30版），自申请")


def test_a_clock_keeps_its_version_and_says_that_there_is_a_newer_one():
    newer = Document("新规", effective="2022-10-02", source="测试")
    rule = Rule(
        "KS-EX-01", "商家处理换货申请", Exchange.pending_merchant_review,
        since(v2022_09_30, hours(48), then=Exchange.auto_approve, quote="四十八小时"),
        since(newer, hours(24), then=Exchange.auto_approve, clause="第三条", quote="二十四小时"),
    )  # fmt: skip
    story = an_exchange()
    story.rules = book(rule, documents=(v2022_09_30, newer))
    story.now = parse("2022-10-02 09:00:00")
    assert story.line("版本：") == "版本：后来有了2022-10-02版，这个时限仍按起算时的2022-09-30版走。"
    assert "限48小时" in one_line(story.explained())


def test_of_rules_with_one_id_the_one_with_this_timeout_is_meant():
    other = Rule(
        "KS-EX-01", "同号的另一条", Exchange.awaiting_buyer_return,
        since(v2022_09_30, days(1), then=Exchange.return_timeout, quote="一日"),
    )  # fmt: skip
    story = an_exchange()
    story.rules = book(other, *KUAISHOU.clock_rules)
    assert story.explained().clocks[0].cited.label == "商家处理换货申请"


def test_a_clause_with_a_number_of_its_own_is_named():
    rule = Rule(
        "KS-EX-01", "商家处理换货申请", Exchange.pending_merchant_review,
        since(v2022_09_30, hours(48), then=Exchange.auto_approve, clause="第三条第二款", quote="四十八小时"),
    )  # fmt: skip
    story = an_exchange(rules=book(rule))
    assert story.line("依据：") == (
        "依据：KS-EX-01「商家处理换货申请」限48小时（2022-09-30版），《快手小店售后服务管理规则》，条款 第三条第二款。"
    )


def test_an_agreed_period_is_said_as_agreed():
    story = Story("repair", "kuaishou", "2024-02-15 09:00:00")
    story.do("2024-02-15 10:00:00", "approve_mail_in", announced_days=10, period=10)
    story.do("2024-02-17 09:00:00", "buyer_ship", "buyer", waybill_no="SF6000000001")
    story.do("2024-02-20 09:00:00", "goods_received")
    assert story.explained().clocks[0].cited.length == "10天（双方约定）"
