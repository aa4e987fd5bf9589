"""What changes between two readings of a rule book, and which versions are still to come.

compare(before, after)      the rules that differ, each with what it said and what it says
coming(policy, now)         the documents that are not in force yet, with what each will change
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from aftersales.clock import shown_day
from aftersales.policies.vocabulary import Document, Policy
from aftersales.rule_words import (
    Entry,
    counting,
    ends,
    entries_on,
    leads_to,
    length,
    next_states,
    pauses,
    places,
    starts,
)
from aftersales.saying import Said, packed, say, unpacked

ADDED, REMOVED, CHANGED, RESTATED = "added", "removed", "changed", "restated"


@dataclass(frozen=True)
class Part:
    """One thing that a rule says otherwise. "" : said nothing of it."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Change:
    """`how`: added, removed, changed, or restated: another document says the same. `version`: what it ran under."""

    id: str
    label: str
    workflow: str
    how: str
    version: str
    parts: tuple[Part, ...]

    @property
    def matters(self) -> bool:
        return self.how != RESTATED


def compare(before: Sequence[Entry], after: Sequence[Entry]) -> list[Change]:
    """In the order of the later table; rules that are gone stand at the end. What stayed the same is left out."""
    old, new = _by_place(before), _by_place(after)
    changes = [_changed(old.get(place), entry) for place, entry in new.items()]
    changes += [_changed(entry, None) for place, entry in old.items() if place not in new]
    return [change for change in changes if change is not None]


def _by_place(entries: Sequence[Entry]) -> dict[tuple[Any, ...], Entry]:
    """By id, kind and type of ticket; where one id stands twice (a window for each step), in the order written."""
    seen: Counter[tuple[Any, ...]] = Counter()
    found = {}
    for entry in entries:
        place = (entry.id, entry.kind, entry.workflow.key)
        found[(*place, seen[place])] = entry
        seen[place] += 1
    return found


def _changed(before: Entry | None, after: Entry | None) -> Change | None:
    entry = after or before
    assert entry is not None
    said = _said(before), _said(after)
    parts = tuple(Part(name, said[0][name], said[1][name]) for name in said[1] if said[0][name] != said[1][name])
    how = REMOVED if after is None else ADDED if before is None else CHANGED
    if before and after and not parts:
        if (before.document.title, before.document.label) == (after.document.title, after.document.label):
            return None
        how = RESTATED
    version = before.document.label if before else ""
    return Change(entry.id, entry.rule.label, entry.workflow.label, how, version, parts)


def _said(entry: Entry | None) -> Mapping[Said, str]:
    """Everything that a rule says, by what it is about."""
    return {
        say("名称"): entry.rule.label if entry else "",
        say("在哪一步"): places(entry) if entry else "",
        say("限多久"): length(entry) if entry else "",
        say("怎么算"): counting(entry) if entry else "",
        say("从什么时候起"): starts(entry) if entry else "",
        say("什么时候暂停"): pauses(entry) if entry else "",
        say("到期会怎样"): ends(entry) if entry else "",
        say("到期以后"): leads_to(entry) if entry else "",
        say("只管哪些工单"): entry.only if entry else "",
        say("为什么不限时"): entry.limit.because if entry and entry.limit else "",
        say("为什么没有启用"): entry.off if entry else "",
        say("假定"): entry.assumed if entry else "",
        say("原文"): entry.quote if entry else "",
    }


# ── what is still to come ──


@dataclass(frozen=True)
class Coming:
    """A document that takes effect later, what it changes, and where a clock that starts then is one of its own.

    `leading`: (workflow, state, timeout) of the running clocks that, when they run out, start one of the rules that
    change. Empty for a policy whose tickets keep the version they were opened under.
    """

    document: Document
    day: date
    begins: datetime
    changes: tuple[Change, ...]
    leading: tuple[tuple[str, str, str], ...]


def coming(policy: Policy, now: datetime) -> list[Coming]:
    """The documents whose day has not come, the nearest first."""
    later = sorted({document.begins: document for document in policy.documents if document.begins > now}.items())
    return [_coming(policy, document) for _, document in later]


def _coming(policy: Policy, document: Document) -> Coming:
    day = shown_day(document.begins)
    before, after = entries_on(policy, day - timedelta(days=1)), entries_on(policy, day)
    changes = compare(before, after)
    leading = () if policy.pin == "ticket" else _leading(after, {one.id for one in changes if one.matters})
    return Coming(document, day, document.begins, tuple(changes), tuple(leading))


def _leading(entries: Sequence[Entry], changed: set[str]) -> list[tuple[str, str, str]]:
    """The clocks after which a rule that changes sets the next one."""
    touched = {state for entry in entries if entry.id in changed for state in entry.states}
    return [
        (entry.workflow.key, state.name, entry.limit.then.name)
        for entry in entries
        if entry.limit and entry.limit.then and touched & set(next_states(entry))
        for state in entry.states
    ]


def version_days(policy: Policy) -> list[date]:
    """The days on which something of the book begins, oldest first."""
    return sorted({shown_day(document.begins) for document in policy.documents if document.effective is not None})


# ── carried from one process to another ──


def change_to_json(change: Change) -> dict[str, Any]:
    parts = [[packed(part.name), packed(part.before), packed(part.after)] for part in change.parts]
    return {**vars(change), "parts": parts}


def change_from_json(given: dict[str, Any]) -> Change:
    parts = tuple(Part(*(unpacked(text) for text in part)) for part in given["parts"])
    return Change(**{**given, "parts": parts})
