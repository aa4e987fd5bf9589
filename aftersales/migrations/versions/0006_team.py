"""Groups, routing rules, duty, what was handed on, what a shop runs on.

Revision: 0006, after 0005
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from aftersales import models

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STRICT: dict[str, Any] = {"sqlite_strict": True}
KEYED: dict[str, Any] = {"sqlite_strict": True, "sqlite_with_rowid": False}


def upgrade() -> None:
    _groups()
    _duty()
    _of_tickets()
    op.create_table(
        "shop_policy",
        sa.Column("shop_id", models.Whole(), autoincrement=False, nullable=False),
        sa.Column("policy", sa.Text(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_shop_policy_shop_id")),
        sa.PrimaryKeyConstraint("shop_id", "policy", name=op.f("pk_shop_policy")),
        **KEYED,
    )
    # what shops have run on so far
    op.execute("INSERT INTO shop_policy (shop_id, policy) SELECT DISTINCT shop_id, policy FROM ticket")


def _groups() -> None:
    op.create_table(
        "team",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", models.Whole(), nullable=False),
        sa.Column("each_at_most", models.Whole(), nullable=True),
        sa.Column("active", models.YesNo(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team")),
        sa.UniqueConstraint("name", name=op.f("uq_team_name")),
        sa.CheckConstraint("each_at_most IS NULL OR each_at_most > 0", name=op.f("ck_team_each_at_most_positive")),
        **STRICT,
    )
    op.create_table(
        "team_member",
        sa.Column("team_id", models.Whole(), autoincrement=False, nullable=False),
        sa.Column("account_id", models.Whole(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_team_member_team_id")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_team_member_account_id")),
        sa.PrimaryKeyConstraint("team_id", "account_id", name=op.f("pk_team_member")),
        **KEYED,
    )
    op.create_index("ix_team_member_account", "team_member", ["account_id"])
    op.create_table(
        "routing_version",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("at", models.Instant(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("rules", models.Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_routing_version")),
        **STRICT,
    )


def _duty() -> None:
    op.create_table(
        "duty_week",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("account_id", models.Whole(), nullable=False),
        sa.Column("weekday", models.Whole(), nullable=False),
        sa.Column("from_minute", models.Whole(), nullable=False),
        sa.Column("to_minute", models.Whole(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty_week")),
        sa.CheckConstraint("weekday BETWEEN 0 AND 6", name=op.f("ck_duty_week_weekday_known")),
        sa.CheckConstraint(
            "from_minute BETWEEN 0 AND 1439 AND to_minute > from_minute AND to_minute - from_minute <= 1440",
            name=op.f("ck_duty_week_a_day_at_most"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_duty_week_account_id")),
        **STRICT,
    )
    op.create_index("ix_duty_week_account", "duty_week", ["account_id"])
    op.create_table(
        "duty_change",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("account_id", models.Whole(), nullable=False),
        sa.Column("from_at", models.Instant(), nullable=False),
        sa.Column("to_at", models.Instant(), nullable=False),
        sa.Column("works", models.YesNo(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty_change")),
        sa.CheckConstraint("to_at > from_at", name=op.f("ck_duty_change_ends_later")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_duty_change_account_id")),
        **STRICT,
    )
    op.create_index("ix_duty_change_to", "duty_change", ["to_at"])


def _of_tickets() -> None:
    op.create_table(
        "ticket_team",
        sa.Column("ticket_id", models.Whole(), autoincrement=False, nullable=False),
        sa.Column("shop_id", models.Whole(), nullable=False),
        sa.Column("team_id", models.Whole(), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_ticket_team_ticket_id")),
        sa.ForeignKeyConstraint(["team_id"], ["team.id"], name=op.f("fk_ticket_team_team_id")),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_ticket_team")),
        **KEYED,
    )
    op.create_index("ix_ticket_team_team", "ticket_team", ["team_id", "ticket_id"])
    op.create_table(
        "transfer",
        sa.Column("ticket_id", models.Whole(), autoincrement=False, nullable=False),
        sa.Column("shop_id", models.Whole(), nullable=False),
        sa.Column("to_login", sa.Text(), nullable=False),
        sa.Column("by_login", sa.Text(), nullable=False),
        sa.Column("at", models.Instant(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("seen_at", models.Instant(), nullable=True),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_transfer_ticket_id")),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_transfer")),
        **KEYED,
    )
    op.create_index(
        "ix_transfer_unseen",
        "transfer",
        ["to_login", "at"],
        sqlite_where=sa.text("seen_at IS NULL"),
        postgresql_where=sa.text("seen_at IS NULL"),
    )


def downgrade() -> None:
    for table in (
        *("shop_policy", "transfer", "ticket_team", "duty_change", "duty_week"),
        *("routing_version", "team_member", "team"),
    ):
        op.drop_table(table)
