"""The tickets before and after this one in the view of the queue that it was opened from."""

from __future__ import annotations

from dataclasses import dataclass

from aftersales.ticket import Ticket
from web.site import Site


@dataclass(frozen=True)
class Neighbours:
    """`before`, `after`: ids; None at the ends. `place` of `count`: None where counting would be slow."""

    before: int | None = None
    after: int | None = None
    place: int | None = None
    count: int | None = None


def of(site: Site, view: str | None, ticket: Ticket) -> Neighbours:
    """`view`: the query of the queue's address; None if the ticket was not opened from there."""
    return Neighbours()
