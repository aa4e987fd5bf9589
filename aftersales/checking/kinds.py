"""Layer 3, first: everything in a policy is of the kind it should be, or a ticket would find out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aftersales.checking.book import Book
from aftersales.checking.problem import Problem
from aftersales.durations import Duration
from aftersales.policies.vocabulary import Document, Limit, Rule, Ruling, agreed, until
from aftersales.workflows.guards import Guard
from aftersales.workflows.vocabulary import Fact, Move, State

#: by the name of the item: what it must be, and how that is said
_WANTED: dict[str, tuple[tuple[type, ...], str]] = {
    "document": ((Document,), "文件，即 Document(…) 那一行的名字"),
    "within": ((Duration, until, agreed), "days(7) 一类的时限"),
    "or_else": ((Duration,), "days(30) 一类的时限"),
    "counted_from": ((Fact,), "facts 里的一项"),
    "fact": ((Fact,), "facts 里的一项"),
    "when": ((Guard,), "guards 里的条件"),
    "at_most": ((int,), "整数"),
    **dict.fromkeys(("id", "label", "clause", "quote", "assumed", "because", "off"), ((str,), "引号里的文字")),
}
#: need not be there
_OPTIONAL = {"when", "counted_from", "within"}


def check_kinds(book: Book) -> Iterator[Problem]:
    policy = book.policy
    for name, listed in (("documents", policy.documents), ("rules", policy.rules)):
        if not isinstance(listed, list | tuple):
            yield book.problem(policy, "P18", f"{name} 请写成一列，用方括号括起来：{name}=[…]")
            return
    for document in policy.documents:
        if not isinstance(document, Document):
            message = f"documents 里的{_brief(document)}不是文件，请写 Document(…) 那一行的名字"
            yield book.problem(policy, "P1", message)
    for rule in policy.rules:
        if not isinstance(rule, Rule | Ruling):
            hint = "；整组规则请在前面加 *" if isinstance(rule, list) else "，请写 Rule(…) 一类的行"
            yield book.problem(policy, "P18", f"rules 里的{_brief(rule)}不是规则{hint}")
        else:
            yield from _wrong_rows(book, rule)
            yield from _wrong_items(book, rule, rule)
    for rule in policy.clock_rules:
        for limit in rule.history:
            for part in (limit, limit.within):
                yield from _wrong_items(book, rule, part, limit)


def _wrong_rows(book: Book, rule: Rule | Ruling) -> Iterator[Problem]:
    """A rule is about states, a ruling about moves, of a workflow that is there."""
    what, kind = ("状态", State) if isinstance(rule, Rule) else ("动作", Move)
    rows: Sequence[object] = rule.states if isinstance(rule, Rule) else rule.moves
    for row in rows:
        if not isinstance(row, kind) or row.workflow not in book.workflows:
            yield book.at(rule, "P12", f"「{rule.label}」里的{_brief(row)}不是流程里的{what}，请写成 流程.{what}")
    if isinstance(rule, Rule) and not rule.history:
        yield book.at(rule, "P5", f"「{rule.label}」没有写任何规定，请加一行 since(…) 或 no_limit(…)")


def _wrong_items(book: Book, rule: Rule | Ruling, thing: object, limit: Limit | None = None) -> Iterator[Problem]:
    for name, (kind, wanted) in _WANTED.items():
        value = getattr(thing, name, None)
        if not hasattr(thing, name) or (value is None and name in _OPTIONAL):
            continue
        for one in value if isinstance(value, tuple) else (value,):
            if not isinstance(one, kind):
                message = f"「{rule.label}」的 {name} 写的是{_brief(one)}，请写：{wanted}"
                yield book.at(rule, "P23", message, limit)


def _brief(thing: object) -> str:
    """A thing that should not be there, as people know it."""
    if isinstance(thing, list | tuple):
        return f"一组（{len(thing)} 项）"
    return f"「{getattr(thing, 'label', thing)}」"
