"""Puts one installation together from its settings: database, rules, desk. What cli and web start from."""

from __future__ import annotations

from dataclasses import dataclass

from aftersales import database
from aftersales.catalog import built_in
from aftersales.decide import Rules
from aftersales.desk import Desk
from aftersales.settings import Settings
from aftersales.work_calendar import WorkCalendar


@dataclass(frozen=True)
class Application:
    settings: Settings
    engine: database.Engine
    desk: Desk

    def rules(self) -> Rules:
        return self.desk.rules()


def assemble(settings: Settings) -> Application:
    """Opens the database of the settings; the schema must be there (`aftersales db upgrade`)."""
    engine = database.create_engine(settings.database_url)
    rules = Rules(built_in(), WorkCalendar.default(settings.calendar_file), settings.catch_up_grace)
    return Application(settings, engine, Desk(engine, lambda: rules))


def in_memory() -> tuple[Desk, Rules]:
    """A desk on an empty database that lives as long as it is used: scenarios, trying things out."""
    engine = database.create_engine("sqlite://")
    database.create_all(engine)
    rules = Rules(built_in(), WorkCalendar.default())
    return Desk(engine, lambda: rules), rules


