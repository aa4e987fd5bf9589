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

from sqlalchemy import Engine, delete, func, insert, select, update

from aftersales.clock import whole_second
from aftersales.database import Connection, reading, writing
from aftersales.errors import Refused
from aftersales.fill_in import text_problem
from aftersales.models import metadata
from aftersales.saying import say

_ACCOUNT, _SHOP_OF, _SESSION, _SHOP = (metadata.tables[name] for name in ("account", "account_shop", "session", "shop"))

#: what an account may be called: a shop's main account, an ASCII colon, the person
LOGIN = re.compile(r"[^\s:：]{1,60}:[^\s:：]{1,60}")
ROLES = {"agent": "客服", "lead": "组长", "policy_author": "规则编辑", "operator": "运营", "admin": "管理员"}
DEPARTMENTS = {"presale": "售前", "aftersale": "售后"}
#: a browser that was not seen for so long has to sign in again
IDLE = timedelta(days=7)
LONGEST_NAME = 40
#: sub-accounts that work at once under one main account, unless the settings say otherwise
QUOTA = 50


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
    shops: Iterable[int] = (), quota: int = QUOTA,
) -> Account:  # fmt: skip
    """A new sub-account. Refused: the name is taken, or is not `main:sub` with an ASCII colon, or the main account
    has no place left."""
    if not LOGIN.fullmatch(login) or text_problem(login, 200) is not None:
        raise Refused(
            "invalid_field", say("账号名「{login}」要写成「主账号:子账号」，中间是英文冒号", login=login[:60])
        )
    values = {"login": login, **_well_formed(name, role, department)}
    with writing(engine) as connection:
        if connection.execute(select(_ACCOUNT.c.id).where(_ACCOUNT.c.login == login)).first():
            raise Refused("invalid_field", say("账号名「{login}」已经有了，请换一个", login=login))
        _room(connection, login, quota)
        made = connection.execute(
            insert(_ACCOUNT)
            .values(**values, active=True, choices={}, created_at=whole_second(at))
            .returning(_ACCOUNT.c.id)
        ).scalar_one()
        _serve(connection, made, shops)
    return Account(made, login, values["name"], department, role, True)


def change(
    engine: Engine, account_id: int, name: str, *, role: str, department: str, shops: Iterable[int] = ()
) -> None:
    """Everything but the login, which never changes. `shops`: those served; none: all. Refused: a wrong value."""
    values = _well_formed(name, role, department)
    with writing(engine) as connection:
        if connection.execute(update(_ACCOUNT).where(_ACCOUNT.c.id == account_id).values(**values)).rowcount != 1:
            raise Refused("invalid_field", say("没有这个账号，请刷新后再试"))
        connection.execute(delete(_SHOP_OF).where(_SHOP_OF.c.account_id == account_id))
        _serve(connection, account_id, shops)


def deactivate(engine: Engine, account_id: int) -> None:
    """Somebody leaves: signed out everywhere, not on duty, given nothing more. The name stays in every event."""
    with writing(engine) as connection:
        connection.execute(update(_ACCOUNT).where(_ACCOUNT.c.id == account_id).values(active=False))
        connection.execute(delete(_SESSION).where(_SESSION.c.account_id == account_id))


def activate(engine: Engine, account_id: int, quota: int = QUOTA) -> None:
    """Somebody is back. Refused: the main account has no place left."""
    with writing(engine) as connection:
        row = connection.execute(_WHOLE.where(_ACCOUNT.c.id == account_id)).first()
        if row is not None and not row.active:
            _room(connection, row.login, quota)
            connection.execute(update(_ACCOUNT).where(_ACCOUNT.c.id == account_id).values(active=True))


def _well_formed(name: str, role: str, department: str) -> dict[str, str]:
    name = name.strip()
    if not name:
        raise Refused("missing_field", say("还没有写姓名，请填写"))
    if (problem := text_problem(name, LONGEST_NAME)) is not None:
        raise Refused("invalid_field", f"{say('姓名')}：{problem}")
    if role not in ROLES:
        raise Refused("invalid_field", say("没有这种角色，请从列表里选"))
    if department not in DEPARTMENTS:
        raise Refused("invalid_field", say("没有这个部门，请从列表里选"))
    return {"name": name, "role": role, "department": department}


def _room(connection: Connection, login: str, quota: int) -> None:
    main = login.partition(":")[0]
    # as a text that begins with it: in LIKE the underscore of a login would stand for anything
    same = func.substr(_ACCOUNT.c.login, 1, len(main) + 1) == main + ":"
    taken = connection.execute(select(func.count()).where(_ACCOUNT.c.active, same)).scalar_one()
    if taken >= quota:
        raise Refused(
            "invalid_field",
            say("主账号 {main} 的 {quota} 个子账号都用完了，请先停用离职的，或调高上限", main=main, quota=quota),
        )


def _serve(connection: Connection, account_id: int, shops: Iterable[int]) -> None:
    wanted = set(shops)
    known = set(connection.execute(select(_SHOP.c.id).where(_SHOP.c.id.in_(wanted))).scalars()) if wanted else set()
    if wanted - known:
        raise Refused("invalid_field", say("店铺里有不存在的，请刷新后再试"))
    if wanted:
        connection.execute(insert(_SHOP_OF), [{"account_id": account_id, "shop_id": one} for one in sorted(wanted)])


def everyone(engine: Engine) -> list[Account]:
    """All accounts, those that left too, by login."""
    with reading(engine) as connection:
        return [_account(row) for row in connection.execute(_WHOLE.order_by(_ACCOUNT.c.login))]


def named(engine: Engine, login: str) -> Account | None:
    if text_problem(login, 200) is not None:  # nobody is called what cannot be stored
        return None
    with reading(engine) as connection:
        row = connection.execute(_WHOLE.where(_ACCOUNT.c.login == login)).first()
    return None if row is None else _account(row)


def by_id(engine: Engine, account_id: int) -> Account | None:
    with reading(engine) as connection:
        row = connection.execute(_WHOLE.where(_ACCOUNT.c.id == account_id)).first()
    return None if row is None else _account(row)


def shops_served(engine: Engine) -> dict[int, list[int]]:
    """By account: the ids of the shops it serves. An account that is missing serves all."""
    found: dict[int, list[int]] = {}
    with reading(engine) as connection:
        question = select(_SHOP_OF.c.account_id, _SHOP_OF.c.shop_id).order_by(_SHOP_OF.c.account_id, _SHOP_OF.c.shop_id)
        for account_id, shop_id in connection.execute(question):
            found.setdefault(account_id, []).append(shop_id)
    return found


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
