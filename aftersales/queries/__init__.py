"""Read-only: a ticket with its story, the queue, counts. Nothing in this folder changes anything."""

from aftersales.queries.health import UNREACHABLE, last_beat
from aftersales.queries.queue import Page, Place, Waiting, Wanted, any_ticket, chosen, count, queue, some
from aftersales.queries.tickets import events, key_used, linked, loaded, numbered, shops, ticket, ticket_by_number

__all__ = [
    "UNREACHABLE",
    "Page",
    "Place",
    "Waiting",
    "Wanted",
    "any_ticket",
    "chosen",
    "count",
    "events",
    "key_used",
    "last_beat",
    "linked",
    "loaded",
    "numbered",
    "queue",
    "shops",
    "some",
    "ticket",
    "ticket_by_number",
]
