"""Two texts side by side, line by line, as `diff -u` shows them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

#: more lines than this are no rule file, and comparing them would take long
_LONGEST = 5_000
_SHOWN = 400
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


@dataclass(frozen=True)
class Line:
    """`sign`: "+" new, "-" gone, " " the same, "@" some lines left out. `number`: in the text it stands in."""

    sign: str
    number: int
    text: str


@dataclass(frozen=True)
class Diff:
    lines: Sequence[Line]
    #: lines of the difference that are not shown
    more: int = 0
    too_long: bool = False


def diff_of(before: str, after: str) -> Diff:
    """Changed lines with three around them."""
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > _LONGEST:
        return Diff((), too_long=True)
    lines = list(_lines(difflib.unified_diff(old, new, n=3, lineterm="")))
    return Diff(lines[:_SHOWN], max(0, len(lines) - _SHOWN))


def _lines(told: Iterator[str]) -> Iterator[Line]:
    next(told, None), next(told, None)  # the names of the files
    was = now = 0
    for line in told:
        hunk = _HUNK.match(line)
        if hunk:
            was, now = int(hunk[1]), int(hunk[2])
            yield Line("@", now, "")
            continue
        sign, text = line[0], line[1:]
        yield Line(sign, was if sign == "-" else now, text)
        was, now = was + (sign != "+"), now + (sign != "-")
