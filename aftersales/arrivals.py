"""What a platform's export brings, made ready for one transaction: what is there already, what is in the way, and the
changes that open the rest, with numbers. Set-wise: a batch costs a few statements, however many tickets it holds.

Only the desk calls this. What is free here stays free until the commit on SQLite; on PostgreSQL another import may be
faster: then a unique index says so (`store.Taken`) and the desk does the batch again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from aftersales import decide, store
from aftersales.clock import shown_day
from aftersales.database import Connection, Engine, writing
from aftersales.decide import Imported, Rules
from aftersales.errors import Refused
from aftersales.rows import from_json
from aftersales.saying import say
from aftersales.ticket import Change, Ticket
from aftersales.workflows import facts

log = logging.getLogger(__name__)

#: The key among the fields of an `Imported` under which stands what the platform says of the ticket, a mapping of
#: texts. It goes into the event, which never changes and is sealed, and not along with the ticket, which does change.
PLATFORM_CONTENT = "platform_content"


@dataclass(frozen=True)
class There:
    """The platform's number has a ticket here already. It was left as it is, wherever it has moved since."""

    number: str
    #: what the platform said when that ticket was imported; None: nobody wrote that down
    said: Mapping[str, str] | None


#: what became of a ticket that an import brought: opened, there already, or why neither
Landed = Ticket | There | Refused

#: a ticket's policy and its number on the platform; of one without a number, "" and its place in the list
Key = tuple[str, str]
#: what may have one open ticket only (I-31): workflow and open key
Item = tuple[str, str]


def keys_of(imported: Sequence[Imported]) -> list[Key]:
    return [(one.policy, one.platform_no) if one.platform_no else ("", str(n)) for n, one in enumerate(imported)]


def first_of_each(keys: Sequence[Key], imported: Sequence[Imported], there: Collection[Key]) -> dict[Key, Imported]:
    """What is not there yet; of several with one number, the first."""
    fresh: dict[Key, Imported] = {}
    for key, one in zip(keys, imported, strict=True):
        if key not in there:
            fresh.setdefault(key, one)
    return fresh


def landed(keys: Sequence[Key], there: Mapping[Key, There], opened: Mapping[Key, Change | Refused]) -> list[Landed]:
    """In the order they were brought. A number that comes twice is there the second time."""
    found: list[Landed] = []
    seen = dict(there)
    for key in keys:
        became = seen.get(key) or opened[key]
        if isinstance(became, Change):
            found.append(became.after)
            seen[key] = There(became.after.number, became.events[0].facts.get(PLATFORM_CONTENT))
        else:
            found.append(became)
    return found


# ── deciding ──


def decided(
    connection: Connection, fresh: Mapping[Key, Imported], rules: Rules, shop_id: int, now: datetime
) -> dict[Key, Change | Refused]:
    """The change that opens each, ready to be written, or why it cannot be opened. Only what is opened uses up a
    number. Of two open tickets on one item the first is taken, and the other told which one that is."""
    found = {key: _taken_over(one, rules, shop_id, now) for key, one in fresh.items()}
    changes = {key: change for key, change in found.items() if isinstance(change, Change)}
    open_on = by_open_key(connection, shop_id, [item for one in changes.values() if (item := _item(one))])
    first: dict[Item | Key, Key] = {}
    for key, change in changes.items():
        item = _item(change)
        if item not in open_on:
            first.setdefault(item or key, key)
    ready = _with_waybills(connection, shop_id, {key: changes[key] for key in first.values()})
    ready = _with_numbers(connection, shop_id, ready, rules)
    open_on |= {item: change.after.number for change in ready.values() if (item := _item(change))}
    return {key: ready.get(key) or _in_the_way(change, open_on) for key, change in found.items()}


def _taken_over(imported: Imported, rules: Rules, shop_id: int, now: datetime) -> Change | Refused:
    fields = {name: value for name, value in imported.fields.items() if name != PLATFORM_CONTENT}
    content = imported.fields.get(PLATFORM_CONTENT)
    # by our clock, which may be slow, nothing is told before it happens (I-16)
    imported = replace(imported, fields=fields, applied_at=min(imported.applied_at, now))
    try:
        change = decide.take_over(imported, rules, ticket_id=0, number="", shop_id=shop_id, now=now)
    except Refused as refused:
        return refused
    except Exception as error:  # whatever a rule does, it stops one ticket only
        log.exception("ticket %s of %s cannot be taken over", imported.platform_no, imported.policy)
        says = say("规则算不出这张工单（{error}），请把日志交给管理员", error=type(error).__name__)
        return Refused("unknown_rule", says)
    if content is None:
        return change
    [event] = change.events
    return change._replace(events=(event._replace(facts={**event.facts, PLATFORM_CONTENT: content}),))


def _item(change: Change) -> Item | None:
    ticket = change.after
    return None if ticket.open_key is None else (ticket.workflow, ticket.open_key)


def _in_the_way(change: Change | Refused, open_on: Mapping[Item, str]) -> Refused:
    if isinstance(change, Refused):
        return change
    other = open_on[_item(change) or ("", "")]
    says = say("这个商品已有进行中的售后单 {number}，请在那一张上处理", number=other)
    return Refused("duplicate_open_ticket", says)


def _with_waybills(connection: Connection, shop_id: int, changes: Mapping[Key, Change]) -> dict[Key, Change]:
    """Each claims its parcels. One that another ticket has claimed stays with that one and is no obstacle: two items
    of an order travel in one parcel, and whether that is right the platform has judged, not we."""
    used = used_waybills(connection, shop_id, [no for change in changes.values() for no in _parcels(change)])
    claiming = {}
    for key, change in changes.items():
        own = tuple(no for no in _parcels(change) if no not in used)
        used.update(own)
        claiming[key] = change._replace(waybills=own)
    return claiming


def _parcels(change: Change) -> list[str]:
    told = (change.after.fields.get(fact.name) for fact in (facts.return_waybill_no, facts.reship_waybill_no))
    return [*dict.fromkeys(no for no in told if no)]


def _with_numbers(
    connection: Connection, shop_id: int, changes: Mapping[Key, Change], rules: Rules
) -> dict[Key, Change]:
    """With ids for machines and numbers for people: EX-221001-0042, by the Shanghai day of opening, in their order."""
    if not changes:
        return {}
    days: dict[tuple[str, date], list[Key]] = {}
    for key, change in changes.items():
        code = rules.workflow(change.after).code
        days.setdefault((code, shown_day(change.after.opened_at)), []).append(key)
    numbers: dict[Key, str] = {}
    for (code, day), members in sorted(days.items()):  # sorted: two imports never wait for each other's counters
        numbers |= zip(members, store.next_numbers(connection, shop_id, code, day, len(members)), strict=True)
    ids = store.next_ids(connection, len(changes))
    return {
        key: change._replace(after=change.after.but(id=ticket_id, number=numbers[key]))
        for ticket_id, (key, change) in zip(ids, changes.items(), strict=True)
    }


# ── what the database has ──

# Each asks for one value after the other, inside one statement, so that a unique index is the way to it.

BY_PLATFORM_NO = """
WITH found AS (
    SELECT value, (SELECT id FROM ticket WHERE shop_id = ? AND policy = ? AND platform_no = value) AS id FROM {wanted}
)
SELECT value, number, facts FROM found JOIN ticket ON ticket.id = found.id
JOIN ticket_event ON ticket_event.ticket_id = found.id AND seq = 1
"""

BY_OPEN_KEY = """
SELECT value, (
    SELECT number FROM ticket WHERE shop_id = ? AND workflow = ? AND open_key = value AND closed_at IS NULL
) FROM {wanted}
"""

USED_WAYBILLS = (
    "SELECT value FROM {wanted} WHERE EXISTS (SELECT 1 FROM waybill WHERE shop_id = ? AND waybill_no = value)"
)

_WANTED = {"sqlite": "json_each(?) AS wanted", "postgresql": "unnest(?::text[]) AS wanted(value)"}


def keep_statistics(engine: Engine) -> None:
    """PostgreSQL: look at what has come in by now. Of a table that has just begun to fill it knows nothing for a
    minute, and would read all of the shop's tickets for every batch (measured: half the time of 100,000 rows)."""
    if engine.dialect.name == "postgresql":
        with writing(engine) as connection:
            connection.exec_driver_sql("ANALYZE ticket, ticket_event, waybill")


def there_already(connection: Connection, shop_id: int, keys: Iterable[Key]) -> dict[Key, There]:
    """The tickets that have these numbers, and what they were opened with: the facts of their first event."""
    found = {}
    for policy, numbers in _grouped(keys).items():
        for platform_no, number, told in _ask(connection, BY_PLATFORM_NO, shop_id, policy, numbers):
            opened_with = from_json(told) if isinstance(told, str) else told
            found[policy, platform_no] = There(number, opened_with.get(PLATFORM_CONTENT))
    return found


def by_open_key(connection: Connection, shop_id: int, items: Iterable[Item]) -> dict[Item, str]:
    """The numbers of the open tickets on these."""
    return {
        (workflow, open_key): number
        for workflow, keys in _grouped(items).items()
        for open_key, number in _ask(connection, BY_OPEN_KEY, shop_id, workflow, keys)
        if number is not None
    }


def used_waybills(connection: Connection, shop_id: int, wanted: Sequence[str]) -> set[str]:
    return {waybill_no for (waybill_no,) in _ask(connection, USED_WAYBILLS, wanted, shop_id)} if wanted else set()


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for group, value in pairs:
        groups.setdefault(group, []).append(value)
    return groups


def _ask(connection: Connection, statement: str, *parameters: int | str | Sequence[str]) -> Sequence[Sequence[Any]]:
    """The rows; a sequence among the parameters is what is wanted."""
    sqlite = connection.dialect.name == "sqlite"
    statement = statement.replace("{wanted}", _WANTED[connection.dialect.name])
    given = tuple(one if isinstance(one, int | str) else json.dumps(one) if sqlite else [*one] for one in parameters)
    return connection.exec_driver_sql(statement if sqlite else statement.replace("?", "%s"), given).all()
