"""Where the last good version of every rule file is kept: in the database, so that a restart finds it too."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from aftersales import clock, store
from aftersales.database import Engine, reading, writing


class StoredRuleFiles:
    """`catalog.LastGood` on the table `rule_file`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, name: str) -> str | None:
        with reading(self._engine) as connection:
            return store.rule_file(connection, name)

    def put(self, name: str, source: str) -> None:
        sha256 = hashlib.sha256(source.encode()).hexdigest()
        with writing(self._engine) as connection:
            store.keep_rule_file(connection, name, source, sha256, clock.now())

    def names(self) -> Iterable[str]:
        with reading(self._engine) as connection:
            return store.rule_file_names(connection)
