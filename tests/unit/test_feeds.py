"""What platforms tell: read by tables, followed through the one door, compared, and nothing done twice."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from aftersales import audit, clock, database, queries, store
from aftersales.catalog import built_in
from aftersales.clock import parse
from aftersales.decide import Imported, NewTicket, Rules
from aftersales.desk import Command, Desk
from aftersales.errors import Refused
from aftersales.feeds import PLATFORMS, TITLES, compare, follow, kuaidi100, reconcile
from aftersales.feeds import parcel as parcels
from aftersales.feeds import report as reports
from aftersales.feeds.receive import NotTaken, receive
from aftersales.feeds.report import Nothing, Parcel, Report, Unclear
from aftersales.feeds.verify import HMAC, signature
from aftersales.feeds.work import WAYBILL_KEPT, work
from aftersales.office import feeds as office
from aftersales.office import said
from aftersales.work_calendar import WorkCalendar
from aftersales.workflows.vocabulary import Step

RULES = Rules(built_in(), WorkCalendar.default())
NOW = parse("2026-10-02 10:00:00")
HOUR = timedelta(hours=1)
VOCABULARY = (Path(__file__).parents[2] / "docs/domain/vocabulary.md").read_text(encoding="utf-8")


class Shop:
    """A desk with one shop that is told things."""

    def __init__(self, url):
        self.desk = Desk(database.create_engine(url), lambda: RULES)
        with database.writing(self.desk.engine) as connection:
            self.id = store.shop_id_of(connection, "甲")
        self.secrets = {platform: office.connect(self.desk.engine, self.id, platform, HMAC, NOW) for platform in TITLES}
        self.count = 0

    def tell(self, platform, told, at=NOW, message_id=None, **changed):
        self.count += 1
        body = told if isinstance(told, bytes) else json.dumps(told).encode()
        message_id, stamp = message_id or f"m{self.count}", str(int(at.timestamp()))
        headers = {
            "x-feed-id": message_id, "x-feed-timestamp": stamp,
            "x-feed-signature": signature(self.secrets[platform], message_id, stamp, body), **changed,
        }  # fmt: skip
        return receive(self.desk.engine, platform, str(self.id), headers, body, at)

    def work(self, at=NOW):
        return work(self.desk, lambda: at)

    def messages(self, state=None):
        return [one for one in reversed(office.last(self.desk.engine)) if state in (None, one.state)]

    def ticket(self, number="8001"):
        with database.reading(self.desk.engine) as connection:
            found = store.find_platform_no(connection, self.id, "kuaishou", number)
        return None if found is None else queries.ticket(self.desk.engine, found)

    def local(self, workflow="exchange", **facts):
        """One that was opened here, and has a number there."""
        told = {"paid_fen": 19900, "reason": "other", **facts}
        new = NewTicket(workflow, "kuaishou", "apply", "buyer", NOW - HOUR, told, "D1", "I1", platform_no="8001")
        return self.desk.open(new, shop="甲")

    def sound(self):
        found = audit.audit(self.desk.engine, RULES)
        assert found.ok, audit.render(found)


@pytest.fixture
def shop(database_url):
    return Shop(database_url)


def ks(status, at=NOW, number="8001", kind=1, **more):
    return {
        "refundId": number, "status": status, "handlingWay": kind, "updateTime": int(at.timestamp() * 1000),
        "oid": "D1", "skuId": "I1", "payFee": 19900, "refundFee": 19900, **more,
    }  # fmt: skip


def ks_report(status, **more):
    [found] = reports.read(PLATFORMS["kuaishou"], ks(status, **more), NOW)
    return found


def courier(number, state, at=NOW, message=""):
    return {"message": message, "lastResult": {"nu": number, "state": state, "data": [{"time": int(at.timestamp())}]}}


# ── the vocabulary document, walked ──


def section(number):
    return re.search(rf"### {re.escape(number)} .*?(?=\n### |\Z)", VOCABULARY, re.DOTALL).group()


def rows(number):
    """The first cells of the tables of a section."""
    return [line.split("|")[1].strip() for line in section(number).splitlines() if re.match(r"\| [^-]", line)][1:]


def codes_of(platform):
    if platform == "taobao":
        return {code for cell in rows("3.1") for code in re.findall(r"[A-Z_]{5,}", cell)}
    if platform == "kuaishou":
        return {code for cell in rows("3.2") for code in re.findall(r"\d+", cell)}
    if platform == "douyin":
        return {code for cell in rows("3.3") for code in re.findall(r"\d+", cell)} | {"3"}
    found = set()
    for cell in rows("3.4"):
        names = re.findall(r"_?[A-Z]+(?:_[A-Z]+)+|_[A-Z]+", cell)
        found |= {f"MERCHANT_REJECT{name}" if name.startswith("_") else name for name in names}
        found |= set(re.findall(r"\((\d+)\)", cell))
    old = re.search(r"Old custom-component ints.*", section("3.4")).group()
    return found | set(re.findall(r"(?<!\d)(\d{1,2})(?=[ ,一-鿿])", old))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_status_of_the_vocabulary_is_mapped_or_ignored_with_a_reason(platform):
    table, codes = PLATFORMS[platform], codes_of(platform)
    known = {status.code for status in table.statuses} | set(table.ignored)
    assert len(codes) >= 10
    assert codes - known == set()
    assert all(table.ignored.values())


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_kind_of_the_vocabulary_is_mapped_or_ignored_with_a_reason(platform):
    table = PLATFORMS[platform]
    told = {"kuaishou": {"1", "10", "3", "4", "5"}, "douyin": {"0", "1", "2", "3", "6", "7", "8"}}
    assert told.get(platform, set()) <= set(table.kinds) | set(table.ignored_kinds)


def test_every_courier_state_of_the_vocabulary_is_mapped_or_ignored():
    column = [line.split("|")[2] for line in section("3.8").splitlines() if line.startswith("| ")][1:]
    codes = {code for cell in column for code in re.findall(r"\d+", cell.split("message")[0].split("60天")[0])}
    assert {"0", "301", "401", "14"} <= codes
    assert codes - set(kuaidi100.STATES) - set(kuaidi100.IGNORED) == set()


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_state_of_the_tables_is_a_state_here(platform):
    for status in PLATFORMS[platform].statuses:
        for key in ("refund", "exchange", "repair"):
            names = {state.name for state in RULES.catalog.workflows[key].states}
            assert set(status.agree(key)) <= names, (status.code, key)


def test_every_step_of_the_tables_is_a_step_that_their_actor_may_take():
    for row in follow.ROWS:
        move = RULES.catalog.workflows[row.workflow].move(row.trigger)
        assert isinstance(move, Step)
        assert row.actor in move.by
        assert row.to in {state.name for source in move.sources for state in move.destinations(source)}
    for row in parcels.ROWS:
        workflow = RULES.catalog.workflows[row.workflow]
        move = workflow.move(row.trigger)
        assert workflow.state(row.state) in move.sources
        assert "system" in move.by


# ── reading ──


def test_a_message_is_read_whole_or_not_at_all():
    kuaishou = PLATFORMS["kuaishou"]
    [found] = reports.read(kuaishou, {"event": "x", "info": json.dumps(ks(30))}, NOW)
    assert found == Report(
        "kuaishou", "8001", "refund", "卖家已经同意退款，等待买家退货", ("awaiting_buyer_return",), NOW,
        "return_refund",
        amount_fen=19900, paid_fen=19900, order_no="D1", item_no="I1",
    )  # fmt: skip
    assert isinstance(reports.read(kuaishou, [ks(30), ks(999)], NOW), Unclear)
    assert isinstance(reports.read(kuaishou, {"hello": 1}, NOW), Nothing)
    assert isinstance(reports.read(kuaishou, ks(30, kind=4), NOW), Nothing)


@pytest.mark.parametrize(
    "told",
    [
        ks(30, number=""), ks(45), ks(30, kind=77), ks(30, refundFee=-1), ks(30, refundFee=1.5), ks(30, refundFee=True),
        ks(30, refundFee=10**13), ks("\ud800"), ks(30, oid="x" * 5000), ks(30, oid=["D1"]),
        {**ks(30), "updateTime": "昨天"},
        [1], "x", 7, {**ks(30), "updateTime": 10**30},
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_said_to_be_so(told):
    assert isinstance(reports.read(PLATFORMS["kuaishou"], told, NOW), Unclear)


def test_money_of_taobao_is_yuan():
    told = {"refund_id": 1, "status": "SUCCESS", "refund_fee": "12.30", "modified": "2026-10-02 09:00:00"}
    [found] = reports.read(PLATFORMS["taobao"], told, NOW)
    assert (found.amount_fen, found.said_at) == (1230, NOW - HOUR)
    assert isinstance(reports.read(PLATFORMS["taobao"], {**told, "refund_fee": "12.345"}, NOW), Unclear)


def test_a_report_survives_being_written_down():
    found = ks_report(30, expireTime=int((NOW + HOUR).timestamp()))
    assert Report.from_json(json.loads(json.dumps(found.to_json(), default=str)) | {
        "said_at": found.said_at, "due_at": found.due_at, "applied_at": None}) == found  # fmt: skip


# ── at the door ──


def test_a_message_is_taken_once_however_often_it_comes(shop):
    assert not shop.tell("kuaishou", ks(30), message_id="a").again
    assert shop.tell("kuaishou", ks(30), message_id="a").again
    with pytest.raises(NotTaken) as refused:
        shop.tell("kuaishou", ks(40), message_id="a")
    assert refused.value.status == 409
    assert len(shop.messages()) == 1


def test_twenty_at_the_same_time_are_one(shop):
    answers, barrier = [], threading.Barrier(20)

    def send():
        barrier.wait()
        answers.append(shop.tell("kuaishou", ks(30), message_id="same").again)

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False] + [True] * 19
    assert len(shop.messages()) == 1


@pytest.mark.parametrize("late", [timedelta(minutes=5, seconds=1), -timedelta(minutes=5, seconds=1)])
def test_an_old_message_is_not_taken(shop, late):
    stamp = str(int((NOW - late).timestamp()))
    with pytest.raises(NotTaken) as refused:
        shop.tell("kuaishou", ks(30), **{
            "x-feed-timestamp": stamp,
            "x-feed-signature": signature(shop.secrets["kuaishou"], "m1", stamp, json.dumps(ks(30)).encode()),
        })  # fmt: skip
    assert refused.value.code == "stale_timestamp"
    assert shop.messages() == []


def test_the_id_cannot_be_changed_without_the_secret(shop):
    with pytest.raises(NotTaken) as refused:
        shop.tell("kuaishou", ks(30), **{"x-feed-id": "another"})
    assert refused.value.code == "bad_signature"


# ── followed ──


def test_a_ticket_that_is_not_here_is_taken_over(shop):
    shop.tell("kuaishou", ks(30))
    assert shop.work() == 1
    assert (shop.ticket().state, shop.ticket().authority) == ("awaiting_buyer_return", "platform")
    assert shop.messages("done")[0].error.endswith("已从平台接过来")
    shop.sound()


def test_a_platform_ticket_goes_where_the_platform_says(shop):
    for n, status in enumerate((10, 30, 40, 50, 60)):
        shop.tell(
            "kuaishou", ks(status, NOW + n * HOUR, logisticsNo="SF12345678" if status == 40 else ""), at=NOW + n * HOUR
        )
        shop.work(NOW + n * HOUR)
    ticket = shop.ticket()
    assert (ticket.state, ticket.refund_fen) == ("refunded", 19900)
    events = queries.events(shop.desk.engine, ticket.id)
    assert [event.trigger for event in events] == [
        "import_from_platform", "adopt_platform_state", "submit_return_waybill", "adopt_platform_state", "payment_ok",
    ]  # fmt: skip
    assert events[1].from_state != events[1].to_state
    shop.sound()


def test_a_local_ticket_waits_for_a_person(shop):
    ticket = shop.local()
    shop.tell("kuaishou", ks(30, kind=3))
    shop.work()
    assert shop.ticket().state == "pending_merchant_review"
    [heard] = said.inbox(shop.desk.engine)
    [difference] = compare.differences(Report.from_json(heard.report), False, shop.ticket(), RULES, NOW)
    assert difference.kind == "state"
    told = reconcile.adopt(shop.desk, heard, compare.mark([difference]), "甲店:小周", "k1", NOW)
    assert told == ticket.number
    assert shop.ticket().state == "awaiting_buyer_return"
    assert queries.events(shop.desk.engine, ticket.id)[-1].actor_name == "甲店:小周"
    assert said.inbox(shop.desk.engine) == []
    with pytest.raises(Refused) as again:
        reconcile.adopt(shop.desk, heard, compare.mark([difference]), "甲店:小周", "k1", NOW)
    assert again.value.code == "stale_version"
    shop.sound()


def test_nobody_adopts_for_a_local_ticket_without_a_name(shop):
    ticket = shop.local()
    command = Command(ticket.id, "adopt_platform_state", "platform", NOW, {"state": "awaiting_reship"})
    with pytest.raises(Refused) as refused:
        shop.desk.do(command)
    assert refused.value.code == "forbidden_actor"
    with pytest.raises(Refused):
        shop.desk.do(replace(command, actor="agent", actor_name="小周"))
    with pytest.raises(Refused):
        shop.desk.do(replace(command, actor_name="小周", facts={"state": "nowhere"}))
    shop.desk.do(replace(command, actor_name="小周", facts={"state": "cancelled"}))
    with pytest.raises(Refused):  # it is closed, and never reopens
        shop.desk.do(replace(command, actor_name="小周"))
    shop.sound()


def test_money_that_was_ordered_here_is_settled_and_never_ordered_by_the_platform(shop):
    ticket = shop.local("refund", kind="unshipped")
    shop.desk.do(Command(ticket.id, "approve_refund", "agent", NOW))
    adopt = Command(ticket.id, "adopt_platform_state", "platform", NOW, {"state": "cancelled"}, actor_name="小周")
    with pytest.raises(Refused, match="已经下单"):
        shop.desk.do(adopt)
    shop.desk.do(replace(adopt, facts={"state": "refunded"}))
    with database.reading(shop.desk.engine) as connection:
        ledger = connection.exec_driver_sql("SELECT purpose, amount_fen, status FROM payment").all()
    assert ledger == [("refund", 19900, "paid")]
    shop.sound()


def test_the_platforms_deadline_is_set(shop):
    due = NOW + 5 * HOUR
    shop.local()
    shop.tell("kuaishou", ks(10, kind=3, expireTime=int(due.timestamp() * 1000)))
    shop.work()
    assert shop.ticket().due_at == due
    assert said.inbox(shop.desk.engine) == []
    shop.sound()


def test_what_is_older_than_what_is_known_is_not_followed(shop):
    shop.tell("kuaishou", ks(40, NOW))
    shop.tell("kuaishou", ks(30, NOW - HOUR))
    shop.work()
    assert shop.ticket().state == "awaiting_merchant_receipt"
    assert [one.error for one in shop.messages()][1] == "比已经知道的旧，没有采用"


def test_what_cannot_be_understood_is_a_dead_letter_and_can_be_retried(shop):
    shop.tell("kuaishou", ks(999))
    shop.work()
    [letter] = shop.messages("dead")
    assert "不认识的状态" in letter.error
    assert office.retry(shop.desk.engine, letter.id, NOW)
    assert not office.retry(shop.desk.engine, letter.id, NOW)
    assert shop.work() == 1


def test_a_failure_is_tried_again_later_each_time_and_is_dead_at_last(shop, monkeypatch):
    from aftersales.feeds import work as working

    monkeypatch.setattr(working, "hear", lambda *_: 1 / 0)
    shop.tell("kuaishou", ks(30))
    at, waits = NOW, []
    while shop.messages("new"):
        shop.work(at)
        waits.append(shop.messages()[0].next_at - at)
        at = max(at, shop.messages()[0].next_at)
    assert len(waits) == office.MOST_TRIES
    assert waits[:3] == sorted(waits[:3])
    assert waits[0] == office.FIRST_RETRY
    assert "ZeroDivisionError" in shop.messages("dead")[0].error


def test_of_one_ticket_the_next_message_waits_for_the_one_before(shop):
    shop.tell("kuaishou", ks(10))
    shop.tell("kuaishou", ks(30))
    shop.tell("kuaishou", ks(30, number="8002"))
    first = office.claim(shop.desk.engine, NOW)
    second = office.claim(shop.desk.engine, NOW)
    assert (first.message_id, second.message_id) == ("m1", "m3")
    assert office.claim(shop.desk.engine, NOW) is None
    # whoever had it was killed: the lease ends
    assert office.claim(shop.desk.engine, NOW + office.LEASE).message_id == "m1"


# ── parcels ──


def returning(shop):
    ticket = shop.local()
    shop.desk.do(Command(ticket.id, "approve", "agent", NOW - HOUR))
    shop.desk.do(Command(ticket.id, "submit_return_waybill", "buyer", NOW - HOUR, {"waybill_no": "SF12345678"}))
    return ticket


def test_a_sign_off_of_the_courier_starts_the_clock_when_it_happened(shop):
    returning(shop)
    signed = NOW - timedelta(minutes=30)
    shop.tell("kuaidi100", courier("SF12345678", "301", signed))
    shop.tell("kuaidi100", courier("SF12345678", "3", signed))
    shop.work()
    assert (shop.ticket().state, shop.ticket().entered_at) == ("inspecting", signed)
    assert shop.messages()[1].error.endswith("不需要变动")
    shop.sound()


def test_a_parcel_heard_of_before_its_ticket_is_kept_a_while(shop):
    shop.tell("kuaidi100", courier("SF12345678", "3", NOW))
    shop.work()
    assert shop.messages("new")[0].error == "运单 SF12345678 还没有对应的工单"
    returning(shop)
    shop.work(NOW + HOUR)
    assert shop.ticket().state == "inspecting"
    shop.tell("kuaidi100", courier("SF99999999", "3"))
    shop.work(NOW + WAYBILL_KEPT)
    assert [one.error for one in shop.messages("dead")] == ["运单 SF99999999 还没有对应的工单"]


def test_that_it_was_signed_settles_nothing_where_just_that_is_disputed(shop):
    told = {"waybill_no": "SF12345678", "issue": "signed_not_received", "paid_fen": 100}
    new = NewTicket("lost_parcel", "kuaishou", "report", "buyer", NOW - HOUR, told, "D1")
    ticket = shop.desk.open(new, shop="甲")
    assert parcels.news(Parcel("SF12345678", "signed", NOW), ticket) is None
    other = ticket.but(fields={**ticket.fields, "issue": "lost"})
    assert parcels.news(Parcel("SF12345678", "signed", NOW), other).trigger == "delivered"


def test_a_parcel_quiet_for_60_days_is_stale(shop):
    told = {"waybill_no": "SF12345678", "issue": "stale", "paid_fen": 100}
    shop.desk.open(NewTicket("lost_parcel", "kuaishou", "report", "buyer", NOW - HOUR, told, "D1"), shop="甲")
    shop.tell("kuaidi100", courier("SF12345678", "0", NOW - timedelta(days=61), "60天无变化"))
    shop.work()
    with database.reading(shop.desk.engine) as connection:
        assert connection.exec_driver_sql("SELECT state FROM ticket").scalar() == "suspected_lost"


# ── reconciled ──


def reported(shop, *found, whole=False, at=NOW):
    return reconcile.reconcile_list(shop.desk, found, "甲", "清单.json", at, at, whole=whole)


def test_a_list_finds_every_kind_of_difference_and_moves_nothing(shop):
    ticket = shop.local("refund", kind="return_refund")
    summary = reported(
        shop, ks_report(10, refundFee=100), ks_report(10, number="8002"), whole=True
    )  # fmt: skip
    assert dict(summary.differing) == {"amount": 1, "missing_here": 1}
    later = reported(shop, ks_report(10, number="8002"), whole=True, at=NOW + HOUR)
    assert dict(later.differing) == {"missing_here": 1, "missing_there": 1}
    assert shop.ticket().version == ticket.version
    closed = replace(ks_report(70), said_at=NOW + 2 * HOUR)
    assert dict(reported(shop, closed, at=NOW + 2 * HOUR).differing) == {"closed_there": 1}
    soon = replace(ks_report(10), said_at=NOW + 3 * HOUR, due_at=NOW + 9 * HOUR)
    assert dict(reported(shop, soon, at=NOW + 3 * HOUR).differing) == {"deadline": 1}
    assert reported(shop, replace(ks_report(10), said_at=NOW + 4 * HOUR), at=NOW + 4 * HOUR).same == 1


def test_what_is_missing_here_can_be_taken_over(shop):
    reported(shop, ks_report(30))
    [heard] = said.inbox(shop.desk.engine)
    mark = compare.mark(compare.differences(ks_report(30), False, None, RULES, NOW))
    reconcile.adopt(shop.desk, heard, mark, "小周", "k", NOW)
    assert shop.ticket().state == "awaiting_buyer_return"
    assert said.inbox(shop.desk.engine) == []


def test_ours_is_kept_until_something_else_differs(shop):
    shop.local()
    reported(shop, ks_report(30, kind=3))
    [heard] = said.inbox(shop.desk.engine)
    mark = compare.mark(compare.differences(Report.from_json(heard.report), False, shop.ticket(), RULES, NOW))
    with pytest.raises(Refused):
        reconcile.keep(shop.desk, heard, mark, " ", "小周", NOW)
    reconcile.keep(shop.desk, heard, mark, "平台慢", "小周", NOW)
    assert reported(shop, ks_report(30, kind=3)).same == 1
    assert said.inbox(shop.desk.engine) == []
    assert dict(reported(shop, ks_report(40, kind=3)).differing) == {"state": 1}


def test_somebody_is_asked(shop):
    ticket = shop.local()
    reported(shop, ks_report(30, kind=3))
    [heard] = said.inbox(shop.desk.engine)
    mark = compare.mark(compare.differences(Report.from_json(heard.report), False, shop.ticket(), RULES, NOW))
    reconcile.ask(shop.desk, heard, mark, "甲店:老王", "平台同意了吗？", "甲店:小周", "k", NOW)
    assert shop.ticket().owner == "甲店:老王"
    assert [event.kind for event in queries.events(shop.desk.engine, ticket.id)][-2:] == ["note", "assign"]


def test_a_file_of_the_import_is_compared(shop, tmp_path):
    sample = Path(__file__).parents[1] / "data/kuaishou_aftersales_export.csv"
    nobody = reconcile.reconcile_file(shop.desk, sample, parse("2027-01-01 10:00"))
    assert nobody.unknown_shops
    from aftersales.intake.run import import_file

    now = parse("2027-01-01 10:00")
    import_file(shop.desk, sample, now=now, report=tmp_path / "r.txt", rejects=tmp_path / "x.csv")
    again = reconcile.reconcile_file(shop.desk, sample, now)
    assert again.same == again.read > 10
    assert said.inbox(shop.desk.engine) == []


def test_an_imported_ticket_of_the_platform_is_known_again(shop):
    imported = Imported("refund", "kuaishou", "awaiting_buyer_return", NOW - HOUR, "D1", 19900, platform_no="8001",
                        fields={"kind": "return_refund", "reason": "other"})  # fmt: skip
    shop.desk.import_tickets([imported], shop="甲", now=NOW)
    shop.tell("kuaishou", ks(30))
    shop.work()
    assert shop.messages()[0].error == "与工单一致"


def test_the_example_of_the_documentation_signs_what_is_taken(shop):
    text = (Path(__file__).parents[2] / "docs/feeds.md").read_text(encoding="utf-8")
    names = {}
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1), names)
    made = names["request"]("http://localhost/feeds/kuaishou", shop.secrets["kuaishou"], "doc-1", ks(30))
    headers = {name.lower(): value for name, value in made.header_items()}
    at = clock.now()
    assert not receive(shop.desk.engine, "kuaishou", str(shop.id), headers, made.data, at).again
    assert receive(shop.desk.engine, "kuaishou", str(shop.id), headers, made.data, at).again
