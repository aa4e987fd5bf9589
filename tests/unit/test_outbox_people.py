"""Messages to people, handed to a robot's address that is a real receiver."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aftersales.clock import parse
from aftersales.office import accounts, channels, outbox
from aftersales.outbound import topics
from aftersales.outbound.worker import OutboxWorker, Outside
from tests.unit.outside import RULES, desk_on, opened, receiving

VALUES = {
    "kind": "dingtalk", "target": "abcd1234efgh", "secret": "", "events": [topics.DUE_SOON, topics.STOPPED],
    "from_fen": 0, "quiet_from": 22 * 60, "quiet_to": 8 * 60, "pace": "now", "language": "zh-CN",
}  # fmt: skip


@pytest.fixture
def robot(monkeypatch):
    apprise = pytest.importorskip("apprise.plugins.dingtalk")
    with receiving(lambda _: 200) as receiver:
        receiver.text = b'{"errcode":0}'
        monkeypatch.setattr(apprise.NotifyDingTalk, "notify_url", receiver.url + "?access_token={token}")
        yield receiver


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of apprise
def test_what_came_in_the_night_is_one_message_in_the_morning_without_the_buyer(database_url, robot):
    desk = desk_on(database_url)
    opened(desk)
    outbox.pass_on(desk.engine, parse("2020-01-01"))
    night = parse("2026-10-02 23:30:00")
    accounts.add(desk.engine, "店:甲", "甲", night)
    me = accounts.named(desk.engine, "店:甲")
    id = channels.add(desk.engine, night, account_id=me.id, **VALUES)
    for key in ("one", "two", "one"):
        channels.tell_all(desk.engine, topics.STOPPED, key, {}, night)
    now = [night]
    worker = OutboxWorker(
        desk.engine, lambda: RULES, Outside(public_url="https://desk.example.com"), now=lambda: now[0]
    )
    worker.run_once()
    assert robot.got == []
    now[0] = parse("2026-10-03 08:00:00")
    worker.run_once()
    worker.run_once()
    assert channels.one(desk.engine, id, me.id).trouble == ""
    assert len(robot.got) == 1
    said = robot.got[0][1].decode()
    assert "2 条通知" in said.encode().decode("unicode_escape", "ignore") or "2 条通知" in said
    assert "梅子酱" not in said
    assert channels.one(desk.engine, id, me.id).trouble == ""
    assert now[0] - night < timedelta(hours=9)
