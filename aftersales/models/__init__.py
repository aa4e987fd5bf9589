"""The tables, a file for each room. The only folder that imports sqlmodel.

Whoever changes a table here writes a migration beside it; `database.check_schema` and a test compare the two.
"""

from aftersales.models import handover, live, operating, people, queue, reports, sandbox, search, story, team, tickets
from aftersales.models.columns import Instant, Json, Whole, YesNo, metadata
from aftersales.models.tickets import TRIGGERS

__all__ = [
    "TRIGGERS",
    "Instant",
    "Json",
    "Whole",
    "YesNo",
    "metadata",
    "handover",
    "live",
    "operating",
    "people",
    "queue",
    "reports",
    "sandbox",
    "search",
    "story",
    "team",
    "tickets",
]
