"""Puts one installation together from its settings: database, rules, desk. What cli and web start from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aftersales import database
from aftersales.catalog import RuleBook, built_in
from aftersales.decide import Rules
from aftersales.desk import Desk
from aftersales.rule_files import StoredRuleFiles
from aftersales.settings import Settings
from aftersales.work_calendar import WorkCalendar


class CurrentRules:
    """The rules as they are at this moment: the catalog in force, with the calendar and the grace of the settings."""

    def __init__(self, book: RuleBook, settings: Settings) -> None:
        self._book = book
        calendar = WorkCalendar.default(settings.calendar_file)
        self._rules = Rules(book.catalog, calendar, settings.catch_up_grace)

    def __call__(self) -> Rules:
        if self._rules.catalog is not self._book.catalog:
            self._rules = replace(self._rules, catalog=self._book.catalog)
        return self._rules


@dataclass(frozen=True)
class Application:
    settings: Settings
    engine: database.Engine
    desk: Desk
    #: the rule tables; its `problems` say what is wrong with the operator's files
    book: RuleBook

    def rules(self) -> Rules:
        return self.desk.rules()


def assemble(settings: Settings) -> Application:
    """Opens the database of the settings; the schema must be there (`aftersales db upgrade`)."""
    engine = database.create_engine(settings.database_url)
    book = RuleBook(settings.rules_dir, StoredRuleFiles(engine))
    return Application(settings, engine, Desk(engine, CurrentRules(book, settings)), book)


def in_memory() -> tuple[Desk, Rules]:
    """A desk on an empty database that lives as long as it is used: scenarios, trying things out."""
    engine = database.create_engine("sqlite://")
    database.create_all(engine)
    rules = Rules(built_in(), WorkCalendar.default())
    return Desk(engine, lambda: rules), rules
