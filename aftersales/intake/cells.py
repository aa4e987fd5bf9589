"""One cell: what a spreadsheet or an export put around a text, taken off; and how to show a bad one safely."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, time, timedelta
from difflib import get_close_matches

#: the most characters a cell may hold, in characters: Excel's own limit
LONGEST_CELL = 32_767
#: how much of a bad cell a report shows, in characters
SHOWN = 80

# What exports wrap round long numbers to keep Excel from eating them: ="123", '123 (tabs and spaces are stripped).
_GUARDED = re.compile(r'="((?:[^"]|"")*)"')
_QUOTED_NUMBER = re.compile(r"'([0-9]+)")
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?E\+?[0-9]+", re.IGNORECASE)
# No database takes these: PostgreSQL refuses NUL, neither encodes half of a surrogate pair (RELIABILITY.md D7).
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean(text: str) -> str:
    """The text a person sees: outer blanks, tabs and the ="..." around protected numbers taken off.

    Text that only looks like a formula (=1+1) stays as it is: it is a name, and nobody here computes it.
    """
    text = text.strip().strip("\ufeff\u200b").strip()
    if text[:1] in ("=", "'"):
        if found := _GUARDED.fullmatch(text):
            return found[1].replace('""', '"').strip()
        if found := _QUOTED_NUMBER.fullmatch(text):
            return found[1]
    return text


def key(text: str) -> str:
    """What two spellings of one word have in common: half-width, lower case, no blanks."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def scientific(text: str) -> bool:
    """Whether this is a number in scientific notation (2.20345E+16): its last digits are lost."""
    return _SCIENTIFIC.fullmatch(text) is not None


def unstorable(text: str) -> bool:
    """Whether a text holds NUL or half a surrogate pair, which no database stores."""
    return _UNSTORABLE.search(text) is not None


def shown(text: str) -> str:
    """A cell as a report or a terminal may show it: short, no control characters, no broken ones."""
    cut = text if len(text) <= SHOWN else f"{text[:SHOWN]}…（共 {len(text)} 个字）"
    return "".join(_visible(char) for char in cut)


def _visible(char: str) -> str:
    if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cs"):
        return char
    return "" if char == "\r" else f"\\u{ord(char):04x}"


def spreadsheet_text(value: object) -> str:
    """The text of a cell as python-calamine gives it: str, float, bool, date, datetime, time or timedelta."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return _number_text(float(value))
    if isinstance(value, datetime):
        return _whole_second(value).isoformat(" ", "seconds")
    if isinstance(value, date | time | timedelta):
        return str(value)
    return "" if value is None else str(value)


def _number_text(value: float) -> str:
    """A number as Excel shows it, never more digits than can be trusted.

    Excel keeps 15 digits of a typed number and writes zeros for the rest, and above 2**53 a float skips numbers. So a
    longer one is given in scientific notation, which the checks of a row refuse with the right advice, except where
    its 16th digit proves that nothing was cut off.
    """
    if value.is_integer() and (abs(value) < 1e15 or (abs(value) <= 2**53 and int(value) % 10)):
        return str(int(value))
    return format(value, ".15G")


def _whole_second(instant: datetime) -> datetime:
    """Excel stores days as a float: 02:10:43 may come back as 02:10:42.999999."""
    return (instant + timedelta(milliseconds=500)).replace(microsecond=0)


def did_you_mean(word: str, known: list[str]) -> str:
    """The known word nearest to this one as a question (，是不是「待商家处理」？), or an empty text."""
    words = {key(one): one for one in known}
    near = get_close_matches(key(word), list(words), n=1, cutoff=0.5)
    return f"，是不是「{words[near[0]]}」？" if near else ""
