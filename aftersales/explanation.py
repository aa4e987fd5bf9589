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
    return "一直有效" if label == "undated" else f"{label}版"


def limit_words(length: str) -> str:
    """限48小时; a time that was agreed on is no length."""
    return f"限{length}" if length[:1].isdigit() else f"以{length}为限"


def happened_words(told: Happened) -> str:
    moved = f"，工单从「{told.from_state.label}」转到「{told.to_state.label}」"
    if told.from_state.key == NOWHERE:
        moved = f"，工单在「{told.to_state.label}」"
    if told.from_state == told.to_state:
        moved = ""
    if told.cited is None or told.due_at is None:
        late = "" if told.at == told.recorded_at else f"（{shown(told.recorded_at)} 才记录）"
        return f"{shown(told.at)}，{told.who}「{told.label}」{late}{moved}"
    return (
        f"{citation(told.cited)}，{shown(told.due_at)} 到期；"
        f"系统在 {shown(told.recorded_at)}（到期后 {lasting(told.late_seconds or 0)}）执行「{told.label}」，"
        f"自到期时刻起生效{moved}"
    )


def citation(cited: Cited) -> str:
    """KS-EX-01「商家处理换货申请」限48小时（2022-09-30版）."""
    if cited.rule == PLATFORM_DEADLINE:
        return "平台给的期限"
    if not cited.in_book:
        return f"{cited.rule}（{version_words(cited.version)}，规则册里已经没有这个版本）"
    return f"{cited.rule}「{cited.label}」{limit_words(cited.length)}（{version_words(cited.version)}）"


# ── One line ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def one_line(explanation: Explanation) -> str:
    """换货 EX-221001-0001：KS-EX-01 限48小时（2022-09-30版），自申请 2022-10-01 10:00:00 起，到 …，到期视为同意换货."""
    head = f"{explanation.workflow.label} {explanation.number}："
    if explanation.clocks:
        more = len(explanation.clocks) - 1
        rest = f"；另有 {more} 个时限同时在走" if more else ""
        return f"{head}{_clock_line(explanation.clocks[0])}{rest}"
    if explanation.waits_for is None:
        return f"{head}{_ending_line(explanation)}"
    turn = f"{head}{explanation.state.label}，等{explanation.waits_for}"
    if explanation.paused:
        return f"{turn}；{'；'.join(_paused_line(clock) for clock in explanation.paused)}"
    return f"{turn}，没有时限：{explanation.no_clock.sentence}" if explanation.no_clock else turn


def _clock_line(story: ClockStory) -> str:
    cited, due_at = story.cited, story.due_at
    assert due_at is not None
    rule = f"{cited.rule} {limit_words(cited.length)}" if cited.in_book else cited.rule
    due = f"{shown(due_at)}（暂定）" if story.provisional else shown(due_at)
    if story.basis != "rule":
        was = f"（原按 {rule}到 {shown(story.computed_due_at)}）" if story.computed_due_at else ""
        return f"{_BASES[story.basis]}期限到 {due}{was}，{_then_line(story.outcome)}"
    paused = f"（暂停过 {len(story.pauses)} 次）" if story.pauses else ""
    start = "" if story.counting.way == "until" else f"，自{story.start.noun} {shown(story.start.at)} 起"
    return f"{rule}（{version_words(cited.version)}）{start}，到 {due}{paused}，{_then_line(story.outcome)}"


def _then_line(outcome: Outcome) -> str:
    """到期视为同意换货: of 逾期未处理，视为同意换货 the second half."""
    before, _, consequence = outcome.label.rpartition("，")
    return outcome.problem or (f"到期{consequence}" if "逾期" in before else f"到期即「{outcome.label}」")


def _paused_line(story: ClockStory) -> str:
    name = f"「{story.cited.label}」（{story.cited.rule}）" if story.cited.label else story.cited.rule
    return f"{name}暂停，还剩 {lasting(story.left_seconds)}"


def _ending_line(explanation: Explanation) -> str:
    ending = explanation.ending
    if ending is None:
        return explanation.state.label
    cited = ending.cited
    if cited is None:
        return f"{explanation.state.label}，{shown(ending.at)} {ending.who}「{ending.label}」"
    rule = f"{cited.rule} {limit_words(cited.length)}" if cited.in_book else cited.rule
    return f"{explanation.state.label}，{shown(ending.at)} {ending.label}（{rule}，{version_words(cited.version)}）"


# ── The whole, for reading aloud ──────────────────────────────────────────────────────────────────────────────────────


def render(explanation: Explanation) -> str:
    """Several lines of Chinese, without any control characters. All times are Beijing time."""
    e = explanation
    lines = [f"{e.workflow.label} {e.number}（{e.policy.label}）", f"现在：{_now(e)}。"]
    if e.ending is not None:
        lines.append(f"结束：{e.ending.sentence}。")
        lines += _cited_lines(e.ending.cited) if e.ending.cited else []
    if len(e.clocks) > 1:
        lines.append(_which_first(e.clocks))
    for place, story in enumerate(e.clocks, 1):
        lines += [f"—— 第 {place} 个时限 ——"] if len(e.clocks) > 1 else []
        lines += _clock_lines(story)
    for story in e.paused:
        lines += _paused_lines(story)
    if e.no_clock is not None:
        lines.append(f"时限：没有在走的时限。{e.no_clock.sentence}。")
    if e.reminders:
        lines.append(f"还会提醒：{'、'.join(f'{shown(one.at)}（{one.label}）' for one in e.reminders)}。")
    if e.authority == "platform" and e.waits_for is not None:
        lines.append("说明：这张工单以平台为准，平台同步来的期限和结果优先于系统推算的。")
    lines += _trouble_lines(e.trouble)
    return "\n".join(lines)


def _now(e: Explanation) -> str:
    if e.waits_for:
        return f"{e.state.label}，等{e.waits_for}"
    return f"{e.state.label}，{'已经结束' if e.ending else '流程表里已经没有这个状态，请管理员处理'}"


def _which_first(stories: Sequence[ClockStory]) -> str:
    first, *others = stories
    rest = "、".join(f"{one.cited.rule} 到 {_when(one)}" for one in others)
    after = "其余的继续走" if first.outcome.runs_on else "其余的随之结束"
    return (
        f"同时在走 {len(stories)} 个时限，先到的先执行：{first.cited.rule} 到 {_when(first)}，{rest}；"
        f"{first.cited.rule} 执行后，{after}。"
    )


def _when(story: ClockStory) -> str:
    return shown(story.due_at) if story.due_at else "暂停中"


def _clock_lines(story: ClockStory) -> list[str]:
    changes = [f"暂停：{'；'.join(map(_pause, story.pauses))}。"] if story.pauses else []
    changes += [f"改期：{'；'.join(map(_replacement, story.replacements))}。"] if story.replacements else []
    return [
        f"到期：{_when(story)}（北京时间），{_left(story.left_seconds)}。",
        *_cited_lines(story.cited),
        f"起算：{_start(story.start)}。",
        f"计法：{_counting(story.counting)}。",
        *_provisional_lines(story),
        *(changes or ["暂停、改期：都没有。"]),
        f"到期会怎样：{_outcome(story.outcome)}。",
    ]


def _left(seconds: int) -> str:
    if seconds == 0:
        return "现在是最后一秒，这时办理仍算按时"
    return f"还剩 {lasting(seconds)}" if seconds > 0 else f"{lasting(seconds)}，系统即将执行"


def _paused_lines(story: ClockStory) -> list[str]:
    return [
        f"暂停中的时限：{citation(story.cited)}，还剩 {lasting(story.left_seconds)}，继续时从那一刻起走完剩下的时间。",
        *_cited_lines(story.cited)[1:],
        f"起算：{_start(story.start)}。",
        f"暂停：{'；'.join(map(_pause, story.pauses))}。",
        f"继续以后到期会怎样：{_outcome(story.outcome, dated=False)}。",
    ]


def _cited_lines(cited: Cited) -> list[str]:
    if not cited.in_book:
        return [f"依据：{citation(cited)}。"]
    clause = "" if cited.clause == cited.rule else f"，条款 {cited.clause}"
    checked = f"，{cited.checked_on} 核对" if cited.checked_on else ""
    trust = _CONFIDENCE.get(cited.confidence, cited.confidence)
    lines = [f"依据：{citation(cited)}，《{cited.document}》{clause}。"]
    lines += [f"原文：“{cited.quote}”（{trust}，{cited.source}{checked}）。"] if cited.quote else []
    lines += [f"假定：{cited.assumed}。"] if cited.assumed else []
    if cited.newer:
        lines.append(
            f"版本：后来有了{version_words(cited.newer)}，这个时限仍按起算时的{version_words(cited.version)}走。"
        )
    return lines


def _start(start: Start) -> str:
    by, told = start.by, ""
    if by is None:
        return f"{shown(start.at)}，{start.label}"
    if start.told_late:
        told = f"，{shown(by.at)} 就已生效，但停机期间没有人知道，所以从得知的时刻足额起算"
    elif by.at == start.at != by.recorded_at:
        told = f"，{shown(by.recorded_at)} {'执行' if by.cited else '才收到'}"
    return f"{shown(start.at)}，{start.label}（{by.who}「{by.label}」{told}）"


def _counting(counting: Counting) -> str:
    parts = [counting.how]
    if counting.skipped:
        verb = "最后一天遇放假顺延，跳过" if counting.rolled else "跳过"
        parts.append(f"{verb} {len(counting.skipped)} 天：{_days(counting.skipped)}")
    if counting.made_up:
        parts.append(f"周末但要上班、照算的 {len(counting.made_up)} 天：{_days(counting.made_up)}")
    return "；".join(parts)


def _days(days: Sequence[Day]) -> str:
    """10-01 至 10-07 国庆节: days in a row with one reason are said together."""
    runs: list[list[Day]] = []
    for day in days:
        if runs and runs[-1][-1].reason == day.reason and day.day - runs[-1][-1].day == ONE_DAY:
            runs[-1].append(day)
        else:
            runs.append([day])
    return "、".join(f"{_span(run)} {run[0].reason}" for run in runs)


def _span(run: Sequence[Day]) -> str:
    return str(run[0].day) if len(run) == 1 else f"{run[0].day} 至 {run[-1].day}"


def _provisional_lines(story: ClockStory) -> list[str]:
    if not story.provisional:
        return []
    years = "、".join(map(str, story.counting.guessed_years))
    if not years:
        return ["暂定：放假安排已经公布，等待系统重算，到期时间可能变。"]
    return [f"暂定：{years} 年的放假安排还没有公布，先只按周末休息计；公布后系统会重算，到期时间可能变。"]


def _pause(pause: Pause) -> str:
    stopped = f"{shown(pause.at)}「{pause.by}」时暂停，当时还剩 {lasting(pause.left_seconds)}"
    if pause.resumed_at is None:
        return f"{stopped}，还没有继续"
    return f"{stopped}，{shown(pause.resumed_at)}「{pause.resumed_by}」后继续"


def _replacement(one: Replacement) -> str:
    because = {"agreement": "双方约定，", "calendar": "放假安排公布，"}.get(one.basis, "")
    if one.was is None:
        return f"{because}{one.who} {shown(one.at)} 给出期限 {shown(one.due_at)}"
    return f"{because}{one.who} {shown(one.at)} 把到期从 {shown(one.was)} 改到 {shown(one.due_at)}"


def _outcome(outcome: Outcome, *, dated: bool = True) -> str:
    if outcome.problem:
        return f"{outcome.problem}；届时系统会把工单搁置并提醒人，不会自己移动它"
    parts = [f"系统执行「{outcome.label}」，{_where_to(outcome)}"]
    parts += [f"系统下单{money}" for money in outcome.money]
    parts += [f"登记{one}" for one in outcome.remembers]
    parts += [f"随后{_next_words(one, dated)}" for one in outcome.starts]
    parts += [f"之后没有时限：{outcome.no_clock}"] if outcome.no_clock else []
    parts += [f"从那时起可以「{'」「'.join(outcome.unlocks)}」"] if outcome.unlocks else []
    parts += list(outcome.tells)
    return "；".join(parts)


def _where_to(outcome: Outcome) -> str:
    assert outcome.to is not None
    if outcome.escalation:
        return f"升级给主管，工单留在「{outcome.to.label}」，不会自己往下走"
    where = f"工单以「{outcome.to.label}」结束" if outcome.closes else f"工单转到「{outcome.to.label}」"
    return f"{_because(outcome.ways)}{where}"


def _because(ways: Sequence[Way]) -> str:
    """Why this way and not another, where it depends on the ticket."""
    taken = next((place for place, way in enumerate(ways) if way.taken), None)
    if taken is None:
        return ""
    if taken < len(ways) - 1:
        return f"因为{ways[taken].condition}，"
    others = "」或「".join(way.condition for way in ways[:taken])
    return f"因为不属于「{others}」，"


def _next_words(one: Next, dated: bool) -> str:
    due = f"，到 {shown(one.due_at)}" if dated else ""
    if one.resumed:
        return f"继续「{one.label}」（{one.rule}）剩下的时间{due}"
    return f"开始「{one.label}」{one.length}（{one.rule}）{due}"


def _trouble_lines(trouble: Trouble | None) -> list[str]:
    if trouble is None:
        return []
    again = f"，{shown(trouble.again_at)} 再试" if trouble.again_at else ""
    return [f"注意：系统处理这张工单失败过 {trouble.times} 次，暂时搁置{again}，请管理员查看：{trouble.error}。"]
