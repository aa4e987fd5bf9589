"""Read-only: a ticket with its story, the queue, counts. Nothing in this folder changes anything."""

from aftersales.queries.health import UNREACHABLE, last_beat
from aftersales.queries.queue import (
    Beside,
    Page,
    Place,
    Waiting,
    Wanted,
    any_ticket,
    beside,
    chosen,
    count,
    place_of,
    queue,
    some,
)
from aftersales.queries.team import Held, groups_of, held_by, how_many_have, run_out_between, these
from aftersales.queries.tickets import events, key_used, linked, loaded, near, numbered, shops, ticket, ticket_by_number

__all__ = [
    "UNREACHABLE",
    "Beside",
    "Held",
    "Page",
    "Place",
    "Waiting",
    "Wanted",
    "any_ticket",
    "beside",
    "chosen",
    "count",
    "events",
    "groups_of",
    "held_by",
    "how_many_have",
    "key_used",
    "last_beat",
    "linked",
    "loaded",
    "near",
    "numbered",
    "place_of",
    "queue",
    "run_out_between",
    "shops",
    "some",
    "these",
    "ticket",
    "ticket_by_number",
]
