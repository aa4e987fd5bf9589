"""The tickets before and after this one in the list that it was opened from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from aftersales import queries
from aftersales.queries import Place, tally
from aftersales.queries.queue import RUNNING
from aftersales.ticket import Event, Ticket
from web.filters import of_query
from web.site import Site


@dataclass(frozen=True)
class Neighbours:
    """`before`, `after`: ids; None at the ends. `place` of `count`: None where that is not known without counting."""

    before: int | None = None
    after: int | None = None
    place: int | None = None
    count: int | None = None


def of(
    site: Site, view: str | None, ticket: Ticket, now: datetime, shops: Sequence[int], done: Event | None
) -> Neighbours:
    """`view`: the query of the list's address; None if the ticket was not opened from one. `done`: the event before
    what was just done: the list goes on from where the ticket stood then."""
    if view is None:
        return Neighbours()
    rules, engine = site.rules(), site.desk.engine
    wanted = of_query(view, rules, shops).wanted(rules)
    found = queries.beside(engine, wanted, now, _stood(ticket, done))
    cube = tally.of(engine).current(now)
    known = found.place is not None and cube is not None and cube.can_tell(wanted)
    count = cube.count(cube.mask(wanted)) if known and cube is not None else None
    return Neighbours(found.before, found.after, found.place if count else None, count)


def _stood(ticket: Ticket, before: Event | None) -> Place:
    if before is not None and before.clocks:
        return Place(RUNNING, min(clock.due_at for clock in before.clocks), ticket.id)
    return queries.place_of(ticket)
