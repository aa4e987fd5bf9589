"""All layers over a set of tables. Each assumes the ones before, and whatever a table does, nothing is raised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from aftersales.checking.book import Book
from aftersales.checking.library import Library, imports_of
from aftersales.checking.loading import Place, Room, run
from aftersales.checking.machines import check_workflow, check_workflows
from aftersales.checking.policies import check_policy
from aftersales.checking.problem import Problem
from aftersales.checking.remarks import remarks
from aftersales.checking.rulings import check_house
from aftersales.checking.sources import POLICIES, WORKFLOWS, Source, Sources
from aftersales.checking.tables import check_table
from aftersales.checking.timeouts import check_timeouts
from aftersales.policies.vocabulary import House, Policy
from aftersales.workflows.vocabulary import Workflow

#: rows of the wrong kind: what the policies say of them cannot be judged
_NO_TABLE_TO_LOOK_AT = {"W11", "W12", "W13", "W18"}


@dataclass
class Examined:
    """What was found, and the tables themselves, fit for use if nothing was."""

    room: Room
    workflows: Sequence[type[Workflow]]
    problems: list[Problem] = field(default_factory=list)

    @property
    def policies(self) -> list[Policy]:
        return self.room.policies()

    @property
    def house(self) -> House | None:
        return next(iter(self.room.houses()), None)

    def books(self) -> list[Book]:
        return [Book(policy, self.workflows, self.room) for policy in self.policies]

    def of_policies(self) -> list[Problem]:
        """Layers 3 and 4 of every policy."""
        problems: list[Problem] = []
        for book in self.books():
            here = _safely(book.place, check_policy, book)
            problems += here or _safely(book.place, check_timeouts, book)
        return problems

    def remarks(self) -> list[str]:
        return [said for book in self.books() for said in remarks(book)]


def examine(tables: Sources, beside: Sources | None = None, workflows: Sequence[type[Workflow]] = ()) -> Examined:
    """Looks at these tables. `beside`: tables that are in use as they are, whose names may be imported;
    `workflows`: those in use as they are."""
    library = Library({**(beside or {}), **tables})
    problems = [problem for source in tables.values() for problem in check_table(source, library)]
    unread = {problem.path for problem in problems}
    readable = {module: source for module, source in tables.items() if source.path not in unread}
    room = run(readable, missing=tables.keys() - readable.keys())
    found = Examined(room, [*workflows, *room.workflows()], [*problems, *room.problems])
    found.problems += _second_layer(found, tables)
    if not any(problem.code in _NO_TABLE_TO_LOOK_AT for problem in found.problems):
        found.problems += _third_and_fourth_layer(found, tables)
    found.problems = list(dict.fromkeys(found.problems))
    return found


def _second_layer(found: Examined, tables: Sources) -> list[Problem]:
    placed = [(workflow, found.room.place_of(workflow)) for workflow in found.room.workflows()]
    problems: list[Problem] = []
    for workflow, place in placed:
        problems += _safely(place, check_workflow, workflow, place.path)
    problems += check_workflows([(workflow, place.path) for workflow, place in placed])
    for source in _finished(found.room, tables, WORKFLOWS):
        own = [workflow for workflow, place in placed if place.path == source.path]
        if [workflow.key for workflow in own] != [source.name]:
            wanted = f'class 名字(Workflow, key="{source.name}", …)'
            problems.append(
                Problem(source.path, 1, "W19", f"一个流程文件里要有一个流程，key 与文件名相同，请写 {wanted}")
            )
    return problems


def _third_and_fourth_layer(found: Examined, tables: Sources) -> list[Problem]:
    problems = found.of_policies()
    for house, place in found.room.written(House):
        problems += _safely(place, check_house, house, found.room, found.workflows)
    for source in _finished(found.room, tables, POLICIES):
        problems += _holds_what_it_should(source, found.room, tables)
    return problems


def _finished(room: Room, tables: Sources, folder: str) -> list[Source]:
    return [source for module, source in tables.items() if source.folder == folder and module in room.modules]


def _holds_what_it_should(source: Source, room: Room, tables: Sources) -> list[Problem]:
    """`house` holds the shop's own rules; any other file one platform under its own name, or what others import."""
    policies = [(policy, place) for policy, place in room.written(Policy) if place.path == source.path]
    if source.name == "house":
        houses = [house for house, place in room.written(House) if place.path == source.path]
        wrong = len(houses) != 1 or bool(policies)
        return [Problem(source.path, 1, "P22", "house.py 里要有一个 House(…)，不写平台，请改正")] if wrong else []
    if not policies:
        used = any(source.module in imports_of(other) for other in tables.values())
        message = f'这个文件里没有平台，也没有别的文件引用它；请写 Policy(key="{source.name}", …)，或删掉这个文件'
        return [] if used else [Problem(source.path, 1, "P22", message)]
    [(policy, place), *others] = policies
    if others:
        return [Problem(source.path, others[0][1].line, "P22", "一个文件里只能写一个平台，请把后一个移到另一个文件")]
    if policy.key != source.name:
        message = f'文件叫 {source.name}.py，key 写的却是「{policy.key}」，请改成 key="{source.name}" 或改文件名'
        return [Problem(source.path, place.line, "P22", message)]
    return []


def _safely(place: Place, check: Callable[..., Iterable[Problem]], *what: object) -> list[Problem]:
    try:
        return list(check(*what))
    except Exception as error:  # noqa: BLE001 -- a table may hold anything, and the others still want an answer
        message = f"检查时出了意外（{type(error).__name__}：{error}），请把这个文件和这句话交给开发"
        return [Problem(place.path, place.line, "X1", message)]
