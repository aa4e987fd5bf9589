"""What platforms last said of each ticket, in which of these our ticket differs, and what people decided about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Select, and_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from aftersales.clock import whole_second
from aftersales.database import Connection, reading, writing
from aftersales.models import metadata

_SAID, _TICKET = metadata.tables["platform_said"], metadata.tables["ticket"]
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
#: rows in one statement
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Said:
    id: int
    shop_id: int
    policy: str
    platform_no: str
    workflow: str
    status: str
    said_at: datetime
    source: str
    report: Mapping[str, Any]
    gone: bool
    differs: bool
    kept: str
    kept_reason: str
    kept_by: str
    kept_at: datetime | None
    #: the ticket here of that number
    ticket_id: int | None


_COLUMNS = [_SAID.c[name] for name in Said.__dataclass_fields__ if name != "ticket_id"]
_OURS = and_(
    _TICKET.c.shop_id == _SAID.c.shop_id, _TICKET.c.policy == _SAID.c.policy,
    _TICKET.c.platform_no == _SAID.c.platform_no,
)  # fmt: skip
_WITH_OURS: Select[Any] = select(*_COLUMNS, _TICKET.c.id.label("ticket_id")).join_from(
    _SAID, _TICKET, _OURS, isouter=True
)


def hear(engine: Engine, shop_id: int, reports: Sequence[Mapping[str, Any]], source: str) -> list[Said]:
    """Writes down what is said (Report.to_json), unless something later was said of that ticket already; gives what
    stands then, of each ticket once."""
    with writing(engine) as connection:
        for report in reports:
            _hear(connection, shop_id, report, source)
        found: list[Said] = []
        keys = list(dict.fromkeys((report["policy"], report["platform_no"]) for report in reports))
        for policy, numbers in _grouped(keys).items():
            wanted = and_(_SAID.c.shop_id == shop_id, _SAID.c.policy == policy, _SAID.c.platform_no.in_(numbers))
            found += [Said(*row) for row in connection.execute(_WITH_OURS.where(wanted)).all()]
    return found


def _hear(connection: Connection, shop_id: int, report: Mapping[str, Any], source: str) -> None:
    named = {name: report[name] for name in ("policy", "platform_no", "workflow", "status", "said_at")}
    row = {"shop_id": shop_id, **named, "source": source, "report": dict(report), "gone": False}
    statement = _INSERT[connection.dialect.name](_SAID).values(
        **row, differs=False, kept="", kept_reason="", kept_by=""
    )
    newer = {name: statement.excluded[name] for name in ("workflow", "status", "said_at", "source", "report", "gone")}
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["shop_id", "policy", "platform_no"], set_=newer,
            where=_SAID.c.said_at <= statement.excluded.said_at,
        )
    )  # fmt: skip


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for group, value in pairs:
        groups.setdefault(group, []).append(value)
    return groups


def mark(engine: Engine, differs: Mapping[int, bool]) -> None:
    """Which of these differ, so that the inbox finds them."""
    with writing(engine) as connection:
        for answer in (True, False):
            ids = [id for id, one in differs.items() if one is answer]
            for first in range(0, len(ids), _AT_ONCE):
                these = _SAID.c.id.in_(ids[first : first + _AT_ONCE])
                connection.execute(update(_SAID).where(these, _SAID.c.differs == (not answer)).values(differs=answer))


def inbox(engine: Engine, after: int = 0, limit: int = 100) -> list[Said]:
    """Those that differed when last compared, the oldest first."""
    statement = _WITH_OURS.where(_SAID.c.differs, _SAID.c.id > after).order_by(_SAID.c.id).limit(limit)
    with reading(engine) as connection:
        return [Said(*row) for row in connection.execute(statement).all()]


def one(engine: Engine, said_id: int) -> Said | None:
    with reading(engine) as connection:
        row = connection.execute(_WITH_OURS.where(_SAID.c.id == said_id)).one_or_none()
    return None if row is None else Said(*row)


def keep_ours(engine: Engine, said_id: int, what: str, reason: str, by: str, now: datetime) -> None:
    """`what`: the difference that is decided about; another one comes back to the inbox."""
    kept = {"kept": what, "kept_reason": reason, "kept_by": by, "kept_at": whole_second(now), "differs": False}
    with writing(engine) as connection:
        connection.execute(update(_SAID).where(_SAID.c.id == said_id).values(**kept))


def not_in_the_list(engine: Engine, shop_id: int, policy: str, since: datetime, source: str) -> int:
    """A whole list was read: open tickets with a number there of which it said nothing are gone there. How many."""
    open_here = and_(
        _TICKET.c.shop_id == shop_id, _TICKET.c.policy == policy, _TICKET.c.platform_no.is_not(None),
        _TICKET.c.closed_at.is_(None), _TICKET.c.recorded_at <= since,
    )  # fmt: skip
    columns = (_TICKET.c.platform_no, _TICKET.c.workflow, _TICKET.c.state, _SAID.c.id.label("said"))
    unsaid = or_(_SAID.c.id.is_(None), _SAID.c.said_at < since)
    with writing(engine) as connection:
        rows = connection.execute(
            select(*columns).join_from(_TICKET, _SAID, _OURS, isouter=True).where(open_here, unsaid)
        )
        found = rows.all()
        for row in found:
            if row.said is None:
                report = {
                    "policy": policy, "platform_no": row.platform_no, "workflow": row.workflow, "status": "",
                    "agree": [row.state], "said_at": since,
                }  # fmt: skip
                _hear(connection, shop_id, report, source)
            same = and_(_SAID.c.shop_id == shop_id, _SAID.c.policy == policy, _SAID.c.platform_no == row.platform_no)
            connection.execute(update(_SAID).where(same).values(gone=True, differs=True, said_at=since, source=source))
    return len(found)
