"""The mark of a training ground.

Revision: 0009, after 0007
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from aftersales import models

revision = "0009"
down_revision = "0007"
branch_labels = None
depends_on = None

KEYED: dict[str, Any] = {"sqlite_strict": True, "sqlite_with_rowid": False}


def upgrade() -> None:
    op.create_table(
        "sandbox",
        sa.Column("id", models.Whole(), autoincrement=False, nullable=False),
        sa.Column("ahead_seconds", models.Whole(), nullable=False),
        sa.Column("made_at", models.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandbox")),
        sa.CheckConstraint("id = 1", name=op.f("ck_sandbox_only_one")),
        sa.CheckConstraint("ahead_seconds >= 0", name=op.f("ck_sandbox_only_forward")),
        **KEYED,
    )


def downgrade() -> None:
    op.drop_table("sandbox")
