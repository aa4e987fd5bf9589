"""快递100：物流推送（domain/vocabulary.md 3.8）。一行一个状态：编号、说法、这里当作什么。

推送的内容在 lastResult 里（公开文档的写法，没有用真实账号核对过）；快递100 自己的签名默认不用（docs/feeds.md）。
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aftersales.feeds.report import Nothing, Parcel, Unclear, instant

# fmt: off
#: 编号 -> (说法, 当作什么)
STATES = {
    "0":    ("在途", "moving"),       "1001": ("到达派件城市", "moving"),
    "1002": ("干线", "moving"), "1003": ("转递", "moving"),
    "1":    ("揽收", "moving"),       "103":  ("已揽收", "moving"),
    "5":    ("派件", "moving"),       "501":  ("投柜或驿站", "moving"),
    "3":    ("签收", "signed"),       "301":  ("本人签收", "signed"),    "302":  ("异常后签收", "signed"),
    "303":  ("代签", "signed"),       "304":  ("投柜或站签收", "signed"),
    "14":   ("拒签", "refused"),      "4":    ("退签", "returned"),
}
#: 编号 -> 为什么什么也不做
IGNORED = {
    "101": "已下单，包裹还没有交出来", "102": "待揽收，包裹还没有交出来",
    "2": "疑难：没有说是丢件、破损还是停滞，要人去问快递",
    "6": "退回途中：退到了再说",
    "7": "转投：换了快递继续送",
    "401": "已销单：没有包裹了，要人去看",
}
# fmt: on
#: the courier's own end of watching: nothing has moved for 60 days
STALE_HOURS = 60 * 24
_NO_WAYBILL = Unclear("缺运单号（lastResult.nu）")


def read(message: Any, received_at: datetime) -> list[Parcel] | Nothing | Unclear:
    told = message.get("lastResult", message) if isinstance(message, dict) else None
    if not isinstance(told, dict):
        return Unclear("消息不是快递100的推送")
    number = waybill_no(message)
    if not number:
        return _NO_WAYBILL
    try:
        last = _newest(told)
    except (ValueError, OverflowError, OSError):
        return Unclear("轨迹里的时间看不懂（lastResult.data[].time）")
    said = str(message.get("message", ""))
    if "60天无变化" in said:
        return [Parcel(number, "stale", received_at, last)]
    if "3天查询无记录" in said:
        return Nothing("3天查询无记录：运单号可能填错了，要人去核对")
    state = str(told.get("state", ""))
    if state in IGNORED:
        return Nothing(IGNORED[state])
    if state not in STATES:
        return Unclear(f"不认识的物流状态「{state[:40]}」")
    return [Parcel(number, STATES[state][1], min(last or received_at, received_at), last)]


def waybill_no(message: Any) -> str:
    told = message.get("lastResult", message) if isinstance(message, dict) else {}
    number = told.get("nu") if isinstance(told, dict) else None
    text = number.strip() if isinstance(number, str) else ""
    return text if text.isascii() and text.isalnum() and len(text) <= 64 else ""


def _newest(told: dict[str, Any]) -> datetime | None:
    lines = told.get("data")
    times = [line.get("time") for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []
    return max((instant(one) for one in times if one), default=None)
