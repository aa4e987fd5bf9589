"""Which workflows and policies this installation runs.

Built in are those of the package. Other packages may add their own by entry points: a workflow class in the group
`aftersales.workflows`, a `Policy` in the group `aftersales.policies`. Over both lie the operator's rule files, in the
directory of AFTERSALES_RULES_DIR: a file named as a shipped policy (kuaishou.py, statute.py, house.py) replaces it,
any other adds a platform. A file is checked and run apart before it is used; one that is broken changes nothing: the
last version that was sound stays in force, and what is wrong is shown. A file that has been in force is never dropped
because it disappears: tickets refer to it. To go back to a shipped file, put a copy of it there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Protocol

from aftersales.checking.examine import examine
from aftersales.checking.loading import Place
from aftersales.checking.machines import check_workflow
from aftersales.checking.problem import Problem
from aftersales.checking.settling import Settled, settle
from aftersales.checking.sources import POLICIES, Source, Sources, in_rules_dir, shown_path
from aftersales.policies.house import HOUSE
from aftersales.policies.kuaishou import KUAISHOU
from aftersales.policies.kuaishou_local import KUAISHOU_LOCAL
from aftersales.policies.taobao import TAOBAO
from aftersales.policies.vocabulary import House, Policy
from aftersales.policies.wechat import WECHAT
from aftersales.workflows.bad_review import BadReview
from aftersales.workflows.exchange import Exchange
from aftersales.workflows.lost_parcel import LostParcel
from aftersales.workflows.refund import Refund
from aftersales.workflows.repair import Repair
from aftersales.workflows.vocabulary import Workflow

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Catalog:
    workflows: dict[str, type[Workflow]]
    policies: dict[str, Policy]
    house: House


def built_in() -> Catalog:
    workflows: list[type[Workflow]] = [Exchange, Repair, Refund, LostParcel, BadReview]
    policies = [KUAISHOU, KUAISHOU_LOCAL, WECHAT, TAOBAO]
    return Catalog({one.key: one for one in workflows}, {one.key: one for one in policies}, HOUSE)


# ── the last version of each file that was sound ──


class LastGood(Protocol):
    """Remembers, across processes and restarts, the text of each rule file that was last put in force."""

    def get(self, name: str) -> str | None: ...
    def put(self, name: str, source: str) -> None: ...
    def names(self) -> Iterable[str]: ...


class InMemoryLastGood:
    """For tests, and for trying rules out."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def get(self, name: str) -> str | None:
        return self._texts.get(name)

    def put(self, name: str, source: str) -> None:
        self._texts[name] = source

    def names(self) -> Iterable[str]:
        return list(self._texts)


# ── loading ──


@dataclass(frozen=True)
class Loaded:
    """A catalog fit for use, and what could not be put in force and why."""

    catalog: Catalog
    problems: tuple[Problem, ...] = ()
    #: the operator's files that are in force, by module
    in_force: Sources = field(default_factory=dict)
    #: without the operator's files
    base: Catalog = field(default_factory=built_in)
    #: everything in force is remembered
    remembered: bool = True


#: what was in force may lack a rule for a state that a newer version of the product has: it stays, and that is shown
_AFTER_AN_UPGRADE = frozenset({"P4"})


def load(rules_dir: Path | None = None, last_good: LastGood | None = None, before: Loaded | None = None) -> Loaded:
    """The catalog with the operator's files over it. `before`: what is in force now. Nothing is ever raised.

    Without a directory the built-in rules are in force, whatever `last_good` remembers.
    """
    try:
        return _load(rules_dir, last_good, before)
    except Exception as error:
        log.exception("the rule files cannot be loaded")
        message = f"读规则文件时出了意外（{error}），现有规则继续有效；请把这句话交给开发"
        problem = Problem(str(rules_dir), 1, "X1", message)
        return replace(before or Loaded(built_in()), problems=(problem,))


def _load(rules_dir: Path | None, last_good: LastGood | None, before: Loaded | None) -> Loaded:
    base, problems = (before.base, []) if before else _with_entry_points(built_in())
    if rules_dir is None:
        return Loaded(base, tuple(problems), base=base)
    workflows = list(base.workflows.values())
    wanted, unread = _read(rules_dir)
    if before:
        in_force, kept = before.in_force, before.catalog.policies
    else:
        remembered = _remembered(rules_dir, last_good, wanted)
        settled = settle({}, remembered, workflows, {}, tolerated=_AFTER_AN_UPGRADE)
        in_force, kept = settled.sources, _laid_over(base, settled).policies if last_good else {}
    settled = settle(in_force, wanted, workflows, kept)
    gone = _gone(rules_dir, in_force, wanted, unread)
    forgotten = _remember(settled.sources, last_good)
    told = (*problems, *unread, *gone, *settled.problems, *forgotten)
    return Loaded(_laid_over(base, settled), told, settled.sources, base, remembered=not forgotten)


def _laid_over(base: Catalog, settled: Settled) -> Catalog:
    policies = {policy.key: policy for policy in settled.examined.policies}
    return Catalog(base.workflows, {**base.policies, **policies}, settled.examined.house or base.house)


def _read(rules_dir: Path) -> tuple[dict[str, Source], list[Problem]]:
    try:
        return in_rules_dir(rules_dir)
    except OSError as error:
        message = f"规则目录读不出来（{error.strerror}），现有规则继续有效；请检查 AFTERSALES_RULES_DIR 和目录的权限"
        return {}, [Problem(str(rules_dir), 1, "F7", message)]


def _gone(rules_dir: Path, in_force: Sources, wanted: Sources, unread: Sequence[Problem]) -> list[Problem]:
    """What is in force and lies in the directory no more."""
    found = {problem.path for problem in unread}
    missing = [
        shown_path(rules_dir / f"{source.name}.py") for module, source in in_force.items() if module not in wanted
    ]
    message = "这个文件不见了，它的规则继续有效，因为有工单按它办；请放回来，或放一份新的"
    return [Problem(path, 1, "F8", message) for path in missing if path not in found and str(rules_dir) not in found]


def _remembered(rules_dir: Path, last_good: LastGood | None, wanted: Sources) -> dict[str, Source]:
    """The last good files, each as it lies in the directory if it still reads the same."""
    try:
        found = {name: last_good.get(name) for name in last_good.names()} if last_good else {}
    except Exception:
        log.exception("the last good rule files cannot be read")
        return {}
    sources = [
        Source(POLICIES, name, f"{rules_dir / name}.py（上一个可用的版本）", text)
        for name, text in found.items()
        if text
    ]
    same = {source.module: wanted.get(source.module) for source in sources}
    return {one.module: lies if (lies := same[one.module]) and lies.text == one.text else one for one in sources}


def _remember(sources: Sources, last_good: LastGood | None) -> list[Problem]:
    problems: list[Problem] = []
    for source in sources.values() if last_good else ():
        assert last_good is not None
        try:
            if last_good.get(source.name) != source.text:
                last_good.put(source.name, source.text)
        except Exception as error:  # noqa: BLE001 -- whatever stores it may fail in its own way
            message = f"这个文件已经启用，但没能存下备用（{error}），会自动再试；在此之前请不要删掉它"
            problems.append(Problem(source.path, 1, "F9", message))
    return problems


# ── what other packages add ──


def _with_entry_points(base: Catalog) -> tuple[Catalog, list[Problem]]:
    problems: list[Problem] = []
    workflows, policies = dict(base.workflows), dict(base.policies)
    for point in entry_points(group="aftersales.workflows"):
        workflow = _loaded(point, problems)
        if isinstance(workflow, type) and issubclass(workflow, Workflow):
            wrong = check_workflow(workflow, point.value)
            wrong += _already(point, workflow.key, workflows)
            problems += wrong
            workflows |= {} if wrong else {workflow.key: workflow}
    for point in entry_points(group="aftersales.policies"):
        policy = _loaded(point, problems)
        if isinstance(policy, Policy):
            wrong = _checked(policy, point, list(workflows.values())) + _already(point, policy.key, policies)
            problems += wrong
            policies |= {} if wrong else {policy.key: policy}
    return Catalog(workflows, policies, base.house), problems


def _loaded(point: EntryPoint, problems: list[Problem]) -> Any:
    try:
        return point.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- somebody else's package
        message = f"扩展包「{point.name}」装不上（{type(error).__name__}：{error}），没有启用；请联系它的提供者"
        problems.append(Problem(point.value, 1, "F10", message))
        return None


def _already(point: EntryPoint, key: str, taken: Iterable[str]) -> list[Problem]:
    message = f"扩展包「{point.name}」的 key「{key}」已经有了，没有启用；请联系它的提供者换一个"
    return [Problem(point.value, 1, "F11", message)] if key in taken else []


def _checked(policy: Policy, point: EntryPoint, workflows: Sequence[type[Workflow]]) -> list[Problem]:
    found = examine({}, workflows=workflows)
    found.room.write(policy, Place(point.value, 1))
    return found.of_policies()


# ── the rules of a running process ──


class RuleBook:
    """The catalog in force. `refresh` may be called as often as one likes, from any thread; it never raises."""

    def __init__(self, rules_dir: Path | None = None, last_good: LastGood | None = None) -> None:
        self._rules_dir, self._last_good = rules_dir, last_good
        self._lock = threading.Lock()
        self._stamp = _stamp(rules_dir)
        self._loaded = load(rules_dir, last_good)
        for problem in self.problems:
            log.error("%s", problem)

    @property
    def catalog(self) -> Catalog:
        return self._loaded.catalog

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the operator's files as they are now; the catalog is sound nevertheless."""
        return self._loaded.problems

    def refresh(self) -> tuple[Problem, ...]:
        """Looks whether files have changed, and puts in force those that are sound. The problems that are new."""
        with self._lock:
            stamp = _stamp(self._rules_dir)
            if stamp == self._stamp and self._loaded.remembered:
                return ()
            before = self._loaded
            self._stamp = stamp
            self._loaded = load(self._rules_dir, self._last_good, before)
            new = tuple(problem for problem in self.problems if problem not in before.problems)
        for problem in new:
            log.error("%s", problem)
        return new


def _stamp(rules_dir: Path | None) -> object:
    """Differs whenever a file has been written, added or taken away."""
    if rules_dir is None:
        return None
    try:
        files = [(path.name, path.stat()) for path in rules_dir.iterdir()]
    except OSError as error:
        return str(error)
    return sorted((name, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino) for name, stat in files)
