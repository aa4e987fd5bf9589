"""The rules room: every book on every kind of day, one rule, changes, the checker, drafts, machines, tables to take."""

import io
import logging
import os
import re
from datetime import date, timedelta

import pytest
from python_calamine import CalamineWorkbook
from starlette.testclient import TestClient

from aftersales.application import CurrentRules
from aftersales.catalog import RuleBook
from aftersales.checking.sources import PACKAGE
from aftersales.clock import parse
from aftersales.rule_files import StoredRuleFiles
from aftersales.settings import Settings
from tests.unit.test_rule_queries import with_new_version
from tests.web.conftest import BROWSER_SAYS, Browser, Page, made_world
from tests.web.languages import untranslated
from web.app import create_app
from web.pages.rules.lines import diff_of

POLICIES = ("kuaishou", "kuaishou_local", "wechat", "taobao", "statute")
PAGES = [
    "/rules",
    *(f"/rules/{key}" for key in (*POLICIES, "house")),
    "/rules/kuaishou?on=2022-09-29",
    "/rules/kuaishou?type=repair&q=KS-RP",
    "/rules/kuaishou?q=没有这样的字",
    "/rules/kuaishou/rule/KS-EX-01",
    "/rules/kuaishou/rule/KSO-01",
    "/rules/wechat/rule/WX-G3",
    "/rules/kuaishou_local/rule/KS-LL-04?on=2026-09-29",
    "/rules/kuaishou/rule/KS-EX-01?on=2022-01-01",
    "/rules/statute/rule/LAW-01",
    "/rules/kuaishou/history",
    "/rules/kuaishou/diff",
    "/rules/kuaishou/diff?from=2026-10-01&to=2026-10-02",
    "/rules/check",
    "/rules/check?name=kuaishou",
    "/rules/assumed",
    *(f"/rules/machines/{key}" for key in ("exchange", "repair", "refund", "lost_parcel", "bad_review")),
    "/rules/machines/refund?policy=wechat&on=2026-10-02",
]


def shipped(name):
    return (PACKAGE / "policies" / f"{name}.py").read_text(encoding="utf-8")


def ids(page):
    return [attributes["id"] for _, attributes in page.tags if attributes.get("id")]


def row(page, anchor):
    found = re.search(rf'<tr role="row" id="{re.escape(anchor)}".*?</tr>', page.html, re.DOTALL)
    assert found, f"no row {anchor}"
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[0])).strip()


def spoken(page):
    """The text with a space wherever a tag stood."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.html))


def own_words(html):
    """Without the parts that other rooms bring along, which have tests of their own."""
    html = re.sub(r'<section class="card" id="try".*?</section>', "", html, flags=re.DOTALL)
    return re.sub(r'<svg class="machine".*?</svg>', "", html, flags=re.DOTALL)


# ── every page ──


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_whole_in_both_languages(world, path):
    world.inspecting()
    for language in ("zh-CN", "en"):
        client = TestClient(create_app(world.desk, lambda: world.rules, world.settings))
        client.cookies.set("language", language)
        page = Page(client.get(path))
        assert page.status == 200
        assert len(ids(page)) == len(set(ids(page))), "an id stands twice"
        assert sum(tag == "h1" for tag, _ in page.tags) == 1
        if language == "en":
            assert untranslated(own_words(page.html)) == []


def test_every_link_of_the_room_leads_somewhere(browser, world):
    world.inspecting()
    seen: set[str] = set()
    for path in ("/rules/kuaishou", "/rules/wechat", "/rules/statute", "/rules/house", "/rules/machines/refund",
                 "/rules/assumed", "/rules/check", "/rules/kuaishou/diff"):  # fmt: skip
        page = browser.get(path)
        for link in page.links:
            target, _, anchor = link.partition("#")
            if (target or path).startswith("/rules") and (target or path) not in seen:
                seen.add(target or path)
                assert browser.client.get(target or path).status_code == 200, link
            if anchor and not target:
                assert anchor in ids(page), link
    assert len(seen) > 60


# ── one book on one day ──


@pytest.mark.parametrize(
    ("now", "shown"),
    [("2022-09-29 23:59:59", False), ("2022-09-30 00:00:00", True), ("2022-09-30 00:00:01", True)],
)
def test_without_a_day_the_book_is_that_of_today_in_beijing(world, browser, now, shown):
    world.now = parse(now)
    assert ("KS-EX-01" in ids(browser.get("/rules/kuaishou"))) is shown


@pytest.mark.parametrize(("on", "shown"), [("2022-09-29", False), ("2022-09-30", True), ("2026-10-02", True)])
def test_the_book_of_a_day(browser, on, shown):
    page = browser.get(f"/rules/kuaishou?on={on}")
    assert ("KS-EX-01" in ids(page)) is shown
    assert "KSO-01" in ids(page)  # of a text without a date: taken to hold always
    assert f'value="{on}"' in page.html


def test_before_everything_the_page_says_when_it_begins(browser):
    page = browser.get("/rules/kuaishou_local?on=2022-12-21&type=exchange")
    assert "没有符合的规则" in page.text
    assert "KS-LL-04" not in ids(page)


def test_a_row_says_everything_of_a_rule(world, browser):
    world.open()
    said = row(browser.get("/rules/kuaishou"), "KS-EX-01")
    for words in ("待商家审核", "商家处理换货申请", "等商家", "48 小时", "滚动", "从申请起", "节假日不停",
                  "逾期未处理，视为同意换货", "系统转到「待买家寄回」", "假定", "买家修改申请后重新计48小时（决定 7）",
                  "商户应在48小时内处理", "《快手小店售后服务管理规则》", "2022-09-30 版", "1 张"):  # fmt: skip
        assert words in said, words


def test_what_is_off_or_unlimited_says_so(browser):
    assert "没有启用" in row(browser.get("/rules/taobao"), "TB-01")
    assert "不限时" in row(browser.get("/rules/kuaishou"), "KS-EX-G1")
    assert "由店铺内部目标提醒" in row(browser.get("/rules/kuaishou"), "KS-EX-G1")


def test_ids_that_stand_for_two_rules_have_two_anchors(browser):
    assert {"KSO-01", "KSO-01-2"} <= set(ids(browser.get("/rules/kuaishou")))
    assert {"KS-LL-04", "KS-LL-04-2"} <= set(ids(browser.get("/rules/kuaishou_local")))


def test_the_number_of_tickets_opens_exactly_them(world, browser):
    world.open()
    world.open()
    world.open(policy="wechat", workflow="refund", kind="return_refund")
    page = browser.get("/rules/kuaishou")
    assert "2 张" in row(page, "KS-EX-01")
    assert "/?policy=kuaishou&state=exchange.pending_merchant_review" in page.links
    queue = browser.get("/?policy=kuaishou&state=exchange.pending_merchant_review")
    assert "订单0001" in queue.text or world.ticket("EX-261002-0001").number in queue.text


def test_the_number_is_kept_for_half_a_minute_and_then_counted_again(world, browser):
    world.open()
    assert "1 张" in row(browser.get("/rules/kuaishou"), "KS-EX-01")
    world.open()
    world.now += timedelta(seconds=29)
    assert "1 张" in row(browser.get("/rules/kuaishou"), "KS-EX-01")
    world.now += timedelta(seconds=2)
    assert "2 张" in row(browser.get("/rules/kuaishou"), "KS-EX-01")


def test_finding_by_id_by_words_and_by_type(browser):
    def found(asked):
        return {one for one in ids(browser.get(f"/rules/kuaishou?{asked}")) if re.match("KS|LAW", one)}

    assert found("q=ks-ex-01") == {"KS-EX-01"}
    assert found("q=拆包验货") == {"KS-EX-03"}
    assert found("type=repair") == {one for one in found("") if one.startswith("KS-RP")}
    assert found("type=repair&q=KS-EX") == set()
    assert found("type=nonsense") == set()


def test_what_was_asked_for_is_never_markup(browser):
    page = browser.get('/rules/kuaishou?q="><script>alert(1)</script>')
    assert "<script>alert" not in page.html


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/rules/pinduoduo", 404, "没有「pinduoduo」这本规则；有的是 kuaishou、"),
        ("/rules/kuaishou/rule/KS-EX-99", 404, "没有编号为「KS-EX-99」的规则，是不是"),
        ("/rules/kuaishou/rule/WX-01", 404, "没有编号为「WX-01」的规则"),
        ("/rules/find/zzz", 404, "没有编号为「zzz」的规则，请核对编号"),
        ("/rules/machines/return", 404, "没有「return」这种工单；有的是 exchange、"),
        ("/rules/machines/refund?policy=jd", 404, "没有「jd」这本规则"),
        ("/rules/kuaishou?on=昨天", 422, "看不懂日期「昨天」，请写成 2026-10-02 这样"),
        ("/rules/kuaishou?on=2026-02-30", 422, "看不懂日期「2026-02-30」"),
        ("/rules/kuaishou?on=9999-12-31", 422, "日期 9999-12-31 太远，请写 2000 年到 2100 年之间的日子"),
        ("/rules/kuaishou/diff?from=x", 422, "看不懂日期「x」"),
        ("/rules/kuaishou/export.pdf", 404, "只能导出 csv 或 xlsx"),
        ("/rules/" + "长" * 300, 404, "没有「"),
    ],
)
def test_an_address_that_leads_nowhere_says_what_to_do(browser, path, status, sentence):
    page = browser.get(path)
    assert page.status == status
    assert sentence in page.text


@pytest.mark.parametrize(
    ("id", "to"),
    [
        ("KS-EX-01", "/rules/kuaishou#KS-EX-01"),
        ("WX-05", "/rules/wechat#WX-05"),
        ("LAW-01", "/rules/statute#LAW-01"),
        ("LAW-02", "/rules/statute#LAW-02"),
        ("HS-01", "/rules/house#HS-01"),
    ],
)
def test_a_rule_is_found_by_its_id_alone(browser, id, to):
    answer = browser.get(f"/rules/find/{id}")
    assert (answer.status, answer.response.headers["location"]) == (303, to)
    assert id in ids(browser.get(to.partition("#")[0]))


# ── one rule ──


def test_worked_dates_go_over_a_holiday(browser):
    text = spoken(browser.get("/rules/kuaishou_local/rule/KS-LL-04?on=2026-09-29"))
    assert "2026-09-29 10:00:00 2026-10-14 23:59:59 10-01…10-07 国庆节 ， 10-11 周日" in text


def test_rolling_time_counts_every_day(browser):
    text = spoken(browser.get("/rules/kuaishou/rule/KS-EX-01?on=2026-10-02"))
    assert "2026-10-02 10:00:00 2026-10-04 10:00:00 每天都算" in text


def test_tickets_are_listed_under_the_version_they_run_under(world, browser):
    world.open()
    page = browser.get("/rules/kuaishou/rule/KS-EX-01")
    assert "2022-09-30 版 1 张" in spoken(page)


def test_the_law_names_the_platforms_that_go_by_it(browser):
    page = browser.get("/rules/statute/rule/LAW-01")
    for label in ("快手小店", "快手本地生活", "微信小店", "淘宝"):
        assert label in page.text
    assert "/rules/wechat#LAW-01" in page.links


# ── versions ──


@pytest.fixture
def coming_world(sqlite_url, clock):
    return clock(made_world(sqlite_url, with_new_version("2026-10-04")))


def test_a_coming_version_is_announced_with_the_tickets_it_meets(coming_world):
    ticket = coming_world.open()
    coming_world.open(ago=20)
    page = coming_world.browser().get("/rules/kuaishou")
    assert "2026-10-04 起换新版 《新规》：改 1 条" in page.text
    assert "1 张工单的下一个时限会按新版" in page.text
    assert f"/t/{ticket.id}" in page.links
    assert "/rules/kuaishou/diff?from=2026-10-02&to=2026-10-04" in page.links
    coming_world.now = parse("2026-10-04 00:00:00")
    assert "起换新版" not in coming_world.browser().get("/rules/kuaishou").text


def test_a_change_is_told_with_what_it_touches(coming_world):
    ticket = coming_world.open()
    coming_world.do(ticket, "approve")
    page = coming_world.browser().get("/rules/kuaishou/diff")  # today against the next version
    assert "2026-10-02 到 2026-10-04" in page.text
    assert "<del>10 天</del>" in page.html
    assert "<ins>7 天</ins>" in page.html
    assert "已开始的 1 张仍按原来的走完" in page.text


def test_days_the_wrong_way_round_are_put_right(browser):
    one = browser.get("/rules/kuaishou/diff?from=2022-09-30&to=2022-09-29")
    assert "2022-09-29 到 2022-09-30" in one.text
    assert "新增这一条" in one.text


# ── the operator's files ──


@pytest.fixture
def own(sqlite_url, clock, tmp_path):
    """A world whose Kuaishou rules are the operator's own: (world, write a rule file and look again, client)."""
    logging.getLogger("aftersales.catalog").setLevel(logging.CRITICAL)
    world = clock(made_world(sqlite_url))
    folder = tmp_path / "rules"
    folder.mkdir()
    write_file(folder, "kuaishou", shipped("kuaishou").replace("hours(48)", "hours(72)"), 1)
    settings = Settings(database_url=sqlite_url, shop="我的店铺", rules_dir=folder)
    book = RuleBook(folder, StoredRuleFiles(world.engine))
    app = create_app(world.desk, CurrentRules(book, settings), settings, rule_problems=lambda: book.problems)
    writes = iter(range(2, 100))

    def write(name, text):
        write_file(folder, name, text, next(writes))
        book.refresh()

    yield world, write, Browser(TestClient(app))
    logging.getLogger("aftersales.catalog").setLevel(logging.NOTSET)


def write_file(folder, name, text, second):
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    os.utime(folder / f"{name}.py", (1_800_000_000 + second, 1_800_000_000 + second))


def test_the_operators_file_is_in_force_and_its_lines_are_shown(own):
    _, _, browser = own
    assert "72 小时" in row(browser.get("/rules/kuaishou"), "KS-EX-01")
    page = browser.get("/rules/kuaishou/diff")
    assert "运营自己的文件" in page.text
    assert 'class="de"' in page.html
    assert "hours(72)" in page.text


def test_a_refused_file_is_told_with_line_and_remedy_while_the_last_good_one_holds(own):
    _, write, browser = own
    write("kuaishou", shipped("kuaishou").replace("hours(48)", "hour(72)"))
    assert "72 小时" in row(browser.get("/rules/kuaishou"), "KS-EX-01")
    assert "规则文件有 1 处错误，新文件没有启用" in browser.get("/rules/kuaishou").text
    page = browser.get("/rules/check")
    assert "是不是「hours」" in page.text
    assert re.search(r"第 \d+ 行 · T", page.text)
    assert "这期间一直按上一个正确的版本走：10-02 14:32 启用的" in page.text
    assert "hour(72)" in page.text  # the lines that differ from what is in force
    write("kuaishou", shipped("kuaishou"))
    assert "检查通过" in browser.get("/rules/check").text


def test_a_new_platform_with_a_mistake_leaves_the_built_in_rules(own):
    _, write, browser = own
    write("pinduoduo", "x = 1 +")
    page = browser.get("/rules/check")
    assert "按随产品来的规则走" in page.text
    assert "pinduoduo.py" in page.text


# ── drafts ──


def draft(browser, name, text):
    page = browser.get("/rules/check")
    [form] = [form for form in page.forms if form.action.startswith("/rules/check")]
    return Page(browser.client.post(form.action.partition("#")[0], data={"name": name, "text": text},
                                    headers=BROWSER_SAYS))  # fmt: skip


def test_a_draft_is_judged_and_nothing_comes_into_force(world, browser):
    world.open()
    page = draft(browser, "kuaishou", shipped("kuaishou").replace("hours(48)", "hours(72)"))
    assert page.status == 200
    assert "可以启用" in page.text
    assert "<del>48 小时</del>" in page.html
    assert "<ins>72 小时</ins>" in page.html
    assert "有 1 张工单正在走：它们都不变" in page.text
    assert "hours(72)" in page.html  # what was sent is still in the box
    assert "48 小时" in row(browser.get("/rules/kuaishou"), "KS-EX-01")


def test_a_draft_with_a_mistake_says_which_line(browser):
    page = draft(browser, "kuaishou", shipped("kuaishou").replace("Exchange.auto_approve", "Exchange.auto_aprove"))
    assert "不能启用" in page.text
    assert "auto_approve" in page.text
    assert re.search(r"第 \d+ 行 · T", page.text)


def test_a_draft_of_the_house_rules_does_not_pass_for_unchanged(browser):
    page = draft(browser, "house", shipped("house").replace("hours(4)]", "hours(2)]"))
    assert "可以启用" in page.text
    assert "店内约定只管提醒" in page.text
    assert "hours(2)" in page.text


def test_a_file_may_be_sent_instead_and_names_itself(browser):
    sent = {"file": ("kuaishou.py", shipped("kuaishou").encode(), "text/x-python")}
    page = Page(browser.client.post("/rules/check", data={"name": "", "text": ""}, files=sent, headers=BROWSER_SAYS))
    assert "与正在使用的规则说的一样" in page.text
    assert 'value="kuaishou"' in page.html


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("kuaishou", "", "没有收到草稿"),
        ("kuaishou", "x" * 300_001, "草稿超过 30 万字"),
        ("../../etc/passwd", "x = 1", "不能用；请用小写字母"),
        ("快手", "x = 1", "不能用；请用小写字母"),
        ("vocabulary", "x = 1", "不能用；请用小写字母"),
        ("", "x = 1", "不能用；请用小写字母"),
        ("kuaishou", "x\x00", "草稿里有不是文字的内容"),
    ],
)
def test_what_is_no_draft_is_refused_with_the_reason(browser, name, text, sentence):
    page = draft(browser, name, text)
    assert page.status == 422
    assert sentence in page.text


def test_a_file_that_is_not_text_is_refused(browser):
    sent = {"file": ("kuaishou.py", b"\xff\xfe\x00", "text/x-python")}
    page = Page(browser.client.post("/rules/check", data={}, files=sent, headers=BROWSER_SAYS))
    assert page.status == 422
    assert "UTF-8" in page.text


def test_a_draft_from_another_site_is_refused(browser):
    answer = browser.client.post("/rules/check", data={"text": "x"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


# ── tables to take away ──


def test_the_book_as_csv(browser):
    answer = browser.client.get("/rules/kuaishou/export.csv?on=2026-10-02")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    text = answer.content.decode("utf-8-sig")
    line = next(line for line in text.splitlines() if line.startswith("KS-EX-01"))
    assert "48 小时" in line
    assert "逾期未处理，视为同意换货" in line


def test_the_book_as_a_spreadsheet_in_english(browser):
    browser.client.cookies.set("language", "en")
    content = browser.client.get("/rules/wechat/export.xlsx").content
    rows = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()
    assert rows[0][0] == "Id"
    assert {"WX-01", "WX-05", "LAW-02"} <= {row[0] for row in rows}


# ── lines of two files ──


def test_lines_that_changed_have_the_numbers_of_their_own_file():
    before = "\n".join(f"line {number}" for number in range(20))
    after = before.replace("line 10", "changed").replace("line 3\n", "")
    told = [(line.sign, line.number, line.text) for line in diff_of(before, after).lines if line.sign in "+-"]
    assert told == [("-", 4, "line 3"), ("-", 11, "line 10"), ("+", 10, "changed")]


def test_lines_that_look_like_headings_of_a_diff_are_kept():
    assert [line.text for line in diff_of("--- a", "+++ b").lines if line.sign in "+-"] == ["--- a", "+++ b"]


def test_a_very_long_text_is_not_compared():
    assert diff_of("", "x\n" * 5001).too_long


def test_age_of_what_is_assumed(world, browser):
    world.now = parse("2026-12-03 09:00:00")
    page = browser.get("/rules/assumed")
    assert "最久的 10 天没有核对原文" in page.text
    assert "10 天前核对" in page.text
    assert date(2026, 12, 3) - date(2026, 11, 23) == timedelta(days=10)
