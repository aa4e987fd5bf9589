"""What the outside is told: endpoints of webhooks with their deliveries, and the channels by which people are told.

The outbox itself stands with the tickets. A row there becomes a delivery for each endpoint that asked for its topic and
a notice for each channel that asked for its event; each of those is sent, tried again and given up by itself.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from aftersales.models.columns import BUSY, STRICT, Whole, YesNo, check, id_, instant, json_, ref, text_, where, whole


class EndpointRow(SQLModel, table=True):
    """An address that is told of a shop's tickets. Its secrets sign; they stand here as they are used."""

    __tablename__ = "endpoint"
    __table_args__ = (STRICT,)

    id: int | None = id_()
    shop_id: int = ref("shop.id")
    url: str = text_()
    secret: str = text_()
    #: signs too until `old_until`, so that a receiver can change over
    old_secret: str = text_(default="")
    old_until: datetime | None = instant(default=None)
    topics: list[str] = json_(list)
    created_at: datetime = instant()
    #: attempts that failed since the last that went well, and since when
    failures: int = whole(default=0)
    failing_since: datetime | None = instant(default=None)
    #: after a failure nothing is sent before
    rests_until: datetime | None = instant(default=None)
    paused_at: datetime | None = instant(default=None)
    #: "" if a person paused it
    paused_why: str = text_(default="")


class DeliveryRow(SQLModel, table=True):
    """One message to one endpoint. Without an outbox row it is a message to try the endpoint with."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("endpoint_id", "outbox_id"),
        check("state_known", "state IN ('waiting', 'sent', 'dead')"),
        Index("ix_delivery_waiting", "endpoint_id", "id", **where("state = 'waiting'")),
        Index("ix_delivery_of_ticket", "endpoint_id", "ticket_id", "id", **where("state = 'waiting'")),
        Index("ix_delivery_of_endpoint", "endpoint_id", "id"),
        Index("ix_delivery_outbox", "outbox_id"),
        Index("ix_delivery_dead", "id", **where("state = 'dead'")),
        BUSY,
    )

    id: int | None = id_()
    endpoint_id: int = ref("endpoint.id")
    outbox_id: int | None = whole(default=None)
    #: 0 for a message to try with
    ticket_id: int = whole()
    topic: str = text_()
    state: str = text_(default="waiting")
    attempts: int = whole(default=0)
    next_at: datetime = instant()
    #: whoever sends it has it until then
    leased_until: datetime | None = instant(default=None)
    lease: str = text_(default="")
    created_at: datetime = instant()
    done_at: datetime | None = instant(default=None)


class AttemptRow(SQLModel, table=True):
    """One try to deliver: the status of the answer or what kept it from coming, and how the answer begins."""

    __tablename__ = "delivery_attempt"
    __table_args__ = (Index("ix_delivery_attempt_delivery", "delivery_id"), STRICT)

    id: int | None = id_()
    delivery_id: int = ref("delivery.id")
    at: datetime = instant()
    status: int | None = whole(default=None)
    duration_ms: int = whole()
    answer: str = text_(default="")
    error: str = text_(default="")


class ChannelRow(SQLModel, table=True):
    """Where a person or a group is told, of what, and when."""

    __tablename__ = "channel"
    __table_args__ = (
        check("of_one", "(account_id IS NULL) <> (team_id IS NULL)"),
        check("kind_known", "kind IN ('dingtalk', 'feishu', 'wecom', 'mail')"),
        check("pace_known", "pace IN ('now', 'hourly', 'daily')"),
        check("quiet_in_a_day", "quiet_from BETWEEN 0 AND 1439 AND quiet_to BETWEEN 0 AND 1439"),
        Index("ix_channel_account", "account_id"),
        STRICT,
    )

    id: int | None = id_()
    account_id: int | None = Field(default=None, sa_type=Whole, sa_column_args=[ForeignKey("account.id")])
    team_id: int | None = Field(default=None, sa_type=Whole, sa_column_args=[ForeignKey("team.id")])
    kind: str = text_()
    #: the token of a robot, or an address for mail
    target: str = text_()
    #: what a robot of DingTalk signs with; "" for none
    secret: str = text_(default="")
    events: list[str] = json_(list)
    #: money released by the clock is told from this amount on
    from_fen: int = whole(default=0)
    #: minutes of a day in Shanghai; the same twice: never quiet. May go over midnight
    quiet_from: int = whole(default=0)
    quiet_to: int = whole(default=0)
    pace: str = text_(default="now")
    language: str = text_(default="zh-CN")
    active: bool = Field(default=True, sa_type=YesNo)
    created_at: datetime = instant()
    #: what went wrong last; "" once it goes well
    trouble: str = text_(default="")


class NoticeRow(SQLModel, table=True):
    """Something a channel is told. `key` names it: nobody is told the same twice."""

    __tablename__ = "notice"
    __table_args__ = (
        UniqueConstraint("channel_id", "key"),
        check("state_known", "state IN ('waiting', 'sent', 'dead')"),
        Index("ix_notice_waiting", "channel_id", "due_at", **where("state = 'waiting'")),
        BUSY,
    )

    id: int | None = id_()
    channel_id: int = ref("channel.id")
    key: str = text_()
    event: str = text_()
    #: NULL for what is of no ticket
    ticket_id: int | None = whole(default=None)
    facts: dict[str, Any] = json_(dict)
    created_at: datetime = instant()
    due_at: datetime = instant()
    state: str = text_(default="waiting")
    attempts: int = whole(default=0)
    leased_until: datetime | None = instant(default=None)
    lease: str = text_(default="")
    done_at: datetime | None = instant(default=None)
