"""Sub-accounts, the shops they serve, and where they are signed in.

Revision: 0002, after 0001
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from aftersales import models

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STRICT: dict[str, Any] = {"sqlite_strict": True}
KEYED: dict[str, Any] = {"sqlite_strict": True, "sqlite_with_rowid": False}


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("active", models.YesNo(), nullable=False),
        sa.Column("choices", models.Json(), nullable=False),
        sa.Column("created_at", models.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("login", name=op.f("uq_account_login")),
        sa.CheckConstraint("login LIKE '_%:%_'", name=op.f("ck_account_login_is_main_and_sub")),
        sa.CheckConstraint("department IN ('presale', 'aftersale')", name=op.f("ck_account_department_known")),
        sa.CheckConstraint(
            "role IN ('agent', 'lead', 'policy_author', 'operator', 'admin')", name=op.f("ck_account_role_known")
        ),
        **STRICT,
    )
    op.create_table(
        "account_shop",
        sa.Column("account_id", models.Whole(), autoincrement=False, nullable=False),
        sa.Column("shop_id", models.Whole(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_account_shop_account_id")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name=op.f("fk_account_shop_shop_id")),
        sa.PrimaryKeyConstraint("account_id", "shop_id", name=op.f("pk_account_shop")),
        **KEYED,
    )
    op.create_index("ix_account_shop_shop", "account_shop", ["shop_id"])
    op.create_table(
        "session",
        sa.Column("token_sha256", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("account_id", models.Whole(), nullable=False),
        sa.Column("created_at", models.Instant(), nullable=False),
        sa.Column("seen_at", models.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_session_account_id")),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_session")),
        **KEYED,
    )
    op.create_index("ix_session_account", "session", ["account_id"])


def downgrade() -> None:
    for table in ("session", "account_shop", "account"):
        op.drop_table(table)
