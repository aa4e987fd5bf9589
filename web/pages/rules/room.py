"""What stands around every page of the rules room, and the addresses of its pages."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import quote

from aftersales import clock, rule_words
from aftersales.clock import shown_day
from web.pages.rules import shelf
from web.pages.rules.shelf import HOUSE
from web.pages.rules.verdict import verdict_on
from web.site import Site


def address_of(policy: str, rule_id: str, day: date | None = None) -> str:
    """The page of one rule."""
    asked = f"?on={day.isoformat()}" if day else ""
    return f"/rules/{quote(policy)}/rule/{quote(rule_id, safe='')}{asked}"


def frame_of(site: Site, here: str, day: date) -> dict[str, Any]:
    """What stands on every page of the room: the books with how many rules they have in use."""
    rules = site.rules()
    found = shelf.books(rules.catalog)
    chips = [(key, policy.label, shelf.in_use(policy, day)) for key, policy in found.items()]
    own = rules.catalog.house
    chips.append((HOUSE, shelf.HOUSE_LABEL, len(own.reminders) + sum(not target.off for target in own.targets)))
    return {
        "books": chips, "here": here, "day": day, "today": shown_day(clock.now()), "rw": rule_words,
        "verdict": verdict_on(site), "trust": rule_words.TRUST,
    }  # fmt: skip
