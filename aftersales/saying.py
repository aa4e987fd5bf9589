"""Sentences that remember what they were made of, so that another language can say them too.

The Chinese sentence is the text itself: a `Said` is a str, compares as one, and is stored as one. What shows it in
English looks up `template` in the translation files and fills in the `values`, each translated in its turn.
What people or platforms wrote is `Written`: it stays as it is in every language.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Said(str):
    """A sentence made by `say`. Sums and slices of it are plain text again."""

    template: str
    values: dict[str, Any]

    def __reduce__(self) -> tuple[Any, ...]:
        return _said_again, (str(self), self.template, self.values)


def say(template: str, /, **values: Any) -> Said:
    """`say("还缺：{what}，请填写", what=label)`: names in braces are filled in with str()."""
    return _said_again(template.format(**values), template, values)


class Written(str):
    """What people or platforms wrote: quotes, names, numbers, things typed into a form. Never translated."""


class Listed(str):
    """Things in a row: joined by 、 in Chinese, by what stands for it elsewhere."""

    items: tuple[Any, ...]
    between: str

    def __reduce__(self) -> tuple[Any, ...]:
        return listed, (self.items, self.between)


def listed(items: Iterable[Any], between: str = "、") -> Listed:
    things = tuple(items)
    made = Listed(between.join(str(one) for one in things))
    made.items, made.between = things, between
    return made


def said_by(error: Exception) -> str:
    """The sentence of an error, as it was said: str(error) would forget what it was made of."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, str) else str(error)


def _said_again(text: str, template: str, values: dict[str, Any]) -> Said:
    made = Said(text)
    made.template, made.values = template, values
    return made


# ── carried from one process to another ──


def packed(value: Any) -> Any:
    """As JSON can carry it: what a sentence was made of goes along."""
    if isinstance(value, Said):
        return {"say": value.template, "values": {name: packed(one) for name, one in value.values.items()}}
    if isinstance(value, Listed):
        return {"listed": [packed(one) for one in value.items], "between": value.between}
    return {"written": str(value)} if isinstance(value, Written) else value


def unpacked(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "written" in value:
        return Written(value["written"])
    if "say" in value:
        return say(value["say"], **{name: unpacked(one) for name, one in value["values"].items()})
    return listed((unpacked(one) for one in value["listed"]), value["between"])
