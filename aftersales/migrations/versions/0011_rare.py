"""What few tickets have, and the queue is filtered by too: complaint level, member level, large amounts.

Revision: 0011, after 0010
"""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

LEVEL, MEMBER = (f"CAST(fields ->> '{name}' AS TEXT)" for name in ("complaint_level", "member_level"))
AMOUNT = "coalesce(refund_fen, CAST(CAST(fields ->> 'amount_fen' AS TEXT) AS BIGINT), paid_fen)"
INDEXES = (
    ("ix_ticket_level", LEVEL, f"{LEVEL} IS NOT NULL"),
    ("ix_ticket_member", MEMBER, f"{MEMBER} IS NOT NULL"),
    ("ix_ticket_large", AMOUNT, f"{AMOUNT} >= 50000"),
)


def upgrade() -> None:
    for name, expression, condition in INDEXES:
        op.execute(f"CREATE INDEX {name} ON ticket (({expression}), id) WHERE closed_at IS NULL AND {condition}")


def downgrade() -> None:
    for name, _, _ in reversed(INDEXES):
        op.execute(f"DROP INDEX {name}")
