"""The first schema.

Revision: 0001, after nothing
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from aftersales import models

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STRICT: dict[str, Any] = {"sqlite_strict": True}
KEYED: dict[str, Any] = {"sqlite_strict": True, "sqlite_with_rowid": False}
BUSY: dict[str, Any] = {"sqlite_strict": True, "postgresql_with": {"autovacuum_vacuum_scale_factor": 0.02}}


def _where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


LEDGER_RULE = """
    NEW.id <> OLD.id OR NEW.shop_id <> OLD.shop_id OR NEW.ticket_id <> OLD.ticket_id OR NEW.purpose <> OLD.purpose
    OR NEW.created_at <> OLD.created_at
    OR (OLD.status <> 'failed' AND (NEW.amount_fen <> OLD.amount_fen OR NEW.idempotency_key <> OLD.idempotency_key))
    OR (OLD.status IN ('paid', 'offline') AND NEW.status <> OLD.status)
"""

TRIGGERS = {
    "sqlite": (
        """
CREATE TRIGGER i28_ticket_event_no_update BEFORE UPDATE ON ticket_event
BEGIN SELECT RAISE(ABORT, 'i28_ticket_event_no_update'); END""",
        """
CREATE TRIGGER i28_ticket_event_no_delete BEFORE DELETE ON ticket_event
BEGIN SELECT RAISE(ABORT, 'i28_ticket_event_no_delete'); END""",
        f"""
CREATE TRIGGER i28_payment_ledger_rule BEFORE UPDATE ON payment WHEN {LEDGER_RULE}
BEGIN SELECT RAISE(ABORT, 'i28_payment_ledger_rule'); END""",
        """
CREATE TRIGGER i28_payment_no_delete BEFORE DELETE ON payment
BEGIN SELECT RAISE(ABORT, 'i28_payment_no_delete'); END""",
    ),
    "postgresql": (
        """
CREATE FUNCTION i28_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME,
        MESSAGE = TG_TABLE_NAME || ' may not be changed like this: ' || TG_NAME;
END $$""",
        """
CREATE TRIGGER i28_ticket_event_no_update BEFORE UPDATE ON ticket_event
FOR EACH ROW EXECUTE FUNCTION i28_refuse()""",
        """
CREATE TRIGGER i28_ticket_event_no_delete BEFORE DELETE ON ticket_event
FOR EACH ROW EXECUTE FUNCTION i28_refuse()""",
        """
CREATE TRIGGER i28_ticket_event_no_truncate BEFORE TRUNCATE ON ticket_event
FOR EACH STATEMENT EXECUTE FUNCTION i28_refuse()""",
        f"""
CREATE TRIGGER i28_payment_ledger_rule BEFORE UPDATE ON payment
FOR EACH ROW WHEN ({LEDGER_RULE}) EXECUTE FUNCTION i28_refuse()""",
        """
CREATE TRIGGER i28_payment_no_delete BEFORE DELETE ON payment
FOR EACH ROW EXECUTE FUNCTION i28_refuse()""",
        """
CREATE TRIGGER i28_payment_no_truncate BEFORE TRUNCATE ON payment
FOR EACH STATEMENT EXECUTE FUNCTION i28_refuse()""",
    ),
}


def upgrade() -> None:
    op.create_table(
        "counter",
        sa.Column("shop_id", models.Whole(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("value", models.Whole(), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "name", name="pk_counter"),
        **KEYED,
    )
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("started_at", models.Instant(), nullable=False),
        sa.Column("at", models.Instant(), nullable=False),
        sa.Column("next_alarm_at", models.Instant(), nullable=True),
        sa.Column("fired", models.Whole(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_heartbeat"),
        **KEYED,
    )
    op.create_table(
        "outbox",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("shop_id", models.Whole(), nullable=False),
        sa.Column("ticket_id", models.Whole(), nullable=False),
        sa.Column("seq", models.Whole(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("payload", models.Json(), nullable=False),
        sa.Column("created_at", models.Instant(), nullable=False),
        sa.Column("sent_at", models.Instant(), nullable=True),
        sa.Column("attempts", models.Whole(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        **BUSY,
    )
    op.create_index("ix_outbox_unsent", "outbox", ["id"], **_where("sent_at IS NULL"))
    op.create_table(
        "rule_file",
        sa.Column("name", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("accepted_at", models.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_rule_file"),
        **KEYED,
    )
    op.create_table(
        "shop",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", models.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shop"),
        sa.UniqueConstraint("name", name="uq_shop_name"),
        **STRICT,
    )
    op.create_table(
        "ticket",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("shop_id", models.Whole(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("workflow", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", models.Whole(), nullable=False),
        sa.Column("opened_at", models.Instant(), nullable=False),
        sa.Column("applied_at", models.Instant(), nullable=False),
        sa.Column("entered_at", models.Instant(), nullable=False),
        sa.Column("applied_seq", models.Whole(), nullable=False),
        sa.Column("entered_seq", models.Whole(), nullable=False),
        sa.Column("moved_seq", models.Whole(), nullable=False),
        sa.Column("left_state", sa.Text(), nullable=True),
        sa.Column("overdue_in", sa.Text(), nullable=True),
        sa.Column("escalated", models.YesNo(), nullable=False),
        sa.Column("goods", sa.Text(), nullable=False),
        sa.Column("paid_fen", models.Whole(), nullable=False),
        sa.Column("refunded_fen", models.Whole(), nullable=False),
        sa.Column("refund_fen", models.Whole(), nullable=True),
        sa.Column("order_no", sa.Text(), nullable=False),
        sa.Column("item_no", sa.Text(), nullable=False),
        sa.Column("buyer", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("fields", models.Json(), nullable=False),
        sa.Column("flags", models.Json(), nullable=False),
        sa.Column("clocks", models.Json(), nullable=False),
        sa.Column("paused", models.Json(), nullable=False),
        sa.Column("alarm_at", models.Instant(), nullable=True),
        sa.Column("no_clock_reason", sa.Text(), nullable=True),
        sa.Column("closed_at", models.Instant(), nullable=True),
        sa.Column("open_key", sa.Text(), nullable=True),
        sa.Column("platform_no", sa.Text(), nullable=True),
        sa.Column("recorded_at", models.Instant(), nullable=True),
        sa.Column("last_hash", sa.Text(), nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("trouble_count", models.Whole(), nullable=False),
        sa.Column("due_at", models.Instant(), nullable=True),
        sa.Column("rule_id", sa.Text(), nullable=True),
        sa.Column("rule_version", sa.Text(), nullable=True),
        sa.Column("clock_timeout", sa.Text(), nullable=True),
        sa.Column("clock_from", models.Instant(), nullable=True),
        sa.Column("clock_basis", sa.Text(), nullable=True),
        sa.Column("provisional", models.YesNo(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ticket"),
        sa.UniqueConstraint("shop_id", "number", name="uq_ticket_shop_id_number"),
        sa.CheckConstraint(
            "closed_at IS NOT NULL OR (due_at IS NULL) <> (no_clock_reason IS NULL)",
            name=op.f("ck_ticket_i01_open_has_clock_or_reason"),
        ),
        sa.CheckConstraint(
            "closed_at IS NULL OR (due_at IS NULL AND alarm_at IS NULL)", name=op.f("ck_ticket_i02_closed_has_no_clock")
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_ticket_i03_version_counts_events")),
        sa.CheckConstraint(
            "refunded_fen + coalesce(refund_fen, 0) <= paid_fen", name=op.f("ck_ticket_i19_refunded_within_paid")
        ),
        sa.CheckConstraint(
            "paid_fen >= 0 AND refunded_fen >= 0 AND coalesce(refund_fen, 0) >= 0",
            name=op.f("ck_ticket_i19_money_not_negative"),
        ),
        sa.CheckConstraint("(due_at IS NULL) = (rule_id IS NULL)", name=op.f("ck_ticket_x13_clock_has_rule")),
        sa.CheckConstraint("authority IN ('local', 'platform')", name=op.f("ck_ticket_authority_known")),
        sa.ForeignKeyConstraint(["shop_id"], ["shop.id"], name="fk_ticket_shop_id"),
        **BUSY,
    )
    op.create_index("ix_ticket_alarm", "ticket", ["alarm_at"], **_where("alarm_at IS NOT NULL"))
    op.create_index("ix_ticket_order", "ticket", ["shop_id", "order_no"])
    op.create_index("ix_ticket_queue", "ticket", ["shop_id", "due_at", "id"], **_where("closed_at IS NULL"))
    op.create_index(
        "ix_ticket_queue_of_owner", "ticket", ["shop_id", "owner", "due_at", "id"], **_where("closed_at IS NULL")
    )
    op.create_index(
        "uq_ticket_i31_open_key",
        "ticket",
        ["shop_id", "workflow", "open_key"],
        unique=True,
        **_where("closed_at IS NULL"),
    )
    op.create_index(
        "uq_ticket_platform_no",
        "ticket",
        ["shop_id", "policy", "platform_no"],
        unique=True,
        **_where("platform_no IS NOT NULL"),
    )
    op.create_table(
        "command",
        sa.Column("shop_id", models.Whole(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("ticket_id", models.Whole(), nullable=False),
        sa.Column("seq", models.Whole(), nullable=False),
        sa.Column("recorded_at", models.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "key", name="pk_command"),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name="fk_command_ticket_id"),
        **KEYED,
    )
    op.create_table(
        "payment",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("shop_id", models.Whole(), nullable=False),
        sa.Column("ticket_id", models.Whole(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("amount_fen", models.Whole(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("tried_at", models.Instant(), nullable=False),
        sa.Column("created_at", models.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_payment"),
        sa.UniqueConstraint("ticket_id", "purpose", name="uq_payment_i20_purpose"),
        sa.UniqueConstraint("idempotency_key", name="uq_payment_i20_idempotency_key"),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_payment_i19_amount_positive")),
        sa.CheckConstraint("status IN ('ordered', 'paid', 'failed', 'offline')", name=op.f("ck_payment_status_known")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name="fk_payment_ticket_id"),
        **STRICT,
    )
    op.create_index("ix_payment_ordered", "payment", ["id"], **_where("status = 'ordered'"))
    op.create_table(
        "ticket_event",
        sa.Column("id", models.Whole(), nullable=False),
        sa.Column("shop_id", models.Whole(), nullable=False),
        sa.Column("ticket_id", models.Whole(), nullable=False),
        sa.Column("seq", models.Whole(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("from_state", sa.Text(), nullable=False),
        sa.Column("to_state", sa.Text(), nullable=False),
        sa.Column("at", models.Instant(), nullable=False),
        sa.Column("recorded_at", models.Instant(), nullable=False),
        sa.Column("due_at", models.Instant(), nullable=True),
        sa.Column("rule_id", sa.Text(), nullable=True),
        sa.Column("rule_version", sa.Text(), nullable=True),
        sa.Column("facts", models.Json(), nullable=False),
        sa.Column("clocks", models.Json(), nullable=False),
        sa.Column("command_key", sa.Text(), nullable=True),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_ticket_event"),
        sa.UniqueConstraint("ticket_id", "seq", name="uq_ticket_event_i03_seq"),
        sa.CheckConstraint("seq >= 1", name=op.f("ck_ticket_event_i03_seq_counts_from_one")),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name="fk_ticket_event_ticket_id"),
        **STRICT,
    )
    op.create_table(
        "ticket_link",
        sa.Column("from_id", models.Whole(), autoincrement=False, nullable=False),
        sa.Column("to_id", models.Whole(), autoincrement=False, nullable=False),
        sa.Column("relation", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("shop_id", models.Whole(), nullable=False),
        sa.Column("created_at", models.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("from_id", "to_id", "relation", name="pk_ticket_link"),
        sa.CheckConstraint(
            "relation IN ('reopened_from', 'converted_from', 'parcel_of', 'remedy_of', 'follow_up_of')",
            name=op.f("ck_ticket_link_relation_known"),
        ),
        sa.CheckConstraint("from_id <> to_id", name=op.f("ck_ticket_link_i25_not_itself")),
        sa.ForeignKeyConstraint(["from_id"], ["ticket.id"], name="fk_ticket_link_from_id"),
        sa.ForeignKeyConstraint(["to_id"], ["ticket.id"], name="fk_ticket_link_to_id"),
        **KEYED,
    )
    op.create_index("ix_ticket_link_to", "ticket_link", ["to_id"])
    op.create_table(
        "waybill",
        sa.Column("shop_id", models.Whole(), autoincrement=False, nullable=False),
        sa.Column("waybill_no", sa.Text(), autoincrement=False, nullable=False),
        sa.Column("ticket_id", models.Whole(), nullable=False),
        sa.Column("seq", models.Whole(), nullable=False),
        sa.PrimaryKeyConstraint("shop_id", "waybill_no", name="pk_waybill"),
        sa.ForeignKeyConstraint(["ticket_id"], ["ticket.id"], name="fk_waybill_ticket_id"),
        **KEYED,
    )
    for statement in TRIGGERS[op.get_context().dialect.name]:
        op.execute(sa.DDL(statement))


def downgrade() -> None:
    for table in (
        "waybill",
        "ticket_link",
        "ticket_event",
        "payment",
        "command",
        "ticket",
        "shop",
        "rule_file",
        "outbox",
        "heartbeat",
        "counter",
    ):
        op.drop_table(table)
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP FUNCTION i28_refuse")
