"""What every page is given: the desk, the rules that hold now, the settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from aftersales import logs, queries
from aftersales.decide import Rules
from aftersales.desk import Desk
from aftersales.errors import UnknownTicket
from aftersales.sandbox import Sandbox
from aftersales.settings import Settings
from aftersales.ticket import Ticket
from web import words


@dataclass(frozen=True)
class Site:
    desk: Desk
    rules: Callable[[], Rules]
    settings: Settings
    #: what is wrong with the operator's rule files; the last good version of each is in force
    rule_problems: Callable[[], Sequence[object]] = tuple
    #: the clock of a training ground; None where the work is real
    sandbox: Sandbox | None = None


def _site(request: Request) -> Site:
    found: Site = request.app.state.site
    return found


TheSite = Annotated[Site, Depends(_site)]


class SeveralShops(Exception):
    """Shops count for themselves, so a number may be there more than once."""

    def __init__(self, number: str, found: list[tuple[int, str]]) -> None:
        super().__init__(number)
        self.number, self.found = number, found


def several_shops(site: Site) -> bool:
    """Shops count for themselves: where there are several, a number is not enough to find a ticket."""
    return len(queries.shops(site.desk.engine)) > 1


def address_of(ticket_id: int, number: str, *, several: bool) -> str:
    """The page of a ticket, by the number people read where that is enough. `several`: there are several shops."""
    return f"/t/{ticket_id if several else number}"


def ticket_of(site: Site, name: str) -> Ticket:
    """The ticket that an address names: by its number, or by its id. UnknownTicket, SeveralShops."""
    found = _ticket_of(site, name)
    logs.concerns(ticket=found.number)
    return found


def _ticket_of(site: Site, name: str) -> Ticket:
    if re.fullmatch(r"[0-9]{1,18}", name):
        return queries.ticket(site.desk.engine, int(name))
    if not re.fullmatch(r"[A-Za-z0-9-]{1,40}", name):
        raise UnknownTicket(words.no_such_ticket(name[:40]))
    found = queries.numbered(site.desk.engine, name)
    if len(found) > 1:
        raise SeveralShops(name, found)
    if not found:
        raise UnknownTicket(words.no_such_ticket(name))
    return queries.ticket(site.desk.engine, found[0][0])
