"""Late tickets and those without a clock in the order of the queue, with its filters in the index; saved views.

Revision: 0003, after 0002
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from aftersales import models

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FILTERS = ["shop_id", "workflow", "state", "policy", "owner"]
LATE = "(escalated OR overdue_in = state)"
ODD = "(provisional OR trouble IS NOT NULL OR paused <> '[]' OR no_clock_reason = 'policy_missing')"


def where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    op.create_index(
        "ix_ticket_late", "ticket", ["entered_at", "id", *FILTERS], **where(f"closed_at IS NULL AND {LATE}")
    )
    no_clock = where("closed_at IS NULL AND no_clock_reason IS NOT NULL")
    op.create_index("ix_ticket_still", "ticket", ["entered_at", "id", *FILTERS], **no_clock)
    op.create_index("ix_ticket_odd", "ticket", ["due_at", "id"], **where(ODD))
    op.create_table(
        "saved_view",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("shared", models.YesNo(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("position", models.Whole(), nullable=False),
        sa.Column("created_at", models.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_view")),
        sa.UniqueConstraint("owner", "name", name=op.f("uq_saved_view_owner_name")),
        sqlite_strict=True,
    )


def downgrade() -> None:
    op.drop_table("saved_view")
    for name in ("odd", "still", "late"):
        op.drop_index(f"ix_ticket_{name}", "ticket")
