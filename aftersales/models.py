"""The tables. One named constraint per invariant, so that a violation names the promise it would have broken.

Tables hold rows and no behaviour; what a ticket may do is in `workflows/`, the statements that must be fast are in
`store.py`. This is the only file that imports sqlmodel: its tables do not validate (`paid_fen="x"` is accepted), so
the database does: SQLite tables are STRICT, money and ids are BIGINT, instants are aware.

Whoever changes a table here writes a migration beside it; `database.check_schema` and a test compare the two.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    Text,
    TypeDecorator,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine
from sqlmodel import Field, SQLModel

from aftersales.rows import from_json, sqlite_instant, to_json

# ── Column types: SQLite tables are STRICT, which knows INTEGER and TEXT only ─────────────────────────────────────────


class Whole(TypeDecorator[int]):
    """An id, a count, or money in 分: 64 bits on both databases."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())


class YesNo(TypeDecorator[bool]):
    """BOOLEAN; 0 or 1 on SQLite."""

    impl = Boolean
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else Boolean())

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> Any:
        return int(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> bool | None:
        return None if value is None else bool(value)


class Instant(TypeDecorator[datetime]):
    """An aware datetime: timestamptz, or TEXT `YYYY-MM-DD HH:MM:SS.ffffff` in UTC, whose order is that of time.

    A naive datetime raises ValueError. What comes back is in UTC.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        return super().coerce_compared_value(op, value) if isinstance(value, timedelta) else self

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        as_text = sqlite_instant(value)  # raises for a naive one
        return as_text if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if isinstance(value, str):
            return datetime.fromisoformat(value + "+00:00")
        return None if value is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """JSONB; canonical text on SQLite. Instants stand under keys that end in `_at` (see rows.py)."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else JSONB())

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        return self

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return to_json(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return from_json(value) if value is not None and dialect.name == "sqlite" else value


# ── Tables ────────────────────────────────────────────────────────────────────────────────────────────────────────────

metadata = SQLModel.metadata
metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

STRICT = {"sqlite_strict": True}
#: found by their whole primary key, so the key is the table
KEYED = {"sqlite_strict": True, "sqlite_with_rowid": False}
#: rows that change or go all the time: without this PostgreSQL cleans up far too late (trap D9)
BUSY = {"sqlite_strict": True, "postgresql_with": {"autovacuum_vacuum_scale_factor": 0.02}}


def _where(condition: str) -> dict[str, Any]:
    """The condition of a partial index, for both databases."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def _check(name: str, condition: str) -> CheckConstraint:
    return CheckConstraint(text(condition), name=name)


def _id() -> Any:
    return Field(default=None, sa_type=Whole, primary_key=True)


def _key(sa_type: type[Any] = Text) -> Any:
    return Field(sa_type=sa_type, primary_key=True, sa_column_kwargs={"autoincrement": False})


def _ref(target: str, **rest: Any) -> Any:
    """An id of another table; `key=True` makes it part of the primary key."""
    key = rest.pop("key", False)
    kwargs = {"autoincrement": False} if key else {}
    return Field(sa_type=Whole, sa_column_args=[ForeignKey(target)], primary_key=key, sa_column_kwargs=kwargs)


def _whole(**default: Any) -> Any:
    return Field(sa_type=Whole, **default)


def _text(**default: Any) -> Any:
    return Field(sa_type=Text, **default)


def _instant(**default: Any) -> Any:
    return Field(sa_type=Instant, **default)


def _json(make: type[Any]) -> Any:
    return Field(default_factory=make, sa_type=Json)


class Shop(SQLModel, table=True):
    __tablename__ = "shop"
    __table_args__ = (UniqueConstraint("name"), STRICT)

    id: int | None = _id()
    name: str = _text()
    created_at: datetime = _instant()


class TicketRow(SQLModel, table=True):
    """A column for every field of `ticket.Ticket`, in its order, then those of the clock that ends first, for queries.

    Few indexes: each one on a column that the sweep changes costs more than a whole further table (PERFORMANCE.md).
    """

    __tablename__ = "ticket"
    __table_args__ = (
        UniqueConstraint("shop_id", "number"),
        _check(
            "i01_open_has_clock_or_reason", "closed_at IS NOT NULL OR (due_at IS NULL) <> (no_clock_reason IS NULL)"
        ),
        _check("i02_closed_has_no_clock", "closed_at IS NULL OR (due_at IS NULL AND alarm_at IS NULL)"),
        _check("i03_version_counts_events", "version >= 1"),
        _check("i19_refunded_within_paid", "refunded_fen + coalesce(refund_fen, 0) <= paid_fen"),
        _check("i19_money_not_negative", "paid_fen >= 0 AND refunded_fen >= 0 AND coalesce(refund_fen, 0) >= 0"),
        _check("x13_clock_has_rule", "(due_at IS NULL) = (rule_id IS NULL)"),
        _check("authority_known", "authority IN ('local', 'platform')"),
        # the scheduler: what is due, and when to wake up
        Index("ix_ticket_alarm", "alarm_at", **_where("alarm_at IS NOT NULL")),
        # the queue of a shop, and of one agent, most urgent first
        Index("ix_ticket_queue", "shop_id", "due_at", "id", **_where("closed_at IS NULL")),
        Index("ix_ticket_queue_of_owner", "shop_id", "owner", "due_at", "id", **_where("closed_at IS NULL")),
        Index("ix_ticket_order", "shop_id", "order_no"),
        Index(
            "uq_ticket_platform_no",
            "shop_id",
            "policy",
            "platform_no",
            unique=True,
            **_where("platform_no IS NOT NULL"),
        ),
        Index("uq_ticket_i31_open_key", "shop_id", "workflow", "open_key", unique=True, **_where("closed_at IS NULL")),
        BUSY,
    )

    id: int | None = _id()
    shop_id: int = _ref("shop.id")
    number: str = _text()
    workflow: str = _text()
    policy: str = _text()
    authority: str = _text()
    state: str = _text()
    version: int = _whole()
    opened_at: datetime = _instant()
    applied_at: datetime = _instant()
    entered_at: datetime = _instant()
    applied_seq: int = _whole()
    entered_seq: int = _whole()
    moved_seq: int = _whole()
    left_state: str | None = _text(default=None)
    overdue_in: str | None = _text(default=None)
    escalated: bool = Field(default=False, sa_type=YesNo)
    goods: str = _text(default="buyer")
    paid_fen: int = _whole(default=0)
    refunded_fen: int = _whole(default=0)
    refund_fen: int | None = _whole(default=None)
    order_no: str = _text(default="")
    item_no: str = _text(default="")
    buyer: str = _text(default="")
    owner: str | None = _text(default=None)
    fields: dict[str, Any] = _json(dict)
    flags: list[str] = _json(list)
    clocks: list[dict[str, Any]] = _json(list)
    paused: list[dict[str, Any]] = _json(list)
    alarm_at: datetime | None = _instant(default=None)
    no_clock_reason: str | None = _text(default=None)
    closed_at: datetime | None = _instant(default=None)
    open_key: str | None = _text(default=None)
    platform_no: str | None = _text(default=None)
    recorded_at: datetime | None = _instant(default=None)
    last_hash: str = _text(default="")
    trouble: str | None = _text(default=None)
    trouble_count: int = _whole(default=0)

    due_at: datetime | None = _instant(default=None)
    rule_id: str | None = _text(default=None)
    rule_version: str | None = _text(default=None)
    clock_timeout: str | None = _text(default=None)
    clock_from: datetime | None = _instant(default=None)
    clock_basis: str | None = _text(default=None)
    provisional: bool = Field(default=False, sa_type=YesNo)


class EventRow(SQLModel, table=True):
    """What happened to a ticket: append-only, each line sealed with the hash of the one before (rows.event_hash)."""

    __tablename__ = "ticket_event"
    __table_args__ = (
        UniqueConstraint("ticket_id", "seq", name="uq_ticket_event_i03_seq"),
        _check("i03_seq_counts_from_one", "seq >= 1"),
        STRICT,
    )

    id: int | None = _id()
    shop_id: int = _whole()
    ticket_id: int = _ref("ticket.id")
    seq: int = _whole()
    kind: str = _text()
    trigger: str = _text()
    actor: str = _text()
    actor_name: str = _text()
    from_state: str = _text()
    to_state: str = _text()
    at: datetime = _instant()
    recorded_at: datetime = _instant()
    due_at: datetime | None = _instant(default=None)
    rule_id: str | None = _text(default=None)
    rule_version: str | None = _text(default=None)
    facts: dict[str, Any] = _json(dict)
    clocks: list[dict[str, Any]] = _json(list)
    command_key: str | None = _text(default=None)
    previous_hash: str = _text()
    hash: str = _text()


class LinkRow(SQLModel, table=True):
    """`from_id` is what `relation` says of `to_id`: reopened_from it, parcel_of it."""

    __tablename__ = "ticket_link"
    __table_args__ = (
        _check(
            "relation_known",
            "relation IN ('reopened_from', 'converted_from', 'parcel_of', 'remedy_of', 'follow_up_of')",
        ),
        _check("i25_not_itself", "from_id <> to_id"),
        Index("ix_ticket_link_to", "to_id"),
        KEYED,
    )

    from_id: int = _ref("ticket.id", key=True)
    to_id: int = _ref("ticket.id", key=True)
    relation: str = _key()
    shop_id: int = _whole()
    created_at: datetime = _instant()


class WaybillRow(SQLModel, table=True):
    """A waybill number is used once in a shop; `seq` is the event that used it."""

    __tablename__ = "waybill"
    __table_args__ = (KEYED,)

    shop_id: int = _key(Whole)
    waybill_no: str = _key()
    ticket_id: int = _ref("ticket.id")
    seq: int = _whole()


class PaymentRow(SQLModel, table=True):
    """The ledger of money ordered to leave. A row is never deleted; see `_LEDGER_RULE` for what may change in one."""

    __tablename__ = "payment"
    __table_args__ = (
        UniqueConstraint("ticket_id", "purpose", name="uq_payment_i20_purpose"),
        UniqueConstraint("idempotency_key", name="uq_payment_i20_idempotency_key"),
        _check("i19_amount_positive", "amount_fen > 0"),
        _check("status_known", "status IN ('ordered', 'paid', 'failed', 'offline')"),
        Index("ix_payment_ordered", "id", **_where("status = 'ordered'")),
        STRICT,
    )

    id: int | None = _id()
    shop_id: int = _whole()
    ticket_id: int = _ref("ticket.id")
    purpose: str = _text()
    amount_fen: int = _whole()
    status: str = _text()
    idempotency_key: str = _text()
    #: when the payment was last ordered
    tried_at: datetime = _instant()
    created_at: datetime = _instant()


class OutboxRow(SQLModel, table=True):
    """What the outside is to be told: written with the change, sent after the commit, at least once, by its id."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_unsent", "id", **_where("sent_at IS NULL")), BUSY)

    id: int | None = _id()
    shop_id: int = _whole()
    ticket_id: int = _whole()
    seq: int = _whole()
    topic: str = _text()
    payload: dict[str, Any] = _json(dict)
    created_at: datetime = _instant()
    sent_at: datetime | None = _instant(default=None)
    attempts: int = _whole(default=0)


class CommandRow(SQLModel, table=True):
    """What an idempotency key was used for, so that a retry gets the first answer."""

    __tablename__ = "command"
    __table_args__ = (KEYED,)

    shop_id: int = _key(Whole)
    key: str = _key()
    fingerprint: str = _text()
    ticket_id: int = _ref("ticket.id")
    seq: int = _whole()
    recorded_at: datetime = _instant()


class CounterRow(SQLModel, table=True):
    """The last number given out under a name: `EX-221001` stands at 42 after EX-221001-0042."""

    __tablename__ = "counter"
    __table_args__ = (KEYED,)

    shop_id: int = _key(Whole)
    name: str = _key()
    value: int = _whole()


class HeartbeatRow(SQLModel, table=True):
    """The last successful round of each scheduler: a process may be up and its loop dead (trap A2)."""

    __tablename__ = "heartbeat"
    __table_args__ = (KEYED,)

    name: str = _key()
    started_at: datetime = _instant()
    at: datetime = _instant()
    next_alarm_at: datetime | None = _instant(default=None)
    #: alarms fired since `started_at`
    fired: int = _whole(default=0)
    note: str = _text(default="")


class RuleFileRow(SQLModel, table=True):
    """The last version of each rule file that passed `check`."""

    __tablename__ = "rule_file"
    __table_args__ = (KEYED,)

    name: str = _key()
    sha256: str = _text()
    source: str = _text()
    accepted_at: datetime = _instant()


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

for _statement in (REFUSE, *TRIGGERS["postgresql"].values()):
    event.listen(metadata, "after_create", DDL(_statement).execute_if(dialect="postgresql"))
for _statement in TRIGGERS["sqlite"].values():
    event.listen(metadata, "after_create", DDL(_statement).execute_if(dialect="sqlite"))
