"""What tickets are found by, filled for those that are there; and who is looking at what.

Revision: 0004, after 0003
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from aftersales import models, search_index

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEYED: dict[str, Any] = {"sqlite_strict": True, "sqlite_with_rowid": False}
TABLES = {
    "sqlite": ("CREATE VIRTUAL TABLE ticket_words USING fts5 (pairs, content = '', tokenize = 'ascii')",),
    "postgresql": (
        """
CREATE TABLE ticket_words (
    ticket_id bigint NOT NULL,
    seq bigint NOT NULL,
    texts text NOT NULL,
    pairs text[] NOT NULL,
    CONSTRAINT pk_ticket_words PRIMARY KEY (ticket_id, seq)
)""",
        "CREATE INDEX ix_ticket_words_pairs ON ticket_words USING gin (pairs) WITH (fastupdate = off)",
    ),
}


def upgrade() -> None:
    op.create_table(
        "presence",
        sa.Column("account_id", models.Whole(), autoincrement=False, nullable=False),
        sa.Column("ticket_id", models.Whole(), autoincrement=False, nullable=False),
        sa.Column("since", models.Instant(), nullable=False),
        sa.Column("at", models.Instant(), nullable=False),
        sa.Column("doing", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_presence_account_id")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_presence_ticket_id")),
        sa.PrimaryKeyConstraint("account_id", "ticket_id", name=op.f("pk_presence")),
        **KEYED,
    )
    op.create_index("ix_presence_ticket", "presence", ["ticket_id"])
    table, *indexes = TABLES[op.get_context().dialect.name]
    op.execute(sa.DDL(table))
    # reads the columns of 0001 only, and can be done again at any time
    search_index.fill(op.get_bind())
    for index in indexes:
        op.execute(sa.DDL(index))


def downgrade() -> None:
    for table in ("ticket_words", "presence"):
        op.drop_table(table)
