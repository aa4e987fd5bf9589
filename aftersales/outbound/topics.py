"""What can be told of: topics of webhooks, events of messages to people, and the body of a webhook."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from aftersales.rows import json_instant

#: of the workflow tables: an import begins with it
IMPORT = "import_from_platform"
IMPORTED, OPENED, MOVED = "ticket.imported", "ticket.opened", "ticket.moved"
REMINDER, ASSIGNED = "ticket.reminder", "ticket.assigned"
TOPICS = {
    OPENED: "新开工单",
    IMPORTED: "从平台导入的工单",
    MOVED: "工单换了状态，包括自动执行的",
    REMINDER: "到期前的提醒",
    "ticket.target": "超过店内目标",
    "ticket.deadline": "平台改了到期时间",
    ASSIGNED: "工单换了负责人",
}
#: what nobody gets without having asked: an import may bring a hundred thousand
USUAL = tuple(topic for topic in TOPICS if topic != IMPORTED)
_OF_ROWS = {"ticket.move": MOVED, "ticket.assign": ASSIGNED}

ESCALATED, DUE_SOON, HANDED, STOPPED, RULES_REFUSED, MONEY = (
    "escalated", "due_soon", "handed", "stopped", "rules_refused", "money",
)  # fmt: skip
EVENTS = {
    ESCALATED: "工单超时升级",
    DUE_SOON: "我的工单快到期",
    HANDED: "工单转给我",
    STOPPED: "自动执行或对外通知停了",
    RULES_REFUSED: "规则文件有错，没有启用",
    MONEY: "到期自动退款，达到设定金额",
}


def topic_of(row_topic: str, seq: int, trigger: str) -> str:
    """The topic that an outbox row is told under."""
    if row_topic == "ticket.move" and seq == 1:
        return IMPORTED if trigger == IMPORT else OPENED
    return _OF_ROWS.get(row_topic, row_topic)


def body(topic: str, at: datetime | str, data: dict[str, Any]) -> bytes:
    """The same bytes whenever it is sent: nothing in it but what was written with the change."""
    said = {"type": topic, "timestamp": at, "data": data}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()


def _plain(value: Any) -> str:
    assert isinstance(value, datetime)
    return json_instant(value)


def data(shop: str, workflow: str, policy: str, seq: int, payload: dict[str, Any]) -> dict[str, Any]:
    """What is told of an event: ids and states, nothing of the buyer."""
    ticket = {"id": payload["ticket"], "number": payload["number"], "type": workflow, "platform": policy, "shop": shop}
    happened = {"seq": seq, "trigger": payload["trigger"], "from": payload["from"], "to": payload["to"]}
    return {"ticket": ticket, **happened, "at": payload["at"]}
