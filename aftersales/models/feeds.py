"""What platforms and couriers tell: who may, each message as it came, and what was last said of each ticket."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from aftersales.models.columns import BUSY, KEYED, YesNo, check, id_, instant, json_, key, ref, text_, where, whole


class FeedSourceRow(SQLModel, table=True):
    """A platform that may tell us about a shop, and how its messages are known to be its own."""

    __tablename__ = "feed_source"
    __table_args__ = (KEYED,)

    shop_id: int = ref("shop.id", key=True)
    platform: str = key()
    verifier: str = text_()
    #: what both sides know; shown once, when it is made
    secret: str = text_()
    active: bool = Field(default=True, sa_type=YesNo)
    created_at: datetime = instant()


class FeedMessageRow(SQLModel, table=True):
    """One message, as it was received. `lane`: what it is about; of one lane, one after the other."""

    __tablename__ = "feed_message"
    __table_args__ = (
        UniqueConstraint("shop_id", "platform", "message_id"),
        check("state_known", "state IN ('new', 'done', 'dead')"),
        Index("ix_feed_message_waiting", "next_at", "id", **where("state = 'new'")),
        Index("ix_feed_message_lane", "shop_id", "lane", "id", **where("state = 'new'")),
        Index("ix_feed_message_dead", "id", **where("state = 'dead'")),
        Index("ix_feed_message_platform", "shop_id", "platform", "received_at"),
        BUSY,
    )

    id: int | None = id_()
    shop_id: int = ref("shop.id")
    platform: str = text_()
    message_id: str = text_()
    received_at: datetime = instant()
    lane: str = text_()
    body: str = text_()
    state: str = text_(default="new")
    tries: int = whole(default=0)
    #: not before; while somebody works on it, when another may take it over
    next_at: datetime = instant()
    done_at: datetime | None = instant(default=None)
    #: what came of it, or why nothing did
    error: str = text_(default="")


class PlatformSaidRow(SQLModel, table=True):
    """What the platform last said of one ticket, and what a person decided about a difference from ours."""

    __tablename__ = "platform_said"
    __table_args__ = (
        UniqueConstraint("shop_id", "policy", "platform_no"),
        Index("ix_platform_said_differs", "id", **where("differs")),
        BUSY,
    )

    id: int | None = id_()
    shop_id: int = ref("shop.id")
    policy: str = text_()
    platform_no: str = text_()
    workflow: str = text_()
    #: the platform's own word for the state
    status: str = text_()
    #: when it was so, by the platform; of two, the later one holds
    said_at: datetime = instant()
    #: feed, or the file's name
    source: str = text_()
    #: the whole report (feeds/report.py): our states that agree with it, deadline, amount, order, buyer
    report: dict[str, Any] = json_(dict)
    #: it was in no list that claimed to be whole
    gone: bool = Field(default=False, sa_type=YesNo)
    #: it differed when last compared; pages compare again
    differs: bool = Field(default=False, sa_type=YesNo)
    #: "keep ours": of which difference, why, who
    kept: str = text_(default="")
    kept_reason: str = text_(default="")
    kept_by: str = text_(default="")
    kept_at: datetime | None = instant(default=None)
