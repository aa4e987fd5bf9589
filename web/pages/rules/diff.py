"""Two days of a book side by side: which rules changed, in words, what that touches, and the files behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from fastapi import APIRouter, Request, Response

from aftersales import clock
from aftersales.clock import shown_day
from aftersales.policies.vocabulary import Policy
from aftersales.rule_changes import RESTATED, Change, Part, compare, version_days
from aftersales.rule_words import entries_on
from web.i18n import gettext
from web.pages.rules import shelf
from web.pages.rules.lines import Diff, diff_of
from web.pages.rules.room import address_of, frame_of
from web.pages.rules.verdict import files_in_force, shipped_text
from web.rendering import page
from web.site import Site, TheSite

router = APIRouter()


@dataclass(frozen=True)
class Changed:
    """A rule that changed, with what that touches."""

    change: Change
    address: str
    #: open tickets whose clock runs under the older line: it stays theirs
    running: int
    #: said in words with what is gone and what is new marked
    parts: Sequence[Part]


@router.get("/rules/{key}/diff")
def diff(key: str, request: Request, site: TheSite) -> Response:
    policy = shelf.book_of(site, key)
    earlier, later = _usual(policy, shown_day(clock.now()))
    first, second = shelf.day_of(request, "from", earlier), shelf.day_of(request, "to", later)
    if first > second:
        first, second = second, first
    changes = compare(entries_on(policy, first), entries_on(policy, second))
    context = {
        "policy": policy, "first": first, "second": second,
        "changed": [_changed(site, policy, one) for one in changes if one.matters],
        "restated": [one for one in changes if one.how == RESTATED],
        "same": _same(policy, second, changes), "versions": _versions(policy),
        "file": _file(site, policy), "tickets": shelf.tickets(site),
    }  # fmt: skip
    return page("rules/diff.html", {**frame_of(site, key, second), **context})


def _usual(policy: Policy, today: date) -> tuple[date, date]:
    """What is asked for most: the next version against today, else the last one against the day before it."""
    days = version_days(policy)
    ahead = [day for day in days if day > today]
    if ahead:
        return today, ahead[0]
    return (days[-1] - timedelta(days=1), today) if days else (today - timedelta(days=1), today)


def _versions(policy: Policy) -> list[tuple[date, date]]:
    """The day before each version and its first day."""
    return [(day - timedelta(days=1), day) for day in version_days(policy)]


def _changed(site: Site, policy: Policy, change: Change) -> Changed:
    counted = shelf.tickets(site)
    behind = shelf.policies_behind(site.rules().catalog, policy, change.id)
    running = sum(counted.running(one, change.id, change.version) for one in behind)
    return Changed(change, address_of(policy.key, change.id), running, change.parts)


def _same(policy: Policy, day: date, changes: Sequence[Change]) -> int:
    """How many rules of that day say what they said."""
    return len({entry.id for entry in entries_on(policy, day)} - {one.id for one in changes if one.matters})


@dataclass(frozen=True)
class FileChange:
    """The operator's file that is in force, and how it differs from the one that comes with the product."""

    name: str
    since: str
    #: None: the product has no such file
    diff: Diff | None


def _file(site: Site, policy: Policy) -> FileChange | None:
    for file in files_in_force(site):
        if file.name == policy.key:
            text = shipped_text(file.name)
            since = gettext("{day} 起", day=shown_day(file.accepted_at).isoformat())
            return FileChange(file.name, since, None if text is None else diff_of(text, file.text))
    return None
