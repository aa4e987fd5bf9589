"""Which days are working days in China: the State Council's calendar, under the operator's own lines.

The calendar comes from the package `chinesecalendar`, exact for the years it knows (1.11: 2004-2026), make-up days
included.  Above it lies a file of the operator's, for a year that is published before the package has it:

    published_years: [2027]           # these years are complete: their due times are no longer provisional
    holidays:                         # with names, or a plain list of dates
      2027-01-01: 元旦
    workdays: [2027-02-06]            # 调休上班

A line of the file wins over the package, for workdays and for roll_forward alike: it moves what people are owed, so it
is for what was published, not for a shop's own holiday.  In a year that neither knows, weekends alone are days off and
every due time that touches it is provisional (decisions.md 14).
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple, NoReturn

import yaml

from aftersales.saying import say

_WEEKEND = {5: "周六", 6: "周日"}
_MAKE_UP = "调休上班"
_BY_OPERATOR = "门店设置：{day}"


class OverridesError(ValueError):
    """The operator's calendar file cannot be used.  The message names file and line and says what to do."""


@dataclass(frozen=True)
class Overrides:
    """What the operator's file says."""

    workdays: frozenset[date] = frozenset()
    holidays: Mapping[date, str] = field(default_factory=dict)  # with the name to show
    published_years: frozenset[int] = frozenset()


class WorkCalendar:
    """Working days by date (of Asia/Shanghai).  Immutable, so threads may share it."""

    def __init__(self, overrides: Overrides | None = None) -> None:
        self._overrides = overrides or Overrides()

    @classmethod
    def default(cls, path: Path | None = None) -> WorkCalendar:
        """The published calendar, under the operator's file if there is one.  OverridesError if it cannot be used."""
        return cls(load_overrides(path) if path else None)

    def is_workday(self, day: date) -> bool:
        """Do people work on this day?  In an unpublished year: Monday to Friday."""
        if isinstance(day, datetime):  # equal to no date, so it would silently miss every holiday
            raise ValueError(f"工作日历按日期查，{day} 请先用 clock.shown_day 取北京时间的日期")
        return self._exceptions.get(day, day.weekday() not in _WEEKEND)

    def is_known(self, day: date) -> bool:
        """Is the calendar of this day's year published?"""
        return day.year in self._known_years

    def reason(self, day: date) -> str:
        """Why people do not work on this day, or why they do on a weekend; empty for an ordinary working day."""
        if day in self._overrides.workdays:
            return say(_BY_OPERATOR, day="上班")
        if day in self._overrides.holidays:
            return say(_BY_OPERATOR, day=self._overrides.holidays[day])
        published = _published()
        if day in published.workdays:
            return _MAKE_UP
        return published.holidays.get(day) or _WEEKEND.get(day.weekday(), "")

    def is_holiday(self, day: date) -> bool:
        """A day off by the calendar, whatever day of the week it is."""
        return self._exceptions.get(day) is False

    def source(self, day: date) -> str:
        """Who says so: "operator" (the file), "published", or "projected" for a year that neither knows."""
        if day in self._overrides.workdays or day in self._overrides.holidays:
            return "operator"
        return "published" if self.is_known(day) else "projected"

    def special_days(self, year: int) -> list[date]:
        """The days of a year that a weekday alone does not tell, and those that the operator's file names."""
        return sorted(day for day in self._exceptions if day.year == year)

    @cached_property
    def known_years(self) -> tuple[int, ...]:
        """The years whose calendar is published, by the package or by the file."""
        return tuple(sorted(self._known_years))

    @cached_property
    def fingerprint(self) -> str:
        """Changes when a day or a year that it knows changes: then count provisional due times again.

        The same knowledge gives the same fingerprint, from the file or from a newer package; names do not count.
        """
        days = [f"{day}{int(works)}" for day, works in self._exceptions.items() if works != (day.weekday() < 5)]
        known = [*map(str, sorted(self._known_years)), *sorted(days)]
        return hashlib.sha256(" ".join(known).encode()).hexdigest()[:16]

    @cached_property
    def _exceptions(self) -> dict[date, bool]:
        """The days that a weekday alone does not tell, and whether people work on them."""
        published, own = _published(), self._overrides
        return {
            **dict.fromkeys(published.holidays, False),
            **dict.fromkeys(published.workdays, True),
            **dict.fromkeys(own.holidays, False),
            **dict.fromkeys(own.workdays, True),
        }

    @cached_property
    def _known_years(self) -> frozenset[int]:
        return _published().years | self._overrides.published_years


class _Published(NamedTuple):
    years: frozenset[int]
    holidays: Mapping[date, str]  # with the Chinese name
    workdays: frozenset[date]  # make-up Saturdays and Sundays


@cache
def _published() -> _Published:
    """What the package knows.

    Read from its tables: its functions look for the first and last year again at every call.  Imported late: most
    commands never count a working day.
    """
    from chinese_calendar import constants

    names = {holiday.value: holiday.chinese for holiday in constants.Holiday}
    years = range(min(constants.holidays).year, max(constants.holidays).year + 1)
    holidays = {day: names[english] for day, english in constants.holidays.items()}
    return _Published(frozenset(years), holidays, frozenset(constants.workdays))


# ── The operator's file ────────────────────────────────────────────────────────────

_KEYS = ("workdays", "holidays", "published_years")


def load_overrides(path: Path) -> Overrides:
    """Read the operator's file.  OverridesError names file, line and remedy, in Chinese."""
    return _OverridesFile(path).read()


class _OverridesFile:
    """One file being read.  YAML nodes rather than values, since only they know their line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Overrides:
        parts = self._parts()
        workdays = self._dates(parts.get("workdays"), "workdays")
        holidays = self._dates(parts.get("holidays"), "holidays")
        for day, (line, _) in workdays.items():
            if day in holidays:
                self._refuse(line, f"{day} 在 holidays（第 {holidays[day][0]} 行）里也有，请只留一处")
        named = {day: name for day, (_, name) in holidays.items()}
        years = self._years(parts.get("published_years"), {day.year for day in named})
        return Overrides(frozenset(workdays), named, years)

    def _refuse(self, line: int, message: str) -> NoReturn:
        raise OverridesError(f"{self.path}:{line}: {message}")

    def _parts(self) -> dict[str, yaml.Node]:
        root = self._root()
        if root is None:  # empty, or comments only
            return {}
        if not isinstance(root, yaml.MappingNode):
            self._refuse(_line(root), f"最外层要写 {'、'.join(_KEYS)}，例如 workdays: [2027-02-06]")
        parts: dict[str, yaml.Node] = {}
        for key, value in root.value:
            name = self._text(key, "键名")
            if name not in _KEYS:
                close = difflib.get_close_matches(name, _KEYS, n=1)
                hint = f"是不是 {close[0]}？" if close else f"只能用 {'、'.join(_KEYS)}"
                self._refuse(_line(key), f"不认识「{name}」，{hint}")
            if name in parts:
                self._refuse(_line(key), f"「{name}」写了两次，请合并成一处")
            parts[name] = value
        return parts

    def _root(self) -> yaml.Node | None:
        try:
            root: yaml.Node | None = yaml.compose(self.path.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self._refuse(line, f"这一行写法有误，多半是缩进、冒号后的空格或括号：{error.problem}")
        except (UnicodeDecodeError, yaml.YAMLError):
            self._refuse(1, "不是 UTF-8 纯文字，请另存为 UTF-8 编码")
        except OSError as error:
            self._refuse(1, f"打不开这个文件，请检查路径和权限（{error.strerror}）")
        return root

    def _dates(self, node: yaml.Node | None, key: str) -> dict[date, tuple[int, str]]:
        """Each date with its line and its name."""
        dates: dict[date, tuple[int, str]] = {}
        for item, name in self._items(node, key):
            day = self._date(item, key)
            if day in dates:
                self._refuse(_line(item), f"{day} 与第 {dates[day][0]} 行重复，请删掉一处")
            dates[day] = (_line(item), name)
        return dates

    def _items(self, node: yaml.Node | None, key: str) -> Iterator[tuple[yaml.Node, str]]:
        """The entries of a list, or for holidays of a mapping with names; none where nothing stands."""
        if node is None or (isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"):
            return
        if isinstance(node, yaml.SequenceNode):
            yield from ((item, "放假") for item in node.value)
        elif isinstance(node, yaml.MappingNode) and key == "holidays":
            for item, name in node.value:
                yield item, self._text(name, "节日名称") or "放假"
        else:
            example = "[2027]" if key == "published_years" else "[2027-01-01]"
            self._refuse(_line(node), f"{key} 后面要写一个列表，例如 {key}: {example}")

    def _date(self, node: yaml.Node, key: str) -> date:
        if isinstance(node, yaml.MappingNode) and key == "holidays":
            self._refuse(_line(node), "日期后面写节日名称时，不要再写行首的「-」")
        text = self._text(node, "日期")
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            self._refuse(_line(node), f"「{text}」不是日期，请写成 2027-01-01 这样")
        try:
            return date.fromisoformat(text)
        except ValueError:
            self._refuse(_line(node), f"没有 {text} 这一天，请检查月份和日期")

    def _years(self, node: yaml.Node | None, with_holidays: Iterable[int]) -> frozenset[int]:
        years: dict[int, int] = {}
        for item, _ in self._items(node, "published_years"):
            text = self._text(item, "年份")
            if not re.fullmatch(r"[0-9]{4}", text):
                self._refuse(_line(item), f"「{text}」不是年份，请写成 2027 这样")
            year, line = int(text), _line(item)
            if year in years:
                self._refuse(line, f"{year} 年与第 {years[year]} 行重复，请删掉一处")
            # Every year has a New Year's Day: a year without one was declared before its days were filled in, and
            # would turn wrong due times into certain ones.
            if year not in with_holidays and year not in _published().years:
                self._refuse(line, f"{year} 年还没有列出放假日，请先把国务院公布的放假安排填进 holidays")
            years[year] = line
        return frozenset(years)

    def _text(self, node: yaml.Node, what: str) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self._refuse(_line(node), f"这里要写{what}，不能再套一层列表或键")
        return str(node.value).strip()


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
