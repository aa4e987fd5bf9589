"""Hands a message to DingTalk, Feishu, WeCom or a mail server. The only file that knows apprise, which takes a second
to import and is imported when the first message goes out.

People give a robot's token or a mail address, never a URL: where messages go is fixed by apprise and, for mail, by
the settings of the installation.
"""

from __future__ import annotations

import re
import threading
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from aftersales.errors import Refused
from aftersales.office.channels import Channel
from aftersales.saying import say

_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,128}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{0,128}")
_MAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_lock = threading.Lock()


class NotSent(Exception):
    """The service did not take it. Says nothing of where it went: that holds the token."""


def target(kind: str, typed: str, secret: str = "") -> tuple[str, str]:
    """(token or address, secret) from what a person typed: the token, or the whole address the robot's page shows."""
    typed, secret = typed.strip(), secret.strip()
    if kind == "mail":
        if not _MAIL.fullmatch(typed) or len(typed) > 200:
            raise Refused("invalid_field", say("邮箱地址看不懂，请核对"))
        return typed, ""
    token = _token(typed)
    if not _TOKEN.fullmatch(token):
        raise Refused("invalid_field", say("机器人的地址或密钥看不懂，请从群机器人的设置里整段复制"))
    if not _SECRET.fullmatch(secret):
        raise Refused("invalid_field", say("加签密钥看不懂，请从机器人的安全设置里复制"))
    return token, secret if kind == "dingtalk" else ""


def _token(typed: str) -> str:
    if "/" not in typed:
        return typed
    try:
        parts = urlsplit(typed)
    except ValueError:
        return ""
    query = parse_qs(parts.query)
    found = query.get("access_token") or query.get("key") or [parts.path.rstrip("/").rpartition("/")[2]]
    return found[0]


def _address(channel: Channel, mail_url: str) -> str:
    if channel.kind == "dingtalk":
        return f"dingtalk://{channel.secret}@{channel.target}/" if channel.secret else f"dingtalk://{channel.target}/"
    if channel.kind == "feishu":
        return f"feishu://{channel.target}/"
    if channel.kind == "wecom":
        return f"wecombot://{channel.target}/"
    if not mail_url:
        raise NotSent("没有设置发信服务器（AFTERSALES_MAIL_URL）")
    joined = "&" if "?" in mail_url else "?"
    return f"{mail_url}{joined}to={quote(channel.target)}"


def send(channel: Channel, title: str, text: str, mail_url: str = "") -> None:
    """Blocks for as long as the service takes. NotSent: try again later."""
    import logging

    with _lock:  # two threads that import it at once
        import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it writes addresses with their tokens
    asset = apprise.AppriseAsset(app_id="aftersales", app_desc="", async_mode=False, storage_mode="memory")
    service: Any = apprise.Apprise(asset=asset)
    if not service.add(_address(channel, mail_url)):
        raise NotSent("渠道的设置不完整")
    if not service.notify(body=text, title=title, body_format="text"):
        raise NotSent("对方没有收下，稍后再试")
