"""What stands around the list of tickets: views at the left, chips above, and how many each of them has.

All counts are sums over one cube (queries/tally.py); where the cube cannot tell, none is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from aftersales.decide import Rules
from aftersales.money import yuan
from aftersales.office.accounts import Account
from aftersales.office.views import View
from aftersales.queries.tally import AMOUNTS, Cube
from aftersales.workflows.vocabulary import Party
from web import words
from web.filters import NOBODY, TURNS, Filters, of_query, states_of
from web.i18n import gettext
from web.rows import TYPE_ICONS

DUE_LABELS = {"4h": "4 小时内到期", "today": "今天会自动执行", "72h": "72 小时内到期"}
MARK_LABELS = {
    "late": "已逾期", "escalated": "已升级", "paused": "已暂停", "provisional": "暂定（节假日未公布）",
    "no_rule": "规则缺失", "trouble": "处理出错",
}  # fmt: skip
#: from so many on, a list of owners or states is cut; the address can still name each
LONGEST_MENU = 60


@dataclass(frozen=True)
class Choice:
    """A link that changes the filter. `written`: its label is what people wrote, not a word of ours."""

    label: str
    address: str
    count: int | None
    chosen: bool = False
    icon: str = ""
    written: bool = False
    hot: bool = False


@dataclass(frozen=True)
class Menu:
    """A chip that opens a list of choices; where one is chosen, `chosen` is shown instead."""

    label: str
    choices: Sequence[Choice]
    chosen: Choice | None = None


@dataclass(frozen=True)
class ViewGroup:
    label: str
    views: Sequence[Choice]


@dataclass(frozen=True)
class Around:
    """Everything that the bar and the chips are made of."""

    rules: Rules
    filters: Filters
    shops: Mapping[int, str]
    people: Mapping[str, Account]
    me: Account | None
    cube: Cube | None
    now: datetime
    #: groups that are at work, by id
    teams: Mapping[int, str]

    def count(self, filters: Filters) -> int | None:
        """None where the cube cannot tell."""
        wanted = filters.wanted(self.rules)
        if self.cube is None or not self.cube.can_tell(wanted):
            return None
        return self.cube.count(self.cube.mask(wanted))

    # ── views ──

    def views(self, saved: Sequence[View]) -> list[ViewGroup]:
        mine = [("我的工单", Filters(owner=self.me.login))] if self.me else []
        limits = [
            ("全部待办", Filters()),
            ("已逾期", Filters(mark="late")),
            ("4 小时内到期", Filters(due="4h")),
            ("今天会自动执行", Filters(due="today")),
            ("已暂停", Filters(mark="paused")),
            ("暂定（节假日未公布）", Filters(mark="provisional")),
            ("规则缺失", Filters(mark="no_rule")),
        ]
        turns = [(_waits_for(party), Filters(turn=turn)) for turn, party in TURNS.items() if party]
        team = [("大额 ≥ ¥5,000", Filters(from_yuan="5000")), ("已升级", Filters(mark="escalated"))]
        own_views = [*mine, ("未分配", Filters(owner=NOBODY))]
        groups = [("我的", own_views), ("时限", limits), ("轮到谁", turns), ("团队视图", team)]
        found = [ViewGroup(label, [self._view(gettext(name), of) for name, of in views]) for label, views in groups]
        own = self.me.login if self.me else ""
        kept = [
            (view.shared and view.owner != own, self._view(view.name, self._saved(view), written=True))
            for view in saved
        ]
        found[0] = ViewGroup(found[0].label, [*found[0].views, *(view for others, view in kept if not others)])
        found[3] = ViewGroup(found[3].label, [*found[3].views, *(view for others, view in kept if others)])
        return found

    def _saved(self, view: View) -> Filters:
        return of_query(view.query, self.rules, self.shops)

    def _view(self, label: str, filters: Filters, *, written: bool = False) -> Choice:
        count = self.count(filters)
        hot = bool(count) and filters in (Filters(mark="late"), Filters(due="4h"))
        return Choice(label, filters.address(), count, filters == self.filters, written=written, hot=hot)

    # ── chips ──

    def types(self) -> list[Choice]:
        return [
            self._chip("workflow", key, table.label, icon=TYPE_ICONS.get(key, "list"))
            for key, table in self.rules.catalog.workflows.items()
        ]

    def platforms(self) -> list[Choice]:
        return [self._chip("policy", key, policy.label) for key, policy in self.rules.catalog.policies.items()]

    def menus(self) -> list[Menu]:
        rules, cube = self.rules, self.cube
        states = [(value, self._state(value, label)) for value, label in states_of(rules, self.filters.workflow)]
        turns = [(turn, _waits_for(party)) for turn, party in TURNS.items() if party]
        amounts = [(str(fen // 100), _at_least(fen)) for fen in AMOUNTS]
        levels = sorted(str(value) for value in cube.values("level") if value) if cube else []
        members = sorted(str(value) for value in cube.values("member") if value) if cube else []
        menus = [
            self._menu("店铺", "shop", [(str(id), name) for id, name in self.shops.items()], written=True),
            self._menu("状态", "state", states, only_some=True),
            self._menu("轮到谁", "turn", turns),
            self._menu("时限", "due", list(DUE_LABELS.items())),
            self._menu("标记", "mark", list(MARK_LABELS.items())),
            self._menu("分组", "team", [(str(id), name) for id, name in self.teams.items()], written=True),
            self._menu("负责人", "owner", self._owners(), written=True, only_some=True),
            self._menu("金额", "from_yuan", amounts),
            self._menu("投诉等级", "level", [(level, level) for level in levels], written=True),
            self._menu("会员等级", "member", [(member, member) for member in members], written=True),
        ]
        # with one shop there is nothing to choose
        kept = [menu for menu in menus if menu.chosen or len(menu.choices) > (menu.label == "店铺")]
        return kept + self._others()

    def _state(self, value: str, label: str) -> str:
        """Types share names of states: as long as none is chosen, each says whose it is."""
        if self.filters.workflow:
            return label
        kind = words.workflow_label(self.rules, value.split(".", 1)[0])
        return gettext("{kind} · {state}", kind=gettext(kind), state=gettext(label))

    def _owners(self) -> list[tuple[str, str]]:
        logins = [login for login, account in self.people.items() if account.active]
        if self.cube is not None:
            logins += [login for login in self.cube.values("owner") if login and login not in logins]
        names = {login: self.people[login].name if login in self.people else login for login in logins}
        return [(NOBODY, gettext("未分配")), *sorted(names.items(), key=lambda pair: pair[1])]

    def _others(self) -> list[Menu]:
        """What only an address asks for, hours: to be seen and taken away."""
        found = []
        for name, label in (("due_from", "到期不早于"), ("due_to", "到期早于")):
            value = getattr(self.filters, name)
            if value:
                shown = value.replace("T", " ")
                chosen = Choice(shown, self.filters.but(**{name: ""}).address(), None, True, written=True)
                found.append(Menu(label, [], chosen))
        return found

    def _menu(
        self, label: str, name: str, options: Iterable[tuple[str, str]], *, written: bool = False,
        only_some: bool = False,
    ) -> Menu:  # fmt: skip
        """`only_some`: choices without tickets are left out."""
        pairs = list(options)
        value = getattr(self.filters, name)
        if value:
            shown = dict(pairs).get(value, value)
            chosen = Choice(shown, self.filters.but(**{name: ""}).address(), None, True, written=written)
            return Menu(label, [], chosen)
        choices = [self._chip(name, one, shown, written=written and one != NOBODY) for one, shown in pairs]
        return Menu(label, [one for one in choices if one.count != 0 or not only_some][:LONGEST_MENU])

    def _chip(self, name: str, value: str, label: str, *, icon: str = "", written: bool = False) -> Choice:
        chosen = getattr(self.filters, name) == value
        more = {"state": ""} if name == "workflow" else {}
        with_it = self.filters.but(**{**more, name: value})
        address = self.filters.but(**{name: ""}).address() if chosen else with_it.address()
        return Choice(label, address, self.count(with_it), chosen, icon, written)

    # ── what is asked, part by part: for a list that is empty ──

    def conditions(self) -> list[Choice]:
        """Each part of the filter with the address without it, and how many tickets there would be."""
        found = []
        for name, value in self.filters.given.items():
            without = self.filters.but(**{name: ""})
            label, written = self._said(name, value)
            found.append(Choice(label, without.address(), self.count(without), True, written=written))
        return found

    def _said(self, name: str, value: str) -> tuple[str, bool]:
        """What a part of the filter is called, and whether people wrote it."""
        rules = self.rules
        account = self.people.get(value)
        party = TURNS.get(value)
        said: dict[str, Callable[[], str]] = {
            "workflow": lambda: words.workflow_label(rules, value),
            "policy": lambda: words.policy_label(rules, value),
            "state": lambda: words.state_label(rules, *value.split(".", 1)),
            "turn": lambda: _waits_for(party) if party else "等系统",
            "due": lambda: DUE_LABELS[value],
            "mark": lambda: MARK_LABELS[value],
            "level": lambda: gettext("投诉 {level}", level=value),
            "member": lambda: gettext("会员 {level}", level=value),
        }
        written: dict[str, Callable[[], str]] = {
            "owner": lambda: account.name if account else value,
            "shop": lambda: self.shops.get(int(value), value),
            "team": lambda: self.teams.get(int(value), value),
            "from_yuan": lambda: _at_least(int(value) * 100),
        }
        if name == "owner" and value == NOBODY:
            return "未分配", False
        if name in said:
            return said[name](), False
        return written[name]() if name in written else value.replace("T", " "), True


def _waits_for(party: Party) -> str:
    return gettext("等{party}", party=party.value)


def _at_least(fen: int) -> str:
    """≥ ¥5,000"""
    return "≥ " + yuan(fen).removesuffix(".00")
