"""The books that can be opened, the day they are looked at, and how many tickets go by each rule."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from fastapi import Request

from aftersales import clock
from aftersales.catalog import Catalog
from aftersales.clock import shown_day
from aftersales.policies.vocabulary import Policy, Rule, Ruling
from aftersales.queries import rules as questions
from aftersales.queries.rules import Going
from aftersales.rule_words import Entry, entries_on
from aftersales.saying import listed
from aftersales.workflows.vocabulary import Workflow
from web.errors import Told
from web.i18n import gettext
from web.kept import Kept
from web.site import Site

#: the shop's own rules and the law are books too, beside those of the platforms
HOUSE, STATUTE = "house", "statute"
HOUSE_LABEL, STATUTE_LABEL = "店内约定", "法律规定"
#: ids of rules that come from the law, whichever platform's table they stand in
_OF_LAW = "LAW-"
_FIRST_YEAR, _LAST_YEAR = 2000, 2100


def books(catalog: Catalog) -> dict[str, Policy]:
    """Every book of dated rules by its key: those of the platforms, then the law."""
    return {**catalog.policies, STATUTE: catalog.policies.get(STATUTE) or law(catalog)}


def law(catalog: Catalog) -> Policy:
    """What comes from the law, once, whichever platforms go by it."""
    rules: dict[tuple[str, type], Rule | Ruling] = {}
    for policy in catalog.policies.values():
        for rule in policy.rules:
            if rule.id.startswith(_OF_LAW):
                rules.setdefault((rule.id, type(rule)), rule)
    documents = dict.fromkeys(
        document
        for rule in rules.values()
        for document in ([rule.document] if isinstance(rule, Ruling) else [line.document for line in rule.history])
    )
    return Policy(STATUTE, STATUTE_LABEL, list(documents), list(rules.values()))


def holders(catalog: Catalog, rule_id: str) -> list[Policy]:
    """The platforms whose table has a rule of this id."""
    return [policy for policy in catalog.policies.values() if policy.rule(rule_id) is not None]


def book_of(site: Site, key: str) -> Policy:
    """Told 404, with what there is, if there is no such book."""
    found = books(site.rules().catalog)
    if key not in found:
        known = listed([*found, HOUSE])
        raise Told(404, gettext("没有「{key}」这本规则；有的是 {known}，请在规则页上选", key=key[:40], known=known))
    return found[key]


def workflow_of(site: Site, key: str) -> type[Workflow]:
    workflows = site.rules().catalog.workflows
    if key not in workflows:
        known = listed(workflows)
        raise Told(404, gettext("没有「{key}」这种工单；有的是 {known}", key=key[:40], known=known))
    return workflows[key]


def rules_of(policy: Policy, rule_id: str) -> list[Rule | Ruling]:
    """Every rule of this id: one id may stand for a clock and a window. Told 404, with what may be meant."""
    found = [rule for rule in policy.rules if rule.id == rule_id]
    if not found:
        raise unknown_rule(rule_id, (rule.id for rule in policy.rules))
    return found


def unknown_rule(rule_id: str, known: Iterable[str]) -> Told:
    close = difflib.get_close_matches(rule_id.upper(), list(known), n=3)
    if close:
        return Told(
            404,
            gettext("没有编号为「{id}」的规则，是不是 {known}？请在规则页上找", id=rule_id[:40], known=listed(close)),
        )
    return Told(404, gettext("没有编号为「{id}」的规则，请核对编号，或在规则页上找", id=rule_id[:40]))


# ── the day ──


def day_of(request: Request, name: str = "on", otherwise: date | None = None) -> date:
    """The day that the address asks for (2026-10-02); today, in Beijing, if it asks for none. Told 422."""
    written = request.query_params.get(name, "").strip()
    if not written:
        return otherwise or shown_day(clock.now())
    try:
        day = date.fromisoformat(written)
    except ValueError:
        raise Told(422, gettext("看不懂日期「{day}」，请写成 2026-10-02 这样", day=written[:40])) from None
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise Told(
            422,
            gettext(
                "日期 {day} 太远，请写 {first} 年到 {last} 年之间的日子",
                day=written[:40],
                first=_FIRST_YEAR,
                last=_LAST_YEAR,
            ),
        )
    return day


# ── tickets ──


@dataclass(frozen=True)
class Tickets:
    """How many open tickets go by each rule; `known` is False while that is still being counted."""

    known: bool = False
    by_rule: Mapping[tuple[str, str], int] = field(default_factory=dict)
    by_version: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    by_state: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    without_clock: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    of_policy: Mapping[str, int] = field(default_factory=dict)

    def under(self, policies: Sequence[str], entry: Entry) -> int:
        """Whose first clock is one of this rule; for a rule that sets none: those that stand there without one."""
        if entry.limit is None:
            return 0
        keys = [(policy, entry.workflow.key, state.name) for policy in policies for state in entry.states]
        if entry.limit.within is None or entry.off:
            return sum(self.without_clock.get(key, 0) for key in keys)
        return sum(self.by_rule.get((policy, entry.id), 0) for policy in policies)

    def running(self, policy: str, rule_id: str, version: str) -> int:
        return self.by_version.get((policy, rule_id, version), 0)


def _counted(rows: Sequence[Going]) -> Tickets:
    tables: list[dict[Any, int]] = [{}, {}, {}, {}, {}]
    for row in rows:
        state = (row.policy, row.workflow, row.state)
        keys: list[Any] = [
            (row.policy, row.rule_id), (row.policy, row.rule_id, row.rule_version), state,
            state if row.rule_id is None else None, row.policy,
        ]  # fmt: skip
        for table, key in zip(tables, keys, strict=True):
            table[key] = table.get(key, 0) + row.count
    return Tickets(True, *tables)


#: reads every open ticket, so it is asked twice a minute at most, and no page waits for it
_kept: Kept[Tickets] = Kept(lambda engine: _counted(questions.going(engine)))


def tickets(site: Site) -> Tickets:
    return _kept.of(site.desk.engine) or Tickets()


def policies_behind(catalog: Catalog, policy: Policy, rule_id: str) -> list[str]:
    """Whose tickets a rule of this book concerns: of the law, those of every platform that goes by it."""
    return [one.key for one in holders(catalog, rule_id)] if policy.key == STATUTE else [policy.key]


def in_use(policy: Policy, day: date) -> int:
    """How many rules of the book do something on that day."""
    return len({id(entry.rule) for entry in entries_on(policy, day) if entry.limits})
