"""Who may tell us about a shop, each message as it came, and what the platform last said of each ticket.

Revision: 0014, after 0012
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from aftersales import models

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None

KEYED: dict[str, Any] = {"sqlite_strict": True, "sqlite_with_rowid": False}
BUSY: dict[str, Any] = {"sqlite_strict": True, "postgresql_with": {"autovacuum_vacuum_scale_factor": 0.02}}


def _shop(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f(f"fk_{table}_shop_id"))


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    op.create_table(
        "feed_source",
        sa.Column("shop_id", models.Whole(), autoincrement=False, nullable=False),
        sa.Column("platform", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("active", models.YesNo(), nullable=False),
        sa.Column("created_at", models.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "platform", name=op.f("pk_feed_source")),
        _shop("feed_source"),
        **KEYED,
    )
    op.create_table(
        "feed_message",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("shop_id", models.Whole(), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("received_at", models.Instant(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("lane", "body", "state")),
        sa.Column("tries", models.Whole(), nullable=False),
        sa.Column("next_at", models.Instant(), nullable=False),
        sa.Column("done_at", models.Instant(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feed_message")),
        sa.UniqueConstraint(
            "shop_id", "platform", "message_id", name=op.f("uq_feed_message_shop_id_platform_message_id")
        ),
        sa.CheckConstraint("state IN ('new', 'done', 'dead')", name=op.f("ck_feed_message_state_known")),
        _shop("feed_message"),
        **BUSY,
    )
    op.create_index("ix_feed_message_waiting", "feed_message", ["next_at", "id"], **_where("state = 'new'"))
    op.create_index("ix_feed_message_lane", "feed_message", ["shop_id", "lane", "id"], **_where("state = 'new'"))
    op.create_index("ix_feed_message_dead", "feed_message", ["id"], **_where("state = 'dead'"))
    op.create_index("ix_feed_message_platform", "feed_message", ["shop_id", "platform", "received_at"])
    op.create_table(
        "platform_said",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("shop_id", models.Whole(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("policy", "platform_no", "workflow", "status")),
        sa.Column("said_at", models.Instant(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("report", models.Json(), nullable=False),
        sa.Column("gone", models.YesNo(), nullable=False),
        sa.Column("differs", models.YesNo(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("kept", "kept_reason", "kept_by")),
        sa.Column("kept_at", models.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_platform_said")),
        sa.UniqueConstraint(
            "shop_id", "policy", "platform_no", name=op.f("uq_platform_said_shop_id_policy_platform_no")
        ),
        _shop("platform_said"),
        **BUSY,
    )
    op.create_index("ix_platform_said_differs", "platform_said", ["id"], **_where("differs"))


def downgrade() -> None:
    for table in ("platform_said", "feed_message", "feed_source"):
        op.drop_table(table)
