"""The rules room: what each platform's book says on a day, what changes, whether it is sound.

shelf       the books, the day that is looked at, and how many tickets go by each rule
book        /rules/<policy>, one rule of it, its history, links by id, tables to take away
diff        /rules/<policy>/diff: two days side by side, and the files behind them
check       /rules/check, /rules/assumed: the checker's verdict, drafts, what rests on our reading
machines    /rules/machines/<workflow>: each type of ticket with the clocks of a platform
"""

from fastapi import APIRouter

from web.pages.rules import book, check, diff, machines

router = APIRouter()
#: those with a fixed address first: a policy could have any name
for _pages in (check, machines, diff, book):
    router.include_router(_pages.router)
