"""The rules of a platform as they read on a day, and each of them in words that a shop clerk reads aloud.

entries_on(policy, day)     what holds on that day, in the order of the table
length, way, counting, starts, pauses, ends, leads_to     one entry, told by its parts; every sentence is a Said
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from aftersales.clock import parse
from aftersales.durations import Duration
from aftersales.policies.vocabulary import (
    APPLICATION,
    AgreesAtOnce,
    Attempts,
    Document,
    FixesAmount,
    Forbids,
    Limit,
    Permits,
    Policy,
    Rule,
    Ruling,
    Window,
    agreed,
    until,
)
from aftersales.saying import listed, say
from aftersales.workflows.vocabulary import (
    PAUSES,
    Escalation,
    Import,
    Move,
    Opening,
    Party,
    State,
    Workflow,
)

#: how far the text of a document can be trusted
TRUST = {"seed": "原始资料", "public-official": "官方文档", "public-3rdparty": "第三方转载，可能过时或有误"}
#: what kinds of rule there are, by `Entry.kind`
KINDS = {
    "clock": "时限",
    "window": "办理期限",
    "attempts": "次数",
    "forbids": "禁止",
    "permits": "允许",
    "agreesatonce": "自动同意",
    "fixesamount": "金额",
}
#: so many moves into a state are named as the start of its clock; more would not be read
_NAMED_STARTS = 2


@dataclass(frozen=True)
class Entry:
    """One rule for one type of ticket, as it stands on a day. `limit`: its line of that day, for a clock."""

    rule: Rule | Ruling
    workflow: type[Workflow]
    limit: Limit | None = None

    @property
    def id(self) -> str:
        return self.rule.id

    @property
    def document(self) -> Document:
        return self.rule.document if isinstance(self.rule, Ruling) else self.line.document

    @property
    def line(self) -> Limit:
        assert self.limit is not None
        return self.limit

    @property
    def kind(self) -> str:
        """clock, window, attempts, forbids, permits, agreesatonce, fixesamount."""
        return "clock" if isinstance(self.rule, Rule) else type(self.rule).__name__.lower()

    @property
    def states(self) -> list[State]:
        """Where the clock runs; none for a rule without one."""
        own = self.rule.states if isinstance(self.rule, Rule) else ()
        return [state for state in own if state.workflow is self.workflow]

    @property
    def everywhere(self) -> bool:
        """It holds in every state that is not final."""
        return set(self.states) == set(self.workflow.waiting)

    @property
    def moves(self) -> list[Move]:
        """The steps that a rule without a clock is about."""
        own = self.rule.moves if isinstance(self.rule, Ruling) else ()
        return [move for move in own if move.workflow is self.workflow]

    @property
    def quote(self) -> str:
        return self._own.quote

    @property
    def assumed(self) -> str:
        return self._own.assumed

    @property
    def off(self) -> str:
        return self._own.off

    @property
    def clause(self) -> str:
        return self.rule.id if isinstance(self.rule, Ruling) else self.line.clause

    @property
    def only(self) -> str:
        """For which tickets only; "" for all."""
        when = self.rule.when if isinstance(self.rule, Rule | Window) else None
        return when.says if when else ""

    @property
    def limits(self) -> bool:
        """It does something: sets a clock, closes a window, forbids. Not: off, or a limit that is none."""
        return not self.off and (self.limit is None or self.limit.within is not None)

    @property
    def _own(self) -> Limit | Ruling:
        return self.rule if isinstance(self.rule, Ruling) else self.line


def entries_on(policy: Policy, day: date) -> list[Entry]:
    """What is in force on that day (Asia/Shanghai, from 00:00:00), and what is written but off."""
    instant = parse(day)
    found: list[Entry] = []
    for rule in policy.rules:
        if isinstance(rule, Ruling):
            found += [Entry(rule, one) for one in _workflows(rule) if rule.document.begins <= instant]
        elif (limit := rule.at(instant)) is not None:
            found += [Entry(rule, one, limit) for one in _workflows(rule)]
    return found


def history_of(rule: Rule | Ruling) -> list[Entry]:
    """Every line of the rule, oldest first, for the first type of ticket it is about."""
    workflow = _workflows(rule)[0]
    if isinstance(rule, Ruling):
        return [Entry(rule, workflow)]
    return [Entry(rule, workflow, limit) for limit in rule.history]


def _workflows(rule: Rule | Ruling) -> list[type[Workflow]]:
    rows: Sequence[State | Move] = rule.states if isinstance(rule, Rule) else rule.moves
    return list(dict.fromkeys(row.workflow for row in rows))


# ── how long ──


def long(within: Duration) -> str:
    """48 小时, 7 个工作日."""
    one, many = _UNITS[within.unit]
    return say(one) if within.count == 1 else say(many, n=within.count)


_UNITS = {
    "hours": ("1 小时", "{n} 小时"),
    "days": ("1 天", "{n} 天"),
    "civil_days": ("1 个自然日", "{n} 个自然日"),
    "workdays": ("1 个工作日", "{n} 个工作日"),
}
_WITHOUT_CLOCK = {
    Forbids: "不能办理",
    Permits: "可以办理",
    AgreesAtOnce: "立即同意",
    FixesAmount: "金额不能改",
}


def length(entry: Entry) -> str:
    """What stands in the column 限多久."""
    rule = entry.rule
    if isinstance(rule, Window):
        return long(rule.within)
    if isinstance(rule, Attempts):
        return say("合计最多 {n} 次", n=rule.at_most)
    if isinstance(rule, Ruling):
        return say(_WITHOUT_CLOCK.get(type(rule), "规定"))
    return _length_of(entry.line.within)


def _length_of(within: Any) -> str:
    if within is None:
        return say("不限时")
    if isinstance(within, until):
        return say("到「{fact}」为止", fact=within.fact.label)
    if isinstance(within, agreed):
        return say("按「{fact}」，没约定 {length}", fact=within.fact.label, length=long(within.or_else))
    return long(within)


def counted(entry: Entry) -> Duration | None:
    """The length that a calendar can be asked about; None where nothing is counted."""
    within = entry.rule.within if isinstance(entry.rule, Window) else entry.limit.within if entry.limit else None
    return within.or_else if isinstance(within, agreed) else within if isinstance(within, Duration) else None


def way(entry: Entry) -> str:
    """The name of its way of counting; "" where nothing is counted."""
    duration = counted(entry)
    if duration is None:
        return ""
    names = {"hours": "滚动", "days": "滚动", "civil_days": "自然日", "workdays": "工作日"}
    return say(names[duration.unit])


def counting(entry: Entry) -> str:
    """How it is counted, and whether holidays stop it; "" where nothing is counted."""
    duration = counted(entry)
    if duration is None:
        return ""
    if duration.unit == "workdays":
        return say("次日起只数工作日，到第 {n} 个的 24 点；节假日不算，补班算", n=duration.count)
    if duration.unit == "civil_days" and duration.roll_forward:
        return say("次日起算，到第 {n} 天 24 点；末日是法定休假日就顺延", n=duration.count)
    if duration.unit == "civil_days":
        return say("次日起算，到第 {n} 天 24 点，节假日不停", n=duration.count)
    return say("一直走，节假日不停")


def starts(entry: Entry) -> str:
    """What it counts from; "" where nothing is counted."""
    if counted(entry) is None:
        return ""
    fact = entry.rule.counted_from if isinstance(entry.rule, Window) else entry.line.counted_from
    if fact is APPLICATION:
        return say("从申请起")
    if fact is not None:
        return say("从「{fact}」起", fact=fact.label)
    if entry.workflow.initial() in entry.states:
        return say("从申请起")
    moves = [move for state in entry.states for move in moves_into(state) if not isinstance(move, Opening)]
    into = list(dict.fromkeys(move.label for move in moves))
    return say("从「{moves}」起", moves=listed(into)) if 0 < len(into) <= _NAMED_STARTS else say("从进入这一步起")


def moves_into(state: State) -> list[Move]:
    """The moves that lead to the state from elsewhere; not the import, which leads anywhere."""
    return [
        move
        for move in state.workflow.moves
        if not isinstance(move, Import)
        for source in (move.sources or (None,))
        if source is not state and state in move.destinations(source)
    ]


def pauses(entry: Entry) -> str:
    """What stops the clock for a while; "" if nothing does."""
    if counted(entry) is None:
        return ""
    stopping = [
        move.label
        for state in entry.states
        for move in state.workflow.moves
        if state in move.sources and any((branch.clock or move.clock) is PAUSES for branch in move.branches)
    ]
    return say("「{moves}」时暂停", moves=listed(dict.fromkeys(stopping))) if stopping else ""


# ── and then what ──


def ends(entry: Entry) -> str:
    """What happens at the end of it."""
    rule = entry.rule
    if isinstance(rule, Window):
        return say("过期不能再办理")
    if isinstance(rule, Attempts):
        return say("用完后不能再办理")
    if isinstance(rule, Forbids):
        return say("{what}：不能办理", what=listed((guard.says for guard in rule.when), "；"))
    if isinstance(rule, AgreesAtOnce):
        return say("{what}：系统立即同意", what=rule.when.says)
    if isinstance(rule, FixesAmount):
        return say("{what}：不能改金额", what=rule.when.says)
    if isinstance(rule, Ruling):
        return say("这个平台有这一步")
    limit = entry.line
    return say("没有自动动作") if limit.then is None else limit.then.label


def leads_to(entry: Entry) -> str:
    """Where the ticket is then; "" where no clock moves it."""
    then = entry.limit.then if entry.limit else None
    if then is None:
        return ""
    if entry.off:
        return say("没有启用，到期不会动")
    if isinstance(then, Escalation):
        return say("系统升级给主管，工单留在原处")
    to = dict.fromkeys(branch.to for branch in then.branches if branch.to is not None)
    closing = [state.label for state in to if state.final]
    going_on = [state.label for state in to if not state.final]
    if closing and not going_on:
        return say("系统办结：{states}", states=listed(closing))
    return say("系统转到「{states}」", states=listed([*going_on, *closing]))


def next_states(entry: Entry) -> list[State]:
    """The states in which a new clock may start when this one has run out."""
    then = entry.limit.then if entry.limit else None
    if then is None or isinstance(then, Escalation):
        return []
    return [state for state in dict.fromkeys(branch.to for branch in then.branches) if state and not state.final]


def turns(entry: Entry) -> list[Party]:
    """Whom the ticket waits for while this clock runs."""
    return list(dict.fromkeys(state.waits_for for state in entry.states if state.waits_for))


def places(entry: Entry) -> str:
    """In which states, or about which steps."""
    if entry.moves:
        return listed(move.label for move in entry.moves)
    return say("每个未办完的状态") if entry.everywhere else listed(state.label for state in entry.states)
