"""Sub-accounts and their sessions.

AccountRow is stored; an Account is what the rest of the program sees of it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete, insert, select, update

from aftersales.clock import whole_second
from aftersales.database import Connection, reading, writing
from aftersales.errors import Refused
from aftersales.models import metadata
from aftersales.saying import say

_ACCOUNT, _SHOP_OF, _SESSION = (metadata.tables[name] for name in ("account", "account_shop", "session"))

#: what an account may be called: a shop's main account, an ASCII colon, the person
LOGIN = re.compile(r"[^\s:：]{1,60}:[^\s:：]{1,60}")
ROLES = {"agent": "客服", "lead": "组长", "policy_author": "规则编辑", "operator": "运营", "admin": "管理员"}
DEPARTMENTS = {"presale": "售前", "aftersale": "售后"}
#: a browser that was not seen for so long has to sign in again
IDLE = timedelta(days=7)


@dataclass(frozen=True)
class Account:
    id: int
    login: str
    name: str
    department: str
    role: str
    active: bool
    choices: Mapping[str, Any] = field(default_factory=dict)

    @property
    def initial(self) -> str:
        """What stands in the round picture."""
        return self.name[:1]


def add(
    engine: Engine, login: str, name: str, at: datetime, *, role: str = "agent", department: str = "aftersale",
    shops: Iterable[int] = (),
) -> Account:  # fmt: skip
    """A new sub-account. Refused: the name is taken, or is not `main:sub` with an ASCII colon."""
    if not LOGIN.fullmatch(login):
        raise Refused(
            "invalid_field", say("账号名「{login}」要写成「主账号:子账号」，中间是英文冒号", login=login[:60])
        )
    with writing(engine) as connection:
        if connection.execute(select(_ACCOUNT.c.id).where(_ACCOUNT.c.login == login)).first():
            raise Refused("invalid_field", say("账号名「{login}」已经有了，请换一个", login=login))
        values = {"login": login, "name": name, "department": department, "role": role}
        made = connection.execute(
            insert(_ACCOUNT)
            .values(**values, active=True, choices={}, created_at=whole_second(at))
            .returning(_ACCOUNT.c.id)
        ).scalar_one()
        _serve(connection, made, shops)
    return Account(made, login, name, department, role, True)


def _serve(connection: Connection, account_id: int, shops: Iterable[int]) -> None:
    rows = [{"account_id": account_id, "shop_id": shop} for shop in dict.fromkeys(shops)]
    if rows:
        connection.execute(insert(_SHOP_OF), rows)


def everyone(engine: Engine) -> list[Account]:
    """All accounts, those that left too, by login."""
    with reading(engine) as connection:
        return [_account(row) for row in connection.execute(_WHOLE.order_by(_ACCOUNT.c.login))]


def named(engine: Engine, login: str) -> Account | None:
    with reading(engine) as connection:
        row = connection.execute(_WHOLE.where(_ACCOUNT.c.login == login)).first()
    return None if row is None else _account(row)


def shops_of(engine: Engine, account_id: int) -> list[int]:
    with reading(engine) as connection:
        return list(connection.execute(select(_SHOP_OF.c.shop_id).where(_SHOP_OF.c.account_id == account_id)).scalars())


_WHOLE = select(*(_ACCOUNT.c[name] for name in Account.__dataclass_fields__))


def _account(row: Sequence[Any]) -> Account:
    return Account(*row)


# ── sessions ──


def sign_in(engine: Engine, account: Account, at: datetime) -> str:
    """The token for the browser's cookie; only its hash is kept."""
    token = secrets.token_urlsafe(32)
    at = whole_second(at)
    row = {"token_sha256": _sha256(token), "account_id": account.id, "created_at": at, "seen_at": at}
    with writing(engine) as connection:
        connection.execute(insert(_SESSION).values(**row))
    return token


def signed_in(engine: Engine, token: str, at: datetime) -> Account | None:
    """Whose browser this is; None if nobody's, or not for too long, or if the account was closed."""
    if not token:
        return None
    question = (
        _WHOLE.add_columns(_SESSION.c.seen_at)
        .join_from(_SESSION, _ACCOUNT, _ACCOUNT.c.id == _SESSION.c.account_id)
        .where(_SESSION.c.token_sha256 == _sha256(token), _ACCOUNT.c.active)
    )
    with reading(engine) as connection:
        row = connection.execute(question).first()
    if row is None or at - row.seen_at > IDLE:
        return None
    if at - row.seen_at > timedelta(hours=1):
        with writing(engine) as connection:
            mine = _SESSION.c.token_sha256 == _sha256(token)
            connection.execute(update(_SESSION).where(mine).values(seen_at=whole_second(at)))
    return _account(row[:-1])


def sign_out(engine: Engine, token: str) -> None:
    with writing(engine) as connection:
        connection.execute(delete(_SESSION).where(_SESSION.c.token_sha256 == _sha256(token)))


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
