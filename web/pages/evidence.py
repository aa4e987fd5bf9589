"""Evidence of a ticket: what is there, what a step wants, what is added."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from aftersales.decide import Rules
from aftersales.ticket import Event, Ticket
from web.site import Site


def panel(site: Site, ticket: Ticket, events: Sequence[Event], rules: Rules, now: datetime) -> dict[str, Any]:
    """What ticket/evidence.html shows."""
    return {}
