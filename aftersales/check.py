"""Checks the workflow and policy tables before anybody relies on them.

    aftersales check                 the shipped tables, and the operator's over them (AFTERSALES_RULES_DIR)
    aftersales check FILE...         these files in place of those of the same name

What is checked stands in aftersales/checking/. Nothing here imports a table, so a broken one is reported and not
tripped over. Where all is sound, it is told how long a ticket lives if nobody ever acts.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aftersales.checking.examine import Examined, examine
from aftersales.checking.problem import Problem
from aftersales.checking.sources import PACKAGE, Source, given, in_rules_dir, shipped, shown_path

if TYPE_CHECKING:
    from aftersales.checking.lives import Life


@dataclass(frozen=True)
class Report:
    """What was found: problems that must be mended, remarks to know of, and how long tickets live."""

    problems: tuple[Problem, ...]
    remarks: tuple[str, ...] = ()
    lives: tuple[Life, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "problems": [asdict(problem) for problem in self.problems],
            "remarks": list(self.remarks),
            "lives": [life.to_json() for life in self.lives],
            **self.counts,
        }


def check_everything(paths: Iterable[Path] = (), *, rules_dir: Path | None = None, package: Path = PACKAGE) -> Report:
    """All layers over the shipped tables, with the operator's over them and these files over those."""
    tables, problems = shipped(package)
    for sources, unread in (_of_operator(rules_dir), given(paths)):
        tables |= sources
        problems += unread
    found = examine(tables)
    problems = sorted([*problems, *found.problems], key=lambda problem: (problem.path, problem.line))
    counts = {"files": len(tables), "workflows": len(found.workflows), "policies": len(found.policies)}
    if problems:
        return Report(tuple(problems), counts=counts)
    try:
        return Report((), tuple(found.remarks()), _lives(found), counts)
    except Exception as error:  # noqa: BLE001 -- the tables passed every check and the engine still trips over them
        message = f"演算没有人动的工单时出了意外（{type(error).__name__}：{error}），请把这句话交给开发"
        return Report((Problem(shown_path(package), 1, "X1", message),), counts=counts)


def _of_operator(rules_dir: Path | None) -> tuple[dict[str, Source], list[Problem]]:
    try:
        return in_rules_dir(rules_dir) if rules_dir else ({}, [])
    except OSError as error:
        message = f"规则目录读不出来（{error.strerror}），请检查 AFTERSALES_RULES_DIR 和目录的权限"
        return {}, [Problem(str(rules_dir), 1, "F7", message)]


def _lives(found: Examined) -> tuple[Life, ...]:
    from aftersales.catalog import Catalog
    from aftersales.checking.lives import lives
    from aftersales.policies.vocabulary import House

    catalog = Catalog(
        {workflow.key: workflow for workflow in found.workflows},
        {policy.key: policy for policy in found.policies},
        found.house or House([], []),
    )
    return tuple(lives(catalog))


# ── for people ──


def render(report: Report) -> str:
    if not report.ok:
        return "\n".join(
            [*map(str, report.problems), "", f"{len(report.problems)} 处要改，改完再运行 aftersales check"]
        )
    counts = report.counts
    head = f"检查通过：{counts['workflows']} 种工单，{counts['policies']} 个平台，{counts['files']} 个文件"
    parts = [head, *(f"提醒  {remark}" for remark in report.remarks)]
    if report.lives:
        parts += ["", "没有人动时，一张工单最多活多久（每组第一行最久）", *_table(report.lives)]
    return "\n".join(parts)


def _table(lives: Sequence[Life]) -> Iterator[str]:
    """The lives under the newest version, by platform and type."""
    from aftersales.checking.lives import longest_first

    for (policy, workflow), group in groupby(lives, key=lambda life: (life.policy, life.workflow)):
        own = list(group)
        newest = sorted((life for life in own if life.version == own[-1].version), key=longest_first)
        openings = [life.opening + (f"（{life.which}）" if life.which else "") for life in newest]
        width = min(max(map(_width, openings)), _WIDEST)
        yield f"{policy} · {workflow}"
        for opening, life in zip(openings, newest, strict=True):
            yield f"  {_padded(opening, width)}  {life.sentence}"


#: a longer description of an opening pushes its own line only
_WIDEST = 44


def _width(text: str) -> int:
    """Columns on a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def run_check(paths: list[Path] | None = None, json: bool = False) -> int:
    """Prints what was found. The exit status: 0 if all is sound, 1 if something must be mended."""
    from aftersales.settings import Settings

    report = check_everything(paths or (), rules_dir=Settings().rules_dir)
    text = dumps(report.to_json(), ensure_ascii=False, indent=2) if json else render(report)
    sys.stdout.write(text + "\n")
    return 0 if report.ok else 1
