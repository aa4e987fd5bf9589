"""Plays scenario files (scenarios/FORMAT.md) on the real engine: a fresh database, a virtual clock.

A file is read with its line numbers, so that a wrong key is named with its place; then each story is told step by
step: the clock is moved, every alarm due before has fired one second after its due time, the step is taken through
the one door, and what the system shows is compared with what the story says.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from aftersales import decide, queries
from aftersales.clock import parse, shown
from aftersales.decide import NewTicket, Rules
from aftersales.desk import Command, Desk
from aftersales.errors import Refused
from aftersales.ticket import NOWHERE, Ticket
from aftersales.workflows.vocabulary import Fact

ONE_SECOND = timedelta(seconds=1)
SHOP = "剧本店铺"

_SCENARIO = {"id", "title", "clause", "ticket", "expect", "steps"}
_TICKET = {"workflow", "policy", "authority", "at", "by", "order_no"}
_STEP = {"at", "do", "by", "with", "expect", "scheduler"}
_EXPECT = {
    "state", "due_at", "provisional", "rule", "rule_version", "last", "escalated", "flags", "fields", "linked",
    "allowed", "not_allowed", "refused",
}  # fmt: skip
_LAST = {"trigger", "actor", "from", "to", "effective_at"}
_LINKED = {"workflow", "state", "relation"}


class BadScenarioFile(Exception):
    """Not a scenario file; names the file, the line and the wrong key."""


# ── reading ──


class _Map(dict[str, Any]):
    """A mapping that knows the lines of its keys."""

    line: int
    lines: dict[str, int]


class _Loader(yaml.SafeLoader):
    pass


def _construct_map(loader: _Loader, node: yaml.MappingNode) -> Iterator[_Map]:
    found = _Map()
    found.line, found.lines = node.start_mark.line + 1, {}
    yield found
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if key in found:
            raise yaml.MarkedYAMLError(problem=f"「{key}」写了两次", problem_mark=key_node.start_mark)
        found[key] = loader.construct_object(value_node, deep=True)
        found.lines[key] = line


def _construct_time(loader: _Loader, node: yaml.ScalarNode) -> Any:
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError:
        raise yaml.MarkedYAMLError(problem=f"没有「{node.value}」这个时间", problem_mark=node.start_mark) from None


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _construct_time)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_map)


@dataclass(frozen=True)
class Scenario:
    id: str
    title: str
    ticket: Mapping[str, Any]
    expect: Mapping[str, Any]
    steps: Sequence[Mapping[str, Any]]
    path: Path
    line: int


def read(path: Path) -> list[Scenario]:
    """The stories of one file. BadScenarioFile if it is none."""
    try:
        rows = yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 -- a SafeLoader
    except (OSError, UnicodeDecodeError) as problem:
        raise BadScenarioFile(f"{path}: 读不了这个文件：{problem}") from None
    except yaml.MarkedYAMLError as problem:
        line = 1 if problem.problem_mark is None else problem.problem_mark.line + 1
        raise BadScenarioFile(f"{path}:{line}: 不是合格的 YAML：{problem.problem}") from None
    if not isinstance(rows, list):
        raise BadScenarioFile(f"{path}:1: 剧本文件应是一个列表，每条以「- id:」开头")
    scenarios = [_scenario(row, path) for row in rows]
    _unique(scenarios)
    return scenarios


def _unique(scenarios: Sequence[Scenario]) -> None:
    seen: dict[tuple[str, str], Scenario] = {}
    for one in scenarios:
        other = seen.setdefault((one.id, one.title), one)
        if other is not one:
            raise BadScenarioFile(f"{one.path}:{one.line}: id 和 title 与第 {other.line} 行的剧本重复，请改一个")


def _scenario(row: Any, path: Path) -> Scenario:
    if not isinstance(row, _Map):
        raise BadScenarioFile(f"{path}:1: 每条剧本应以「- id:」开头，这里是 {row!r}")
    _keys(row, _SCENARIO, path, needs=("id", "title", "ticket"))
    ticket = _map(row, "ticket", path)
    for key in ("workflow", "policy", "at"):
        _needed(ticket, key, path)
    _moment(ticket, path)
    _expectation(row, path)
    steps = row.get("steps") or []
    if not isinstance(steps, list):
        raise BadScenarioFile(f"{path}:{row.lines['steps']}: steps 应是一个列表")
    for step in steps:
        _step(step, path, row.line)
    return Scenario(str(row["id"]), str(row["title"]), ticket, row.get("expect") or {}, steps, path, row.line)


def _step(step: Any, path: Path, near: int) -> None:
    if not isinstance(step, _Map):
        raise BadScenarioFile(f"{path}:{near}: 步骤应写成「- at: ...」，这里是 {step!r}")
    _keys(step, _STEP, path, needs=("at",))
    _moment(step, path)
    if step.get("with") is not None:
        _map(step, "with", path)
    if step.get("scheduler") not in (None, "down", "up"):
        raise BadScenarioFile(f"{path}:{step.lines['scheduler']}: scheduler 只能是 down 或 up")
    _expectation(step, path)


def _expectation(row: _Map, path: Path) -> None:
    if row.get("expect") is None:
        return
    expect = _map(row, "expect", path)
    _keys(expect, _EXPECT, path)
    if "last" in expect:
        _keys(_map(expect, "last", path), _LAST, path)
    for linked in expect.get("linked") or []:
        _keys(linked, _LINKED, path)


def _map(row: _Map, key: str, path: Path) -> _Map:
    found = row[key]
    if not isinstance(found, _Map):
        raise BadScenarioFile(f"{path}:{row.lines[key]}: {key} 应写成一组「名称: 值」")
    return found


def _keys(row: _Map, known: set[str], path: Path, needs: Sequence[str] = ()) -> None:
    for key in row:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"，是不是 {close[0]}？" if close else f"，可用的有：{'、'.join(sorted(known))}"
            raise BadScenarioFile(f"{path}:{row.lines[key]}: 不认识「{key}」{hint}")
    for key in needs:
        _needed(row, key, path)


def _needed(row: _Map, key: str, path: Path) -> None:
    if row.get(key) is None:
        raise BadScenarioFile(f"{path}:{row.line}: 缺「{key}」")


def _moment(row: _Map, path: Path) -> None:
    try:
        parse(row["at"])
    except (ValueError, TypeError) as problem:
        raise BadScenarioFile(f"{path}:{row.lines['at']}: at：{problem}") from None


# ── playing ──


class Wrong(Exception):
    """What the story says and what the system shows differ."""


@dataclass
class Stage:
    """One story in progress: the desk, the virtual time, and the ticket it is about."""

    desk: Desk
    rules: Rules
    now: datetime
    ticket_id: int = 0
    scheduler_runs: bool = True
    made_up: int = field(default=0)

    def ticket(self) -> Ticket:
        return queries.ticket(self.desk.engine, self.ticket_id)

    def advance(self, to: datetime) -> None:
        """On the way every alarm fires one second after it came due, if the scheduler runs."""
        while self.scheduler_runs:
            alarm = self.desk.next_alarm()
            if alarm is None or alarm + ONE_SECOND > to:
                break
            self.now = max(self.now, alarm + ONE_SECOND)
            self.sweep()
        self.now = to

    def sweep(self) -> None:
        while True:
            swept = self.desk.sweep(self.now)
            if swept.set_aside:
                raise Wrong(f"工单被搁置：{swept.set_aside[0][1]}")
            if not swept.claimed:
                return


def play(scenario: Scenario, desk: Desk, rules: Rules) -> str | None:
    """None if the story holds, else the first sentence that does not: `step 3: due_at: expected ..., got ...`."""
    stage = Stage(desk, rules, parse(scenario.ticket["at"]))
    where = "open"
    try:
        if not _open(stage, scenario):
            return None
        for number, step in enumerate(scenario.steps, 1):
            where = f"step {number}"
            _play_step(stage, step)
    except Wrong as wrong:
        return f"{where}: {wrong}"
    except Exception as crash:  # noqa: BLE001 -- one story that breaks the engine must not hide the others
        return f"{where}: crashed: {type(crash).__name__}: {crash}"
    return None


def _open(stage: Stage, scenario: Scenario) -> bool:
    """Opens the ticket; False if the story ends with a refusal here, as it says."""
    expected = scenario.expect.get("refused")
    try:
        opened = stage.desk.open(_new_ticket(stage, scenario), shop=SHOP)
    except Refused as refused:
        _refusal(expected, refused, "open")
        return False
    if expected is not None:
        raise Wrong(f"refused: expected {expected}, got none")
    stage.ticket_id = opened.id
    _compare(stage, scenario.expect, "agent")
    return True


def _new_ticket(stage: Stage, scenario: Scenario) -> NewTicket:
    told = scenario.ticket
    workflow = stage.rules.catalog.workflows.get(str(told["workflow"]))
    if workflow is None:
        raise Wrong(f"workflow: 没有「{told['workflow']}」这种工单")
    opening = workflow.openings()[0]
    facts = {key: value for key, value in told.items() if key not in _TICKET}
    for fact in opening.asks:
        facts.setdefault(fact.name, _made_up(stage, fact))
    if told["workflow"] == "bad_review":
        facts.setdefault("review_at", told["at"])
    default_actor = "system" if told["workflow"] == "bad_review" else "buyer"
    return NewTicket(
        workflow=str(told["workflow"]), policy=str(told["policy"]), trigger=opening.name,
        actor=told.get("by", default_actor), at=stage.now, facts=facts, authority=told.get("authority", "local"),
        order_no=str(told.get("order_no") or f"剧本-{scenario.id}"), item_no="1",
    )  # fmt: skip


def _made_up(stage: Stage, fact: Fact) -> Any:
    """The runner fills every required field that it is not given."""
    stage.made_up += 1
    if fact.name == "paid_fen":
        return 19900
    if fact.kind in ("int", "fen"):
        return 1
    if fact.kind == "choice":
        return "other" if any(value == "other" for value, _ in fact.choices) else fact.choices[0][0]
    return f"MADEUP{stage.made_up:06d}"


def _play_step(stage: Stage, step: Mapping[str, Any]) -> None:
    stage.advance(parse(step["at"]))
    if step.get("scheduler") == "down":
        stage.scheduler_runs = False
    if step.get("scheduler") == "up":
        stage.scheduler_runs = True
        stage.sweep()
    expect = step.get("expect") or {}
    if step.get("do") is not None:
        _do(stage, step, expect.get("refused"))
    _compare(stage, expect, step.get("by", "agent"))


def _do(stage: Stage, step: Mapping[str, Any], expected: str | None) -> None:
    given = dict(step.get("with") or {})
    evidence = given.pop("evidence", None) or []
    before = stage.ticket()
    caught_up = decide.catch_up(before, stage.now, stage.rules)
    version = (before if caught_up is None else caught_up.after).version
    actor = step.get("by") or _usual_actor(stage, before, step["do"])
    try:
        stage.desk.do(Command(before.id, step["do"], actor, stage.now, given, evidence))
    except Refused as refused:
        _refusal(expected, refused, step["do"])
        if stage.ticket().version != version:
            raise Wrong(f"{step['do']}: refused, but the ticket has changed") from None
    else:
        if expected is not None:
            raise Wrong(f"refused: expected {expected}, got none")


def _usual_actor(stage: Stage, ticket: Ticket, trigger: str) -> str:
    move = stage.rules.workflow(ticket).move(trigger)
    return "agent" if move is None else move.by[0].value


def _refusal(expected: str | None, refused: Refused, what: str) -> None:
    if expected is None:
        raise Wrong(f"{what}: expected to be taken, got {refused.code}（{refused.message}）")
    if expected != refused.code:
        raise Wrong(f"refused: expected {expected}, got {refused.code}（{refused.message}）")


# ── comparing ──


def _compare(stage: Stage, expect: Mapping[str, Any], by: str) -> None:
    if not set(expect) - {"refused"}:
        return
    ticket = stage.ticket()
    for key, wanted in expect.items():
        if key in _SHOWN:
            _same(key, wanted, _SHOWN[key](ticket), as_time=key == "due_at")
    _compare_last(stage, ticket, expect.get("last") or {})
    _compare_contained("flags", expect.get("flags") or [], list(ticket.flags))
    for name, wanted in (expect.get("fields") or {}).items():
        _same(f"fields.{name}", wanted, ticket.shown_fields.get(name), as_time=name.endswith("_at"))
    if expect.get("linked"):
        linked = queries.linked(stage.desk.engine, ticket.id)
        shown_linked = [{"workflow": t.workflow, "state": t.state, "relation": r} for r, t in linked]
        _compare_contained("linked", [dict(one) for one in expect["linked"]], shown_linked)
    _compare_allowed(stage, ticket, expect, by)


_SHOWN: dict[str, Callable[[Ticket], Any]] = {
    "state": lambda t: t.state,
    "due_at": lambda t: t.due_at,
    "provisional": lambda t: bool(t.clock and t.clock.provisional),
    "rule": lambda t: t.clock and t.clock.rule,
    "rule_version": lambda t: t.clock and t.clock.version,
    "escalated": lambda t: t.escalated,
}


def _compare_last(stage: Stage, ticket: Ticket, wanted: Mapping[str, Any]) -> None:
    if not wanted:
        return
    event = [event for event in queries.events(stage.desk.engine, ticket.id) if event.kind == "move"][-1]
    origin = None if event.from_state == NOWHERE else event.from_state
    found = {
        "trigger": event.trigger, "actor": event.actor, "from": origin, "to": event.to_state, "effective_at": event.at,
    }  # fmt: skip
    for key, value in wanted.items():
        _same(f"last.{key}", value, found[key], as_time=key == "effective_at")


def _compare_contained(key: str, wanted: Sequence[Any], found: Sequence[Any]) -> None:
    for one in wanted:
        if not any(one == other or _covers(one, other) for other in found):
            raise Wrong(f"{key}: expected {one} among them, got {list(found) or 'none'}")


def _covers(wanted: Any, found: Any) -> bool:
    return isinstance(wanted, dict) and all(found.get(key) == value for key, value in wanted.items())


def _compare_allowed(stage: Stage, ticket: Ticket, expect: Mapping[str, Any], by: str) -> None:
    if not (expect.get("allowed") or expect.get("not_allowed")):
        return
    able = {step.name for step in decide.allowed(ticket, by, stage.now, stage.rules)}
    for trigger in expect.get("allowed") or []:
        if trigger not in able:
            raise Wrong(f"allowed: expected {trigger}, got {'、'.join(sorted(able)) or 'none'}")
    for trigger in expect.get("not_allowed") or []:
        if trigger in able:
            raise Wrong(f"not_allowed: expected not {trigger}, got it")


def _same(key: str, wanted: Any, found: Any, *, as_time: bool) -> None:
    if as_time and wanted not in (None, "none"):
        wanted = parse(wanted)
    wanted = None if wanted == "none" else wanted
    if wanted != found:
        raise Wrong(f"{key}: expected {_words(wanted)}, got {_words(found)}")


def _words(value: Any) -> str:
    if value is None:
        return "none"
    return shown(value) if isinstance(value, datetime) else str(value)


# ── many files ──


@dataclass(frozen=True)
class Outcome:
    scenario: Scenario
    problem: str | None

    def __str__(self) -> str:
        name = f"{self.scenario.id} {self.scenario.title}"
        return f"PASS {name}" if self.problem is None else f"FAIL {name}: {self.problem}"


def files_under(paths: Sequence[Path]) -> list[Path]:
    """The files named, and the .yaml files in the folders named."""
    found: list[Path] = []
    for path in paths:
        found += sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
    return found


def run(paths: Sequence[Path], fresh_desk: Callable[[], tuple[Desk, Rules]]) -> Iterator[Outcome]:
    """Every story of these files, each on a database of its own. All files are read before the first is played."""
    scenarios = [scenario for path in files_under(paths) for scenario in read(path)]
    for scenario in scenarios:
        desk, rules = fresh_desk()
        yield Outcome(scenario, play(scenario, desk, rules))
