"""The outbox: what was written with the changes is passed on, to a delivery for each endpoint and a notice for each
channel that asked for it. From then on each of those is sent by itself.

One at a time passes rows on: two could give an endpoint a ticket's second message before its first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, and_, delete, exists, func, insert, select, update

from aftersales.database import Connection, reading, writing
from aftersales.models import metadata
from aftersales.office import channels, endpoints
from aftersales.office.channels import Channel
from aftersales.outbound import topics

_OUTBOX, _DELIVERY, _ATTEMPT, _NOTICE, _TICKET, _OF_TEAM, _TRANSFER, _PAYMENT, _EVENT, _BEAT = (
    metadata.tables[name]
    for name in (
        *("outbox", "delivery", "delivery_attempt", "notice", "ticket", "ticket_team", "transfer", "payment"),
        *("ticket_event", "heartbeat"),
    )
)

BATCH, BULK = 500, 5000
#: what was written longer ago is not news to people any more
STALE = timedelta(hours=12)
KEPT = timedelta(days=30)
CHORE = 1000
#: any number, but the same for every worker of this product
_PASSING_ON = 20221013


@dataclass(frozen=True)
class Row:
    id: int
    shop_id: int
    ticket_id: int
    seq: int
    topic: str
    payload: dict[str, Any]
    created_at: datetime

    @property
    def told_as(self) -> str:
        return topics.topic_of(self.topic, self.seq, self.payload["trigger"])


def pass_on(engine: Engine, now: datetime, escalations: Collection[tuple[str, str]] = ()) -> int:
    """One batch; returns how many rows, 0 when there are none. `escalations`: (type, trigger)."""
    with reading(engine) as connection:
        if connection.execute(select(_OUTBOX.c.id).where(_OUTBOX.c.sent_at.is_(None)).limit(1)).first() is None:
            return 0
    with writing(engine) as connection:
        if not _alone(connection):
            return 0
        to, people = endpoints.in_force(connection), channels.in_force(connection)
        if not to and not people:
            return _let_go(connection, now)
        rows = _unsent(connection)
        deliveries = [_delivery(row, one.id, now) for row in rows for one in to if _asked(one, row)]
        if deliveries:
            connection.execute(insert(_DELIVERY), deliveries)
        fresh = [row for row in rows if now - row.created_at < STALE]
        channels.tell(connection, _notices(connection, fresh, people, escalations), now)
        passed = _OUTBOX.c.id.in_([row.id for row in rows])
        connection.execute(update(_OUTBOX).where(passed).values(sent_at=now))
        return len(rows)


def _alone(connection: Connection) -> bool:
    """SQLite has one writer anyway."""
    if connection.dialect.name == "sqlite":
        return True
    return bool(connection.execute(select(func.pg_try_advisory_xact_lock(_PASSING_ON))).scalar())


def _let_go(connection: Connection, now: datetime) -> int:
    """Nobody wants anything: in one statement, without looking at the rows."""
    first = select(_OUTBOX.c.id).where(_OUTBOX.c.sent_at.is_(None)).order_by(_OUTBOX.c.id).limit(BULK)
    return connection.execute(update(_OUTBOX).where(_OUTBOX.c.id.in_(first)).values(sent_at=now)).rowcount


def _unsent(connection: Connection) -> list[Row]:
    columns = [_OUTBOX.c[name] for name in Row.__dataclass_fields__]
    first = select(*columns).where(_OUTBOX.c.sent_at.is_(None)).order_by(_OUTBOX.c.id).limit(BATCH)
    return [Row(*row) for row in connection.execute(first)]


def _asked(endpoint: endpoints.Endpoint, row: Row) -> bool:
    since = row.created_at >= endpoint.created_at.replace(microsecond=0)
    return endpoint.shop_id == row.shop_id and since and row.told_as in endpoint.topics


def _delivery(row: Row, endpoint_id: int, now: datetime) -> dict[str, Any]:
    return {
        "endpoint_id": endpoint_id, "outbox_id": row.id, "ticket_id": row.ticket_id, "topic": row.told_as,
        "state": "waiting", "attempts": 0, "next_at": now, "lease": "", "created_at": now,
    }  # fmt: skip


# ── who is told what ──


class _Known:
    """What must be known of the tickets of a batch to say whom it concerns."""

    def __init__(self, connection: Connection, rows: Sequence[Row]) -> None:
        ids = sorted({row.ticket_id for row in rows})

        def of(*columns: Any, key: Any) -> list[Any]:
            return list(connection.execute(select(*columns).where(key.in_(ids))))

        self.tickets = {row.id: row for row in of(_TICKET.c.id, _TICKET.c.owner, _TICKET.c.workflow, key=_TICKET.c.id)}
        self.teams = dict(of(_OF_TEAM.c.ticket_id, _OF_TEAM.c.team_id, key=_OF_TEAM.c.ticket_id))
        handed = of(_TRANSFER.c.ticket_id, _TRANSFER.c.to_login, _TRANSFER.c.at, key=_TRANSFER.c.ticket_id)
        self.handed = {(row.ticket_id, row.at): row.to_login for row in handed}
        self.paid: dict[tuple[int, int], int] = defaultdict(int)
        moves = {row.ticket_id for row in rows if row.topic == "ticket.move"}
        if moves:
            self._released(connection, sorted(moves))

    def _released(self, connection: Connection, ids: list[int]) -> None:
        """Money that the clock let go, by ticket and event: a payment's key ends in the event's number."""
        question = select(_PAYMENT.c.ticket_id, _PAYMENT.c.amount_fen, _PAYMENT.c.idempotency_key)
        paid = list(connection.execute(question.where(_PAYMENT.c.ticket_id.in_(ids))))
        clock = and_(_EVENT.c.actor == "system", _EVENT.c.due_at.is_not(None), _EVENT.c.kind == "move")
        some = _EVENT.c.ticket_id.in_([row.ticket_id for row in paid])
        fired = {tuple(row) for row in connection.execute(select(_EVENT.c.ticket_id, _EVENT.c.seq).where(some, clock))}
        for row in paid:
            place = (row.ticket_id, int(row.idempotency_key.rpartition(":")[2]))
            if place in fired:
                self.paid[place] += row.amount_fen


def _notices(
    connection: Connection, rows: Sequence[Row], people: Sequence[Channel], escalations: Collection[tuple[str, str]]
) -> list[channels.News]:
    interesting = [row for row in rows if row.topic in ("ticket.move", "ticket.reminder", "ticket.assign")]
    if not people or not interesting:
        return []
    known = _Known(connection, interesting)
    found = []
    for row in interesting:
        for event, facts in _events(row, known, escalations):
            for one in people:
                since = row.created_at >= one.created_at.replace(microsecond=0)
                if since and event in one.events and _concerns(one, event, row, known, facts):
                    found.append(channels.News(one, event, f"{event}:{row.id}", row.ticket_id, facts))
    return found


def _events(row: Row, known: _Known, escalations: Collection[tuple[str, str]]) -> Iterable[tuple[str, dict[str, Any]]]:
    ticket = known.tickets.get(row.ticket_id)
    if ticket is None:
        return
    if row.topic == "ticket.reminder":
        yield topics.DUE_SOON, {}
    elif row.topic == "ticket.assign":
        yield topics.HANDED, {}
    else:
        if (ticket.workflow, row.payload["trigger"]) in escalations:
            yield topics.ESCALATED, {}
        if amount := known.paid.get((row.ticket_id, row.seq)):
            yield topics.MONEY, {"fen": amount}


def _concerns(one: Channel, event: str, row: Row, known: _Known, facts: dict[str, Any]) -> bool:
    if one.team_id is not None:
        mine = known.teams.get(row.ticket_id) == one.team_id
    elif event == topics.DUE_SOON:
        mine = known.tickets[row.ticket_id].owner == one.login
    elif event == topics.HANDED:
        mine = known.handed.get((row.ticket_id, row.created_at)) == one.login
    else:
        mine = not one.shops or row.shop_id in one.shops
    return mine and (event != topics.MONEY or facts["fen"] >= one.from_fen)


# ── what is of no ticket ──


def last_beat(engine: Engine) -> tuple[datetime | None, bool]:
    """When a scheduler last finished a round, and whether all have ended on purpose."""
    with reading(engine) as connection:
        rows = list(connection.execute(select(_BEAT.c.at, _BEAT.c.note).order_by(_BEAT.c.at.desc()).limit(20)))
    return (rows[0].at if rows else None), bool(rows) and rows[0].note == "stopped"


# ── chores ──


def tidy(engine: Engine, now: datetime) -> int:
    """A little of what is older than 30 days; returns how many rows went. What still waited by then is given up."""
    old = now - KEPT
    with writing(engine) as connection:
        given_up = and_(_first(_DELIVERY, "created_at", old), _DELIVERY.c.state == "waiting")
        connection.execute(update(_DELIVERY).where(given_up).values(state="dead", done_at=now))
        gone = [
            id
            for (id,) in connection.execute(
                select(_DELIVERY.c.id).where(_first(_DELIVERY, "created_at", old), _DELIVERY.c.state != "waiting")
            )
        ]
        connection.execute(delete(_ATTEMPT).where(_ATTEMPT.c.delivery_id.in_(gone)))
        connection.execute(delete(_DELIVERY).where(_DELIVERY.c.id.in_(gone)))
        notices = connection.execute(delete(_NOTICE).where(_first(_NOTICE, "created_at", old))).rowcount
        waits = exists().where(_DELIVERY.c.outbox_id == _OUTBOX.c.id)
        sent = and_(_first(_OUTBOX, "sent_at", old), ~waits)
        return len(gone) + notices + connection.execute(delete(_OUTBOX).where(sent)).rowcount


def _first(table: Any, column: str, old: datetime) -> Any:
    """Of the first rows of a table, which are its oldest, those that are too old."""
    first = select(table.c.id, table.c[column].label("at")).order_by(table.c.id).limit(CHORE).subquery()
    return table.c.id.in_(select(first.c.id).where(first.c.at < old))
