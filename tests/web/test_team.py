"""The team's pages: every form, what is wrong with it, and what it does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aftersales import queries
from aftersales.clock import parse
from aftersales.office import accounts, duty, shops, teams, transfers
from aftersales.routing import Rule
from tests.web.languages import untranslated

TABS = ("/team", "/team/people", "/team/groups", "/team/duty", "/team/shops", "/team/calendar")


@pytest.fixture
def office(world):
    """Two people, a group, a rule for exchanges; 陈晓 works by day."""
    engine = world.engine
    world.chen = accounts.add(engine, "羊毛:chen", "陈晓", world.now, role="lead")
    world.li = accounts.add(engine, "羊毛:li", "李雯", world.now)
    world.swaps = teams.add(engine, "换货组", members=[world.chen.id, world.li.id])
    teams.put_rule(engine, Rule("换货", world.swaps, workflow="exchange"), world.now, "羊毛:chen")
    duty.plan_week(engine, world.chen.id, [(day, 540, 1080) for day in range(7)])
    return world


@pytest.fixture
def signed_in(office, browser):
    browser.post("/sign-in", [("login", "羊毛:chen")])
    return browser


def form(page, action):
    (found,) = [one for one in page.forms if one.action == action]
    return found


def refused(answer, said):
    assert answer.status == 422, answer.text
    assert said in answer.text


# ── all pages ──


@pytest.mark.parametrize("path", TABS)
def test_every_tab_opens_with_nothing_there_and_says_what_to_do(browser, path):
    page = browser.get(path)
    assert page.status == 200
    assert page.html.count("<h1") == 1


def every_page(office):
    one, other = office.chen.id, office.swaps
    return (
        *TABS, f"/team/people/{one}", f"/team/people/{one}/leave", f"/team/duty/{one}", f"/team/groups/{other}",
        "/team/rule", "/team/rule?name=换货", "/team/shops/1", "/team/transfer?owner=none", "/team/balance", "/try",
        "/team/groups?workflow=exchange&shop=1", "/team/groups?workflow=refund&shop=1", "/team/calendar?year=2027",
        "/try?start=2026-09-29T14:20&n=7&unit=workdays", "/try?start=2026-09-29T14:20&rule=kuaishou/KS-EX-01",
    )  # fmt: skip


def test_no_page_leaves_chinese_on_an_english_page(office, signed_in):
    ticket = office.open()
    office.open("refund")
    office.do(ticket, "assign", agent="羊毛:li")
    signed_in.client.cookies.set("language", "en")
    for path in every_page(office):
        page = signed_in.get(path)
        assert page.status == 200, path
        assert untranslated(page.html) == [], path


@pytest.mark.parametrize(
    "path",
    [
        "/team/people/99", "/team/people/x", "/team/people/99/leave", "/team/groups/99", "/team/groups/x",
        "/team/duty/99", "/team/rule?name=没有", "/team/shops/99", "/team/shops/-1",
        "/team/people/999999999999999999999",
    ],
)  # fmt: skip
def test_what_does_not_exist_is_not_found(browser, path):
    assert browser.get(path).status == 404


@pytest.mark.parametrize(
    "path", ["/team/duty?week=2026-99-99", "/team/duty?week=x", "/team/calendar?year=1", "/team/balance?otherwise=x",
             "/team/transfer?ticket=x&ticket=99", "/team/transfer?owner=%00", "/team/groups?workflow=exchange&shop=x"],
)  # fmt: skip
def test_an_address_that_makes_no_sense_shows_the_page_as_it_is(office, browser, path):
    assert browser.get(path).status == 200


# ── people ──


def test_an_account_is_added_and_then_changed_but_for_its_login(browser, world):
    page = browser.get("/team/people")
    answer = browser.send(page.form, page.form.filled(login="羊毛:wang", name="王子涵", role="lead"))
    assert answer.response.headers["location"] == "/team/people?done=added"
    page = browser.get("/team/people?done=added")
    assert "已添加。" in page.text
    assert "王子涵" in page.text
    wang = accounts.named(world.engine, "羊毛:wang")
    page = browser.get(f"/team/people/{wang.id}")
    assert "login" not in page.form.kinds
    browser.send(page.form, page.form.filled(name="王小涵", department="presale"))
    after = accounts.named(world.engine, "羊毛:wang")
    assert (after.name, after.department, after.role) == ("王小涵", "presale", "lead")


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"login": "羊毛：wang", "name": "王"}, "中间是英文冒号"),
        ({"login": "wang", "name": "王"}, "中间是英文冒号"),
        ({"login": "羊毛:li", "name": "李"}, "已经有了"),
        ({"login": "羊毛:wang", "name": " "}, "还没有写姓名"),
        ({"login": "羊毛:wang", "name": "😀" * 41}, "太长了"),
        ({"login": "羊毛:wang\x00", "name": "王"}, "英文冒号"),
        ({"login": "羊毛:wang", "name": "王", "role": "king"}, "没有这种角色"),
        ({"login": "羊毛:wang", "name": "王", "shop": "99"}, "店铺里有不存在的"),
    ],
)
def test_a_wrong_account_is_refused_and_what_was_typed_is_kept(office, browser, sent, said):
    answer = browser.post("/team/people", list(sent.items()))
    refused(answer, said)
    assert form(answer, "/team/people").get("name") == sent["name"]
    assert len(accounts.everyone(office.engine)) == 2


def test_a_leaver_hands_tickets_on_after_a_look(office, browser):
    ticket = office.open()
    assert ticket.owner == "羊毛:chen"
    page = browser.get(f"/team/people/{office.chen.id}/leave")
    assert "手上 1 张工单转给别人" in page.text
    assert ticket.number in page.text
    refused(browser.send(page.form), "手上还有工单，请选转给谁")
    refused(browser.send(page.form, page.form.filled(to="person:羊毛:chen")), "正在离职的人自己")
    refused(browser.send(page.form, page.form.filled(to="person:没有:人")), "没有在用的账号")
    assert accounts.named(office.engine, "羊毛:chen").active
    answer = browser.send(page.form, page.form.filled(to="team:换货组"))
    assert answer.response.headers["location"] == "/team/people?done=left"
    assert office.ticket(ticket.number).owner == "羊毛:li"
    assert not accounts.named(office.engine, "羊毛:chen").active
    back = form(browser.get("/team/people"), f"/team/people/{office.chen.id}/back")
    browser.send(back)
    assert accounts.named(office.engine, "羊毛:chen").active


# ── groups and rules ──


def test_a_group_and_a_rule_are_made_and_the_next_ticket_goes_there(office, signed_in):
    page = signed_in.get("/team/groups")
    made = form(page, "/team/groups")
    signed_in.send(made, made.filled(name="退款组", member=[office.li.id], most="5"))
    group = next(one for one in teams.groups(office.engine) if one.name == "退款组")
    assert (group.each_at_most, group.members) == (5, ("羊毛:li",))
    page = signed_in.get("/team/rule")
    answer = signed_in.send(page.form, page.form.filled(
        name="大额退款", team=group.id, workflow="refund", level="L2", words="马丁靴、毯子 , 靴",
    ))  # fmt: skip
    assert answer.status == 303, answer.text
    version = teams.versions(office.engine)[0]
    assert (version.changed_by, version.rule) == ("羊毛:chen", "大额退款")
    assert version.rules[-1].words == ("马丁靴", "毯子", "靴")
    page = signed_in.get("/team/groups?workflow=refund&policy=kuaishou&shop=1&level=L3&item=马丁靴")
    assert "分给 李雯" in page.text
    assert "换货：类型不符" in page.text
    assert "大额退款：符合" in page.text
    assert "没有人：进未分配" in signed_in.get("/team/groups?workflow=refund&shop=1&level=L1").text


def test_rules_are_moved_changed_and_deleted_and_every_change_is_listed(office, signed_in):
    teams.put_rule(office.engine, Rule("全部", office.swaps), office.now, "")
    up = [one for one in signed_in.get("/team/groups").forms if one.action == "/team/rule/move"]
    signed_in.send(up[2], [*up[2].values, ("where", "up")])
    assert [one.name for one in teams.versions(office.engine)[0].rules] == ["全部", "换货"]
    page = signed_in.get("/team/rule?name=全部")
    signed_in.send(page.form, page.form.filled(name="剩下的", level="L4"))
    signed_in.post("/team/rule/remove", [("name", "换货")])
    signed_in.post("/team/rule/remove", [("name", "换货")])
    assert [(one.name, one.level) for one in teams.versions(office.engine)[0].rules] == [("剩下的", "L4")]
    assert "删除：换货" in signed_in.get("/team/groups").text


@pytest.mark.parametrize(
    ("path", "sent", "said"),
    [
        ("/team/groups", {"name": ""}, "还没有写小组名称"),
        ("/team/groups", {"name": "换货组"}, "已经有叫「换货组」的小组了"),
        ("/team/groups", {"name": "新组", "most": "很多"}, "每人最多几张要写整数"),
        ("/team/groups", {"name": "新组", "most": "0"}, "1 到 100000"),
        ("/team/groups", {"name": "新组", "member": "99"}, "成员里有不存在的账号"),
        ("/team/groups/1", {"name": " "}, "还没有写小组名称"),
        ("/team/rule", {"name": "", "team": "1"}, "还没有写规则名称"),
        ("/team/rule", {"name": "换货", "team": "1"}, "已经有叫「换货」的规则了"),
        ("/team/rule", {"name": "新的", "team": "x"}, "请选择分给哪个小组"),
        ("/team/rule", {"name": "新的", "team": "1", "words": "、".join(map(str, range(40)))}, "最多 30 个"),
        ("/team/rule", {"name": "新的", "team": "1", "old": "没有"}, "刚刚被别人改了名或删了"),
    ],
)
def test_a_wrong_group_or_rule_is_refused_and_nothing_is_half_done(office, browser, path, sent, said):
    answer = browser.post(path, list(sent.items()))
    assert answer.status in (409, 422)
    assert said in answer.text
    assert len(teams.versions(office.engine)) == 1
    assert [one.name for one in teams.groups(office.engine)] == ["换货组"]


# ── duty ──


def test_a_week_is_planned_and_shown_with_nights_and_gaps(office, browser):
    page = browser.get(f"/team/duty/{office.li.id}")
    hours = [("22:00", "06:00"), ("", "")] * 7
    sent = [pair for begins, ends in hours for pair in (("begins", begins), ("ends", ends))]
    answer = browser.send(page.form, sent)
    assert answer.status == 303, answer.text
    page = browser.get("/team/duty")
    assert "22:00–次日 06:00" in page.text
    assert "10-02 18:00 到 10-02 22:00 无人值班" in page.text
    assert "国庆节" in page.text
    assert browser.get(f"/team/duty/{office.li.id}").form.values.count(("begins", "22:00")) == 7


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([("09:00", ""), *[("", "")] * 13], "周一的班次要同时写上班和下班时间"),
        ([("25:00", "26:00"), *[("", "")] * 13], "周一的班次要同时写"),
        ([("09:00", "18:00"), ("17:00", "20:00"), *[("", "")] * 12], "周一的班次和前一班重叠了"),
        ([("09:00", "18:00")], "这张表单不完整"),
    ],
)
def test_a_wrong_week_is_refused_and_the_old_one_stays(office, browser, pairs, said):
    sent = [one for begins, ends in pairs for one in (("begins", begins), ("ends", ends))]
    refused(browser.post(f"/team/duty/{office.chen.id}", sent), said)
    assert len(duty.week(office.engine)) == 7


def test_an_exception_is_added_and_taken_back(office, browser):
    page = browser.get("/team/duty")
    made = form(page, "/team/duty")
    sent = made.filled(account=office.chen.id, begins="2026-10-03T09:00", ends="2026-10-03T18:00", reason="看牙")
    assert browser.send(made, sent).status == 303
    page = browser.get("/team/duty")
    assert "看牙" in page.text
    (change,) = duty.changes(office.engine, office.now, office.now + timedelta(days=5))
    browser.send(form(page, f"/team/duty/exception/{change.id}/remove"))
    assert "看牙" not in browser.get("/team/duty").text


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"account": "", "begins": "2026-10-03T09:00", "ends": "2026-10-03T18:00"}, "还没有选人"),
        ({"account": "1", "begins": "", "ends": "2026-10-03T18:00"}, "没有写时间"),
        ({"account": "1", "begins": "明天", "ends": "2026-10-03T18:00"}, "看不懂时间"),
        ({"account": "1", "begins": "2026-10-03T19:00", "ends": "2026-10-03T18:00"}, "结束时间要晚于开始时间"),
        ({"account": "1", "begins": "2026-10-03T19:00", "ends": "2027-10-03T18:00"}, "最长 62 天"),
        ({"account": "1", "begins": "2026-10-03T09:00", "ends": "2026-10-03T18:00", "reason": "长" * 201}, "太长了"),
    ],
)
def test_a_wrong_exception_is_refused(office, browser, sent, said):
    answer = browser.post("/team/duty", list(sent.items()))
    refused(answer, said)
    assert form(answer, "/team/duty").get("ends") == sent["ends"]
    assert duty.changes(office.engine, office.now, office.now + timedelta(days=5)) == []


# ── shops ──


def test_a_shop_is_added_and_renamed_with_its_platforms(office, browser):
    page = browser.get("/team/shops")
    browser.send(page.form, page.form.filled(name="羊毛二店", policy=["kuaishou", "wechat"]))
    (shop,) = [one for one in shops.everything(office.engine) if one.name == "羊毛二店"]
    assert shop.policies == ["kuaishou", "wechat"]
    page = browser.get(f"/team/shops/{shop.id}")
    browser.send(page.form, page.form.filled(name="羊毛旗舰店", policy=["wechat"]))
    assert "羊毛旗舰店" in browser.get("/team/shops").text


@pytest.mark.parametrize(
    ("sent", "said"),
    [({"name": ""}, "还没有写店铺名称"), ({"name": "店" * 61}, "太长了"), ({"name": "我的店铺"}, "已经有叫")],
)
def test_a_wrong_shop_is_refused(office, browser, sent, said):
    office.open()
    refused(browser.post("/team/shops", list(sent.items())), said)


def test_the_shop_of_the_settings_is_not_renamed_behind_their_back(office, browser):
    office.open()
    page = browser.get("/team/shops/1")
    assert "AFTERSALES_SHOP" in page.text
    refused(browser.send(page.form, page.form.filled(name="新名")), "请先把设置改成新名称")


# ── handing on ──


def test_tickets_are_handed_on_with_a_reason_and_found_by_the_receiver(office, signed_in):
    ticket = office.open()
    page = signed_in.get(f"/team/transfer?ticket={ticket.id}&back=/?owner=none")
    sent = page.form.filled(to="person:羊毛:li", reason="懂鞋", summary="买家要 43 码😀")
    answer = signed_in.send(page.form, sent)
    assert answer.response.headers["location"] == "/?owner=none"
    event = office.events(ticket.number)[-1]
    assert (event.actor_name, event.facts["reason"], event.facts["agent"]) == ("羊毛:chen", "懂鞋", "羊毛:li")
    assert office.ticket(ticket.number).due_at == ticket.due_at
    signed_in.post("/sign-in", [("login", "羊毛:li")])
    page = signed_in.get("/team")
    assert "懂鞋" in page.text
    assert "买家要 43 码😀" in page.text
    assert f"/t/{ticket.id}" in page.links
    assert "刚转给您" in signed_in.get(f"/t/{ticket.id}").text
    assert "刚转给您" not in signed_in.get(f"/t/{ticket.id}").text
    assert "懂鞋" not in signed_in.get("/team").text


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ([("to", "person:羊毛:li"), ("reason", "忙")], "还没有选工单"),
        ([("ticket", "1"), ("to", "person:羊毛:li"), ("reason", " ")], "还没有写原因"),
        ([("ticket", "1"), ("reason", "忙")], "还没有选转给谁"),
        ([("ticket", "1"), ("to", "person:x\x00:y"), ("reason", "忙")], "没有在用的账号"),
        (
            [("ticket", "1"), ("ticket", "99"), ("to", "person:羊毛:li"), ("reason", "忙")],
            "已转出 1 张，这 1 张没有转成",
        ),
        ([("ticket", "1"), ("to", "team:幽灵组"), ("reason", "忙")], "没有叫「幽灵组」的小组"),
        ([("ticket", "1"), ("to", "person:羊毛:li"), ("reason", "长" * 20_001)], "已转出 0 张"),
    ],
)
def test_a_wrong_transfer_is_refused_with_the_reason(office, browser, sent, said):
    office.open()
    refused(browser.post("/team/transfer", sent), said)


def test_where_to_go_afterwards_stays_on_this_site(office, browser):
    ticket = office.open()
    sent = [("ticket", str(ticket.id)), ("to", "person:羊毛:li"), ("reason", "忙"), ("back", "//evil.example/")]
    assert browser.post("/team/transfer", sent).response.headers["location"] == "/"


def test_what_nobody_has_is_dealt_out_after_a_look(office, signed_in):
    tickets = [office.open("refund") for _ in range(3)]
    assert "3 张工单没有负责人" in signed_in.get("/team").text
    page = signed_in.get("/team/balance")
    assert "3 张分不出去" in page.text
    refused(signed_in.post("/team/balance", []), "没有能分的工单")
    page = signed_in.get(f"/team/balance?otherwise={office.swaps}")
    assert "分配 3 张" in page.html
    answer = signed_in.send(page.form)
    assert answer.response.headers["location"] == "/team?done=dealt"
    assert {office.ticket(one.number).owner for one in tickets} == {"羊毛:chen"}
    assert transfers.team_of(office.engine, tickets[0].id) == (office.swaps, "换货组")
    assert queries.how_many_have(office.engine, None) == 0


# ── a moment ──


@pytest.mark.parametrize(
    ("asked", "due", "says"),
    [
        ("start=2026-09-29T14:20&n=7&unit=workdays", "2026-10-14 23:59:59", ["国庆节，跳过 7 天", "补班，算第 4 天"]),
        ("start=2026-09-29T14:20&n=48&unit=hours", "2026-10-01 14:20:00", ["起算", "第 1 至 2 天"]),
        ("start=2026-09-29T14:20&n=3&unit=civil_days&roll=1", "2026-10-08 23:59:59", ["第 1 至 3 天", "跳过 5 天"]),
        ("start=2026-09-29T14:20&rule=kuaishou/KS-EX-02", "2026-10-09 14:20:00", ["第 1 至 10 天"]),
        ("start=2026-12-30T10:00&n=5&unit=workdays", "2027-01-06 23:59:59", ["2027 年的放假安排还没有公布", "暂定"]),
        ("start=2026-09-29T14:20&n=400&unit=days", "2027-11-03 14:20:00", ["第 1 至 400 天"]),
    ],
)
def test_a_moment_is_counted_day_by_day(browser, asked, due, says):
    page = browser.get(f"/try?{asked}")
    assert f"到 {due}" in page.text
    for words in says:
        assert words in page.text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("start=x&n=7&unit=workdays", "看不懂时间"),
        ("start=2026-09-29T14:20&n=-7&unit=workdays", "时限要写整数"),
        ("start=2026-09-29T14:20&n=0&unit=days", "时限必须大于零"),
        ("start=2026-09-29T14:20&n=7&unit=weeks", "时限要写整数"),
        ("start=2026-09-29T14:20&rule=nobody", "没有这条规则"),
        ("start=2020-09-29T14:20&rule=kuaishou/KS-EX-01", "没有时限"),
        ("start=2026-09-29T14:20&n=999999&unit=hours", "超过十年"),
    ],
)
def test_a_moment_that_cannot_be_counted_says_why(browser, asked, said):
    refused(browser.get(f"/try?{asked}"), said)


def test_the_moment_stands_on_the_calendar_and_keeps_the_year(browser):
    page = browser.get("/team/calendar?year=2027&start=2026-09-29T14:20&n=7&unit=workdays")
    assert "到 2026-10-14 23:59:59" in page.text
    assert ("year", "2027") in form(page, "/team/calendar#try").hidden
    assert "暂定" in page.text


def test_the_calendar_shows_the_holidays_and_their_source(world, browser):
    page = browser.get("/team/calendar")
    assert "10-01–10-07放假 7 天 国庆节国务院公布" in page.text
    assert "10-10上班 调休上班" in page.text


def test_pages_ask_the_database_a_few_times_only(office, signed_in):
    """However many people, groups and tickets there are: no question for each."""
    from sqlalchemy import event

    for n in range(12):
        one = accounts.add(office.engine, f"羊毛:p{n}", f"人{n}", office.now)
        teams.add(office.engine, f"组{n}", members=[one.id])
        office.open()
    for path in (*TABS, "/team/transfer?owner=羊毛:chen", "/team/balance"):
        asked: list[str] = []
        event.listen(office.engine, "before_cursor_execute", lambda *told, into=asked: into.append(told[2]))
        assert signed_in.get(path).status == 200
        assert len(asked) < 40, (path, len(asked))


def test_the_clock_of_the_page_is_that_of_the_desk(office, browser):
    office.now = parse("2026-10-03 03:00:00")
    assert "10-03 09:00 接班" in browser.get("/team").text
