"""The form of a channel by which a person or a group is told, and the page of one's own settings it stands on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Form, Response

from aftersales import clock
from aftersales.errors import Refused
from aftersales.money import fen
from aftersales.office import accounts, channels
from aftersales.office.accounts import Account
from aftersales.outbound import messenger, pace, topics
from aftersales.outbound.messages import TEST
from aftersales.saying import said_by, say
from web import identity
from web.i18n import LOCALES
from web.rendering import page
from web.site import Site

DONE = {"saved": "已保存", "removed": "已删除", "test": "测试消息已排队，几秒后到"}
Text = Annotated[str, Form()]


@dataclass(frozen=True)
class Typed:
    kind: str
    target: str
    secret: str
    events: list[str]
    from_yuan: str
    quiet_from: str
    quiet_to: str
    pace: str
    language: str

    def values(self) -> dict[str, Any]:
        """The columns of a channel. Refused: what is wrong with the first that is wrong."""
        if self.kind not in channels.KINDS or self.pace not in pace.PACES or self.language not in LOCALES:
            raise Refused("invalid_field", say("请从列表里选"))
        events = [event for event in topics.EVENTS if event in self.events]
        if not events:
            raise Refused("missing_field", say("还没有选要通知的事，请至少选一种"))
        target, secret = messenger.target(self.kind, self.target, self.secret)
        begins, ends = _minute(self.quiet_from), _minute(self.quiet_to)
        return {
            "kind": self.kind, "target": target, "secret": secret, "events": events, "from_fen": _fen(self.from_yuan),
            "quiet_from": begins, "quiet_to": ends, "pace": self.pace, "language": self.language,
        }  # fmt: skip


def _minute(text: str) -> int:
    """Of the day; "" is midnight, so that both left empty are never quiet."""
    if not text.strip():
        return 0
    if (found := re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", text.strip())) is None:
        raise Refused("invalid_field", say("免打扰时间请写成 22:00 这样"))
    return int(found[1]) * 60 + int(found[2])


def _fen(text: str) -> int:
    if not text.strip():
        return 0
    try:
        return fen(text)
    except ValueError as problem:
        raise Refused("invalid_field", say("金额：{problem}", problem=said_by(problem))) from None


def _typed(
    events: Annotated[list[str], Form(alias="event", default_factory=list)], kind: Text = "", target: Text = "",
    secret: Text = "", from_yuan: Text = "", quiet_from: Text = "", quiet_to: Text = "", pace: Text = "now",
    language: Text = "zh-CN",
) -> Typed:  # fmt: skip
    return Typed(kind, target, secret, events, from_yuan, quiet_from, quiet_to, pace, language)


TypedForm = Annotated[Typed, Depends(_typed)]


def context() -> dict[str, Any]:
    """What the form and the list of channels are drawn from."""
    return {"kinds": channels.KINDS, "events": topics.EVENTS, "paces": pace.PACES, "languages": LOCALES}


def me_page(site: Site, me: Account | None, refusal: Refused | None = None, done: str = "") -> Response:
    everyone = [account for account in identity.people(site).values() if account.active]
    found = {
        "mine": me, "accounts": everyone, "departments": accounts.DEPARTMENTS, "roles": accounts.ROLES,
        "form": context(),
        "channels": channels.of_account(site.desk.engine, me.id) if me else [], "refusal": refusal,
        "done": DONE.get(done, ""),
    }  # fmt: skip
    return page("me.html", found, 422 if refusal is not None else 200)


def test(site: Site, channel_id: int, account_id: int | None) -> None:
    """A message to try with; nothing for a channel that is somebody else's."""
    engine, now = site.desk.engine, clock.now()
    if (channel := channels.one(engine, channel_id, account_id)) is not None:
        channels.tell_one(engine, channel, TEST, f"test:{now.isoformat()}", now)
