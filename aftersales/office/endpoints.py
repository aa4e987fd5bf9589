"""Endpoints of webhooks, what is to be delivered to each, and who is delivering it.

A delivery is claimed with a lease, by any number of workers: whoever is killed loses it to another when the lease runs
out. Of a ticket an endpoint gets one message at a time, the oldest first.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Select, and_, delete, exists, func, insert, or_, select, update

from aftersales.database import Connection, reading, writing
from aftersales.errors import Refused
from aftersales.models import metadata
from aftersales.saying import say

_ENDPOINT, _DELIVERY, _ATTEMPT, _OUTBOX, _TICKET, _SHOP = (
    metadata.tables[name] for name in ("endpoint", "delivery", "delivery_attempt", "outbox", "ticket", "shop")
)

#: both secrets are good for so long after a change
OVERLAP = timedelta(days=1)
PER_SHOP = 20
PAGE = 50
STATES = {"waiting": "等待", "sent": "已送达", "dead": "放弃"}


@dataclass(frozen=True)
class Endpoint:
    """Secrets are in no repr."""

    id: int
    shop_id: int
    url: str
    topics: Sequence[str]
    created_at: datetime
    failures: int
    failing_since: datetime | None
    rests_until: datetime | None
    paused_at: datetime | None
    paused_why: str
    old_until: datetime | None
    secret: str = field(repr=False)
    old_secret: str = field(repr=False)

    def secrets(self, now: datetime) -> tuple[str, ...]:
        """Those that sign now."""
        both = self.old_secret and self.old_until is not None and now < self.old_until
        return (self.secret, self.old_secret) if both else (self.secret,)


_WHOLE = select(*(_ENDPOINT.c[name] for name in Endpoint.__dataclass_fields__))


def everything(engine: Engine) -> list[Endpoint]:
    with reading(engine) as connection:
        return in_force(connection)


def in_force(connection: Connection) -> list[Endpoint]:
    return [Endpoint(*row) for row in connection.execute(_WHOLE.order_by(_ENDPOINT.c.id))]


def by_id(engine: Engine, endpoint_id: int) -> Endpoint | None:
    with reading(engine) as connection:
        row = connection.execute(_WHOLE.where(_ENDPOINT.c.id == endpoint_id)).first()
    return None if row is None else Endpoint(*row)


# ── changed by people ──


def add(engine: Engine, shop_id: int, url: str, topics: Iterable[str], secret: str, at: datetime) -> int:
    """Refused: no such shop, no topic, or the shop has as many as it may."""
    topics = sorted(set(topics))
    if not topics:
        raise Refused("missing_field", say("还没有选要通知的事，请至少选一种"))
    with writing(engine) as connection:
        if connection.execute(select(_SHOP.c.id).where(_SHOP.c.id == shop_id)).first() is None:
            raise Refused("invalid_field", say("店铺里有不存在的，请刷新后再试"))
        mine = select(func.count()).select_from(_ENDPOINT).where(_ENDPOINT.c.shop_id == shop_id)
        if connection.execute(mine).scalar_one() >= PER_SHOP:
            raise Refused("invalid_field", say("一家店最多 {n} 个接收地址，请先删掉不用的", n=PER_SHOP))
        values = {"shop_id": shop_id, "url": url, "topics": topics, "secret": secret, "created_at": at}
        rest = {"old_secret": "", "failures": 0, "paused_why": ""}
        question = insert(_ENDPOINT).values(**values, **rest).returning(_ENDPOINT.c.id)
        made: int = connection.execute(question).scalar_one()
        return made


def _changed(engine: Engine, endpoint_id: int, **values: Any) -> None:
    with writing(engine) as connection:
        connection.execute(update(_ENDPOINT).where(_ENDPOINT.c.id == endpoint_id).values(**values))


def pause(engine: Engine, endpoint_id: int, at: datetime, why: str = "") -> None:
    _changed(engine, endpoint_id, paused_at=at, paused_why=why)


def resume(engine: Engine, endpoint_id: int, at: datetime) -> None:
    """What waited goes out at once."""
    with writing(engine) as connection:
        fresh = {"paused_at": None, "paused_why": "", "failures": 0, "failing_since": None, "rests_until": None}
        connection.execute(update(_ENDPOINT).where(_ENDPOINT.c.id == endpoint_id).values(**fresh))
        waiting = and_(_DELIVERY.c.endpoint_id == endpoint_id, _DELIVERY.c.state == "waiting")
        connection.execute(update(_DELIVERY).where(waiting).values(next_at=at))


def rotate(engine: Engine, endpoint_id: int, secret: str, at: datetime) -> None:
    """The secret until now signs beside the new one for a day."""
    old = {"old_secret": _ENDPOINT.c.secret, "old_until": at + OVERLAP}
    _changed(engine, endpoint_id, secret=secret, **old)


def remove(engine: Engine, endpoint_id: int) -> None:
    """With all that was or is to be delivered to it."""
    with writing(engine) as connection:
        of_it = select(_DELIVERY.c.id).where(_DELIVERY.c.endpoint_id == endpoint_id)
        connection.execute(delete(_ATTEMPT).where(_ATTEMPT.c.delivery_id.in_(of_it)))
        connection.execute(delete(_DELIVERY).where(_DELIVERY.c.endpoint_id == endpoint_id))
        connection.execute(delete(_ENDPOINT).where(_ENDPOINT.c.id == endpoint_id))


def add_test(engine: Engine, endpoint_id: int, at: datetime) -> int:
    """A message to try the endpoint with; it goes out like any other."""
    with writing(engine) as connection:
        row = {"endpoint_id": endpoint_id, "outbox_id": None, "ticket_id": 0, "topic": "test", **_fresh(at)}
        made: int = connection.execute(insert(_DELIVERY).values(**row).returning(_DELIVERY.c.id)).scalar_one()
        return made


def _fresh(at: datetime) -> dict[str, Any]:
    return {"state": "waiting", "attempts": 0, "next_at": at, "lease": "", "created_at": at}


def again(engine: Engine, delivery_id: int, at: datetime) -> bool:
    """Deliver once more, by the same id; False if there is none that was delivered or given up."""
    one = and_(_DELIVERY.c.id == delivery_id, _DELIVERY.c.state != "waiting")
    with writing(engine) as connection:
        values = {"state": "waiting", "attempts": 0, "next_at": at, "done_at": None}
        return connection.execute(update(_DELIVERY).where(one).values(**values)).rowcount == 1


def again_since(engine: Engine, endpoint_id: int, since: datetime, at: datetime) -> int:
    """All that came up since then once more; returns how many."""
    of_it = and_(
        _DELIVERY.c.endpoint_id == endpoint_id, _DELIVERY.c.created_at >= since, _DELIVERY.c.state != "waiting",
        _DELIVERY.c.outbox_id.is_not(None),
    )  # fmt: skip
    with writing(engine) as connection:
        values = {"state": "waiting", "attempts": 0, "next_at": at, "done_at": None}
        return connection.execute(update(_DELIVERY).where(of_it).values(**values)).rowcount


# ── sent by workers ──


@dataclass(frozen=True)
class Due:
    """A delivery in somebody's hands."""

    id: int
    outbox_id: int | None
    ticket_id: int
    topic: str
    attempts: int
    created_at: datetime
    lease: str = ""


def _free(now: datetime) -> Any:
    """In nobody's hands, and the first of its ticket that waits for this endpoint."""
    unleased = or_(_DELIVERY.c.leased_until.is_(None), _DELIVERY.c.leased_until <= now)
    earlier = _DELIVERY.alias()
    held_back = exists().where(
        earlier.c.endpoint_id == _DELIVERY.c.endpoint_id, earlier.c.ticket_id == _DELIVERY.c.ticket_id,
        earlier.c.id < _DELIVERY.c.id, earlier.c.state == "waiting", _DELIVERY.c.ticket_id != 0,
    )  # fmt: skip
    return and_(_DELIVERY.c.state == "waiting", _DELIVERY.c.next_at <= now, unleased, ~held_back)


def with_work(engine: Engine, now: datetime) -> list[Endpoint]:
    """Endpoints for which something may go out now."""
    has = exists().where(_DELIVERY.c.endpoint_id == _ENDPOINT.c.id, _free(now))
    awake = or_(_ENDPOINT.c.rests_until.is_(None), _ENDPOINT.c.rests_until <= now)
    with reading(engine) as connection:
        rows = connection.execute(_WHOLE.where(_ENDPOINT.c.paused_at.is_(None), awake, has))
        return [Endpoint(*row) for row in rows]


def claim(engine: Engine, endpoint_id: int, now: datetime, *, until: datetime, limit: int) -> list[Due]:
    """Up to so many deliveries, nobody else's until then, at most one of each ticket, the oldest first."""
    chosen = (
        select(*(_DELIVERY.c[name] for name in ("id", "outbox_id", "ticket_id", "topic", "attempts", "created_at")))
        .where(_DELIVERY.c.endpoint_id == endpoint_id, _free(now))
        .order_by(_DELIVERY.c.id)
        .limit(limit)
        .with_for_update(of=_DELIVERY, skip_locked=True)
    )
    lease = secrets.token_hex(8)
    with writing(engine) as connection:
        found = [replace(Due(*row), lease=lease) for row in connection.execute(chosen)]
        mine = _DELIVERY.c.id.in_([one.id for one in found])
        if found:
            connection.execute(update(_DELIVERY).where(mine).values(leased_until=until, lease=lease))
    return found


def release(engine: Engine, dues: Iterable[Due]) -> None:
    """Not sent after all: free for anybody."""
    with writing(engine) as connection:
        for due in dues:
            connection.execute(_mine(due).values(leased_until=None, lease=""))


def _mine(due: Due) -> Any:
    return update(_DELIVERY).where(_DELIVERY.c.id == due.id, _DELIVERY.c.lease == due.lease)


def _tried(connection: Connection, due: Due, attempt: dict[str, Any]) -> None:
    connection.execute(insert(_ATTEMPT).values(delivery_id=due.id, **attempt))


def went_well(engine: Engine, due: Due, endpoint_id: int, attempt: dict[str, Any]) -> None:
    """`attempt`: the columns of AttemptRow but the delivery."""
    done = {"state": "sent", "attempts": due.attempts + 1, "done_at": attempt["at"], "leased_until": None, "lease": ""}
    with writing(engine) as connection:
        connection.execute(_mine(due).values(**done))
        _tried(connection, due, attempt)
        connection.execute(
            update(_ENDPOINT)
            .where(_ENDPOINT.c.id == endpoint_id, _ENDPOINT.c.failures > 0)
            .values(failures=0, failing_since=None, rests_until=None)
        )


def went_wrong(
    engine: Engine, due: Due, endpoint_id: int, attempt: dict[str, Any], *,
    next_at: datetime | None, rests_until: datetime | None, paused_why: str = "",
) -> None:  # fmt: skip
    """`next_at` None: given up. With `paused_why` the endpoint gets nothing more until a person says so."""
    at = attempt["at"]
    over = {"state": "dead", "done_at": at} if next_at is None else {"next_at": next_at}
    values: dict[str, Any] = {"failures": _ENDPOINT.c.failures + 1, "rests_until": rests_until}
    values["failing_since"] = func.coalesce(_ENDPOINT.c.failing_since, at)
    with writing(engine) as connection:
        connection.execute(_mine(due).values(attempts=due.attempts + 1, leased_until=None, lease="", **over))
        _tried(connection, due, attempt)
        connection.execute(update(_ENDPOINT).where(_ENDPOINT.c.id == endpoint_id).values(**values))
        if paused_why:
            still = and_(_ENDPOINT.c.id == endpoint_id, _ENDPOINT.c.paused_at.is_(None))
            connection.execute(update(_ENDPOINT).where(still).values(paused_at=at, paused_why=paused_why))


@dataclass(frozen=True)
class Told:
    """What an outbox row and its ticket say."""

    seq: int
    payload: dict[str, Any]
    shop: str
    workflow: str
    policy: str


def told(engine: Engine, outbox_ids: Iterable[int]) -> dict[int, Told]:
    columns = (_OUTBOX.c.id, _OUTBOX.c.seq, _OUTBOX.c.payload, _SHOP.c.name, _TICKET.c.workflow, _TICKET.c.policy)
    question = (
        select(*columns)
        .join_from(_OUTBOX, _TICKET, _TICKET.c.id == _OUTBOX.c.ticket_id)
        .join(_SHOP, _SHOP.c.id == _OUTBOX.c.shop_id)
        .where(_OUTBOX.c.id.in_(list(outbox_ids)))
    )
    with reading(engine) as connection:
        return {row[0]: Told(*row[1:]) for row in connection.execute(question)}


# ── seen by people ──


@dataclass(frozen=True)
class Health:
    waiting: int
    dead: int
    oldest_at: datetime | None


def health(engine: Engine) -> dict[int, Health]:
    """By endpoint; counts end at 1,000."""
    found: dict[int, Health] = {}
    with reading(engine) as connection:
        for (id,) in connection.execute(select(_ENDPOINT.c.id)).all():
            counts: list[int] = []
            for state in ("waiting", "dead"):
                some = select(_DELIVERY.c.id).where(_DELIVERY.c.endpoint_id == id, _DELIVERY.c.state == state)
                counts.append(
                    connection.execute(select(func.count()).select_from(some.limit(1000).subquery())).scalar_one()
                )
            first = select(_DELIVERY.c.created_at).where(_DELIVERY.c.endpoint_id == id, _DELIVERY.c.state == "waiting")
            oldest = connection.execute(first.order_by(_DELIVERY.c.id).limit(1)).scalar()
            found[id] = Health(counts[0], counts[1], oldest)
    return found


@dataclass(frozen=True)
class Logged:
    id: int
    endpoint_id: int
    outbox_id: int | None
    ticket_id: int
    number: str | None
    topic: str
    state: str
    attempts: int
    next_at: datetime
    created_at: datetime
    done_at: datetime | None


def _log() -> Select[Any]:
    names = ("id", "endpoint_id", "outbox_id", "ticket_id")
    rest = ("topic", "state", "attempts", "next_at", "created_at", "done_at")
    return select(
        *(_DELIVERY.c[name] for name in names), _TICKET.c.number, *(_DELIVERY.c[name] for name in rest)
    ).outerjoin_from(_DELIVERY, _TICKET, _TICKET.c.id == _DELIVERY.c.ticket_id)


def log(engine: Engine, *, endpoint_id: int | None, state: str, before: int | None) -> list[Logged]:
    """The newest first, a page and one more."""
    question = _log().order_by(_DELIVERY.c.id.desc()).limit(PAGE + 1)
    if endpoint_id is not None:
        question = question.where(_DELIVERY.c.endpoint_id == endpoint_id)
    if state:
        question = question.where(_DELIVERY.c.state == state)
    if before is not None:
        question = question.where(_DELIVERY.c.id < before)
    with reading(engine) as connection:
        return [Logged(*row) for row in connection.execute(question)]


def logged(engine: Engine, delivery_id: int) -> tuple[Logged, list[Any]] | None:
    """A delivery with its last 50 attempts, the newest first."""
    with reading(engine) as connection:
        row = connection.execute(_log().where(_DELIVERY.c.id == delivery_id)).first()
        tried = select(*(_ATTEMPT.c[name] for name in ("at", "status", "duration_ms", "answer", "error")))
        of_it = tried.where(_ATTEMPT.c.delivery_id == delivery_id).order_by(_ATTEMPT.c.id.desc()).limit(PAGE)
        return None if row is None else (Logged(*row), list(connection.execute(of_it)))
