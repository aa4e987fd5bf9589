"""What the outside is told: endpoints and deliveries, channels and notices.

Revision: 0013, after 0012
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from aftersales import models

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

STRICT: dict[str, Any] = {"sqlite_strict": True}
BUSY: dict[str, Any] = {"sqlite_strict": True, "postgresql_with": {"autovacuum_vacuum_scale_factor": 0.02}}


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    _endpoint()
    _delivery()
    _delivery_attempt()
    _channel()
    _notice()


def _endpoint() -> None:
    op.create_table(
        "endpoint",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("shop_id", models.Whole(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("old_secret", sa.Text(), nullable=False),
        sa.Column("old_until", models.Instant(), nullable=True),
        sa.Column("topics", models.Json(), nullable=False),
        sa.Column("created_at", models.Instant(), nullable=False),
        sa.Column("failures", models.Whole(), nullable=False),
        sa.Column("failing_since", models.Instant(), nullable=True),
        sa.Column("rests_until", models.Instant(), nullable=True),
        sa.Column("paused_at", models.Instant(), nullable=True),
        sa.Column("paused_why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoint")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_endpoint_shop_id")),
        **STRICT,
    )


def _delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("endpoint_id", models.Whole(), nullable=False),
        sa.Column("outbox_id", models.Whole(), nullable=True),
        sa.Column("ticket_id", models.Whole(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", models.Whole(), nullable=False),
        sa.Column("next_at", models.Instant(), nullable=False),
        sa.Column("leased_until", models.Instant(), nullable=True),
        sa.Column("lease", sa.Text(), nullable=False),
        sa.Column("created_at", models.Instant(), nullable=False),
        sa.Column("done_at", models.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("endpoint_id", "outbox_id", name=op.f("uq_delivery_endpoint_id_outbox_id")),
        sa.CheckConstraint("state IN ('waiting', 'sent', 'dead')", name=op.f("ck_delivery_state_known")),
        sa.ForeignKeyConstraint(["endpoint_id"], ["endpoint.id"], name=op.f("fk_delivery_endpoint_id")),
        **BUSY,
    )
    op.create_index("ix_delivery_waiting", "delivery", ["endpoint_id", "id"], **_where("state = 'waiting'"))
    op.create_index(
        "ix_delivery_of_ticket", "delivery", ["endpoint_id", "ticket_id", "id"], **_where("state = 'waiting'")
    )
    op.create_index("ix_delivery_of_endpoint", "delivery", ["endpoint_id", "id"])
    op.create_index("ix_delivery_outbox", "delivery", ["outbox_id"])
    op.create_index("ix_delivery_dead", "delivery", ["id"], **_where("state = 'dead'"))


def _delivery_attempt() -> None:
    op.create_table(
        "delivery_attempt",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("delivery_id", models.Whole(), nullable=False),
        sa.Column("at", models.Instant(), nullable=False),
        sa.Column("status", models.Whole(), nullable=True),
        sa.Column("duration_ms", models.Whole(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_attempt")),
        sa.ForeignKeyConstraint(["delivery_id"], ["delivery.id"], name=op.f("fk_delivery_attempt_delivery_id")),
        **STRICT,
    )
    op.create_index("ix_delivery_attempt_delivery", "delivery_attempt", ["delivery_id"])


def _channel() -> None:
    op.create_table(
        "channel",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("account_id", models.Whole(), nullable=True),
        sa.Column("team_id", models.Whole(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("events", models.Json(), nullable=False),
        sa.Column("from_fen", models.Whole(), nullable=False),
        sa.Column("quiet_from", models.Whole(), nullable=False),
        sa.Column("quiet_to", models.Whole(), nullable=False),
        sa.Column("pace", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("active", models.YesNo(), nullable=False),
        sa.Column("created_at", models.Instant(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel")),
        sa.CheckConstraint("(account_id IS NULL) <> (team_id IS NULL)", name=op.f("ck_channel_of_one")),
        sa.CheckConstraint("kind IN ('dingtalk', 'feishu', 'wecom', 'mail')", name=op.f("ck_channel_kind_known")),
        sa.CheckConstraint("pace IN ('now', 'hourly', 'daily')", name=op.f("ck_channel_pace_known")),
        sa.CheckConstraint(
            "quiet_from BETWEEN 0 AND 1439 AND quiet_to BETWEEN 0 AND 1439",
            name=op.f("ck_channel_quiet_in_a_day"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_channel_account_id")),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_channel_team_id")),
        **STRICT,
    )
    op.create_index("ix_channel_account", "channel", ["account_id"])


def _notice() -> None:
    op.create_table(
        "notice",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("channel_id", models.Whole(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("ticket_id", models.Whole(), nullable=True),
        sa.Column("facts", models.Json(), nullable=False),
        sa.Column("created_at", models.Instant(), nullable=False),
        sa.Column("due_at", models.Instant(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", models.Whole(), nullable=False),
        sa.Column("leased_until", models.Instant(), nullable=True),
        sa.Column("lease", sa.Text(), nullable=False),
        sa.Column("done_at", models.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("channel_id", "key", name=op.f("uq_notice_channel_id_key")),
        sa.CheckConstraint("state IN ('waiting', 'sent', 'dead')", name=op.f("ck_notice_state_known")),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_notice_channel_id")),
        **BUSY,
    )
    op.create_index("ix_notice_waiting", "notice", ["channel_id", "due_at"], **_where("state = 'waiting'"))


def downgrade() -> None:
    for table in ("notice", "channel", "delivery_attempt", "delivery", "endpoint"):
        op.drop_table(table)
