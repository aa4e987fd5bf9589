"""What is to be said of a ticket's time: a tree of plain values, and the sentences made of it.

Made by explain.py; shown by the command, the page and the API. All times in sentences are Beijing time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from aftersales.clock import lasting, shown
from aftersales.clocks import PLATFORM_DEADLINE
from aftersales.rows import json_instant
from aftersales.saying import Listed, Written, listed, say
from aftersales.ticket import NOWHERE

ONE_DAY = timedelta(days=1)


# ── The tree ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Named:
    """What the tables call it, and what people do."""

    key: str
    label: str


@dataclass(frozen=True)
class Cited:
    """The line of the rule book behind a clock. Not `in_book`: only what the clock itself remembers."""

    rule: str
    version: str
    in_book: bool
    label: str = ""
    clause: str = ""
    #: in words, for this very ticket: 48小时
    length: str = ""
    document: str = ""
    source: str = ""
    checked_on: str | None = None
    #: seed, public-official, public-3rdparty
    confidence: str = ""
    quote: str = ""
    #: what the source leaves open, and how it was read
    assumed: str = ""
    #: a later version that is in force by now: this clock keeps the one it started under
    newer: str | None = None


@dataclass(frozen=True)
class Happened:
    """One line of the history."""

    seq: int
    kind: str
    trigger: str
    label: str
    who: str
    from_state: Named
    to_state: Named
    at: datetime
    recorded_at: datetime
    #: of the clock that caused it, with how late it fired and its rule; None where a person or a feed did
    due_at: datetime | None
    late_seconds: int | None
    cited: Cited | None
    sentence: str


@dataclass(frozen=True)
class Start:
    """What a clock counts from. `fact`: "entered", "applied_at", or the name of a recorded fact."""

    fact: str
    label: str
    #: short, as in 自申请起
    noun: str
    at: datetime
    by: Happened | None
    #: an outage: nobody was told at the time, so it counts from when they were (decision 8)
    told_late: bool = False


@dataclass(frozen=True)
class Day:
    day: date
    reason: str


@dataclass(frozen=True)
class Counting:
    """How the length was counted. `way`: hours, days, civil_days, workdays, until, given."""

    way: str
    how: str
    #: what counting alone gives; None where nothing is counted
    due_at: datetime | None = None
    skipped: tuple[Day, ...] = ()
    #: weekends that were worked and therefore counted
    made_up: tuple[Day, ...] = ()
    #: the last day fell on a holiday and moved
    rolled: bool = False
    #: years whose calendar is not published yet
    guessed_years: tuple[int, ...] = ()


@dataclass(frozen=True)
class Pause:
    at: datetime
    left_seconds: int
    by: str
    resumed_at: datetime | None = None
    resumed_by: str = ""


@dataclass(frozen=True)
class Replacement:
    """The due time was replaced. `basis`: platform, agreement or calendar."""

    basis: str
    was: datetime | None
    due_at: datetime
    at: datetime
    who: str


@dataclass(frozen=True)
class Next:
    """A clock that starts, or goes on, when another has run out."""

    rule: str
    label: str
    length: str
    due_at: datetime
    resumed: bool = False


@dataclass(frozen=True)
class Way:
    """One way the timeout can end. `taken`: the one this ticket would take now."""

    condition: str
    to: Named
    taken: bool


@dataclass(frozen=True)
class Outcome:
    """What happens when the clock runs out and nobody has acted."""

    timeout: str
    label: str
    #: marks the ticket and leaves it where it is
    escalation: bool = False
    to: Named | None = None
    #: only where it depends on the ticket
    ways: tuple[Way, ...] = ()
    starts: tuple[Next, ...] = ()
    #: rules of other clocks that are not ended by it
    runs_on: tuple[str, ...] = ()
    #: why no clock runs then; empty if one does, or where that says itself
    no_clock: str = ""
    closes: bool = False
    #: steps that can be taken then and not before
    unlocks: tuple[str, ...] = ()
    money: tuple[str, ...] = ()
    remembers: tuple[str, ...] = ()
    #: what other tickets are told
    tells: tuple[str, ...] = ()
    #: why it cannot be foretold; then the rest is empty
    problem: str = ""


@dataclass(frozen=True)
class ClockStory:
    """One clock, running or paused."""

    cited: Cited
    start: Start
    counting: Counting
    #: None while it is paused
    due_at: datetime | None
    left_seconds: int
    #: rule, platform or agreement
    basis: str
    computed_due_at: datetime | None
    provisional: bool
    pauses: tuple[Pause, ...]
    replacements: tuple[Replacement, ...]
    outcome: Outcome


@dataclass(frozen=True)
class Past:
    """A clock of this ticket that is over. `ran_out`: its own timeout ended it; else something came before."""

    cited: Cited
    start_at: datetime
    due_at: datetime
    ended_at: datetime
    ended_by: Happened
    ran_out: bool
    pauses: tuple[Pause, ...]


@dataclass(frozen=True)
class NoClock:
    """Why a waiting ticket has no clock: the code in the database, and a sentence."""

    code: str
    sentence: str


@dataclass(frozen=True)
class Reminder:
    at: datetime
    label: str


@dataclass(frozen=True)
class Trouble:
    """The scheduler could not decide this ticket and has set it aside."""

    error: str
    times: int
    again_at: datetime | None


@dataclass(frozen=True)
class Explanation:
    """Everything that is to be said of a ticket's time at `now`."""

    number: str
    workflow: Named
    policy: Named
    #: local, or platform: whose steps count
    authority: str
    state: Named
    #: 商家, 买家, 平台, 快递; None once it is closed
    waits_for: str | None
    now: datetime
    #: the one that runs out first comes first
    clocks: tuple[ClockStory, ...]
    paused: tuple[ClockStory, ...]
    no_clock: NoClock | None
    reminders: tuple[Reminder, ...]
    trouble: Trouble | None
    #: how it was closed
    ending: Happened | None

    @property
    def due_at(self) -> datetime | None:
        return self.clocks[0].due_at if self.clocks else None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, instants in UTC; with both texts, so that a page need not make sentences of its own."""
        tree: dict[str, Any] = _plain(self)
        return {**tree, "due_at": _plain(self.due_at), "one_line": one_line(self), "text": render(self)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return json_instant(value)
    return value.isoformat() if isinstance(value, date) else value


# ── Words ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

_CONFIDENCE = {
    "seed": "原始资料",
    "public-official": "官方文档",
    "public-3rdparty": "第三方转载，可能过时或有误",
}
_BASES = {"platform": "平台", "agreement": "双方约定"}


def version_words(label: str) -> str:
    return "一直有效" if label == "undated" else say("{version}版", version=label)


def limit_words(length: str) -> str:
    """限48小时; a time that was agreed on is no length."""
    return say("限{length}", length=length) if length[:1].isdigit() else say("以{length}为限", length=length)


def happened_words(told: Happened) -> str:
    moved = _moved(told)
    if told.cited is None or told.due_at is None:
        late = "" if told.at == told.recorded_at else say("（{time} 才记录）", time=shown(told.recorded_at))
        return say(
            "{time}，{who}「{what}」{late}{moved}",
            time=shown(told.at), who=told.who, what=told.label, late=late, moved=moved,
        )  # fmt: skip
    return say(
        "{rule}，{due} 到期；系统在 {fired}（到期后 {late}）执行「{what}」，自到期时刻起生效{moved}",
        rule=citation(told.cited), due=shown(told.due_at), fired=shown(told.recorded_at),
        late=lasting(told.late_seconds or 0), what=told.label, moved=moved,
    )  # fmt: skip


def _moved(told: Happened) -> str:
    if told.from_state == told.to_state:
        return ""
    if told.from_state.key == NOWHERE:
        return say("，工单在「{state}」", state=told.to_state.label)
    return say("，工单从「{before}」转到「{state}」", before=told.from_state.label, state=told.to_state.label)


def citation(cited: Cited) -> str:
    """KS-EX-01「商家处理换货申请」限48小时（2022-09-30版）."""
    if cited.rule == PLATFORM_DEADLINE:
        return "平台给的期限"
    version = version_words(cited.version)
    if not cited.in_book:
        return say("{rule}（{version}，规则册里已经没有这个版本）", rule=cited.rule, version=version)
    limit = limit_words(cited.length)
    return say(
        "{rule}「{label}」{limit}（{version}）", rule=cited.rule, label=cited.label, limit=limit, version=version
    )


# ── One line ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def one_line(explanation: Explanation) -> str:
    """换货 EX-221001-0001：KS-EX-01 限48小时（2022-09-30版），自申请 2022-10-01 10:00:00 起，到 …，到期视为同意换货."""
    return say("{ticket}：{line}", ticket=_name(explanation), line=_line(explanation))


def _name(e: Explanation) -> str:
    return say("{workflow} {number}", workflow=e.workflow.label, number=e.number)


def _line(e: Explanation) -> str:
    if e.clocks:
        line, more = _clock_line(e.clocks[0]), len(e.clocks) - 1
        return say("{line}；另有 {n} 个时限同时在走", line=line, n=more) if more else line
    if e.waits_for is None:
        return _ending_line(e)
    turn = say("{state}，等{party}", state=e.state.label, party=e.waits_for)
    if e.paused:
        return listed([turn, *map(_paused_line, e.paused)], "；")
    return say("{turn}，没有时限：{why}", turn=turn, why=e.no_clock.sentence) if e.no_clock else turn


def _clock_line(story: ClockStory) -> str:
    cited, due_at = story.cited, story.due_at
    assert due_at is not None
    rule, then = _rule_and_limit(cited), _then_line(story.outcome)
    due = say("{time}（暂定）", time=shown(due_at)) if story.provisional else shown(due_at)
    if story.basis != "rule":
        before = story.computed_due_at
        was = say("（原按 {rule}到 {time}）", rule=rule, time=shown(before)) if before else ""
        return say("{basis}期限到 {due}{was}，{then}", basis=_BASES[story.basis], due=due, was=was, then=then)
    paused = say("（暂停过 {n} 次）", n=len(story.pauses)) if story.pauses else ""
    start = say("，自{what} {time} 起", what=story.start.noun, time=shown(story.start.at))
    return say(
        "{rule}（{version}）{start}，到 {due}{paused}，{then}",
        rule=rule, version=version_words(cited.version), start="" if story.counting.way == "until" else start,
        due=due, paused=paused, then=then,
    )  # fmt: skip


def _rule_and_limit(cited: Cited) -> str:
    """KS-EX-01 限48小时."""
    return say("{rule} {limit}", rule=cited.rule, limit=limit_words(cited.length)) if cited.in_book else cited.rule


def _then_line(outcome: Outcome) -> str:
    """到期视为同意换货: of 逾期未处理，视为同意换货 the second half."""
    before, _, consequence = outcome.label.rpartition("，")
    if outcome.problem:
        return outcome.problem
    return say("到期{then}", then=consequence) if "逾期" in before else say("到期即「{what}」", what=outcome.label)


def _paused_line(story: ClockStory) -> str:
    name, cited = story.cited.rule, story.cited
    if cited.label:
        name = say("「{label}」（{rule}）", label=cited.label, rule=cited.rule)
    return say("{rule}暂停，还剩 {span}", rule=name, span=lasting(story.left_seconds))


def _ending_line(explanation: Explanation) -> str:
    ending = explanation.ending
    if ending is None:
        return explanation.state.label
    cited, state, at = ending.cited, explanation.state.label, shown(ending.at)
    if cited is None:
        return say("{state}，{time} {who}「{what}」", state=state, time=at, who=ending.who, what=ending.label)
    return say(
        "{state}，{time} {what}（{rule}，{version}）",
        state=state, time=at, what=ending.label, rule=_rule_and_limit(cited), version=version_words(cited.version),
    )  # fmt: skip


# ── The whole, for reading aloud ──────────────────────────────────────────────────────────────────────────────────────


def render(explanation: Explanation) -> Listed:
    """Several lines, `items`, without any control characters. All times are Beijing time."""
    e = explanation
    lines: list[str] = [
        say("{ticket}（{policy}）", ticket=_name(e), policy=e.policy.label),
        say("现在：{now}。", now=_now(e)),
    ]
    if e.ending is not None:
        lines.append(say("结束：{what}。", what=e.ending.sentence))
        lines += _cited_lines(e.ending.cited) if e.ending.cited else []
    if len(e.clocks) > 1:
        lines.append(_which_first(e.clocks))
    for place, story in enumerate(e.clocks, 1):
        lines += [say("—— 第 {n} 个时限 ——", n=place)] if len(e.clocks) > 1 else []
        lines += _clock_lines(story)
    for story in e.paused:
        lines += _paused_lines(story)
    if e.no_clock is not None:
        lines.append(say("时限：没有在走的时限。{why}。", why=e.no_clock.sentence))
    if e.reminders:
        times = listed(say("{time}（{what}）", time=shown(one.at), what=one.label) for one in e.reminders)
        lines.append(say("还会提醒：{times}。", times=times))
    if e.authority == "platform" and e.waits_for is not None:
        lines.append("说明：这张工单以平台为准，平台同步来的期限和结果优先于系统推算的。")
    lines += _trouble_lines(e.trouble)
    return listed(lines, "\n")


def _now(e: Explanation) -> str:
    if e.waits_for:
        return say("{state}，等{party}", state=e.state.label, party=e.waits_for)
    how = "已经结束" if e.ending else "流程表里已经没有这个状态，请管理员处理"
    return say("{state}，{how}", state=e.state.label, how=how)


def _which_first(stories: Sequence[ClockStory]) -> str:
    first, *others = stories
    rest = listed(say("{rule} 到 {time}", rule=one.cited.rule, time=_when(one)) for one in others)
    after = "其余的继续走" if first.outcome.runs_on else "其余的随之结束"
    return say(
        "同时在走 {n} 个时限，先到的先执行：{rule} 到 {time}，{rest}；{rule} 执行后，{after}。",
        n=len(stories), rule=first.cited.rule, time=_when(first), rest=rest, after=after,
    )  # fmt: skip


def _when(story: ClockStory) -> str:
    return shown(story.due_at) if story.due_at else "暂停中"


def _clock_lines(story: ClockStory) -> list[str]:
    changes: list[str] = [_pauses_line(story.pauses)] if story.pauses else []
    if story.replacements:
        changes.append(say("改期：{changes}。", changes=listed(map(_replacement, story.replacements), "；")))
    return [
        say("到期：{time}（北京时间），{left}。", time=_when(story), left=_left(story.left_seconds)),
        *_cited_lines(story.cited),
        say("起算：{start}。", start=_start(story.start)),
        say("计法：{how}。", how=_counting(story.counting)),
        *_provisional_lines(story),
        *(changes or ["暂停、改期：都没有。"]),
        say("到期会怎样：{then}。", then=_outcome(story.outcome)),
    ]


def _pauses_line(pauses: Sequence[Pause]) -> str:
    return say("暂停：{pauses}。", pauses=listed(map(_pause, pauses), "；"))


def _left(seconds: int) -> str:
    if seconds == 0:
        return "现在是最后一秒，这时办理仍算按时"
    if seconds > 0:
        return say("还剩 {span}", span=lasting(seconds))
    return say("{span}，系统即将执行", span=lasting(seconds))


def _paused_lines(story: ClockStory) -> list[str]:
    return [
        say(
            "暂停中的时限：{rule}，还剩 {span}，继续时从那一刻起走完剩下的时间。",
            rule=citation(story.cited),
            span=lasting(story.left_seconds),
        ),
        *_cited_lines(story.cited)[1:],
        say("起算：{start}。", start=_start(story.start)),
        _pauses_line(story.pauses),
        say("继续以后到期会怎样：{then}。", then=_outcome(story.outcome, dated=False)),
    ]


def _cited_lines(cited: Cited) -> list[str]:
    if not cited.in_book:
        return [say("依据：{rule}。", rule=citation(cited))]
    document, clause = Written(cited.document), ""
    if cited.clause != cited.rule:
        clause = say("，条款 {clause}", clause=cited.clause)
    lines: list[str] = [
        say("依据：{rule}，《{document}》{clause}。", rule=citation(cited), document=document, clause=clause)
    ]
    lines += [_quote_line(cited)] if cited.quote else []
    lines += [say("假定：{assumed}。", assumed=cited.assumed)] if cited.assumed else []
    if cited.newer:
        newer, version = version_words(cited.newer), version_words(cited.version)
        lines.append(say("版本：后来有了{newer}，这个时限仍按起算时的{version}走。", newer=newer, version=version))
    return lines


def _quote_line(cited: Cited) -> str:
    return say(
        "原文：“{quote}”（{trust}，{source}{checked}）。",
        quote=Written(cited.quote),
        trust=_CONFIDENCE.get(cited.confidence, cited.confidence),
        source=Written(cited.source),
        checked=say("，{day} 核对", day=cited.checked_on) if cited.checked_on else "",
    )


def _start(start: Start) -> str:
    by, told, at = start.by, "", shown(start.at)
    if by is None:
        return say("{time}，{what}", time=at, what=start.label)
    if start.told_late:
        told = say("，{time} 就已生效，但停机期间没有人知道，所以从得知的时刻足额起算", time=shown(by.at))
    elif by.at == start.at != by.recorded_at:
        known = shown(by.recorded_at)
        told = say("，{time} 执行", time=known) if by.cited else say("，{time} 才收到", time=known)
    return say(
        "{time}，{start}（{who}「{what}」{told}）", time=at, start=start.label, who=by.who, what=by.label, told=told
    )


def _counting(counting: Counting) -> str:
    parts = [counting.how]
    if counting.skipped:
        skipped = "最后一天遇放假顺延，跳过 {n} 天：{days}" if counting.rolled else "跳过 {n} 天：{days}"
        parts.append(say(skipped, n=len(counting.skipped), days=_days(counting.skipped)))
    if counting.made_up:
        days = _days(counting.made_up)
        parts.append(say("周末但要上班、照算的 {n} 天：{days}", n=len(counting.made_up), days=days))
    return listed(parts, "；")


def _days(days: Sequence[Day]) -> str:
    """10-01 至 10-07 国庆节: days in a row with one reason are said together."""
    runs: list[list[Day]] = []
    for day in days:
        if runs and runs[-1][-1].reason == day.reason and day.day - runs[-1][-1].day == ONE_DAY:
            runs[-1].append(day)
        else:
            runs.append([day])
    return listed(say("{days} {reason}", days=_span(run), reason=run[0].reason) for run in runs)


def _span(run: Sequence[Day]) -> str:
    return str(run[0].day) if len(run) == 1 else say("{first} 至 {last}", first=run[0].day, last=run[-1].day)


def _provisional_lines(story: ClockStory) -> list[str]:
    if not story.provisional:
        return []
    years = listed(story.counting.guessed_years)
    if not years:
        return ["暂定：放假安排已经公布，等待系统重算，到期时间可能变。"]
    return [
        say("暂定：{years} 年的放假安排还没有公布，先只按周末休息计；公布后系统会重算，到期时间可能变。", years=years)
    ]


def _pause(pause: Pause) -> str:
    left = lasting(pause.left_seconds)
    stopped = say("{time}「{step}」时暂停，当时还剩 {left}", time=shown(pause.at), step=pause.by, left=left)
    if pause.resumed_at is None:
        return say("{stopped}，还没有继续", stopped=stopped)
    again = shown(pause.resumed_at)
    return say("{stopped}，{time}「{step}」后继续", stopped=stopped, time=again, step=pause.resumed_by)


def _replacement(one: Replacement) -> str:
    because = {"agreement": "双方约定，", "calendar": "放假安排公布，"}.get(one.basis, "")
    at, due = shown(one.at), shown(one.due_at)
    if one.was is None:
        return say("{because}{who} {time} 给出期限 {due}", because=because, who=one.who, time=at, due=due)
    return say(
        "{because}{who} {time} 把到期从 {was} 改到 {due}",
        because=because, who=one.who, time=at, was=shown(one.was), due=due,
    )  # fmt: skip


def _outcome(outcome: Outcome, *, dated: bool = True) -> str:
    if outcome.problem:
        return say("{problem}；届时系统会把工单搁置并提醒人，不会自己移动它", problem=outcome.problem)
    parts: list[str] = [say("系统执行「{what}」，{where}", what=outcome.label, where=_where_to(outcome))]
    parts += [say("系统下单{money}", money=money) for money in outcome.money]
    parts += [say("登记{fact}", fact=one) for one in outcome.remembers]
    parts += [_next_words(one, dated) for one in outcome.starts]
    parts += [say("之后没有时限：{why}", why=outcome.no_clock)] if outcome.no_clock else []
    parts += [say("从那时起可以「{steps}」", steps=listed(outcome.unlocks, "」「"))] if outcome.unlocks else []
    parts += list(outcome.tells)
    return listed(parts, "；")


def _where_to(outcome: Outcome) -> str:
    assert outcome.to is not None
    if outcome.escalation:
        return say("升级给主管，工单留在「{state}」，不会自己往下走", state=outcome.to.label)
    where = "{because}工单以「{state}」结束" if outcome.closes else "{because}工单转到「{state}」"
    return say(where, because=_because(outcome.ways), state=outcome.to.label)


def _because(ways: Sequence[Way]) -> str:
    """Why this way and not another, where it depends on the ticket."""
    taken = next((place for place, way in enumerate(ways) if way.taken), None)
    if taken is None:
        return ""
    if taken < len(ways) - 1:
        return say("因为{condition}，", condition=ways[taken].condition)
    return say("因为不属于「{others}」，", others=listed((way.condition for way in ways[:taken]), "」或「"))


def _next_words(one: Next, dated: bool) -> str:
    due = say("，到 {time}", time=shown(one.due_at)) if dated else ""
    if one.resumed:
        return say("随后继续「{label}」（{rule}）剩下的时间{due}", label=one.label, rule=one.rule, due=due)
    return say("随后开始「{label}」{length}（{rule}）{due}", label=one.label, length=one.length, rule=one.rule, due=due)


def _trouble_lines(trouble: Trouble | None) -> list[str]:
    if trouble is None:
        return []
    again = say("，{time} 再试", time=shown(trouble.again_at)) if trouble.again_at else ""
    words = "注意：系统处理这张工单失败过 {n} 次，暂时搁置{again}，请管理员查看：{error}。"
    return [say(words, n=trouble.times, again=again, error=Written(trouble.error))]
