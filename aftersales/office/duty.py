"""Who is on duty when. Nobody keeps a plan yet, so nobody is."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Engine


class Span(NamedTuple):
    from_at: datetime
    to_at: datetime


class Shift(NamedTuple):
    """Somebody on duty, from one instant up to, and without, the other."""

    login: str
    name: str
    from_at: datetime
    to_at: datetime


def shifts(engine: Engine, start: datetime, end: datetime) -> list[Shift]:
    return []


def on_duty(engine: Engine, at: datetime) -> list[Shift]:
    return []


def gaps(engine: Engine, start: datetime, end: datetime) -> list[Span]:
    return [Span(start, end)]
