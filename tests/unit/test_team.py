"""Groups, duty, who is given what: on both databases, through the one door."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aftersales import clock, database, handing, queries
from aftersales.clock import parse
from aftersales.decide import Imported, NewTicket, Rules
from aftersales.desk import Command, Desk
from aftersales.errors import Refused
from aftersales.handing import Receiver
from aftersales.office import accounts, duty, shops, teams, transfers
from aftersales.routing import Rule
from aftersales.simulate import standard_rules

NOW = parse("2026-10-02 14:32:00")  # a Friday
HOUR = timedelta(hours=1)
EVERY_DAY = [(day, 9 * 60, 18 * 60) for day in range(7)]
RULES: Rules = standard_rules()


class Office:
    """A desk, three people, two groups and a rule."""

    def __init__(self, url: str) -> None:
        self.engine = database.create_engine(url)
        self.desk = Desk(self.engine, standard_rules)
        self.orders = 0
        self.shop = shops.add(self.engine, "羊毛一店", ["kuaishou"], NOW)
        self.chen, self.li, self.zhou = (
            accounts.add(self.engine, f"羊毛:{login}", name, NOW)
            for login, name in (("chen", "陈晓"), ("li", "李雯"), ("zhou", "周凯"))
        )
        self.swaps = teams.add(self.engine, "换货组", members=[self.chen.id, self.li.id], each_at_most=3)
        self.rest = teams.add(self.engine, "综合组", members=[self.zhou.id])
        self.rule(Rule("换货", self.swaps, workflow="exchange"))

    def rule(self, rule: Rule, **how) -> None:
        teams.put_rule(self.engine, rule, NOW, "羊毛:chen", **how)

    def open(self, workflow="exchange", *, shop="羊毛一店", at=NOW, extra=None, **facts):
        self.orders += 1
        opening = RULES.catalog.workflows[workflow].openings()[0]
        basic = {
            "exchange": {"paid_fen": 32900, "reason": "size"},
            "refund": {"paid_fen": 32900, "reason": "quality", "kind": "return_refund"},
        }[workflow]
        new = NewTicket(
            workflow, "kuaishou", opening.name, opening.by[0].value, at, basic | facts, f"订单{self.orders}", "马丁靴",
            extra=extra or {},
        )  # fmt: skip
        return self.desk.open(new, shop=shop)

    def assigned(self, ticket):
        return [event for event in queries.events(self.engine, ticket.id) if event.kind == "assign"]


@pytest.fixture
def office(database_url, monkeypatch):
    made = Office(database_url)
    monkeypatch.setattr(clock, "now", lambda: NOW)
    yield made
    made.engine.dispose()


# ── new tickets ──


def test_a_new_ticket_goes_to_whoever_is_on_duty_and_has_the_fewest(office):
    duty.plan_week(office.engine, office.li.id, EVERY_DAY)
    ticket = office.open()
    assert ticket.owner == office.li.login
    [event] = office.assigned(ticket)
    assert (event.actor, event.facts) == (
        "system", {"agent": "羊毛:li", "team": "换货组", "reason": "规则「换货」"},
    )  # fmt: skip
    assert transfers.team_of(office.engine, ticket.id) == (office.swaps, "换货组")
    assert transfers.unseen(office.engine, office.li.login) == [], "given out by the system is not handed on"


def test_the_load_is_spread_and_the_limit_is_kept(office):
    for one in (office.chen, office.li):
        duty.plan_week(office.engine, one.id, EVERY_DAY)
    owners = [office.open().owner for _ in range(7)]
    assert owners[:6] == ["羊毛:chen", "羊毛:li"] * 3
    assert owners[6] is None, "both have three: it waits in the group"
    assert transfers.team_of(office.engine, 7) == (office.swaps, "换货组")


def test_without_a_rule_that_matches_nobody_gets_it_and_nothing_is_said(office):
    ticket = office.open("refund")
    assert ticket.owner is None
    assert office.assigned(ticket) == []
    assert queries.how_many_have(office.engine, None) == 1


def test_the_first_rule_wins_and_rules_look_at_levels_members_shops_and_words(office):
    office.rule(Rule("要炸的", office.rest, level="L3"))
    office.rule(Rule("贵宾的靴子", office.rest, member="V5", words=("靴",)))
    for rule in ("贵宾的靴子", "要炸的"):
        teams.move_rule(office.engine, rule, True, NOW, "")
        teams.move_rule(office.engine, rule, True, NOW, "")
    assert office.open(extra={"complaint_level": "L4"}).owner == office.zhou.login
    assert office.open(extra={"complaint_level": "L2"}).owner == office.chen.login
    assert office.open(extra={"member_level": "V6"}).owner == office.zhou.login
    assert office.open(extra={"member_level": "V4"}).owner == office.li.login


def test_who_does_not_serve_the_shop_is_not_given_its_tickets(office):
    other = shops.add(office.engine, "羊毛二店", [], NOW)
    accounts.change(office.engine, office.chen.id, "陈晓", role="agent", department="aftersale", shops=[other])
    assert office.open().owner == office.li.login
    assert office.open(shop="羊毛二店").owner == office.chen.login


def test_a_changed_rule_leaves_what_is_given_out_where_it_is(office):
    ticket = office.open()
    office.rule(Rule("换货", office.rest, workflow="exchange"), instead_of="换货")
    assert queries.ticket(office.engine, ticket.id).owner == ticket.owner
    assert office.open().owner == office.zhou.login
    changed, added = teams.versions(office.engine)
    assert [(one.action, one.rule, one.changed_by) for one in (changed, added)] == [
        ("changed", "换货", "羊毛:chen"), ("added", "换货", "羊毛:chen"),
    ]  # fmt: skip
    assert added.rules[0].team == office.swaps


def test_imported_tickets_are_given_out_too_evenly(office):
    imported = [
        Imported("exchange", "kuaishou", "pending_merchant_review", NOW - HOUR, f"导入{n}", 100, platform_no=str(n))
        for n in range(4)
    ]
    landed = office.desk.import_tickets(imported, shop="羊毛一店", now=NOW)
    assert [one.owner for one in landed] == ["羊毛:chen", "羊毛:li"] * 2
    assert [one.version for one in landed] == [2] * 4
    assert transfers.team_of(office.engine, landed[0].id) == (office.swaps, "换货组")


def test_a_ticket_opened_for_another_stays_with_its_owner_if_on_duty(office):
    duty.plan_week(office.engine, office.zhou.id, EVERY_DAY)
    for at, owner in ((NOW, office.zhou.login), (parse("2026-10-03 20:00:00"), office.chen.login)):
        parent = office.open("refund", at=at)
        office.desk.do(Command(parent.id, "assign", "agent", at, {"agent": office.zhou.login}))
        change = office.desk.do(
            Command(parent.id, "convert_to_exchange", "agent", at, {}, ["chat_log"], actor_name="羊毛:zhou")
        )
        [(_, linked)] = queries.linked(office.engine, change.id)
        assert linked.owner == owner


def test_a_group_that_was_closed_gets_nothing(office):
    teams.change(office.engine, office.swaps, "换货组", members=[office.chen.id], each_at_most=None, active=False)
    assert office.open().owner is None


# ── handing on ──


def test_handed_to_a_person_clocks_run_on_and_it_is_marked_until_opened(office):
    ticket = office.open()
    handed = handing.hand_over(
        office.desk, [ticket.id], Receiver(office.zhou.login), NOW + HOUR, by=office.chen.login, reason="懂鞋",
        summary="买家要 43 码",
    )  # fmt: skip
    assert handed.done == [ticket.id]
    after = queries.ticket(office.engine, ticket.id)
    assert (after.owner, after.due_at) == (office.zhou.login, ticket.due_at)
    [mark] = transfers.unseen(office.engine, office.zhou.login)
    assert (mark.number, mark.reason, mark.summary) == (ticket.number, "懂鞋", "买家要 43 码")
    assert transfers.unseen_among(office.engine, office.zhou.login, [ticket.id, 99]) == {ticket.id}
    assert transfers.opened(office.engine, ticket.id, office.chen.login, NOW) is None, "others may look"
    assert transfers.opened(office.engine, ticket.id, office.zhou.login, NOW).reason == "懂鞋"
    assert transfers.opened(office.engine, ticket.id, office.zhou.login, NOW) is None
    assert transfers.unseen(office.engine, office.zhou.login) == []


def test_handed_to_a_group_its_freest_gets_it_never_the_one_who_has_it(office):
    ticket = office.open()
    assert ticket.owner == office.chen.login
    handing.hand_over(office.desk, [ticket.id], Receiver(team="换货组"), NOW, by=office.chen.login, reason="请假")
    assert queries.ticket(office.engine, ticket.id).owner == office.li.login


def test_a_group_or_a_person_that_does_not_exist_is_refused_and_nothing_changes(office):
    ticket = office.open()
    with pytest.raises(Refused, match="没有在用的账号「羊毛:nobody」"):
        handing.hand_over(office.desk, [ticket.id], Receiver("羊毛:nobody"), NOW, by="", reason="")
    with pytest.raises(Refused, match="还没有选转给谁"):
        handing.hand_over(office.desk, [ticket.id], Receiver(), NOW, by="", reason="")
    with pytest.raises(Refused, match="没有叫「幽灵组」的小组"):
        office.desk.do(Command(ticket.id, "assign", "agent", NOW, {"team": "幽灵组"}))
    assert queries.ticket(office.engine, ticket.id).version == ticket.version


def test_assigning_still_asks_for_somebody(office):
    ticket = office.open()
    with pytest.raises(Refused, match="「分配」还缺：交给谁"):
        office.desk.do(Command(ticket.id, "assign", "agent", NOW, {}))


def test_a_leaver_hands_everything_on_and_is_signed_out(office):
    mine = [office.open() for _ in range(3)]
    token = accounts.sign_in(office.engine, office.chen, NOW)
    with pytest.raises(Refused, match="手上还有工单"):
        handing.leave(office.desk, office.chen.login, Receiver(), NOW, by="")
    handed = handing.leave(office.desk, office.chen.login, Receiver(office.zhou.login), NOW, by=office.li.login)
    assert sorted(handed.done) == [mine[0].id, mine[2].id]
    assert queries.how_many_have(office.engine, office.chen.login) == 0
    assert accounts.signed_in(office.engine, token, NOW) is None
    assert office.open().owner == office.li.login


def test_what_nobody_has_is_dealt_out_by_load_after_a_look(office):
    several = [office.open("refund") for _ in range(4)]
    assert handing.balanced(office.engine, NOW).left == 4, "no rule, no group"
    plan = handing.balanced(office.engine, NOW, otherwise=office.swaps)
    assert [one.login for one in plan.dealt] == ["羊毛:chen", "羊毛:li"] * 2
    assert (plan.left, plan.gets("羊毛:li"), plan.loads["羊毛:li"]) == (0, 2, 0)
    office.desk.do(Command(several[0].id, "assign", "agent", NOW, {"agent": office.zhou.login}))
    handed = handing.deal(office.desk, plan, NOW, by=office.zhou.login)
    assert (len(handed.done), handed.refused) == (3, [(several[0].id, "刚刚已经有人领了")])


def test_the_level_of_a_complaint_is_kept_with_any_ticket(office):
    ticket = office.open("refund")
    after = office.desk.do(Command(ticket.id, "grade", "agent", NOW, {"complaint_level": "L4"}))
    assert after.fields["complaint_level"] == "L4"
    assert (after.state, after.due_at, after.moved_seq) == (ticket.state, ticket.due_at, ticket.moved_seq)
    with pytest.raises(Refused, match="投诉等级"):
        office.desk.do(Command(ticket.id, "grade", "agent", NOW, {"complaint_level": "L9"}))


# ── duty ──


def test_nights_go_over_midnight_and_exceptions_win(office):
    night = [(4, 22 * 60, 6 * 60)]  # Friday 22:00 to Saturday 06:00
    duty.plan_week(office.engine, office.chen.id, night)
    friday = parse("2026-10-02 23:30:00")
    [shift] = duty.on_duty(office.engine, friday)
    assert (shift.login, shift.name, shift.to_at) == ("羊毛:chen", "陈晓", parse("2026-10-03 06:00:00"))
    assert duty.on_duty(office.engine, parse("2026-10-03 06:00:00")) == []
    duty.except_(office.engine, office.chen.id, friday, friday + HOUR, works=False, reason="看牙")
    duty.except_(office.engine, office.zhou.id, friday, friday + 2 * HOUR, works=True)
    assert [one.login for one in duty.on_duty(office.engine, friday)] == ["羊毛:zhou"]
    assert [one.login for one in duty.on_duty(office.engine, friday + HOUR)] == ["羊毛:chen", "羊毛:zhou"]
    found = duty.gaps(office.engine, parse("2026-10-02 12:00:00"), parse("2026-10-03 12:00:00"))
    assert [tuple(gap) for gap in found] == [
        (parse("2026-10-02 12:00:00"), parse("2026-10-02 22:00:00")),
        (parse("2026-10-03 06:00:00"), parse("2026-10-03 12:00:00")),
    ]
    away = duty.changes(office.engine, NOW, NOW + 24 * HOUR)[0]
    duty.no_exception(office.engine, away.id)
    assert len(duty.on_duty(office.engine, friday)) == 2


def test_shifts_that_overlap_and_exceptions_that_end_before_they_begin_are_refused(office):
    with pytest.raises(Refused, match="周六的班次和前一班重叠了"):
        duty.plan_week(office.engine, office.chen.id, [(4, 22 * 60, 6 * 60), (5, 5 * 60, 8 * 60)])
    with pytest.raises(Refused, match="周一的班次和前一班重叠了"):
        duty.plan_week(office.engine, office.chen.id, [(6, 22 * 60, 6 * 60), (0, 5 * 60, 8 * 60)])
    with pytest.raises(Refused, match="结束时间要晚于开始时间"):
        duty.except_(office.engine, office.chen.id, NOW, NOW, works=True)
    assert duty.week(office.engine) == []


def test_clocks_that_run_out_in_a_gap_are_counted(office):
    ticket = office.open()
    assert queries.run_out_between(office.engine, ticket.due_at, ticket.due_at + HOUR) == 1
    assert queries.run_out_between(office.engine, ticket.due_at - HOUR, ticket.due_at) == 0


# ── accounts, groups, shops ──


def test_the_quota_counts_who_works_under_the_same_main_account(office):
    with pytest.raises(Refused, match="主账号 羊毛 的 3 个子账号都用完了"):
        accounts.add(office.engine, "羊毛:wang", "王子涵", NOW, quota=3)
    accounts.add(office.engine, "羊_:wang", "王子涵", NOW, quota=3)
    accounts.deactivate(office.engine, office.zhou.id)
    accounts.add(office.engine, "羊毛:wang", "王子涵", NOW, quota=3)
    with pytest.raises(Refused, match="都用完了"):
        accounts.activate(office.engine, office.zhou.id, quota=3)


@pytest.mark.parametrize(
    ("name", "said"), [("", "还没有写姓名"), ("陈" * 41, "太长了"), ("a\x00b", "不能保存的字符")],
)  # fmt: skip
def test_a_name_is_asked_for_and_has_to_be_storable(office, name, said):
    with pytest.raises(Refused, match=said):
        accounts.add(office.engine, "羊毛:new", name, NOW)
    with pytest.raises(Refused, match=said):
        accounts.change(office.engine, office.chen.id, name, role="agent", department="aftersale")


def test_groups_and_shops_have_names_of_their_own(office):
    with pytest.raises(Refused, match="已经有叫「换货组」的小组"):
        teams.add(office.engine, " 换货组 ")
    with pytest.raises(Refused, match="已经有叫「羊毛一店」的店铺"):
        shops.add(office.engine, "羊毛一店", [], NOW)
    with pytest.raises(Refused, match="先把设置改成新名称"):
        shops.change(office.engine, office.shop, "新名", [], fixed="羊毛一店")
    shops.change(office.engine, office.shop, "羊毛旗舰店", ["wechat"], fixed="别家")
    [shop] = shops.everything(office.engine)
    assert (shop.name, shop.policies, shop.open) == ("羊毛旗舰店", ["wechat"], 0)


def test_rules_need_a_group_a_name_and_no_twin(office):
    with pytest.raises(Refused, match="已经有叫「换货」的规则"):
        office.rule(Rule("换货", office.rest))
    with pytest.raises(Refused, match="请选择分给哪个小组"):
        office.rule(Rule("新的", 99))
    with pytest.raises(Refused, match="刚刚被别人改了名或删了"):
        office.rule(Rule("新的", office.rest), instead_of="旧的")
    teams.remove_rule(office.engine, "换货", NOW, "")
    teams.remove_rule(office.engine, "换货", NOW, "")
    assert [one.action for one in teams.versions(office.engine)] == ["removed", "added"]
