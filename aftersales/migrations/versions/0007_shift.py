"""Hand-over notes; the index of the queue carries what the shift board counts; failed payments are found at once.

Revision: 0007, after 0006
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from aftersales import models

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STRICT: dict[str, Any] = {"sqlite_strict": True}
QUEUE_OF_0001 = ["shop_id", "due_at", "id"]
COUNTED = [
    "workflow", "policy", "state", "clock_timeout", "owner", "entered_at", "alarm_at", "escalated", "overdue_in",
]  # fmt: skip


def where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    op.create_table(
        "handover",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("from_login", sa.Text(), nullable=False),
        sa.Column("to_login", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("asks_to_confirm", models.YesNo(), nullable=False),
        sa.Column("tickets", models.Json(), nullable=False),
        sa.Column("moved", models.Json(), nullable=False),
        sa.Column("written_at", models.Instant(), nullable=False),
        sa.Column("handed_at", models.Instant(), nullable=True),
        sa.Column("seen_at", models.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover")),
        sa.UniqueConstraint("key", name=op.f("uq_handover_key")),
        sa.CheckConstraint("seen_at IS NULL OR handed_at IS NOT NULL", name=op.f("ck_handover_handed_before_seen")),
        sa.CheckConstraint("from_login <> to_login", name=op.f("ck_handover_not_to_oneself")),
        **STRICT,
    )
    op.create_index(
        "ix_handover_unseen", "handover", ["to_login"], **where("handed_at IS NOT NULL AND seen_at IS NULL")
    )
    op.create_index("uq_handover_draft", "handover", ["from_login"], unique=True, **where("handed_at IS NULL"))
    op.create_index("ix_payment_failed", "payment", ["id"], **where("status = 'failed'"))
    _queue_index(["due_at", "id", "shop_id", *COUNTED])


def downgrade() -> None:
    _queue_index(QUEUE_OF_0001)
    op.drop_index("ix_payment_failed", "payment")
    op.drop_table("handover")


def _queue_index(columns: list[str]) -> None:
    op.drop_index("ix_ticket_queue", "ticket", if_exists=True)
    op.create_index("ix_ticket_queue", "ticket", columns, **where("closed_at IS NULL"))
