"""The tables of tickets. One named constraint per invariant, so that a violation names the promise it broke.

Tables hold rows and no behaviour; what a ticket may do is in `workflows/`, the statements that must be fast are in
`store.py`. Tables of sqlmodel do not validate (`paid_fen="x"` is accepted), so the database does: SQLite tables are
STRICT, money and ids are BIGINT, instants are aware.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import DDL, Index, UniqueConstraint, event
from sqlmodel import Field, SQLModel

from aftersales.models.columns import (
    BUSY,
    KEYED,
    STRICT,
    Whole,
    YesNo,
    check,
    id_,
    instant,
    json_,
    key,
    metadata,
    ref,
    text_,
    where,
    whole,
)

#: first the order of the queue, then what is counted over all open tickets
QUEUE = (
    "due_at", "id", "shop_id", "workflow", "policy", "state", "clock_timeout", "owner", "entered_at", "alarm_at",
    "escalated", "overdue_in",
)  # fmt: skip


class Shop(SQLModel, table=True):
    __tablename__ = "shop"
    __table_args__ = (UniqueConstraint("name"), STRICT)

    id: int | None = id_()
    name: str = text_()
    created_at: datetime = instant()


#: what the queue is filtered by every day: an index that carries these finds a page without reading other rows
FILTERS = ("shop_id", "workflow", "state", "policy", "owner")
LATE = "(escalated OR overdue_in = state)"
ODD = "(provisional OR trouble IS NOT NULL OR paused <> '[]' OR no_clock_reason = 'policy_missing')"


class TicketRow(SQLModel, table=True):
    """A column for every field of `ticket.Ticket`, in its order, then those of the clock that ends first, for queries.

    Few indexes: each one on a column that the sweep changes costs more than a whole further table (PERFORMANCE.md).
    """

    __tablename__ = "ticket"
    __table_args__ = (
        UniqueConstraint("shop_id", "number"),
        check("i01_open_has_clock_or_reason", "closed_at IS NOT NULL OR (due_at IS NULL) <> (no_clock_reason IS NULL)"),
        check("i02_closed_has_no_clock", "closed_at IS NULL OR (due_at IS NULL AND alarm_at IS NULL)"),
        check("i03_version_counts_events", "version >= 1"),
        check("i19_refunded_within_paid", "refunded_fen + coalesce(refund_fen, 0) <= paid_fen"),
        check("i19_money_not_negative", "paid_fen >= 0 AND refunded_fen >= 0 AND coalesce(refund_fen, 0) >= 0"),
        check("x13_clock_has_rule", "(due_at IS NULL) = (rule_id IS NULL)"),
        check("authority_known", "authority IN ('local', 'platform')"),
        # the scheduler: what is due, and when to wake up
        Index("ix_ticket_alarm", "alarm_at", **where("alarm_at IS NOT NULL")),
        # the queue in its order, with what it is filtered by and what the shift board counts: counting reads no ticket
        Index("ix_ticket_queue", *QUEUE, **where("closed_at IS NULL")),
        # its other two parts (queries/queue.py): late tickets, and those without a clock
        Index("ix_ticket_late", "entered_at", "id", *FILTERS, **where(f"closed_at IS NULL AND {LATE}")),
        Index(
            "ix_ticket_still",
            "entered_at",
            "id",
            *FILTERS,
            **where("closed_at IS NULL AND no_clock_reason IS NOT NULL"),
        ),
        # the few that are provisional, paused, without a rule, or could not be decided
        Index("ix_ticket_odd", "due_at", "id", **where(ODD)),
        # of one agent, most urgent first
        Index("ix_ticket_queue_of_owner", "shop_id", "owner", "due_at", "id", **where("closed_at IS NULL")),
        Index("ix_ticket_order", "shop_id", "order_no"),
        # what else a buyer has with a shop
        Index("ix_ticket_buyer", "shop_id", "buyer", "id", **where("buyer <> ''")),
        Index(
            "uq_ticket_platform_no",
            "shop_id",
            "policy",
            "platform_no",
            unique=True,
            **where("platform_no IS NOT NULL"),
        ),
        Index("uq_ticket_i31_open_key", "shop_id", "workflow", "open_key", unique=True, **where("closed_at IS NULL")),
        BUSY,
    )

    id: int | None = id_()
    shop_id: int = ref("shop.id")
    number: str = text_()
    workflow: str = text_()
    policy: str = text_()
    authority: str = text_()
    state: str = text_()
    version: int = whole()
    opened_at: datetime = instant()
    applied_at: datetime = instant()
    entered_at: datetime = instant()
    applied_seq: int = whole()
    entered_seq: int = whole()
    moved_seq: int = whole()
    left_state: str | None = text_(default=None)
    overdue_in: str | None = text_(default=None)
    escalated: bool = Field(default=False, sa_type=YesNo)
    goods: str = text_(default="buyer")
    paid_fen: int = whole(default=0)
    refunded_fen: int = whole(default=0)
    refund_fen: int | None = whole(default=None)
    order_no: str = text_(default="")
    item_no: str = text_(default="")
    buyer: str = text_(default="")
    owner: str | None = text_(default=None)
    fields: dict[str, Any] = json_(dict)
    flags: list[str] = json_(list)
    clocks: list[dict[str, Any]] = json_(list)
    paused: list[dict[str, Any]] = json_(list)
    alarm_at: datetime | None = instant(default=None)
    no_clock_reason: str | None = text_(default=None)
    closed_at: datetime | None = instant(default=None)
    open_key: str | None = text_(default=None)
    platform_no: str | None = text_(default=None)
    recorded_at: datetime | None = instant(default=None)
    last_hash: str = text_(default="")
    trouble: str | None = text_(default=None)
    trouble_count: int = whole(default=0)

    due_at: datetime | None = instant(default=None)
    rule_id: str | None = text_(default=None)
    rule_version: str | None = text_(default=None)
    clock_timeout: str | None = text_(default=None)
    clock_from: datetime | None = instant(default=None)
    clock_basis: str | None = text_(default=None)
    provisional: bool = Field(default=False, sa_type=YesNo)


class EventRow(SQLModel, table=True):
    """What happened to a ticket: append-only, each line sealed with the hash of the one before (rows.event_hash)."""

    __tablename__ = "ticket_event"
    __table_args__ = (
        UniqueConstraint("ticket_id", "seq", name="uq_ticket_event_i03_seq"),
        check("i03_seq_counts_from_one", "seq >= 1"),
        STRICT,
    )

    id: int | None = id_()
    shop_id: int = whole()
    ticket_id: int = ref("ticket.id")
    seq: int = whole()
    kind: str = text_()
    trigger: str = text_()
    actor: str = text_()
    actor_name: str = text_()
    from_state: str = text_()
    to_state: str = text_()
    at: datetime = instant()
    recorded_at: datetime = instant()
    due_at: datetime | None = instant(default=None)
    rule_id: str | None = text_(default=None)
    rule_version: str | None = text_(default=None)
    facts: dict[str, Any] = json_(dict)
    clocks: list[dict[str, Any]] = json_(list)
    command_key: str | None = text_(default=None)
    previous_hash: str = text_()
    hash: str = text_()


class LinkRow(SQLModel, table=True):
    """`from_id` is what `relation` says of `to_id`: reopened_from it, parcel_of it."""

    __tablename__ = "ticket_link"
    __table_args__ = (
        check(
            "relation_known",
            "relation IN ('reopened_from', 'converted_from', 'parcel_of', 'remedy_of', 'follow_up_of')",
        ),
        check("i25_not_itself", "from_id <> to_id"),
        Index("ix_ticket_link_to", "to_id"),
        KEYED,
    )

    from_id: int = ref("ticket.id", key=True)
    to_id: int = ref("ticket.id", key=True)
    relation: str = key()
    shop_id: int = whole()
    created_at: datetime = instant()


class WaybillRow(SQLModel, table=True):
    """A waybill number is used once in a shop; `seq` is the event that used it."""

    __tablename__ = "waybill"
    __table_args__ = (KEYED,)

    shop_id: int = key(Whole)
    waybill_no: str = key()
    ticket_id: int = ref("ticket.id")
    seq: int = whole()


class PaymentRow(SQLModel, table=True):
    """The ledger of money ordered to leave. A row is never deleted; see `_LEDGER_RULE` for what may change in one."""

    __tablename__ = "payment"
    __table_args__ = (
        UniqueConstraint("ticket_id", "purpose", name="uq_payment_i20_purpose"),
        UniqueConstraint("idempotency_key", name="uq_payment_i20_idempotency_key"),
        check("i19_amount_positive", "amount_fen > 0"),
        check("status_known", "status IN ('ordered', 'paid', 'failed', 'offline')"),
        Index("ix_payment_ordered", "id", **where("status = 'ordered'")),
        Index("ix_payment_failed", "id", **where("status = 'failed'")),
        STRICT,
    )

    id: int | None = id_()
    shop_id: int = whole()
    ticket_id: int = ref("ticket.id")
    purpose: str = text_()
    amount_fen: int = whole()
    status: str = text_()
    idempotency_key: str = text_()
    #: when the payment was last ordered
    tried_at: datetime = instant()
    created_at: datetime = instant()


class OutboxRow(SQLModel, table=True):
    """What the outside is to be told: written with the change, sent after the commit, at least once, by its id."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_unsent", "id", **where("sent_at IS NULL")), BUSY)

    id: int | None = id_()
    shop_id: int = whole()
    ticket_id: int = whole()
    seq: int = whole()
    topic: str = text_()
    payload: dict[str, Any] = json_(dict)
    created_at: datetime = instant()
    sent_at: datetime | None = instant(default=None)
    attempts: int = whole(default=0)


class CommandRow(SQLModel, table=True):
    """What an idempotency key was used for, so that a retry gets the first answer."""

    __tablename__ = "command"
    __table_args__ = (KEYED,)

    shop_id: int = key(Whole)
    key: str = key()
    fingerprint: str = text_()
    ticket_id: int = ref("ticket.id")
    seq: int = whole()
    recorded_at: datetime = instant()


class CounterRow(SQLModel, table=True):
    """The last number given out under a name: `EX-221001` stands at 42 after EX-221001-0042."""

    __tablename__ = "counter"
    __table_args__ = (KEYED,)

    shop_id: int = key(Whole)
    name: str = key()
    value: int = whole()


class HeartbeatRow(SQLModel, table=True):
    """The last successful round of each scheduler: a process may be up and its loop dead (trap A2)."""

    __tablename__ = "heartbeat"
    __table_args__ = (KEYED,)

    name: str = key()
    started_at: datetime = instant()
    at: datetime = instant()
    next_alarm_at: datetime | None = instant(default=None)
    #: alarms fired since `started_at`
    fired: int = whole(default=0)
    note: str = text_(default="")


class RuleFileRow(SQLModel, table=True):
    """The last version of each rule file that passed `check`."""

    __tablename__ = "rule_file"
    __table_args__ = (KEYED,)

    name: str = key()
    sha256: str = text_()
    source: str = text_()
    accepted_at: datetime = instant()


# ── What few tickets have, and the queue is filtered by too ───────────────────────────────────────────────────────────
#
# Each has a small index, on nothing that the sweep changes. They are on expressions, which SQLAlchemy does not read
# back from SQLite, so they stand here as they are made.

LEVEL, MEMBER = (f"CAST(fields ->> '{name}' AS TEXT)" for name in ("complaint_level", "member_level"))
#: what a ticket is about, 分; below LARGE_FEN there are many
AMOUNT = "coalesce(refund_fen, CAST(CAST(fields ->> 'amount_fen' AS TEXT) AS BIGINT), paid_fen)"
LARGE_FEN = 50_000
RARE = {
    name: f"CREATE INDEX {name} ON ticket (({expression}), id) WHERE closed_at IS NULL AND {condition}"
    for name, expression, condition in (
        ("ix_ticket_level", LEVEL, f"{LEVEL} IS NOT NULL"),
        ("ix_ticket_member", MEMBER, f"{MEMBER} IS NOT NULL"),
        ("ix_ticket_large", AMOUNT, f"{AMOUNT} >= {LARGE_FEN}"),
    )
}

# ── Append-only (I-28), held by the database ──────────────────────────────────────────────────────────────────────────
#
# The migration has its own copy of these statements, as of every table: a migration is history and must not change
# when this file does. A test compares the two.

#: What is ordered stays as ordered; what was paid stays paid; only after a failure may another amount be ordered.
_LEDGER_RULE = """
    NEW.id <> OLD.id OR NEW.shop_id <> OLD.shop_id OR NEW.ticket_id <> OLD.ticket_id OR NEW.purpose <> OLD.purpose
    OR NEW.created_at <> OLD.created_at
    OR (OLD.status <> 'failed' AND (NEW.amount_fen <> OLD.amount_fen OR NEW.idempotency_key <> OLD.idempotency_key))
    OR (OLD.status IN ('paid', 'offline') AND NEW.status <> OLD.status)
"""

TRIGGERS = {
    "sqlite": {
        "i28_ticket_event_no_update": """
CREATE TRIGGER i28_ticket_event_no_update BEFORE UPDATE ON ticket_event
BEGIN SELECT RAISE(ABORT, 'i28_ticket_event_no_update'); END""",
        "i28_ticket_event_no_delete": """
CREATE TRIGGER i28_ticket_event_no_delete BEFORE DELETE ON ticket_event
BEGIN SELECT RAISE(ABORT, 'i28_ticket_event_no_delete'); END""",
        "i28_payment_ledger_rule": f"""
CREATE TRIGGER i28_payment_ledger_rule BEFORE UPDATE ON payment WHEN {_LEDGER_RULE}
BEGIN SELECT RAISE(ABORT, 'i28_payment_ledger_rule'); END""",
        "i28_payment_no_delete": """
CREATE TRIGGER i28_payment_no_delete BEFORE DELETE ON payment
BEGIN SELECT RAISE(ABORT, 'i28_payment_no_delete'); END""",
    },
    "postgresql": {
        "i28_ticket_event_no_update": """
CREATE TRIGGER i28_ticket_event_no_update BEFORE UPDATE ON ticket_event
FOR EACH ROW EXECUTE FUNCTION i28_refuse()""",
        "i28_ticket_event_no_delete": """
CREATE TRIGGER i28_ticket_event_no_delete BEFORE DELETE ON ticket_event
FOR EACH ROW EXECUTE FUNCTION i28_refuse()""",
        "i28_ticket_event_no_truncate": """
CREATE TRIGGER i28_ticket_event_no_truncate BEFORE TRUNCATE ON ticket_event
FOR EACH STATEMENT EXECUTE FUNCTION i28_refuse()""",
        "i28_payment_ledger_rule": f"""
CREATE TRIGGER i28_payment_ledger_rule BEFORE UPDATE ON payment
FOR EACH ROW WHEN ({_LEDGER_RULE}) EXECUTE FUNCTION i28_refuse()""",
        "i28_payment_no_delete": """
CREATE TRIGGER i28_payment_no_delete BEFORE DELETE ON payment
FOR EACH ROW EXECUTE FUNCTION i28_refuse()""",
        "i28_payment_no_truncate": """
CREATE TRIGGER i28_payment_no_truncate BEFORE TRUNCATE ON payment
FOR EACH STATEMENT EXECUTE FUNCTION i28_refuse()""",
    },
}

#: what the PostgreSQL triggers call: the error carries the trigger's name as its constraint
REFUSE = """
CREATE FUNCTION i28_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME,
        MESSAGE = TG_TABLE_NAME || ' may not be changed like this: ' || TG_NAME;
END $$"""

for _statement in RARE.values():
    event.listen(metadata, "after_create", DDL(_statement))
for _statement in (REFUSE, *TRIGGERS["postgresql"].values()):
    event.listen(metadata, "after_create", DDL(_statement).execute_if(dialect="postgresql"))
for _statement in TRIGGERS["sqlite"].values():
    event.listen(metadata, "after_create", DDL(_statement).execute_if(dialect="sqlite"))
