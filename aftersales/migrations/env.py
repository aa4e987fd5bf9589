"""Runs migrations on the connection that `database.migrate` gives, or for developers on AFTERSALES_DATABASE_URL."""

from __future__ import annotations

import os
from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection

from aftersales import models
from aftersales.database import migrating


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our column types by their name."""
    if kind == "type" and type(item).__module__.startswith(models.__name__):
        return f"models.{type(item).__name__}()"
    return False


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=models.metadata,
        render_as_batch=True,
        render_item=render_item,
        transactional_ddl=True,  # SQLite can, once the driver leaves BEGIN to us
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with migrating(os.environ["AFTERSALES_DATABASE_URL"]) as own:
        run(own)
