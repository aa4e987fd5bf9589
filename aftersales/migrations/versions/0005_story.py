"""Files of a ticket, the others of its buyer, canned replies, and promises that must not be made.

Revision: 0005, after 0004
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op

from aftersales import models

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STRICT: dict[str, Any] = {"sqlite_strict": True}
HAS_BUYER = sa.text("buyer <> ''")
OPEN = sa.text("verdict IS NULL")


def _starters() -> list[dict[str, Any]]:
    """What a shop begins with."""
    lines = Path(__file__).with_name("0005_replies.txt").read_text(encoding="utf-8").splitlines()[1:]
    rest = {"shop_id": None, "used": 0, "updated_at": datetime(2026, 10, 1, tzinfo=UTC), "updated_by": ""}
    rows = []
    for line in lines:
        place, title, text = (part.strip() for part in line.split("|"))
        workflow, _, state = place.partition(".")
        rows.append({"title": title, "text": text, "workflow": workflow or None, "state": state or None, **rest})
    return rows


def upgrade() -> None:
    op.create_table(
        "attachment",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("shop_id", models.Whole(), nullable=False),
        sa.Column("ticket_id", models.Whole(), nullable=False),
        sa.Column("seq", models.Whole(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("bytes", models.Whole(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("created_at", models.Instant(), nullable=False),
        sa.Column("width", models.Whole(), nullable=True),
        sa.Column("height", models.Whole(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
        sa.UniqueConstraint("ticket_id", "sha256", name=op.f("uq_attachment_ticket_id_sha256")),
        sa.UniqueConstraint("file", name=op.f("uq_attachment_file")),
        sa.CheckConstraint("bytes > 0", name=op.f("ck_attachment_has_content")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_attachment_ticket_id")),
        **STRICT,
    )
    made = op.create_table(
        "canned_reply",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("shop_id", models.Whole(), nullable=True),
        sa.Column("used", models.Whole(), nullable=False),
        sa.Column("updated_at", models.Instant(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canned_reply")),
        sa.CheckConstraint("state IS NULL OR workflow IS NOT NULL", name=op.f("ck_canned_reply_state_has_workflow")),
        **STRICT,
    )
    op.create_index("ix_canned_reply_place", "canned_reply", ["workflow", "state"])
    op.bulk_insert(made, _starters())
    op.create_table(
        "keyword_rule",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("include", models.Json(), nullable=False),
        sa.Column("exclude", models.Json(), nullable=False),
        sa.Column("regex", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("instead", sa.Text(), nullable=False),
        sa.Column("active", models.YesNo(), nullable=False),
        sa.Column("updated_at", models.Instant(), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keyword_rule")),
        sa.CheckConstraint("severity IN ('warn', 'stop')", name=op.f("ck_keyword_rule_severity_known")),
        **STRICT,
    )
    op.create_table(
        "promise_hit",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("shop_id", models.Whole(), nullable=False),
        sa.Column("ticket_id", models.Whole(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("at", models.Instant(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=True),
        sa.Column("judged_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promise_hit")),
        sa.CheckConstraint("verdict IN ('confirmed', 'false_positive')", name=op.f("ck_promise_hit_verdict_known")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name=op.f("fk_promise_hit_ticket_id")),
        **STRICT,
    )
    op.create_index("ix_promise_hit_open", "promise_hit", ["id"], sqlite_where=OPEN, postgresql_where=OPEN)

    op.create_index(
        "ix_ticket_buyer", "ticket", ["shop_id", "buyer", "id"], sqlite_where=HAS_BUYER, postgresql_where=HAS_BUYER
    )


def downgrade() -> None:
    op.drop_index("ix_ticket_buyer", "ticket")
    for table in ("promise_hit", "keyword_rule", "canned_reply", "attachment"):
        op.drop_table(table)
