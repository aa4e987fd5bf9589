"""Messages of platforms and couriers: who may send them, each as it came, what became of it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, and_, case, delete, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from aftersales.clock import whole_second
from aftersales.database import reading, writing
from aftersales.models import metadata

_SOURCE, _MESSAGE, _SHOP, _TICKET, _WAYBILL = (
    metadata.tables[name] for name in ("feed_source", "feed_message", "shop", "ticket", "waybill")
)
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}

#: who works on a message has it so long; then another may take it over
LEASE = timedelta(seconds=60)
FIRST_RETRY, LONGEST_RETRY, MOST_TRIES = timedelta(seconds=10), timedelta(hours=1), 8
#: messages done are kept so long
KEPT = timedelta(days=30)
LONGEST_ERROR = 1000


# ── who may tell us ──


@dataclass(frozen=True, slots=True)
class Source:
    shop_id: int
    shop: str
    platform: str
    verifier: str
    secret: str

    def __repr__(self) -> str:  # the secret is for nobody's log
        return f"Source({self.shop_id}, {self.platform}, {self.verifier})"


_COLUMNS = (_SOURCE.c.shop_id, _SHOP.c.name, _SOURCE.c.platform, _SOURCE.c.verifier, _SOURCE.c.secret)


def source(engine: Engine, shop_id: int, platform: str) -> Source | None:
    wanted = and_(_SOURCE.c.shop_id == shop_id, _SOURCE.c.platform == platform, _SOURCE.c.active)
    with reading(engine) as connection:
        row = connection.execute(select(*_COLUMNS).join_from(_SOURCE, _SHOP).where(wanted)).one_or_none()
    return None if row is None else Source(*row)


def sources(engine: Engine) -> list[Source]:
    statement = select(*_COLUMNS).join_from(_SOURCE, _SHOP).where(_SOURCE.c.active)
    with reading(engine) as connection:
        rows = connection.execute(statement.order_by(_SOURCE.c.shop_id, _SOURCE.c.platform).limit(500))
        return [Source(*row) for row in rows]


def connect(engine: Engine, shop_id: int, platform: str, verifier: str, now: datetime, secret: str = "") -> str:
    """From now on this platform may tell us about this shop; gives the secret, a new one each time unless named."""
    made = secret or secrets.token_hex(32)
    row = {"shop_id": shop_id, "platform": platform, "verifier": verifier, "secret": made, "active": True}
    statement = _INSERT[engine.dialect.name](_SOURCE).values(**row, created_at=whole_second(now))
    again = {name: statement.excluded[name] for name in ("verifier", "secret", "active", "created_at")}
    with writing(engine) as connection:
        connection.execute(statement.on_conflict_do_update(index_elements=["shop_id", "platform"], set_=again))
    return made


def disconnect(engine: Engine, shop_id: int, platform: str) -> bool:
    wanted = and_(_SOURCE.c.shop_id == shop_id, _SOURCE.c.platform == platform, _SOURCE.c.active)
    with writing(engine) as connection:
        return connection.execute(update(_SOURCE).where(wanted).values(active=False, secret="")).rowcount > 0


# ── messages ──


@dataclass(frozen=True, slots=True)
class Message:
    id: int
    shop_id: int
    platform: str
    message_id: str
    received_at: datetime
    lane: str
    body: str
    state: str
    tries: int
    next_at: datetime
    done_at: datetime | None
    error: str


_MESSAGES = [_MESSAGE.c[name] for name in Message.__dataclass_fields__]


def keep(engine: Engine, shop_id: int, platform: str, message_id: str, lane: str, body: str, now: datetime) -> str:
    """ "new"; "again": it is there, or "other": with another body. However many come at once, one row is there."""
    now = whole_second(now)
    row = {"shop_id": shop_id, "platform": platform, "message_id": message_id, "received_at": now, "lane": lane}
    statement = _INSERT[engine.dialect.name](_MESSAGE).values(
        **row, body=body, state="new", tries=0, next_at=now, error=""
    )
    same = and_(*(_MESSAGE.c[name] == row[name] for name in ("shop_id", "platform", "message_id")))
    with writing(engine) as connection:
        if connection.execute(statement.on_conflict_do_nothing().returning(_MESSAGE.c.id)).first() is not None:
            return "new"
        there = connection.execute(select(_MESSAGE.c.body).where(same)).scalar_one()
    return "again" if there == body else "other"


def claim(engine: Engine, now: datetime) -> Message | None:
    """The next message to be worked on, for LEASE; of each lane, the oldest that is not done. None: nothing to do."""
    now = whole_second(now)
    ahead = _MESSAGE.alias("ahead")
    first = ~select(literal(1)).where(
        ahead.c.state == "new", ahead.c.shop_id == _MESSAGE.c.shop_id, ahead.c.lane == _MESSAGE.c.lane,
        ahead.c.lane != "", ahead.c.id < _MESSAGE.c.id,
    ).exists()  # fmt: skip
    due = select(*_MESSAGES).where(_MESSAGE.c.state == "new", _MESSAGE.c.next_at <= now, first)
    for _ in range(5):
        with reading(engine) as connection:
            row = connection.execute(due.order_by(_MESSAGE.c.next_at, _MESSAGE.c.id).limit(1)).one_or_none()
        if row is None:
            return None
        found = Message(*row)
        mine = and_(_MESSAGE.c.id == found.id, _MESSAGE.c.state == "new", _MESSAGE.c.tries == found.tries)
        taken = update(_MESSAGE).where(mine).values(tries=found.tries + 1, next_at=now + LEASE)
        with writing(engine) as connection:
            if connection.execute(taken).rowcount:
                return found
    return None


def done(engine: Engine, message: Message, result: str, now: datetime) -> None:
    _end(engine, message.id, state="done", done_at=whole_second(now), error=result[:LONGEST_ERROR])


def dead(engine: Engine, message: Message, why: str, now: datetime) -> None:
    _end(engine, message.id, state="dead", done_at=whole_second(now), error=why[:LONGEST_ERROR])


def later(engine: Engine, message: Message, why: str, next_at: datetime) -> None:
    _end(engine, message.id, next_at=whole_second(next_at), error=why[:LONGEST_ERROR])


def failed(engine: Engine, message: Message, why: str, now: datetime) -> None:
    """Tried again after a while, longer each time; at last a dead letter."""
    if message.tries + 1 >= MOST_TRIES:
        dead(engine, message, why, now)
    else:
        later(engine, message, why, now + min(FIRST_RETRY * 2**message.tries, LONGEST_RETRY))


def _end(engine: Engine, message_id: int, **values: Any) -> None:
    values["error"] = values["error"].replace("\0", "")
    with writing(engine) as connection:
        connection.execute(
            update(_MESSAGE).where(_MESSAGE.c.id == message_id, _MESSAGE.c.state == "new").values(**values)
        )


def retry(engine: Engine, message_id: int, now: datetime) -> bool:
    """A dead letter is worked on once more, from its first try. False: it is none (any more)."""
    wanted = and_(_MESSAGE.c.id == message_id, _MESSAGE.c.state == "dead")
    again = {"state": "new", "tries": 0, "next_at": whole_second(now), "done_at": None}
    with writing(engine) as connection:
        return connection.execute(update(_MESSAGE).where(wanted).values(**again)).rowcount > 0


def forget(engine: Engine, now: datetime, most: int = 1000) -> int:
    """Deletes what was done long ago; dead letters stay until somebody looked."""
    old = select(_MESSAGE.c.id).where(_MESSAGE.c.state == "done", _MESSAGE.c.done_at < now - KEPT).limit(most)
    with writing(engine) as connection:
        return connection.execute(delete(_MESSAGE).where(_MESSAGE.c.id.in_(old.scalar_subquery()))).rowcount


def message(engine: Engine, message_id: int) -> Message | None:
    with reading(engine) as connection:
        row = connection.execute(select(*_MESSAGES).where(_MESSAGE.c.id == message_id)).one_or_none()
    return None if row is None else Message(*row)


def last(engine: Engine, before: int | None = None, *, dead: bool = False, limit: int = 50) -> list[Message]:
    statement = select(*_MESSAGES).order_by(_MESSAGE.c.id.desc()).limit(limit)
    if dead:
        statement = statement.where(_MESSAGE.c.state == "dead")
    if before is not None:
        statement = statement.where(_MESSAGE.c.id < before)
    with reading(engine) as connection:
        return [Message(*row) for row in connection.execute(statement)]


@dataclass(frozen=True, slots=True)
class Health:
    """How a source is doing. Counts of the last day."""

    source: Source
    last_at: datetime | None
    day: int
    waiting: int
    dead: int


def health(engine: Engine, now: datetime) -> list[Health]:
    """Of each source that is connected, by the index of arrivals."""
    c = _MESSAGE.c
    waiting_and_dead = (func.sum(_one_if(c.state == state)) for state in ("new", "dead"))
    columns = (func.max(c.received_at), func.count(), *waiting_and_dead)
    found = []
    for one in sources(engine):
        mine = and_(c.shop_id == one.shop_id, c.platform == one.platform)
        with reading(engine) as connection:
            newest = connection.execute(select(func.max(c.received_at)).where(mine)).scalar()
            lately = select(*columns).where(mine, c.received_at > now - timedelta(days=1))
            _, count, waiting, lost = connection.execute(lately).one()
        found.append(Health(one, newest, count, int(waiting or 0), int(lost or 0)))
    return found


def _one_if(condition: Any) -> Any:
    return case((condition, 1), else_=0)


# ── whose parcel ──


def tickets_of_waybill(engine: Engine, shop_id: int, waybill_no: str) -> Sequence[int]:
    """The ticket that sends it or has it sent, and the open one about its loss."""
    uses = select(_WAYBILL.c.ticket_id).where(_WAYBILL.c.shop_id == shop_id, _WAYBILL.c.waybill_no == waybill_no)
    lost = select(_TICKET.c.id).where(
        _TICKET.c.shop_id == shop_id, _TICKET.c.workflow == "lost_parcel", _TICKET.c.open_key == waybill_no,
        _TICKET.c.closed_at.is_(None),
    )  # fmt: skip
    with reading(engine) as connection:
        found = [*connection.execute(uses).scalars(), *connection.execute(lost).scalars()]
    return sorted(set(found))


def shop_name(engine: Engine, shop_id: int) -> str:
    with reading(engine) as connection:
        name: str = connection.execute(select(_SHOP.c.name).where(_SHOP.c.id == shop_id)).scalar_one()
    return name
