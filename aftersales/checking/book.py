"""One policy with what is needed to look at it: the workflows, and where everything was written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from aftersales.checking.loading import Place, Room
from aftersales.checking.problem import Problem
from aftersales.policies.vocabulary import Document, Limit, Policy, Rule, Ruling
from aftersales.workflows.vocabulary import Opening, Workflow


@dataclass(frozen=True)
class Book:
    policy: Policy
    workflows: Sequence[type[Workflow]]
    room: Room

    @property
    def place(self) -> Place:
        return self.room.place_of(self.policy)

    def problem(self, thing: object, code: str, message: str, line: int | None = None) -> Problem:
        place = self.room.place_of(thing, otherwise=self.policy)
        return Problem(place.path, line or place.line, code, message)

    def at(self, rule: Rule | Ruling, code: str, message: str, limit: Limit | None = None) -> Problem:
        return self.problem(rule, code, message, limit.line if limit else rule.line)

    def rules_of(self, workflow: type[Workflow]) -> list[Rule]:
        return [rule for rule in self.policy.clock_rules if any(state.workflow is workflow for state in rule.states)]


def facts_on(workflow: type[Workflow]) -> set[str]:
    """What a ticket of this type can carry: given at its opening, or remembered."""
    asked = [fact for move in workflow.moves if isinstance(move, Opening) for fact in move.facts]
    return {fact.name for fact in (*asked, *workflow.remembers)}


def _first_version(rules: Iterable[Rule]) -> Document | None:
    """The first document by which the clocks of a workflow go: a dated one if there is any."""
    documents = [limit.document for rule in rules for limit in rule.history]
    dated = [document for document in documents if document.effective is not None]
    return min(dated or documents, key=lambda document: document.begins, default=None)


def versions(rules: Iterable[Rule]) -> list[datetime]:
    """The instants at which the clocks of a workflow change, oldest first."""
    rules = list(rules)
    first = _first_version(rules)
    begun = {limit.document.begins for rule in rules for limit in rule.history}
    return sorted(instant for instant in begun if first and instant >= first.begins)
