"""Why a ticket is due when it is: every clock of it in words and as a line, those that are over too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from aftersales import explain
from aftersales.clock import SHANGHAI, shown_day
from aftersales.decide import Rules
from aftersales.explanation import ClockStory, Day, Explanation, Outcome, Past, Pause
from aftersales.ticket import Event, Ticket
from web import words
from web.i18n import gettext, translated
from web.timeline import Drawing, Line, Mark, Span, draw

ONE_DAY = timedelta(days=1)
#: so many clocks that are over are told
_MOST_PAST = 12
#: a line longer than this is not looked at day by day
_LONGEST = timedelta(days=400)


@dataclass(frozen=True)
class Moment:
    """One line of the list that stands for the picture on a phone. `kind` as in timeline.Mark."""

    at: datetime
    kind: str
    says: str


@dataclass(frozen=True)
class ClockView:
    """A clock that runs or stands still. `used`: percent; `then`: what its end does, in sentences."""

    story: ClockStory
    urgency: str
    used: int
    #: percent, where the shop's own target lies on the bar; None without one
    target: float | None
    used_words: str
    then: Sequence[str]
    picture: Drawing
    #: the picture in words
    says: str
    moments: Sequence[Moment]
    skipped: str
    made_up: str
    counts_on: str
    #: 10-01 10:00 + 48小时 = 10-03 10:00; "" where it is not that simple
    sum: str

    @property
    def paused(self) -> bool:
        return self.story.due_at is None


@dataclass(frozen=True)
class PastView:
    """A clock that is over."""

    past: Past
    picture: Drawing
    says: str
    moments: Sequence[Moment]


@dataclass(frozen=True)
class Why:
    explanation: Explanation
    clocks: Sequence[ClockView]
    past: Sequence[PastView]
    #: everything in sentences, to be read aloud
    text: Sequence[str]


def why(ticket: Ticket, events: Sequence[Event], explanation: Explanation, rules: Rules, now: datetime) -> Why:
    past = explain.earlier(ticket, events, rules, now)
    stories = [*explanation.clocks, *explanation.paused]
    return Why(
        explanation,
        [_clock(story, ticket, rules, now) for story in stories],
        [_past(one) for one in past[:_MOST_PAST]],
        explain.render(explanation).items,
    )


# ── a clock that runs, or stands still ──


def _clock(story: ClockStory, ticket: Ticket, rules: Rules, now: datetime) -> ClockView:
    due = story.due_at or now + timedelta(seconds=story.left_seconds)
    whole = max(1.0, (due - story.start.at).total_seconds() - _stood_still(story.pauses, now))
    gone = min(whole, max(0.0, whole - story.left_seconds))
    target = _target(ticket, rules)
    moments = sorted(_moments(story, target, now), key=lambda one: one.at)
    holidays = _holidays(story, due, rules)
    return ClockView(
        story=story,
        urgency="paused" if story.due_at is None else words.urgency(due, now),
        used=round(100 * gone / whole),
        target=_share(target[0], story, due) if target else None,
        used_words=gettext(
            "已用 {span}（{percent}%）", span=words.lasting(gone), percent=round(100 * gone / whole)
        ),
        then=list(outcome(story.outcome, now)),
        picture=draw(_line(story, due, moments, holidays, now)),
        says=_says(moments, now),
        moments=moments,
        skipped=days(story.counting.skipped),
        made_up=days(story.counting.made_up),
        sum=_sum(story, now),
        counts_on=days([day for day in holidays if day.reason not in ("周六", "周日")]),
    )  # fmt: skip


def _sum(story: ClockStory, now: datetime) -> str:
    counted = story.counting.due_at
    if story.counting.way not in ("hours", "days") or story.pauses or counted is None or counted != story.due_at:
        return ""
    start, due = words.brief(story.start.at, now), words.brief(counted, now)
    return gettext("{start} + {length} = {due}（含到期那一秒）", start=start, length=story.cited.length, due=due)


def _stood_still(pauses: Sequence[Pause], now: datetime) -> float:
    """Seconds of all pauses."""
    return sum(((pause.resumed_at or now) - pause.at).total_seconds() for pause in pauses)


def _target(ticket: Ticket, rules: Rules) -> tuple[datetime, str] | None:
    """When the shop's own target for this state is reached, and what it is called."""
    found = rules.catalog.house.target_for(rules.workflow(ticket).state(ticket.state))
    return (ticket.entered_at + timedelta(seconds=found.within.seconds or 0), found.label) if found else None


def _share(at: datetime, story: ClockStory, due: datetime) -> float | None:
    """Of the whole time, in percent; None outside of it."""
    share = (at - story.start.at) / max(timedelta(seconds=1), due - story.start.at)
    return round(100 * share, 1) if 0 < share < 1 else None


def _moments(story: ClockStory, target: tuple[datetime, str] | None, now: datetime) -> Iterator[Moment]:
    yield Moment(story.start.at, "start", gettext("{what}，开始计时", what=story.start.noun))
    for pause in story.pauses:
        yield Moment(pause.at, "pause", gettext("暂停：{why}", why=pause.by))
        if pause.resumed_at is not None:
            yield Moment(pause.resumed_at, "resume", gettext("继续：{why}", why=pause.resumed_by))
    if target is not None and story.start.at < target[0]:
        yield Moment(target[0], "target", gettext("店内目标：{what}", what=target[1]))
    if story.computed_due_at is not None and story.computed_due_at != story.due_at:
        yield Moment(story.computed_due_at, "was", gettext("按规则原来的到期"))
    yield Moment(now, "now", gettext("现在"))
    if story.due_at is not None:
        yield Moment(story.due_at, "due", gettext("到期，{then}", then=story.outcome.label))


def _line(story: ClockStory, due: datetime, moments: Sequence[Moment], holidays: Sequence[Day], now: datetime) -> Line:
    end = max(due, now) if story.due_at is not None else due
    order = {kind: place for place, kind in enumerate(("due", "start", "now", "target", "was"))}
    marks = [
        Mark(
            one.at, one.kind, _title(one, story), words.brief(one.at, now), gettext("到期") if one.kind == "due" else ""
        )
        for one in sorted((one for one in moments if one.kind in order), key=lambda one: order[one.kind])
    ]
    skipped, worked = story.counting.skipped, story.counting.made_up
    spans = [
        *(_of_days(run, "skip") for run in _runs(skipped)),
        *(_of_days(run, "worked") for run in _runs(worked)),
        *(_of_days(run, "holiday") for run in _runs(holidays)),
        *(Span(one.at, one.resumed_at or now, "pause", gettext("暂停")) for one in story.pauses),
    ]
    inside = [span for span in spans if span.end > story.start.at and span.start < end]
    return Line(story.start.at, end, min(now, end), marks, inside)


def _title(moment: Moment, story: ClockStory) -> str:
    return str(translated(story.start.noun)) if moment.kind == "start" else moment.says


def _says(moments: Sequence[Moment], now: datetime) -> str:
    """10-01 10:00 申请；10-02 14:32 现在；10-03 10:00 到期."""
    return gettext("；").join(f"{words.brief(one.at, now)} {one.says}" for one in moments)


def _holidays(story: ClockStory, due: datetime, rules: Rules) -> list[Day]:
    """Days off, but for plain weekends, that count all the same."""
    start = story.start.at
    if story.counting.way not in ("hours", "days") or due - start > _LONGEST:
        return []
    first, calendar = shown_day(start), rules.calendar
    every = [first + n * ONE_DAY for n in range((shown_day(due) - first).days + 1)]
    found = [Day(day, calendar.reason(day)) for day in every if not calendar.is_workday(day)]
    named = {day.reason for day in found} - {"周六", "周日"}
    return [day for day in found if day.reason in named]


def _runs(every: Sequence[Day]) -> list[list[Day]]:
    """Days in a row, with one reason, together."""
    runs: list[list[Day]] = []
    for day in every:
        if runs and day.day - runs[-1][-1].day == ONE_DAY and day.reason == runs[-1][-1].reason:
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def _of_days(run: Sequence[Day], kind: str) -> Span:
    label = {"holiday": "{holiday} {days}：照走不停", "skip": "{holiday}"}.get(kind, "")
    says = gettext(label, holiday=run[0].reason, days=_stretch(run)) if label else ""
    return Span(_begins(run[0].day), _begins(run[-1].day + ONE_DAY), kind, says)


def _begins(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=SHANGHAI)


def _stretch(run: Sequence[Day]) -> str:
    first, last = (f"{day.day:%m-%d}" for day in (run[0], run[-1]))
    return first if first == last else gettext("{first} 至 {last}", first=first, last=last)


def days(every: Sequence[Day]) -> str:
    """10-01 至 10-07 国庆节、10-10 周六; "" for none."""
    runs = _runs(every)
    more = gettext(" 等 {n} 段", n=len(runs)) if len(runs) > 4 else ""
    return gettext("、").join(f"{_stretch(run)} {translated(run[0].reason)}" for run in runs[:4]) + more


# ── what then ──


def outcome(told: Outcome, now: datetime) -> Iterator[str]:
    """What the end of a clock does, in sentences."""
    if told.problem or told.to is None:
        yield translated(told.problem)
        return
    if told.escalation:
        yield gettext("升级给主管，工单留在「{state}」，不会自己往下走", state=told.to.label)
    elif told.closes:
        yield gettext("工单以「{state}」结束", state=told.to.label)
    else:
        yield gettext("工单转到「{state}」", state=told.to.label)
    yield from (gettext("系统下单{money}", money=money) for money in told.money)
    yield from (gettext("登记{what}", what=what) for what in told.remembers)
    for one in told.starts:
        due = words.brief(one.due_at, now)
        said = "继续「{rule}」剩下的时间，到 {due}" if one.resumed else "开始「{rule}」，到 {due}"
        yield gettext(said, rule=one.label, due=due)
    if told.no_clock:
        yield gettext("之后没有时限：{why}", why=told.no_clock)
    if told.unlocks:
        steps = gettext("、").join(gettext("「{step}」", step=step) for step in told.unlocks)
        yield gettext("从那时起可以{steps}", steps=steps)
    yield from (translated(other) for other in told.tells)


# ── clocks that are over ──


def _past(past: Past) -> PastView:
    moments = sorted(_past_moments(past), key=lambda one: one.at)
    order = {kind: place for place, kind in enumerate(("ended", "start", "due"))}
    marks = [
        Mark(one.at, "now" if one.kind == "ended" else one.kind, one.says, words.brief(one.at, past.ended_at))
        for one in sorted((one for one in moments if one.kind in order), key=lambda one: order[one.kind])
    ]
    spans = [Span(one.at, one.resumed_at or past.ended_at, "pause", gettext("暂停")) for one in past.pauses]
    line = Line(
        past.start_at, max(past.due_at, past.ended_at), min(past.ended_at, past.due_at), marks, spans, days=False
    )
    return PastView(past, draw(line), _says(moments, past.ended_at), moments)


def _past_moments(past: Past) -> Iterator[Moment]:
    yield Moment(past.start_at, "start", gettext("开始"))
    for pause in past.pauses:
        yield Moment(pause.at, "pause", gettext("暂停：{why}", why=pause.by))
        if pause.resumed_at is not None:
            yield Moment(pause.resumed_at, "resume", gettext("继续：{why}", why=pause.resumed_by))
    if past.ran_out:
        yield Moment(past.due_at, "due", gettext("到期，{then}", then=past.ended_by.label))
    else:
        yield Moment(past.ended_at, "ended", translated(past.ended_by.label))
        yield Moment(past.due_at, "due", gettext("原到期"))
