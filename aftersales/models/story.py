"""What hangs on a ticket beside its events: files, replies kept ready, and promises that must not be made."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from aftersales.models.columns import STRICT, YesNo, check, id_, instant, json_, ref, text_, where, whole


class AttachmentRow(SQLModel, table=True):
    """A file somebody uploaded, written with the event of kind evidence that `seq` counts.

    `file` is the random name it has in the evidence folder, `name` what the person called it, for showing only.
    """

    __tablename__ = "attachment"
    __table_args__ = (
        UniqueConstraint("ticket_id", "sha256"),
        UniqueConstraint("file"),
        check("has_content", "bytes > 0"),
        STRICT,
    )

    id: int | None = id_()
    shop_id: int = whole()
    ticket_id: int = ref("ticket.id")
    seq: int = whole()
    kind: str = text_()
    name: str = text_()
    media_type: str = text_()
    bytes: int = whole()
    sha256: str = text_()
    file: str = text_()
    #: the login of who uploaded it; "" where nobody was signed in
    account: str = text_(default="")
    created_at: datetime = instant()
    #: in pixels, of pictures whose header says so
    width: int | None = whole(default=None)
    height: int | None = whole(default=None)


class CannedReplyRow(SQLModel, table=True):
    """A text to insert. Without workflow, state or shop it is offered everywhere."""

    __tablename__ = "canned_reply"
    __table_args__ = (
        check("state_has_workflow", "state IS NULL OR workflow IS NOT NULL"),
        Index("ix_canned_reply_place", "workflow", "state"),
        STRICT,
    )

    id: int | None = id_()
    title: str = text_()
    text: str = text_()
    workflow: str | None = text_(default=None)
    state: str | None = text_(default=None)
    shop_id: int | None = whole(default=None)
    #: how often it was inserted
    used: int = whole(default=0)
    updated_at: datetime = instant()
    #: the login of who wrote it; "" for those that came with the product
    updated_by: str = text_(default="")


class KeywordRuleRow(SQLModel, table=True):
    """A promise this house does not make, beside those the product knows (office/promises.py)."""

    __tablename__ = "keyword_rule"
    __table_args__ = (check("severity_known", "severity IN ('warn', 'stop')"), STRICT)

    id: int | None = id_()
    label: str = text_()
    #: words of which one is enough, and words beside which it is none
    include: list[str] = json_(list)
    exclude: list[str] = json_(list)
    regex: str = text_(default="")
    severity: str = text_(default="warn")
    reason: str = text_(default="")
    instead: str = text_(default="")
    active: bool = Field(default=True, sa_type=YesNo)
    updated_at: datetime = instant()
    updated_by: str = text_(default="")


class PromiseHitRow(SQLModel, table=True):
    """A text to a buyer that went out although a rule found something in it: to be looked at by a lead."""

    __tablename__ = "promise_hit"
    __table_args__ = (
        check("verdict_known", "verdict IN ('confirmed', 'false_positive')"),
        Index("ix_promise_hit_open", "id", **where("verdict IS NULL")),
        STRICT,
    )

    id: int | None = id_()
    shop_id: int = whole()
    ticket_id: int = ref("ticket.id")
    #: of the rule, as it was called then
    rule: str = text_()
    found: str = text_()
    said: str = text_()
    account: str = text_(default="")
    at: datetime = instant()
    verdict: str | None = text_(default=None)
    judged_by: str = text_(default="")
