"""Rows that nobody needs any more, removed a few at a time: the scheduler calls these in quiet moments.

Each gives how many it removed. Two schedulers may do it at once: a row that is gone is gone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, Table, and_, delete, func, select, tuple_

from aftersales.database import writing
from aftersales.models import metadata
from aftersales.office.accounts import IDLE
from aftersales.office.presence import GONE_AFTER

_BEAT, _SESSION, _PRESENCE = (metadata.tables[name] for name in ("heartbeat", "session", "presence"))
#: of schedulers that stopped or died
FORGOTTEN = timedelta(days=1)
#: removed in one transaction; the rest goes next time
MOST = 1000


def heartbeats(engine: Engine, now: datetime) -> int:
    """Of schedulers not heard of for a day; the newest of all stays, for it says since when nobody is at work."""
    newest = select(func.max(_BEAT.c.at)).scalar_subquery()
    return _remove(engine, _BEAT, and_(_BEAT.c.at < now - FORGOTTEN, _BEAT.c.at < newest))


def sessions(engine: Engine, now: datetime) -> int:
    """Browsers that have to sign in again anyway."""
    return _remove(engine, _SESSION, _SESSION.c.seen_at < now - IDLE)


def presence(engine: Engine, now: datetime) -> int:
    """People who were not heard of for longer than a page that is open is silent."""
    return _remove(engine, _PRESENCE, _PRESENCE.c.at < now - 10 * GONE_AFTER)


def _remove(engine: Engine, table: Table, gone: ColumnElement[bool]) -> int:
    key: list[Any] = list(table.primary_key.columns)
    some = select(*key).where(gone).limit(MOST)
    with writing(engine) as connection:
        return connection.execute(delete(table).where(tuple_(*key).in_(some))).rowcount
