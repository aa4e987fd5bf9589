"""One finding: where, what is wrong, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """`code` groups them: T a table, W a workflow, P a policy, L a clock, F a file, X the checker itself."""

    path: str
    line: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.code} {self.message}"


def meant(word: str, known: Iterable[str], otherwise: str = "请检查拼写") -> str:
    """“是不是「days」？” if some known word is near."""
    close = nearest(word, known)
    return f"是不是「{close}」？" if close else otherwise


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; upper and lower case matter only where there is a choice."""
    known = list(known)
    folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word, known, n=1)
    close = close or [folded[name] for name in difflib.get_close_matches(word.casefold(), folded, n=1)]
    return close[0] if close else None


def listed(names: Iterable[str]) -> str:
    """「甲」、「乙」."""
    return "、".join(f"「{name}」" for name in names)
