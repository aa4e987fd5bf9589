"""Groups and who gets a ticket, who is on duty when, what was handed to whom, what a shop runs on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from aftersales.models.columns import (
    KEYED,
    STRICT,
    YesNo,
    check,
    id_,
    instant,
    json_,
    key,
    ref,
    text_,
    where,
    whole,
)


class TeamRow(SQLModel, table=True):
    """A group. One that is not active gets no more tickets and keeps those it has."""

    __tablename__ = "team"
    __table_args__ = (
        UniqueConstraint("name"),
        check("each_at_most_positive", "each_at_most IS NULL OR each_at_most > 0"),
        STRICT,
    )

    id: int | None = id_()
    name: str = text_()
    #: where it stands in lists
    position: int = whole(default=0)
    #: nobody of the group is given more open tickets than this; NULL: as many as come
    each_at_most: int | None = whole(default=None)
    active: bool = Field(default=True, sa_type=YesNo)


class TeamMemberRow(SQLModel, table=True):
    __tablename__ = "team_member"
    __table_args__ = (Index("ix_team_member_account", "account_id"), KEYED)

    team_id: int = ref("team.id", key=True)
    account_id: int = ref("account.id", key=True)


class RoutingVersionRow(SQLModel, table=True):
    """All routing rules as they stood after one change. The newest holds; none is ever changed."""

    __tablename__ = "routing_version"
    __table_args__ = (STRICT,)

    id: int | None = id_()
    at: datetime = instant()
    #: the login of whoever changed them; "" if nobody was signed in
    changed_by: str = text_(default="")
    #: added, changed, removed, moved
    action: str = text_()
    #: the name of the rule that was touched
    rule: str = text_()
    rules: list[dict[str, Any]] = json_(list)


class DutyWeekRow(SQLModel, table=True):
    """Every week: from minute to minute of this day in Shanghai, 0 is Monday. Past 1440: into the next day."""

    __tablename__ = "duty_week"
    __table_args__ = (
        check("weekday_known", "weekday BETWEEN 0 AND 6"),
        check(
            "a_day_at_most",
            "from_minute BETWEEN 0 AND 1439 AND to_minute > from_minute AND to_minute - from_minute <= 1440",
        ),
        Index("ix_duty_week_account", "account_id"),
        STRICT,
    )

    id: int | None = id_()
    account_id: int = ref("account.id")
    weekday: int = whole()
    from_minute: int = whole()
    to_minute: int = whole()


class DutyChangeRow(SQLModel, table=True):
    """An exception from the week: somebody works besides, or does not work."""

    __tablename__ = "duty_change"
    __table_args__ = (
        check("ends_later", "to_at > from_at"),
        Index("ix_duty_change_to", "to_at"),
        STRICT,
    )

    id: int | None = id_()
    account_id: int = ref("account.id")
    from_at: datetime = instant()
    to_at: datetime = instant()
    works: bool = Field(sa_type=YesNo)
    reason: str = text_(default="")


class TicketTeamRow(SQLModel, table=True):
    """The group that a ticket belongs to: beside the ticket, so that the sweep does not carry it along."""

    __tablename__ = "ticket_team"
    __table_args__ = (Index("ix_ticket_team_team", "team_id", "ticket_id"), KEYED)

    ticket_id: int = ref("ticket.id", key=True)
    shop_id: int = whole()
    team_id: int = ref("team.id")


class TransferRow(SQLModel, table=True):
    """The last time somebody handed a ticket on, until the receiver has opened it. The whole story is in the events."""

    __tablename__ = "transfer"
    __table_args__ = (Index("ix_transfer_unseen", "to_login", "at", **where("seen_at IS NULL")), KEYED)

    ticket_id: int = ref("ticket.id", key=True)
    shop_id: int = whole()
    to_login: str = text_()
    by_login: str = text_()
    at: datetime = instant()
    reason: str = text_(default="")
    summary: str = text_(default="")
    seen_at: datetime | None = instant(default=None)


class ShopPolicyRow(SQLModel, table=True):
    """A platform whose rules this shop runs on."""

    __tablename__ = "shop_policy"
    __table_args__ = (KEYED,)

    shop_id: int = ref("shop.id", key=True)
    policy: str = key()
