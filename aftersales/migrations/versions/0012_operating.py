"""What all schedulers have done, in counts that only go up.

Revision: 0012, after 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from aftersales import models

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "meter",
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("value", models.Whole(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meter")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
        postgresql_with={"autovacuum_vacuum_scale_factor": 0.02},
    )


def downgrade() -> None:
    op.drop_table("meter")
