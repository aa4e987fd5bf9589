"""Shops: what they are called, what they run on, how much is open in each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Engine, Select, delete, func, insert, select, update

from aftersales.clock import whole_second
from aftersales.database import Connection, reading, writing
from aftersales.errors import Refused
from aftersales.fill_in import text_problem
from aftersales.models import metadata
from aftersales.saying import say

_SHOP, _TICKET, _POLICY, _SHOP_OF, _ACCOUNT = (
    metadata.tables[name] for name in ("shop", "ticket", "shop_policy", "account_shop", "account")
)
LONGEST_NAME = 60
MOST = 500


class Shop(NamedTuple):
    """`policies`: whose rules it runs on; `open`: how many tickets are; `served_by`: logins of those who serve this
    shop but not all."""

    id: int
    name: str
    created_at: datetime
    open: int
    policies: Sequence[str]
    served_by: Sequence[str]


def everything(engine: Engine) -> list[Shop]:
    """Every shop, the oldest first."""
    with reading(engine) as connection:
        opened = _counted(connection)
        policies = _lists(connection, select(_POLICY.c.shop_id, _POLICY.c.policy).order_by(_POLICY.c.policy))
        served = select(_SHOP_OF.c.shop_id, _ACCOUNT.c.login).join_from(_SHOP_OF, _ACCOUNT).where(_ACCOUNT.c.active)
        people = _lists(connection, served.order_by(_ACCOUNT.c.login))
        rows = connection.execute(select(_SHOP.c.id, _SHOP.c.name, _SHOP.c.created_at).order_by(_SHOP.c.id).limit(MOST))
        return [
            Shop(*row, opened.get(row.id, 0), policies.get(row.id, ()), people.get(row.id, ())) for row in rows.all()
        ]


def _counted(connection: Connection) -> dict[int, int]:
    """Open tickets by shop: over the index of the queue alone."""
    question = select(_TICKET.c.shop_id, func.count()).where(_TICKET.c.closed_at.is_(None))
    return {row[0]: row[1] for row in connection.execute(question.group_by(_TICKET.c.shop_id))}


def _lists(connection: Connection, question: Select[Any]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for shop_id, name in connection.execute(question):
        found.setdefault(shop_id, []).append(name)
    return found


def add(engine: Engine, name: str, policies: Iterable[str], at: datetime) -> int:
    """A new shop; gives its id. Refused: no name, or it is taken."""
    name = _named(name)
    with writing(engine) as connection:
        _free(connection, name, None)
        values = {"name": name, "created_at": whole_second(at)}
        made: int = connection.execute(insert(_SHOP).values(**values).returning(_SHOP.c.id)).scalar_one()
        _run_on(connection, made, policies)
    return made


def change(engine: Engine, shop_id: int, name: str, policies: Iterable[str], *, fixed: str) -> None:
    """Another name, other platforms. Tickets and numbers stay. `fixed`: the shop that the settings name, which would
    come back under its old name with the next ticket. Refused as for a new one."""
    name = _named(name)
    with writing(engine) as connection:
        old = connection.execute(select(_SHOP.c.name).where(_SHOP.c.id == shop_id)).scalar()
        if old is None:
            raise Refused("invalid_field", say("没有这家店铺，请刷新后再试"))
        if old == fixed != name:
            raise Refused(
                "invalid_field",
                say("「{shop}」是设置 AFTERSALES_SHOP 里写的店铺，请先把设置改成新名称并重启，再来这里改名", shop=old),
            )
        _free(connection, name, shop_id)
        connection.execute(update(_SHOP).where(_SHOP.c.id == shop_id).values(name=name))
        connection.execute(delete(_POLICY).where(_POLICY.c.shop_id == shop_id))
        _run_on(connection, shop_id, policies)


def _named(name: str) -> str:
    name = name.strip()
    if not name:
        raise Refused("missing_field", say("还没有写店铺名称，请填写"))
    if (problem := text_problem(name, LONGEST_NAME)) is not None:
        raise Refused("invalid_field", f"{say('店铺名称')}：{problem}")
    return name


def _free(connection: Connection, name: str, but: int | None) -> None:
    other = connection.execute(select(_SHOP.c.id).where(_SHOP.c.name == name)).scalar()
    if other is not None and other != but:
        raise Refused("invalid_field", say("已经有叫「{name}」的店铺了，请换一个名称", name=name))


def _run_on(connection: Connection, shop_id: int, policies: Iterable[str]) -> None:
    rows = [{"shop_id": shop_id, "policy": policy} for policy in dict.fromkeys(policies)]
    if rows:
        connection.execute(insert(_POLICY), rows)
