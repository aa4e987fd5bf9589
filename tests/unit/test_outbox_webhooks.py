"""Webhooks, to receivers that really receive, from both databases."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from aftersales import clock
from aftersales.database import reading
from aftersales.office import endpoints, outbox
from aftersales.outbound import signing, topics
from tests.unit.outside import desk_on, endpoint_on, moved, opened, receiving, worker_on

HOUR = timedelta(hours=1)


def rows(desk, sql):
    with reading(desk.engine) as connection:
        return [tuple(row) for row in connection.exec_driver_sql(sql)]


def shop(desk):
    """The shop is there once it has a ticket; what was written before the endpoint is not told."""
    (ticket,) = opened(desk)
    outbox.pass_on(desk.engine, clock.now())
    return ticket


def test_without_a_fault_each_message_comes_once_in_order_and_signed(database_url):
    desk = desk_on(database_url)
    shop(desk)
    with receiving() as receiver:
        id = endpoint_on(desk, receiver.url)
        tickets = opened(desk, 5)
        for ticket in tickets:
            moved(desk, ticket)
        worker_on(desk).run_once()
        worker_on(desk).run_once()
        secret = endpoints.by_id(desk.engine, id).secret
        assert len(receiver.ids) == len(set(receiver.ids)) == 10
        for headers, body in receiver.got:
            at = int(headers["webhook-timestamp"])
            assert headers["webhook-signature"] == signing.signature(secret, headers["webhook-id"], at, body)
        for ticket in tickets:
            mine = [one["data"]["seq"] for one in receiver.said if one["data"]["ticket"]["id"] == ticket.id]
            assert mine == [1, 2]
        ids = {str(id) for (id,) in rows(desk, "SELECT id FROM outbox")}
        assert set(receiver.ids) <= ids, "the id of a message is that of its row"
        assert "梅子酱" not in "".join(body.decode() for _, body in receiver.got)
    assert rows(desk, "SELECT count(*) FROM outbox WHERE sent_at IS NULL") == [(0,)]
    assert rows(desk, "SELECT DISTINCT state, attempts FROM delivery") == [("sent", 1)]


def test_a_failure_is_tried_again_later_and_holds_back_only_its_ticket(database_url):
    desk = desk_on(database_url)
    shop(desk)
    now = [clock.now()]
    with receiving(lambda n: 422 if n == 1 else 200) as receiver:
        receiver.text = "不行\0".encode() + b"x" * 2000
        endpoint_on(desk, receiver.url)
        one, two = opened(desk, 2)
        moved(desk, one)
        worker = worker_on(desk, now=lambda: now[0])
        now[0] = clock.now()
        worker.run_once()
        assert [said["data"]["ticket"]["id"] for said in receiver.said] == [one.id, two.id]
        now[0] += timedelta(seconds=7)
        worker.run_once()
        assert [said["data"]["ticket"]["id"] for said in receiver.said] == [one.id, two.id, one.id, one.id]
        assert receiver.ids[0] == receiver.ids[2], "a retry has the same id"
        assert receiver.got[0][1] == receiver.got[2][1], "and the same body"
    [(answer,)] = rows(desk, "SELECT answer FROM delivery_attempt WHERE status = 422")
    assert len(answer.encode()) <= 510
    assert answer.startswith("不行")


def test_a_message_that_always_fails_is_given_up_and_can_be_sent_again(database_url):
    desk = desk_on(database_url)
    shop(desk)
    now, well = [clock.now()], [False]
    with receiving(lambda _: 200 if well[0] else 422) as receiver:
        id = endpoint_on(desk, receiver.url)
        opened(desk)
        worker = worker_on(desk, now=lambda: now[0])
        for _ in range(12):
            endpoints.resume(desk.engine, id, now[0])  # it would be paused before
            worker.run_once()
            now[0] += 30 * HOUR
        assert rows(desk, "SELECT state, attempts FROM delivery") == [("dead", 10)]
        assert len(receiver.got) == 10
        well[0] = True
        [(delivery,)] = rows(desk, "SELECT id FROM delivery")
        assert endpoints.again(desk.engine, delivery, now[0])
        endpoints.resume(desk.engine, id, now[0])
        worker.run_once()
        assert len(set(receiver.ids)) == 1
        assert endpoints.again_since(desk.engine, id, now[0] - timedelta(days=40), now[0]) == 1
        worker.run_once()
        assert len(receiver.got) == 12


def test_an_endpoint_that_only_fails_rests_is_paused_after_a_day_and_goes_on_when_told(database_url):
    desk = desk_on(database_url)
    shop(desk)
    now, well = [clock.now()], [False]
    with receiving(lambda _: 200 if well[0] else 503) as receiver:
        id = endpoint_on(desk, receiver.url)
        opened(desk, 40)
        worker = worker_on(desk, now=lambda: now[0])
        now[0] = clock.now()
        worker.run_once()
        worker.run_once()
        assert len(receiver.got) == 1, "one try says that it is down; forty would say no more"
        now[0] += 25 * HOUR
        worker.run_once()
        assert endpoints.by_id(desk.engine, id).paused_why == "连续失败 24 小时"
        now[0] += HOUR
        worker.run_once()
        assert len(receiver.got) == 2
        well[0] = True
        endpoints.resume(desk.engine, id, now[0])
        worker.run_once()
        assert len(set(receiver.ids)) == 40
        assert len(receiver.ids) == 42
    assert rows(desk, "SELECT DISTINCT state FROM delivery") == [("sent",)]


def test_one_that_hangs_holds_up_nobody_else_and_the_worker_stops_within_a_second(database_url):
    desk = desk_on(database_url)
    shop(desk)
    with receiving() as slow, receiving() as quick:
        slow.delay = 20
        endpoint_on(desk, slow.url)
        endpoint_on(desk, quick.url)
        opened(desk, 10)
        worker = worker_on(desk, seconds=15)
        worker.start()
        until(lambda: len(quick.got) == 10 and slow.got)
        began = time.monotonic()
        worker.stop()
        assert time.monotonic() - began < 1
        assert len(slow.got) == 1
    assert rows(desk, "SELECT count(*) FROM delivery_attempt WHERE status IS NULL") == [(0,)]
    assert rows(desk, "SELECT count(*) FROM delivery WHERE leased_until IS NOT NULL") == [(0,)]


def test_what_was_claimed_by_somebody_who_is_gone_is_sent_when_the_lease_is_over(database_url):
    desk = desk_on(database_url)
    shop(desk)
    with receiving() as receiver:
        id = endpoint_on(desk, receiver.url)
        opened(desk, 3)
        outbox.pass_on(desk.engine, clock.now())
        now = clock.now()
        assert len(endpoints.claim(desk.engine, id, now, until=now + HOUR, limit=2)) == 2
        worker_on(desk).run_once()
        assert len(receiver.got) == 1
        worker_on(desk, now=lambda: now + HOUR).run_once()
        assert len(set(receiver.ids)) == len(receiver.ids) == 3


def test_several_workers_at_once_send_each_message_once(database_url):
    desk = desk_on(database_url)
    shop(desk)
    with receiving() as receiver:
        endpoint_on(desk, receiver.url)
        tickets = opened(desk, 15)
        workers = [worker_on(desk) for _ in range(3)]
        for worker in workers:
            worker.start()
        for ticket in tickets:
            moved(desk, ticket)
        until(lambda: len(receiver.got) >= 30)
        for worker in workers:
            worker.stop()
        assert len(receiver.ids) == len(set(receiver.ids)) == 30
        for ticket in tickets:
            assert [one["data"]["seq"] for one in receiver.said if one["data"]["ticket"]["id"] == ticket.id] == [1, 2]


def test_two_secrets_sign_for_a_day(sqlite_url):
    desk = desk_on(sqlite_url)
    shop(desk)
    with receiving() as receiver:
        id = endpoint_on(desk, receiver.url)
        old = endpoints.by_id(desk.engine, id).secret
        now = clock.now()
        endpoints.rotate(desk.engine, id, new := signing.new_secret(), now)
        for at in (now, now + 25 * HOUR):
            endpoints.add_test(desk.engine, id, at)
            worker_on(desk, now=lambda at=at: at).run_once()
        both, one = (headers for headers, _ in receiver.got)
        signs = [
            signing.signature(s, both["webhook-id"], int(both["webhook-timestamp"]), receiver.got[0][1])
            for s in (new, old)
        ]
        assert both["webhook-signature"].split() == signs
        assert len(one["webhook-signature"].split()) == 1
        assert old not in repr(endpoints.by_id(desk.engine, id))


def test_what_nobody_wants_is_let_go_at_once(database_url):
    desk = desk_on(database_url)
    opened(desk, 20)
    assert outbox.pass_on(desk.engine, clock.now()) == 20
    assert outbox.pass_on(desk.engine, clock.now()) == 0
    assert rows(desk, "SELECT count(*) FROM delivery") == [(0,)]


@pytest.mark.parametrize(("wanted", "count"), [(topics.USUAL, 0), ((topics.IMPORTED,), 1)])
def test_an_import_is_told_to_who_asked_for_it(sqlite_url, wanted, count):
    from aftersales.decide import Imported

    desk = desk_on(sqlite_url)
    shop(desk)
    endpoint_on(desk, "https://example.com", wanted)
    one = Imported("exchange", "kuaishou", "pending_merchant_review", clock.now(), "导入1", 32900)
    desk.import_tickets([one], shop="我的店铺", now=clock.now())
    outbox.pass_on(desk.engine, clock.now())
    assert rows(desk, "SELECT count(*) FROM delivery") == [(count,)]


def test_after_thirty_days_what_was_sent_goes(database_url):
    desk = desk_on(database_url)
    shop(desk)
    with receiving() as receiver:
        endpoint_on(desk, receiver.url)
        opened(desk, 3)
        worker_on(desk).run_once()
        assert outbox.tidy(desk.engine, clock.now() + timedelta(days=29)) == 0
        assert outbox.tidy(desk.engine, clock.now() + timedelta(days=31)) >= 7
    for table in ("outbox", "delivery", "delivery_attempt"):
        assert rows(desk, f"SELECT count(*) FROM {table}") == [(0,)], table


def test_an_import_is_known_by_the_name_that_the_tables_give_it():
    from aftersales.workflows.vocabulary import Import
    from tests.unit.outside import RULES

    named = {m.name for w in RULES.catalog.workflows.values() for m in w.moves if isinstance(m, Import)}
    assert named == {topics.IMPORT}


def until(holds, seconds=20):
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds
        threading.Event().wait(0.02)


def test_whoever_is_killed_at_any_point_everything_arrives_and_nothing_untold(database_url):
    desk = desk_on(database_url)
    shop(desk)
    drawn = random.Random(7)
    with receiving() as receiver:
        receiver.answer = lambda _: time.sleep(0.02) or 204
        endpoint_on(desk, receiver.url)
        tickets = opened(desk, 60)
        command = [sys.executable, str(Path(__file__).with_name("outbox_process.py")), database_url]
        for _ in range(3):
            before = len(receiver.got)
            with subprocess.Popen(command) as process:
                try:
                    until(lambda before=before: len(receiver.got) > before)
                    time.sleep(drawn.uniform(0, 0.15))
                finally:
                    process.kill()
        last = worker_on(desk)
        last.start()
        until(lambda: rows(desk, "SELECT count(*) FROM delivery WHERE state = 'sent'") == [(60,)])
        last.stop()
        assert {said["data"]["ticket"]["id"] for said in receiver.said} == {one.id for one in tickets}
        committed = {str(id) for (id,) in rows(desk, "SELECT id FROM outbox")}
        assert set(receiver.ids) <= committed
