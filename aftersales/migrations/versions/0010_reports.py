"""What was measured of each ticket, its sums by day, and how far the counting got.

Revision: 0010, after 0009
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from aftersales import models

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KEYED: dict[str, Any] = {"sqlite_strict": True, "sqlite_with_rowid": False}
BUSY: dict[str, Any] = {**KEYED, "postgresql_with": {"autovacuum_vacuum_scale_factor": 0.02}}


def upgrade() -> None:
    op.create_table(
        "measured",
        sa.Column("ticket_id", models.Whole(), autoincrement=False, nullable=False),
        sa.Column("place", models.Whole(), autoincrement=False, nullable=False),
        sa.Column("shop_id", models.Whole(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("day", "workflow", "policy", "measure")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("person", "cause")),
        sa.Column("amount", models.Whole(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", "place", name=op.f("pk_measured")),
        **KEYED,
    )
    op.create_index("ix_measured_of_day", "measured", ["measure", "day", "ticket_id"])
    op.create_table(
        "measured_day",
        sa.Column("day", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("shop_id", models.Whole(), autoincrement=False, nullable=False),
        *(
            sa.Column(name, sa.Text(), autoincrement=False, nullable=False)
            for name in ("workflow", "policy", "measure", "person", "cause")
        ),
        sa.Column("count", models.Whole(), nullable=False),
        sa.Column("amount", models.Whole(), nullable=False),
        sa.PrimaryKeyConstraint(
            *("day", "shop_id", "workflow", "policy", "measure", "person", "cause"), name=op.f("pk_measured_day")
        ),
        **BUSY,
    )
    op.create_table(
        "measured_mark",
        sa.Column("id", models.Whole(), autoincrement=False, nullable=False),
        sa.Column("event_id", models.Whole(), nullable=False),
        sa.Column("turn", models.Whole(), nullable=False),
        sa.Column("at", models.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measured_mark")),
        sa.CheckConstraint("id = 1", name=op.f("ck_measured_mark_only_one")),
        **KEYED,
    )


def downgrade() -> None:
    for table in ("measured_mark", "measured_day", "measured"):
        op.drop_table(table)
