"""Where people are told: channels of accounts and groups, and the notices that wait to be sent on each."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, and_, delete, exists, func, insert, or_, select, update

from aftersales.database import Connection, reading, writing
from aftersales.errors import Refused
from aftersales.models import metadata
from aftersales.outbound import pace
from aftersales.saying import say

_CHANNEL, _NOTICE, _ACCOUNT, _SHOP_OF, _TEAM, _TICKET = (
    metadata.tables[name] for name in ("channel", "notice", "account", "account_shop", "team", "ticket")
)
KINDS = {"dingtalk": "钉钉群机器人", "feishu": "飞书群机器人", "wecom": "企业微信群机器人", "mail": "邮件"}
PER_OWNER = 10
#: of one message; what is more is counted
LINES = 30


@dataclass(frozen=True)
class Channel:
    """Where it leads is in no repr."""

    id: int
    account_id: int | None
    team_id: int | None
    kind: str
    target: str = field(repr=False)
    secret: str = field(repr=False)
    events: Sequence[str]
    from_fen: int
    quiet_from: int
    quiet_to: int
    pace: str
    language: str
    active: bool
    created_at: datetime
    trouble: str
    #: of the account; None for a group
    login: str | None = None
    #: of the group; None for an account
    team: str | None = None
    #: that the account serves; none: all
    shops: frozenset[int] = frozenset()


@dataclass(frozen=True)
class News:
    channel: Channel
    event: str
    key: str
    ticket_id: int | None
    facts: Mapping[str, Any]


def _channel(row: Sequence[Any], shops: Iterable[int] = ()) -> Channel:
    return replace(Channel(*row), shops=frozenset(shops))


_COLUMNS = tuple(Channel.__dataclass_fields__)[:15]
_WHOLE = (
    select(*(_CHANNEL.c[name] for name in _COLUMNS), _ACCOUNT.c.login, _TEAM.c.name)
    .outerjoin_from(_CHANNEL, _ACCOUNT, _ACCOUNT.c.id == _CHANNEL.c.account_id)
    .outerjoin(_TEAM, _TEAM.c.id == _CHANNEL.c.team_id)
    .order_by(_CHANNEL.c.id)
)


def in_force(connection: Connection) -> list[Channel]:
    """Of people who still work here."""
    here = or_(_ACCOUNT.c.active, _TEAM.c.active)
    rows = list(connection.execute(_WHOLE.where(_CHANNEL.c.active, here)))
    served: dict[int, set[int]] = {}
    if rows:
        for account_id, shop_id in connection.execute(select(_SHOP_OF.c.account_id, _SHOP_OF.c.shop_id)):
            served.setdefault(account_id, set()).add(shop_id)
    return [_channel(row, served.get(row.account_id or 0, ())) for row in rows]


def of_account(engine: Engine, account_id: int) -> list[Channel]:
    with reading(engine) as connection:
        return [_channel(row) for row in connection.execute(_WHOLE.where(_CHANNEL.c.account_id == account_id))]


def of_groups(engine: Engine) -> list[Channel]:
    with reading(engine) as connection:
        return [_channel(row) for row in connection.execute(_WHOLE.where(_CHANNEL.c.team_id.is_not(None)))]


def add(
    engine: Engine, at: datetime, *, account_id: int | None = None, team_id: int | None = None, **values: Any
) -> int:
    """`values`: the columns of a ChannelRow that are chosen. Refused: there are enough, or the group is gone."""
    with writing(engine) as connection:
        owner = _CHANNEL.c.account_id == account_id if team_id is None else _CHANNEL.c.team_id == team_id
        if connection.execute(select(func.count()).select_from(_CHANNEL).where(owner)).scalar_one() >= PER_OWNER:
            raise Refused("invalid_field", say("最多 {n} 个通知渠道，请先删掉不用的", n=PER_OWNER))
        gone = team_id is not None and not connection.execute(select(_TEAM.c.id).where(_TEAM.c.id == team_id)).first()
        if gone:
            raise Refused("invalid_field", say("小组里有不存在的，请刷新后再试"))
        row = {"account_id": account_id, "team_id": team_id, "active": True, "created_at": at, "trouble": "", **values}
        made: int = connection.execute(insert(_CHANNEL).values(**row).returning(_CHANNEL.c.id)).scalar_one()
        return made


def _of(channel_id: int, account_id: int | None) -> Any:
    """A person changes only what is theirs; None: a channel of a group."""
    owner = _CHANNEL.c.account_id.is_(None) if account_id is None else _CHANNEL.c.account_id == account_id
    return and_(_CHANNEL.c.id == channel_id, owner)


def remove(engine: Engine, channel_id: int, account_id: int | None) -> None:
    with writing(engine) as connection:
        if connection.execute(select(_CHANNEL.c.id).where(_of(channel_id, account_id))).first() is not None:
            connection.execute(delete(_NOTICE).where(_NOTICE.c.channel_id == channel_id))
            connection.execute(delete(_CHANNEL).where(_CHANNEL.c.id == channel_id))


def one(engine: Engine, channel_id: int, account_id: int | None) -> Channel | None:
    with reading(engine) as connection:
        row = connection.execute(_WHOLE.where(_of(channel_id, account_id))).first()
    return None if row is None else _channel(row)


def tell(connection: Connection, news: Iterable[News], now: datetime) -> None:
    """Each waits until its channel may speak. What a channel was told before, by its key, it is not told again."""
    found = {(one.channel.id, one.key): one for one in news}
    if not found:
        return
    keys = sorted({key for _, key in found})
    known = select(_NOTICE.c.channel_id, _NOTICE.c.key).where(_NOTICE.c.key.in_(keys))
    told = {tuple(row) for row in connection.execute(known)}
    rows = [
        {
            "channel_id": one.channel.id, "key": one.key, "event": one.event, "ticket_id": one.ticket_id,
            "facts": dict(one.facts), "created_at": now, "state": "waiting", "attempts": 0, "lease": "",
            "due_at": pace.due(now, one.channel.pace, one.channel.quiet_from, one.channel.quiet_to),
        }
        for place, one in found.items()
        if place not in told
    ]  # fmt: skip
    if rows:
        connection.execute(insert(_NOTICE), rows)


def tell_all(engine: Engine, event: str, key: str, facts: Mapping[str, Any], now: datetime) -> None:
    """Whoever asked for an event of no ticket."""
    with reading(engine) as connection:
        known = select(_NOTICE.c.id).where(_NOTICE.c.key == key)
        wanted = [one for one in in_force(connection) if event in one.events]
        if not wanted or len(connection.execute(known).all()) >= len(wanted):
            return
    with writing(engine) as connection:
        tell(connection, [News(one, event, key, None, facts) for one in wanted], now)


def tell_one(engine: Engine, channel: Channel, event: str, key: str, now: datetime) -> None:
    """A message to try with: at once, whatever the hour."""
    with writing(engine) as connection:
        at_once = {"due_at": now, "created_at": now, "state": "waiting", "attempts": 0, "lease": "", "facts": {}}
        connection.execute(insert(_NOTICE).values(channel_id=channel.id, key=key, event=event, **at_once))


# ── sent by workers ──


@dataclass(frozen=True)
class Waiting:
    id: int
    event: str
    facts: Mapping[str, Any]
    attempts: int
    ticket_id: int | None
    number: str | None
    workflow: str | None
    state: str | None
    due_at: datetime | None


def with_work(engine: Engine, now: datetime) -> list[Channel]:
    has = exists().where(_NOTICE.c.channel_id == _CHANNEL.c.id, _free(now))
    with reading(engine) as connection:
        return [_channel(row) for row in connection.execute(_WHOLE.where(has))]


def _free(now: datetime) -> Any:
    unleased = or_(_NOTICE.c.leased_until.is_(None), _NOTICE.c.leased_until <= now)
    return and_(_NOTICE.c.state == "waiting", _NOTICE.c.due_at <= now, unleased)


def claim(engine: Engine, channel_id: int, now: datetime, *, until: datetime, limit: int) -> tuple[str, list[Waiting]]:
    """Everything that may be said on this channel now, the oldest first, and the lease on it."""
    chosen = (
        select(_NOTICE.c.id)
        .where(_NOTICE.c.channel_id == channel_id, _free(now))
        .order_by(_NOTICE.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    columns = [_NOTICE.c[name] for name in ("id", "event", "facts", "attempts", "ticket_id")]
    whole = select(*columns, *(_TICKET.c[name] for name in ("number", "workflow", "state", "due_at"))).outerjoin_from(
        _NOTICE, _TICKET, _TICKET.c.id == _NOTICE.c.ticket_id
    )
    lease = secrets.token_hex(8)
    with writing(engine) as connection:
        ids = list(connection.execute(chosen).scalars())
        if not ids:
            return lease, []
        connection.execute(update(_NOTICE).where(_NOTICE.c.id.in_(ids)).values(leased_until=until, lease=lease))
        found = connection.execute(whole.where(_NOTICE.c.id.in_(ids)).order_by(_NOTICE.c.id))
        return lease, [Waiting(*row) for row in found]


def said(engine: Engine, channel: Channel, lease: str, now: datetime) -> None:
    with writing(engine) as connection:
        over = {"state": "sent", "done_at": now, "leased_until": None, "lease": ""}
        connection.execute(
            update(_NOTICE).where(_NOTICE.c.lease == lease, _NOTICE.c.channel_id == channel.id).values(**over)
        )
        if channel.trouble:
            connection.execute(update(_CHANNEL).where(_CHANNEL.c.id == channel.id).values(trouble=""))


def unsaid(engine: Engine, channel: Channel, lease: str, now: datetime, next_at: datetime | None, why: str) -> None:
    """It did not get through: again then, or (None) given up."""
    over: dict[str, Any] = {"state": "dead", "done_at": now} if next_at is None else {"due_at": next_at}
    over |= {"attempts": _NOTICE.c.attempts + 1, "leased_until": None, "lease": ""}
    with writing(engine) as connection:
        connection.execute(
            update(_NOTICE).where(_NOTICE.c.lease == lease, _NOTICE.c.channel_id == channel.id).values(**over)
        )
        connection.execute(update(_CHANNEL).where(_CHANNEL.c.id == channel.id).values(trouble=why))
