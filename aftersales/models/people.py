"""Who works at the desk: sub-accounts, the shops they serve, and where they are signed in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from aftersales.models.columns import KEYED, STRICT, YesNo, check, id_, instant, json_, key, ref, text_


class AccountRow(SQLModel, table=True):
    """A sub-account. `login` is `main:sub` with an ASCII colon and never changes: events name people by it."""

    __tablename__ = "account"
    __table_args__ = (
        UniqueConstraint("login"),
        check("login_is_main_and_sub", "login LIKE '_%:%_'"),
        check("department_known", "department IN ('presale', 'aftersale')"),
        check("role_known", "role IN ('agent', 'lead', 'policy_author', 'operator', 'admin')"),
        STRICT,
    )

    id: int | None = id_()
    login: str = text_()
    name: str = text_()
    department: str = text_(default="aftersale")
    role: str = text_(default="agent")
    active: bool = Field(default=True, sa_type=YesNo)
    #: what this person chose for the pages: theme, language, single keys off
    choices: dict[str, Any] = json_(dict)
    created_at: datetime = instant()


class AccountShopRow(SQLModel, table=True):
    """A shop that an account serves."""

    __tablename__ = "account_shop"
    __table_args__ = (Index("ix_account_shop_shop", "shop_id"), KEYED)

    account_id: int = ref("account.id", key=True)
    shop_id: int = ref("shop.id", key=True)


class SessionRow(SQLModel, table=True):
    """A browser that is signed in. The cookie holds a random token, the row its SHA-256 only."""

    __tablename__ = "session"
    __table_args__ = (Index("ix_session_account", "account_id"), KEYED)

    token_sha256: str = key()
    account_id: int = ref("account.id")
    created_at: datetime = instant()
    seen_at: datetime = instant()
