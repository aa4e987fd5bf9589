"""A message at the door: whose is it, is it fresh, was it here before. Then it is kept as it came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aftersales.clock import whole_second
from aftersales.database import Engine
from aftersales.feeds import KUAIDI100, PLATFORMS, TITLES, kuaidi100, report
from aftersales.feeds.verify import REPLAY_WINDOW, verifier
from aftersales.office import feeds as office

#: bytes of one message
LONGEST = 1024 * 1024


class NotTaken(Exception):
    """Why a message was not kept. `status`: of HTTP; the sentence says it in Chinese and English."""

    def __init__(self, status: int, code: str, says: str) -> None:
        super().__init__(says)
        self.status, self.code, self.says = status, code, says


@dataclass(frozen=True)
class Taken:
    message_id: str
    #: it was kept before; nothing was kept twice
    again: bool


TOO_LONG = NotTaken(413, "too_long", "消息最多 1 MB，没有收下。At most 1 MB; not taken.")
_BAD_SIGNATURE = NotTaken(401, "bad_signature", "签名不对，没有收下。The signature does not match; not taken.")


def receive(engine: Engine, platform: str, shop: str, headers: Mapping[str, str], body: bytes, now: datetime) -> Taken:
    """Kept, or NotTaken. One read and one write."""
    if platform not in TITLES:
        able = "、".join(TITLES)
        raise NotTaken(404, "unknown_platform", f"没有这个平台，可接的有：{able}。No such platform.")
    source = (
        office.source(engine, int(shop), platform) if shop.isascii() and shop.isdecimal() and len(shop) < 19 else None
    )
    if source is None:
        raise NotTaken(404, "unknown_shop", "这家店没有接这个平台，请先运行 aftersales feeds connect。Not connected.")
    check = verifier(source.verifier)
    if check is None:
        raise NotTaken(503, "no_verifier", f"验签方式 {source.verifier} 没有安装，没有收下。Verifier not installed.")
    signed = check(source.secret, headers, body)
    if signed is None:
        raise _BAD_SIGNATURE
    if abs(whole_second(now) - signed.sent_at) > REPLAY_WINDOW:
        raise NotTaken(401, "stale_timestamp", "时间戳与现在相差超过 5 分钟，没有收下。Timestamp outside 5 minutes.")
    message = parsed(body)
    if message is None:
        raise NotTaken(400, "not_json", "内容不是 UTF-8 的 JSON，没有收下。The body is not JSON; not taken.")
    kept = office.keep(engine, source.shop_id, platform, signed.message_id, lane(platform, message), body.decode(), now)
    if kept == "other":
        raise NotTaken(409, "other_body", "这个消息编号已经收过另一个内容，没有收下。This id had another body.")
    return Taken(signed.message_id, kept == "again")


def parsed(body: bytes | str) -> Any:
    """The JSON, None if it is none (or null). NaN and infinities are none of JSON."""
    try:
        text = body if isinstance(body, str) else body.decode()
        return None if "\0" in text else json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None


def _refuse(_: str) -> Any:
    raise ValueError


def lane(platform: str, message: Any) -> str:
    """Messages of one lane are worked on one after the other; without one they stand alone."""
    about = kuaidi100.waybill_no(message) if platform == KUAIDI100 else report.lane(PLATFORMS[platform], message)
    return f"{platform}/{about}" if about else ""
