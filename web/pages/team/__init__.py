"""The team: who works here, in which group, when; who gets what; shops and the work calendar."""

from __future__ import annotations

from fastapi import APIRouter

from web.pages.team import calendar, duty, groups, handing, overview, people, shops

router = APIRouter()
for _part in (overview, people, groups, duty, shops, calendar, handing):
    router.include_router(_part.router)
