"""The tables of the reports page: the same for the page, for CSV and for XLSX.

A cell knows what it holds (a share, 分, seconds ...) and which tickets are behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from aftersales.clocks import PLATFORM_DEADLINE
from aftersales.decide import Rules
from aftersales.reports.figures import NOBODY, NOTHING, Figures, Scope, Sum
from aftersales.reports.measures import Measure
from aftersales.reports.sheets import Sheet
from aftersales.workflows import facts
from aftersales.workflows.vocabulary import Fact
from web import words
from web.i18n import gettext, translated

ONE_DAY = timedelta(days=1)
PARTIES = {
    "商家": (Measure.WAITED_MERCHANT, Measure.MISSED),
    "买家": (Measure.WAITED_BUYER, Measure.EXPIRED_BUYER),
    "快递": (Measure.WAITED_COURIER, Measure.EXPIRED_COURIER),
    "平台": (Measure.WAITED_PLATFORM, Measure.EXPIRED_PLATFORM),
}
REFUND = "refund"
PURPOSES = {REFUND: "退款", "repair_cost": "维修费", "compensation": "补偿"}


@dataclass(frozen=True)
class Cell:
    """`kind`: label (translated), data (as it is), count, share, fen or seconds; None is not known."""

    kind: str
    value: Any
    link: str = ""

    @property
    def raw(self) -> Any:
        """For spreadsheets: 元 and hours are what people add up there."""
        if self.value is None or self.kind in ("data", "count"):
            return self.value
        if self.kind == "label":
            return translated(self.value)
        numbers = {"fen": self.value / 100, "seconds": round(self.value / 3600, 2), "share": round(self.value, 4)}
        return numbers[self.kind]


@dataclass(frozen=True)
class Table:
    """`bars`: the column whose numbers are drawn as bars, if any."""

    key: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    bars: int | None = None
    #: the first column holds ids of rules, which are never broken
    codes: bool = False

    @property
    def most(self) -> float:
        """What the longest bar stands for."""
        assert self.bars is not None
        return max((row[self.bars].value or 0 for row in self.rows), default=0) or 1

    def sheet(self) -> Sheet:
        rows = [[cell.raw for cell in row] for row in self.rows]
        return Sheet(gettext(self.title), [gettext(text) for text in self.head], rows)


@dataclass(frozen=True)
class Tile:
    """One figure on top. `was`: the same of the period before."""

    label: str
    cell: Cell
    was: Cell
    #: "up" and "down" say which way is good; "" that neither is
    better: str
    about: str

    @property
    def change(self) -> str:
        """better, worse, other, same or unknown."""
        now, then = self.cell.value, self.was.value
        if now is None or then is None:
            return "unknown"
        if now == then:
            return "same"
        if not self.better:
            return "other"
        return "better" if (now > then) == (self.better == "up") else "worse"


class Links:
    """Addresses of the tickets behind a figure."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    def __call__(self, measure: Measure, **only: str) -> str:
        asked = {"measure": str(measure), "from": self.scope.first.isoformat(), "to": self.scope.last.isoformat()}
        for name in ("shop_id", "workflow", "policy", "person"):
            if getattr(self.scope, name):
                asked[name.removesuffix("_id")] = str(getattr(self.scope, name))
        return f"/reports/tickets?{urlencode(asked | only)}"


def tiles(now: Figures, then: Figures, links: Links) -> list[Tile]:
    def share(label: str, about: str, part: Measure, *rest: Measure) -> Tile:
        cells = [
            share_cell(one.of(part).count, sum(one.of(it).count for it in rest), part, rest[0], links)
            for one in (now, then)
        ]
        return Tile(label, cells[0], cells[1], "up", about)

    def part_of(label: str, about: str, part: Measure, whole: Measure, better: str) -> Tile:
        counts = [(one.of(part).count, one.of(whole).count) for one in (now, then)]
        cells = [share_cell(some, of_all - some, part, whole, links) for some, of_all in counts]
        return Tile(label, cells[0], cells[1], better, about)

    def money(label: str, about: str, measure: Measure) -> Tile:
        cells = [Cell("fen", one.of(measure, REFUND).amount, links(measure, cause=REFUND)) for one in (now, then)]
        return Tile(label, cells[0], before(cells[1]), "", about)

    def before(cell: Cell) -> Cell:
        """Nothing that happened is no zero."""
        return cell if then.any else Cell(cell.kind, None)

    first = [Cell("seconds", one.of(Measure.RESPONDED).mean, links(Measure.RESPONDED)) for one in (now, then)]
    missed = [Cell("count", one.of(Measure.MISSED).count, links(Measure.MISSED)) for one in (now, then)]
    fast, answered = Measure.RESPONDED_FAST, Measure.RESPONDED
    return [
        share("按时率", "商家的时限里，到期前办完的", Measure.MET, Measure.MISSED),
        part_of("2 分钟内首次响应", "开单后 2 分钟内客服有回应的，占有回应的", fast, answered, "up"),
        Tile("平均首次响应", first[0], first[1], "down", "从开单到客服第一次沟通或办理"),
        part_of("解决率", "这段时间开的单里，已经办结的", Measure.RESOLVED, Measure.OPENED, "up"),
        Tile("商家超时", missed[0], before(missed[1]), "down", "到期没有办，由系统按规则推进的"),
        part_of("重开率", "这段时间开的单里，接着上一单重新发起的", Measure.REOPENED, Measure.OPENED, "down"),
        money("系统退款", "到期由系统按规则退的款", Measure.PAID_BY_ROBOT),
        money("人工退款", "客服同意退的款", Measure.PAID_BY_PEOPLE),
    ]


def share_cell(part: int, rest: int, measure: Measure, other: Measure, links: Links, **only: str) -> Cell:
    """Of `part` in part plus rest. It opens its part, and where that is empty the others."""
    return Cell("share", _ratio(part, part + rest), links(measure if part else other, **only))


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def tables(now: Figures, links: Links, rules: Rules, names: Mapping[str, str]) -> list[Table]:
    """Every table of the page, in its order. `names`: what people are called, by login."""
    return [
        _people(now, links, names),
        _missed(now, links, rules),
        _waiting(now, links),
        _longest(now, links, rules),
        _money(now, links),
        *_hot(now, links),
        _targets(now, links, rules),
        _packaging(now, links),
    ]


# ── one by one ──


def _people(now: Figures, links: Links, names: Mapping[str, str]) -> Table:
    met, missed = now.by_person(Measure.MET), now.by_person(Measure.MISSED)
    answered, fast = now.by_person(Measure.RESPONDED), now.by_person(Measure.RESPONDED_FAST)
    steps, paid = now.by_person(Measure.STEP), now.by_person(Measure.PAID_BY_PEOPLE)
    everyone = {*met, *missed, *answered, *steps, *paid}
    people = sorted(everyone, key=lambda one: (not one, -steps.get(one, NOTHING).count, one))
    rows = []
    for one in people:
        on_time, late = met.get(one, NOTHING).count, missed.get(one, NOTHING).count
        first, at_once = answered.get(one, NOTHING), fast.get(one, NOTHING).count
        whose = {"person": one or NOBODY}
        rows.append(
            [
                Cell("data", names.get(one, one)) if one else Cell("label", "没有记名"),
                Cell("count", steps.get(one, NOTHING).count, links(Measure.STEP, **whose)),
                share_cell(on_time, late, Measure.MET, Measure.MISSED, links, **whose),
                Cell("count", late, links(Measure.MISSED, **whose)),
                share_cell(at_once, first.count - at_once, Measure.RESPONDED_FAST, Measure.RESPONDED, links, **whose),
                Cell("seconds", first.mean, links(Measure.RESPONDED, **whose)),
                Cell("fen", paid.get(one, NOTHING).amount, links(Measure.PAID_BY_PEOPLE, **whose)),
            ]
        )
    head = ("人", "办理步数", "按时率", "超时", "2 分钟内响应", "平均首次响应", "同意付的钱")
    return Table("people", "每个人", head, rows, "超时记在到期时的负责人名下")


def _missed(now: Figures, links: Links, rules: Rules) -> Table:
    rows = []
    for party, (_, missed) in PARTIES.items():
        for cause, value in now.by_cause(missed):
            link = links(missed, cause=cause)
            rows.append(
                [
                    Cell("data", "" if cause == PLATFORM_DEADLINE else cause),
                    Cell("label", rule_label(rules, cause)),
                    Cell("label", party),
                    Cell("count", value.count, link),
                ]
            )
    rows.sort(key=lambda row: -row[3].value)
    return Table("missed", "超时：依据哪一条", ("编号", "规则名", "轮到谁", "次数"), rows[:20], bars=3, codes=True)


def _waiting(now: Figures, links: Links) -> Table:
    whole = sum(now.of(waited).amount for waited, _ in PARTIES.values())
    rows = [
        [
            Cell("label", party),
            Cell("seconds", value.amount if value.count else None, links(waited)),
            Cell("share", _ratio(value.amount, whole), links(waited)),
            Cell("seconds", value.mean, links(waited)),
        ]
        for party, (waited, _) in PARTIES.items()
        for value in [now.of(waited)]
    ]
    return Table("waiting", "时间花在等谁", ("等谁", "合计", "占比", "平均每次"), rows, "只算已经等完的", bars=2)


def _longest(now: Figures, links: Links, rules: Rules) -> Table:
    found = []
    for party, (waited, _) in PARTIES.items():
        for cause, value in now.by_cause(waited):
            link = links(waited, cause=cause)
            cells = [*state_cells(rules, cause), Cell("label", party)]
            numbers = [Cell("count", value.count, link), Cell("seconds", value.mean, link)]
            found.append([*cells, *numbers])
    found.sort(key=lambda row: -(row[4].value or 0))
    return Table("longest", "停得最久的步骤", ("类型", "步骤", "等谁", "次数", "平均停留"), found[:10], bars=4)


def _money(now: Figures, links: Links) -> Table:
    rows = []
    for who, measure in (("系统", Measure.PAID_BY_ROBOT), ("客服", Measure.PAID_BY_PEOPLE)):
        for purpose, value in now.by_cause(measure):
            link = links(measure, cause=purpose)
            what = Cell("label", PURPOSES.get(purpose, purpose))
            rows.append([Cell("label", who), what, Cell("count", value.count, link), Cell("fen", value.amount, link)])
    return Table("money", "付出去的钱：谁决定的", ("谁", "用途", "笔数", "金额"), rows, bars=3)


def _hot(now: Figures, links: Links) -> list[Table]:
    found = []
    for key, title, measure in (
        ("reasons", "热点：原因", Measure.REASON),
        ("items", "热点：商品", Measure.ITEM),
        ("couriers", "热点：快递公司", Measure.COURIER),
    ):
        rows = [
            [cause_cell(measure, cause), Cell("count", value.count, links(measure, cause=cause))]
            for cause, value in now.by_cause(measure, 10)
        ]
        found.append(Table(key, title, ("是什么", "次数"), rows, bars=1))
    return found


def cause_cell(measure: Measure, cause: str) -> Cell:
    """A reason by its label, or in the words of who wrote it; items and couriers as they are."""
    if measure is not Measure.REASON:
        return Cell("data", cause)
    label = reason_label(cause)
    return Cell("data", cause.partition(":")[2]) if label is None else Cell("label", label)


def _targets(now: Figures, links: Links, rules: Rules) -> Table:
    labels = {target.id: target.label for target in rules.catalog.house.targets}
    rows = [
        [
            Cell("data", cause),
            Cell("label", labels.get(cause, cause)),
            Cell("count", value.count, links(Measure.TARGET_MISSED, cause=cause)),
        ]
        for cause, value in now.by_cause(Measure.TARGET_MISSED)
    ]
    return Table(
        "targets",
        "店内目标没有达到",
        ("编号", "目标", "次数"),
        rows,
        "店内目标只提醒，不影响平台时限",
        bars=2,
        codes=True,
    )


def _packaging(now: Figures, links: Links) -> Table:
    rows = [
        [Cell("data", cause), Cell("count", value.count, links(Measure.PACKAGING, cause=cause))]
        for cause, value in now.by_cause(Measure.PACKAGING)
    ]
    return Table("packaging", "买家对包装的意见", ("原话", "次数"), rows, "丢件、破损、短少时登记（S1-LG-04）")


# ── what causes are called ──


def rule_label(rules: Rules, rule_id: str) -> str:
    """The rule's name in the book; its id where no book has it any more."""
    if rule_id == PLATFORM_DEADLINE:
        return "平台给的期限"
    books = [*rules.catalog.policies.values()]
    return next((rule.label for book in books for rule in book.rules if rule.id == rule_id), rule_id)


def state_cells(rules: Rules, cause: str) -> tuple[Cell, Cell]:
    """`refund.inspecting` -> the type, the state."""
    workflow, _, state = cause.partition(".")
    return (
        Cell("label", words.workflow_label(rules, workflow)),
        Cell("label", words.state_label(rules, workflow, state)),
    )


def reason_label(cause: str) -> str | None:
    """`reason:size` -> 尺码不合适; None for what people wrote themselves."""
    name, _, value = cause.partition(":")
    for fact in vars(facts).values():
        if isinstance(fact, Fact) and fact.name == name and value in dict(fact.choices):
            return str(dict(fact.choices)[value])
    return None


# ── day by day ──


@dataclass(frozen=True)
class Bar:
    """One day of the chart: `counts` are (measure, how many); `parts` are (class, height of 100, top of 100)."""

    day: date
    counts: Mapping[str, int]
    parts: Sequence[tuple[str, float, float]]


TREND = (Measure.OPENED, Measure.CLOSED, Measure.MISSED)


def trend(sums: Mapping[tuple[str, str], Sum], scope: Scope) -> list[Bar]:
    """Opened, closed and missed side by side, each day of the scope."""
    days = [scope.first + ONE_DAY * n for n in range((scope.last - scope.first).days + 1)]
    counts = [{str(one): sums.get((one, day.isoformat()), NOTHING).count for one in TREND} for day in days]
    most = max((count for of_day in counts for count in of_day.values()), default=0) or 1
    return [
        Bar(day, of_day, [(f"t-{one}", of_day[one] / most * 100, 100 - of_day[one] / most * 100) for one in TREND])
        for day, of_day in zip(days, counts, strict=True)
    ]
