"""Is what is in force sound: the checker's word on the running tables, and what became of the operator's files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from aftersales import clock, rulebook
from aftersales.catalog import Catalog
from aftersales.checking.examine import examine
from aftersales.checking.problem import Problem
from aftersales.checking.sources import POLICIES, Source, shipped
from aftersales.queries import rules as questions
from web.site import Site


@dataclass(frozen=True)
class Standing:
    """What the checker says of the tables in force."""

    problems: Sequence[Problem]
    remarks: Sequence[str]
    #: of what the policies say, whatever their files look like
    fingerprint: str
    policies: int
    workflows: int
    states: int
    moves: int
    at: datetime


@dataclass(frozen=True)
class Verdicted:
    """What the bar on top of the room says. `refused`: problems of files that are not in force."""

    standing: Standing
    refused: Sequence[Problem]

    @property
    def well(self) -> bool:
        return not self.refused and not self.standing.problems


_checked: dict[str, Standing] = {}
_REMEMBERED = 4


def verdict_on(site: Site) -> Verdicted:
    refused = [_problem(one) for one in site.rule_problems()]
    return Verdicted(standing(site, site.rules().catalog), refused)


def _problem(told: object) -> Problem:
    return told if isinstance(told, Problem) else Problem("", 1, "", str(told))


def standing(site: Site, catalog: Catalog) -> Standing:
    """The checker's word on the tables that are running, asked for again only when they change (0.1 s)."""
    fingerprint = str(rulebook.dump(catalog)["hash"])
    if fingerprint not in _checked:
        while len(_checked) >= _REMEMBERED:
            _checked.pop(next(iter(_checked)))
        _checked[fingerprint] = _examined(catalog, fingerprint, files_in_force(site))
    return _checked[fingerprint]


def _examined(catalog: Catalog, fingerprint: str, files: Sequence[questions.File]) -> Standing:
    tables, problems = shipped()
    own = [Source(POLICIES, file.name, f"{file.name}.py", file.text) for file in files]
    found = examine({**tables, **{source.module: source for source in own}})
    workflows = list(catalog.workflows.values())
    return Standing(
        problems=[*problems, *found.problems],
        remarks=found.remarks() if not found.problems else [],
        fingerprint=fingerprint,
        policies=len(catalog.policies),
        workflows=len(workflows),
        states=sum(len(one.states) for one in workflows),
        moves=sum(len(one.moves) for one in workflows),
        at=clock.now(),
    )


def files_in_force(site: Site) -> list[questions.File]:
    """The operator's files; none without their directory, whatever was once in force."""
    return questions.rule_files(site.desk.engine) if site.settings.rules_dir else []


@lru_cache
def shipped_text(name: str) -> str | None:
    """The file of that name that comes with the product."""
    tables, _ = shipped()
    source = tables.get(f"aftersales.{POLICIES}.{name}")
    return source.text if source else None
