"""What tickets are found by; filled for those that are there.

Revision: 0004, after 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from aftersales import search_index

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

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
    table, *indexes = TABLES[op.get_context().dialect.name]
    op.execute(sa.DDL(table))
    # reads the columns of 0001 only, and can be done again at any time
    search_index.fill(op.get_bind())
    for index in indexes:
        op.execute(sa.DDL(index))


def downgrade() -> None:
    op.drop_table("ticket_words")
