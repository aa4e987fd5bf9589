"""Whether the service is at work."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import InterfaceError, OperationalError

from aftersales.database import reading
from aftersales.models import metadata

_HEARTBEAT = metadata.tables["heartbeat"]
#: what the driver raises when the database cannot be reached, or cannot go on (disk full)
UNREACHABLE: tuple[type[Exception], ...] = (OperationalError, InterfaceError)


def last_beat(engine: Engine) -> datetime | None:
    """When any scheduler last finished a round; None if none ever did."""
    with reading(engine) as connection:
        last: datetime | None = connection.execute(select(func.max(_HEARTBEAT.c.at))).scalar()
        return last
