"""Which of the operator's files can be put in force: as many as hold together, and not one that does not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from aftersales.checking.examine import Examined, examine
from aftersales.checking.library import imports_of
from aftersales.checking.loading import Room
from aftersales.checking.policies import check_kept
from aftersales.checking.problem import Problem
from aftersales.checking.sources import POLICIES, Source, Sources, shipped
from aftersales.policies.vocabulary import Policy
from aftersales.workflows.vocabulary import Workflow


@dataclass
class Settled:
    """The files in force, the tables they make, and why others are not in force."""

    sources: dict[str, Source] = field(default_factory=dict)
    examined: Examined = field(default_factory=lambda: Examined(Room({}), []))
    problems: list[Problem] = field(default_factory=list)


def settle(
    in_force: Sources,
    wanted: Sources,
    workflows: Sequence[type[Workflow]],
    before: Mapping[str, Policy],
    tolerated: Collection[str] = (),
) -> Settled:
    """Puts the wanted files in the place of those in force. All of them together if that is sound; else those that
    are to blame are left out, until the rest is. `before`: the policies whose rules must be found again;
    `tolerated`: codes of problems that are told but keep no file out."""
    built_in, _ = shipped()
    already = set(_examined(in_force, built_in, workflows, {}).problems)
    rest = {module: source for module, source in wanted.items() if in_force.get(module) != source}
    problems: list[Problem] = []
    while True:
        tables = {**in_force, **rest}
        found = _examined(tables, built_in, workflows, before)
        serious = [problem for problem in found.problems if problem not in already and problem.code not in tolerated]
        if not serious or not rest:
            return Settled(tables, found, list(dict.fromkeys([*problems, *found.problems])))
        blamed = _to_blame(serious, rest, {**built_in, **tables})
        problems += found.problems + _disturbing(blamed, serious)
        rest = {module: source for module, source in rest.items() if source not in blamed}


def _examined(
    tables: Sources, built_in: Sources, workflows: Sequence[type[Workflow]], before: Mapping[str, Policy]
) -> Examined:
    found = examine(_with_dependents(tables, built_in), built_in, workflows)
    for book in found.books():
        old = before.get(book.policy.key)
        if old is not None and not found.problems:
            found.problems += check_kept(old, book)
    return found


def _with_dependents(tables: Sources, built_in: Sources) -> dict[str, Source]:
    """With the shipped policies that import one of them: those must be made anew from it."""
    known = {module: source for module, source in built_in.items() if source.folder == POLICIES} | dict(tables)
    needed = set(tables)
    while True:
        more = {module for module, source in known.items() if imports_of(source) & needed} - needed
        if not more:
            return {module: source for module, source in known.items() if module in needed}
        needed |= more


def _to_blame(problems: Sequence[Problem], rest: Sources, tables: Sources) -> list[Source]:
    """The files named by the problems; where a file of others has a problem, those that it imports; else all."""
    named = {problem.path for problem in problems}
    blamed = [source for source in rest.values() if source.path in named]
    if not blamed:
        needed = {module for source in tables.values() if source.path in named for module in _needs(source, tables)}
        blamed = [source for module, source in rest.items() if module in needed]
    return blamed or list(rest.values())


def _needs(source: Source, tables: Sources) -> set[str]:
    needed: set[str] = set()
    ahead = [source]
    while ahead:
        for module in imports_of(ahead.pop()) - needed:
            needed.add(module)
            ahead += [tables[module]] if module in tables else []
    return needed


def _disturbing(blamed: Sequence[Source], problems: Sequence[Problem]) -> list[Problem]:
    """A file that is sound itself, but another cannot be used with it."""
    named = {problem.path for problem in problems}
    paths = "、".join(sorted(named))
    message = f"没有启用这个文件：用了它，{paths} 就有问题，请按那里的提示改"
    return [Problem(source.path, 1, "F6", message) for source in blamed if source.path not in named]
