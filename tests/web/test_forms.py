"""Forms: drawn from the tables, kept when refused, taken once, and polite to whoever comes second."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from aftersales import decide
from aftersales.clock import now, whole_second
from aftersales.workflows.guards import buyer_informed
from aftersales.workflows.plain import PLAIN_ACTIONS
from aftersales.workflows.vocabulary import Step, Timeout
from tests.conftest import fresh_database
from tests.web.conftest import RULES, made_world

WORKFLOWS = RULES.catalog.workflows
STEPS = [
    pytest.param(key, move.name, id=f"{key}.{move.name}")
    for key, table in WORKFLOWS.items()
    for move in table.moves
    if isinstance(move, Step)
]
TIMEOUTS = [(key, move.name) for key, table in WORKFLOWS.items() for move in table.moves if isinstance(move, Timeout)]
WIDGETS = {"fen": "text", "int": "text", "time": "datetime-local", "bool": "checkbox", "choice": "select"}


def field_of(form, fact):
    """The form has the input for this fact, of the right kind, with its choices, marked if it must be filled in."""
    kind = form.kinds[fact.name]
    assert kind == WIDGETS.get(fact.kind, kind)
    assert kind in ("text", "textarea", "datetime-local", "checkbox", "select")
    if fact.choices:
        assert form.choices[fact.name] == ["", *(str(value) for value, _ in fact.choices)]


# ── drawn from the tables ──


@pytest.fixture(scope="module")
def shared():
    """One site for all that only look; each ticket in a shop of its own, so addresses are ids."""
    world = made_world(fresh_database("sqlite"))
    world.now = whole_second(now())
    return world, world.browser()


def placed(world, key, state, policy="kuaishou", **extra):
    return world.place(key, state, policy, shop=f"店铺{world.orders}", **extra)


@pytest.mark.parametrize(("key", "trigger"), STEPS)
def test_every_step_has_a_form_that_asks_for_its_facts(shared, key, trigger):
    world, browser = shared
    step = WORKFLOWS[key].move(trigger)
    ticket = placed(world, key, step.sources[0].name)
    page = browser.get(f"/t/{ticket.id}/{trigger}")
    assert page.status == 200
    form = page.form
    for fact in step.facts:
        field_of(form, fact)
        assert fact.label in page.text
    assert form.required == {fact.name for fact in step.asks}
    assert form.get("_version") == str(ticket.version)
    assert re.fullmatch(r"[\w-]{16,64}", form.get("_key"))
    assert form.get("_as") in {actor.value for actor in step.by}
    assert set(form.choices["_evidence"]) >= {"photo", "chat_log", "invoice"}
    uploads = {name for name in form.kinds if name.partition(":")[0] in ("_file", "_kind")}
    kinds = set(form.kinds) - {fact.name for fact in step.facts} - uploads
    contact = {"_channel", "_summary"} if buyer_informed in step.needs else set()
    assert kinds == {"_version", "_key", "_as", "_evidence"} | contact


@pytest.mark.parametrize("name", PLAIN_ACTIONS)
def test_every_plain_action_has_a_form(shared, name):
    world, browser = shared
    form = browser.get(f"/t/{world.open().id}/{name}").form
    for fact in (one for one in PLAIN_ACTIONS[name].facts if one.kind != "evidence"):
        field_of(form, fact)


@pytest.mark.parametrize("key", WORKFLOWS)
def test_every_type_has_a_form_to_open_it(shared, key):
    _, browser = shared
    page = browser.get(f"/new/{key}")
    opening = WORKFLOWS[key].openings()[0]
    for fact in opening.facts:
        field_of(page.form, fact)
    assert page.form.required == {"policy", "order_no", *(fact.name for fact in opening.asks)}
    assert f"/new/{key}" in browser.get("/new").links


def test_policies_with_a_clock_for_the_type_stand_first(shared):
    _, browser = shared
    assert browser.get("/new/exchange").form.choices["policy"][:2] == ["", "kuaishou"]
    assert browser.get("/new/refund").form.choices["policy"][:3] == ["", "kuaishou_local", "wechat"]


@pytest.mark.parametrize(("key", "trigger"), TIMEOUTS)
def test_what_only_the_clock_does_has_no_form(shared, key, trigger):
    world, browser = shared
    ticket = placed(world, key, WORKFLOWS[key].move(trigger).sources[0].name)
    assert browser.get(f"/t/{ticket.id}/{trigger}").status == 404


@pytest.mark.parametrize("policy", RULES.catalog.policies)
@pytest.mark.parametrize(
    ("key", "state"), [(key, state.name) for key, table in WORKFLOWS.items() for state in table.states]
)
def test_the_buttons_are_the_steps_that_the_engine_allows(shared, key, state, policy):
    world, browser = shared
    ticket = placed(world, key, state, policy, kind="return_refund", mode="mail_in")
    page = browser.get(f"/t/{ticket.id}")
    start = f"/t/{ticket.id}/"
    shown = {link.removeprefix(start).removesuffix("#form") for link in page.links if "?as=" in link}
    allowed = {
        f"{step.name}?as={actor}"
        for actor in ("agent", "buyer", "platform", "system")
        for step in decide.allowed(ticket, actor, world.now, RULES)
    }
    assert shown == allowed
    assert "代买家、平台或快递登记" in page.text or not allowed - {one for one in allowed if one.endswith("agent")}
    for link in allowed:
        assert browser.get(start + link).form.buttons


def test_a_step_that_is_not_possible_now_says_so_and_has_no_button(world, browser):
    number = world.open().number
    page = browser.get(f"/t/{number}/reship")
    assert "工单现在是「待商家审核」，不能「发出换货商品」" in page.text
    assert page.form.buttons == []


def test_a_step_says_where_it_leads_and_which_clock_it_starts(world, browser):
    number = world.open().number
    assert "→ 待买家寄回 开始「买家寄回原商品」10天，到 10-12 14:32" in browser.get(f"/t/{number}").text
    assert "暂停，还剩 48 小时" in browser.get(f"/t/{world.open('refund', 'wechat').number}").text


# ── refused ──


def test_a_refusal_keeps_everything_that_was_typed(world, browser):
    number = world.open("refund", "wechat").number
    form = browser.get(f"/t/{number}/propose").form
    typed = {"reason": "  第一行\n第二行 <b>&amp;\n", "amount_fen": "12.345"}
    answer = browser.send(form, form.filled(**typed, _evidence=["photo", "chat_log"]))
    assert answer.status == 422
    assert "没有办成。金额：金额「12.345」最多写两位小数" in answer.text
    again = answer.form
    assert again.get("reason") == typed["reason"]
    assert again.get("amount_fen") == "12.345"
    assert {value for name, value in again.values if name == "_evidence"} == {"photo", "chat_log"}
    assert again.get("_version") == form.get("_version")
    assert again.get("_key") != form.get("_key")
    assert browser.send(again, again.filled(amount_fen="12.34")).status == 303


def test_a_refused_opening_keeps_everything_too(world, browser):
    form = browser.get("/new/exchange").form
    typed = {
        "policy": "kuaishou", "order_no": "42", "item_no": "靴", "buyer": "梅", "shop": "分店", "authority": "platform",
        "paid_fen": "abc", "reason": "quality", "worn": "true", "note": "说明", "_as": "buyer",
        "receipt_confirmed_at": "2026-10-01T10:00",
    }  # fmt: skip
    answer = browser.send(form, form.filled(**typed))
    assert answer.status == 422
    assert "看不懂金额「abc」" in answer.text
    assert {name: answer.form.get(name) for name in typed} == typed


@pytest.mark.parametrize(
    ("trigger", "given", "says"),
    [
        ("reject", {}, "「驳回」还缺：拒绝理由"),
        ("reject", {"reason_code": "99"}, "没有「99」这个选项"),
        ("note", {"text": "   "}, "「备注」还缺：内容"),
        ("set_platform_deadline", {"due_at": "昨天"}, "看不懂时间「昨天」"),
        ("convert_to_refund", {"amount_fen": "0"}, "须有买家同意的记录"),
    ],
)
def test_each_mistake_is_named(world, browser, trigger, given, says):
    number = world.open().number
    form = browser.get(f"/t/{number}/{trigger}").form
    answer = browser.send(form, form.filled(**given))
    assert answer.status == 422
    assert says in answer.text
    assert world.ticket(number).version == 1


def test_who_may_not_do_it_is_told(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/approve").form
    answer = browser.send(form, [(name, "buyer" if name == "_as" else value) for name, value in form.values])
    assert answer.status == 422
    assert "只能由客服办理" in answer.text


def test_a_field_that_the_form_does_not_have_is_refused(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/approve").form
    answer = browser.send(form, [*form.values, ("version", "3")])
    assert answer.status == 422
    assert "不收「version」这一项" in answer.text


# ── sent twice, sent late ──


def test_a_double_click_is_one_effect(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/note").form
    sent = form.filled(text="一次")
    assert [browser.send(form, sent).status for _ in range(3)] == [303, 303, 303]
    assert [event.kind for event in world.events(number)] == ["move", "note"]


def test_a_double_click_on_a_step_is_one_effect(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/approve").form
    assert [browser.send(form).status for _ in range(2)] == [303, 303]
    assert world.ticket(number).version == 2


def test_a_double_click_opens_one_ticket(world, browser):
    form = browser.get("/new/exchange").form
    sent = form.filled(policy="kuaishou", order_no="1", paid_fen="1", reason="size")
    first, second = browser.send(form, sent), browser.send(form, sent)
    assert first.response.headers["location"] == second.response.headers["location"]
    [link] = [link for link in browser.get("/").links if link.startswith("/t/")]
    assert first.response.headers["location"] == link.replace("?in=", "?done=1")


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_clicks_at_the_same_instant_are_one_effect(kind, clock):
    world = clock(made_world(fresh_database(kind)))
    browsers, number = [world.browser() for _ in range(8)], world.open().number
    form = browsers[0].get(f"/t/{number}/approve").form
    with ThreadPoolExecutor(8) as pool:
        answers = [answer.status for answer in pool.map(lambda browser: browser.send(form), browsers)]
    assert answers == [303] * 8
    assert world.ticket(number).version == 2


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_of_two_agents_one_wins_and_the_other_is_told(kind, clock):
    world = clock(made_world(fresh_database(kind)))
    browsers = [world.browser() for _ in range(4)]
    for _ in range(5):
        number = world.open().number
        forms = [browser.get(f"/t/{number}/approve").form for browser in browsers]
        with ThreadPoolExecutor(4) as pool:
            answers = [answer.status for answer in pool.map(lambda browser, form: browser.send(form), browsers, forms)]
        assert sorted(answers) == [303, 409, 409, 409]
        assert world.ticket(number).version == 2


def test_a_stale_form_loses_politely(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/convert_to_refund").form
    world.do(world.ticket(number), "note", text="旧的提醒")
    world.now += timedelta(minutes=1)
    world.do(world.ticket(number), "approve", return_address="杭州仓")
    answer = browser.send(form, form.filled(amount_fen="100", _evidence=["chat_log"], _as="agent"))
    assert answer.status == 409
    assert "工单在您打开之后已有变动" in answer.text
    changes = answer.text.split("您打开表单之后发生了")[1].split("您填的内容都在下面")[0]
    assert "客服 同意换货 待商家审核 → 待买家寄回" in changes
    assert "旧的提醒" in changes
    assert "申请换货" not in changes
    again = answer.form
    assert again.get("amount_fen") == "100"
    assert again.get("_evidence") == "chat_log"
    assert again.get("_version") == "3"
    assert world.ticket(number).version == 3
    assert browser.send(again).status == 303
    assert world.ticket(number).state == "converted_to_refund"


def test_a_stale_form_for_a_step_that_is_gone_keeps_the_text_and_has_no_button(world, browser):
    number = world.open("refund", "wechat").number
    form = browser.get(f"/t/{number}/propose").form
    world.do(world.ticket(number), "cancel", "buyer")
    answer = browser.send(form, form.filled(reason="写了很久的理由"))
    assert answer.status == 409
    assert answer.form.get("reason") == "写了很久的理由"
    assert answer.form.buttons == []


def test_the_clock_that_ran_out_in_the_same_second_wins_and_is_shown(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/approve").form
    world.now += timedelta(hours=48)
    on_time = world.open().number  # due later: its own form is not stale
    assert browser.send(browser.get(f"/t/{on_time}/approve").form).status == 303
    world.now += timedelta(seconds=1)
    answer = browser.send(form)
    assert answer.status == 409
    assert "系统 逾期未处理，视为同意换货" in answer.text
    assert [event.actor for event in world.events(number)] == ["buyer", "system"]


def test_a_step_taken_at_the_very_due_time_is_on_time(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/approve").form
    world.now += timedelta(hours=48)
    assert browser.send(form).status == 303
    assert world.events(number)[-1].actor == "agent"


def test_going_back_and_sending_something_else_is_another_attempt(world, browser):
    number = world.open().number
    form = browser.get(f"/t/{number}/note").form
    assert browser.send(form, form.filled(text="第一次")).status == 303
    answer = browser.send(form, form.filled(text="第二次"))
    assert answer.status == 409
    assert "这张表单刚才已经提交过" in answer.text
    assert "客服 写了备注（买家看不到）第一次" in answer.text
    assert answer.form.get("text") == "第二次"
    assert browser.send(answer.form).status == 303
    assert [event.facts["text"] for event in world.events(number) if event.kind == "note"] == ["第一次", "第二次"]


def test_going_back_to_an_opening_and_sending_something_else_is_another_attempt_too(world, browser):
    form = browser.get("/new/exchange").form
    given = {"policy": "kuaishou", "order_no": "1", "paid_fen": "1", "reason": "size"}
    first = browser.send(form, form.filled(**given))
    answer = browser.send(form, form.filled(**given | {"order_no": "2"}))
    assert answer.status == 409
    assert "这张表单刚才已经提交过" in answer.text
    second = browser.send(answer.form)
    assert second.status == 303
    assert second.response.headers["location"] != first.response.headers["location"]


# ── texts of all kinds ──

PROBES = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'--{{7*7}}${7*7}", "</textarea><script>x</script>",
    "</option></select><b>", "javascript:alert(1)", "𠮷野家 👩‍👩‍👧‍👦 ﷽ \u202eevil", "a\u2028b\u2029c",
]  # fmt: skip


@pytest.mark.parametrize("probe", PROBES)
def test_markup_in_any_text_is_shown_as_text(world, browser, probe):
    form = browser.get("/new/exchange").form
    given = {"policy": "kuaishou", "paid_fen": "1", "reason": "size", "order_no": probe, "item_no": probe}
    given |= {"buyer": probe, "shop": probe, "ship_to": probe, "note": probe}
    location = browser.send(form, form.filled(**given)).response.headers["location"]
    number = location.removeprefix("/t/").removesuffix("?done=1")
    for trigger, facts in (
        ("note", {"text": probe}), ("assign", {"agent": probe}), ("add_evidence", {"kind": "photo", "note": probe}),
        ("record_contact", {"channel": "im", "summary": probe}), ("approve", {"return_address": probe}),
        ("submit_return_waybill", {"waybill_no": "SF12345678", "courier": probe}),
    ):  # fmt: skip
        browser.do(f"/t/{number}/{trigger}", **facts)
    ticket, queue = browser.get(f"/t/{number}"), browser.get("/")
    form = browser.get(f"/t/{number}/change_return_waybill").form
    refused = browser.send(form, form.filled(waybill_no=probe, courier=probe))
    assert refused.status == 422
    for page in (ticket, queue, refused):
        assert not [a for tag, a in page.tags if tag == "img" or (tag == "script" and "src" not in a)]
        assert all(not name.startswith("on") for _, attributes in page.tags for name in attributes)
        assert " ".join(probe.split()) in page.text or page is refused
    assert refused.form.get("courier") == probe


@pytest.mark.parametrize("name", ['name"><script>', "_version", "_key"])
def test_markup_in_names_and_hidden_fields_is_harmless(world, browser, name):
    number = world.open().number
    form = browser.get(f"/t/{number}/approve").form
    answer = browser.send(form, [*form.values, (name, "<script>x</script>")])
    assert answer.status in (400, 422)
    assert "<script>" not in answer.html


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
@pytest.mark.parametrize("text", ["a\0b", "\0", "\ud800", "a" * 20_001, "好" * 200_000, "\r\n\t ", "😀" * 300])
def test_no_text_is_an_error_of_ours(kind, text, clock):
    world = clock(made_world(fresh_database(kind)))
    browser, number = world.browser(), world.open().number
    raw = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    for path in (f"/t/{number}/note", f"/t/{number}/assign", f"/t/{number}/approve", "/new/lost_parcel"):
        form = browser.get(path).form
        names = [name for name, kind in form.kinds.items() if kind in ("text", "textarea", "datetime-local", "select")]
        answer = browser.send(form, form.filled(**dict.fromkeys(names, raw)))
        assert answer.status in (303, 422, 413), answer.text
        assert answer.status != 413 or "最多 2 MB" in answer.text
        if answer.status == 422:
            assert "没有办成" in answer.text or "没有提交" in answer.text
            assert answer.form.action == path


@pytest.mark.parametrize("number", ["--5", "9" * 5000, "²", "１２", "1e9", "True", "1_000", "-1", "1000001"])
def test_no_number_is_an_error_of_ours(world, browser, number):
    ticket = world.place("repair", "pending_merchant_review")
    form = browser.get(f"/t/{ticket.number}/approve_mail_in").form
    answer = browser.send(form, form.filled(announced_days=number))
    assert answer.status == 422
    assert "告知买家的维修周期（天）" in answer.text
    assert answer.form.get("announced_days") == number


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
@pytest.mark.parametrize("field", ["order_no", "item_no", "buyer", "shop", "waybill_no"])
@pytest.mark.parametrize("text", ["a\0b", "x" * 5000])
def test_texts_that_are_looked_for_are_checked_before(kind, field, text, clock):
    world = clock(made_world(fresh_database(kind)))
    form = (browser := world.browser()).get("/new/lost_parcel").form
    given = {"policy": "kuaishou", "order_no": "1", "waybill_no": "SF123", "issue": "lost", "paid_fen": "1"}
    answer = browser.send(form, form.filled(**{**given, field: text}))
    assert answer.status == 422
    assert "含有不能保存的字符" in answer.text or "太长了" in answer.text
    assert answer.form.get(field) == text


# ── addresses ──


@pytest.mark.parametrize(
    "path",
    [
        "/t/EX-990101-0001", "/t/999999", "/t/0", "/t/" + "9" * 18, "/t/" + "9" * 40, "/t/%C2%B2", "/t/%00",
        "/t/%ED%A0%80", "/t/EX'--", "/t/-", "/t/EX-990101-0001/approve", "/t/EX-990101-0001.json",
        "/new/nothing", "/nothing", "/t/",
    ],
)  # fmt: skip
def test_what_is_not_there_is_not_found(browser, path):
    response = browser.client.get(path)
    assert response.status_code == 404
    assert "没有" in response.text


@pytest.mark.parametrize("trigger", ["nothing", "auto_approve", "apply", "import_from_platform", "__class__"])
def test_a_step_that_is_not_there_is_not_found(world, browser, trigger):
    number = world.open().number
    assert browser.get(f"/t/{number}/{trigger}").status == 404
    form = browser.get(f"/t/{number}/approve").form
    assert browser.post(f"/t/{number}/{trigger}", form.values).status == 404


def test_a_ticket_is_also_found_by_its_id(world, browser):
    ticket = world.open()
    page = browser.get(f"/t/{ticket.id}")
    assert ticket.number in page.text
    assert f"/t/{ticket.id}/approve?as=agent#form" in page.links
    answer = browser.send(browser.get(f"/t/{ticket.id}/approve").form)
    assert answer.response.headers["location"] == f"/t/{ticket.id}?done=2"


def test_a_ticket_as_json_comes_with_its_explanation(world, browser):
    ticket = world.open(note="\"<'")
    told = browser.client.get(f"/t/{ticket.number}.json").json()
    assert told["number"] == ticket.number
    assert told["fields"]["note"] == "\"<'"
    assert told["due_at"] == "2026-10-04T06:32:00Z"
    assert told["explanation"]["clocks"][0]["cited"]["rule"] == "KS-EX-01"


def test_the_page_explains_the_time(world, browser):
    page = browser.get(f"/t/{world.open().number}")
    assert "为什么是这个时间" in page.text
    assert "应在48小时内处理" in page.text
