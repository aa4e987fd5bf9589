"""What the first look at a page would wait for, done beside the first pages, right after the start.

Templates are compiled, the running tables are checked, the shift board and the counts of the queue are asked for, and
last the machines are drawn, which takes longest. Nothing depends on it: what is not ready yet is done when it is asked
for, as without this.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from aftersales import clock, queries
from aftersales.queries import tally
from web import board
from web.pages import machine
from web.pages.rules import verdict
from web.rendering import compile_all
from web.site import Site

log = logging.getLogger(__name__)


def warm(site: Site) -> threading.Thread:
    """Begins, and returns at once."""
    thread = threading.Thread(target=_all, args=(site,), name="warming", daemon=True)
    thread.start()
    return thread


def _all(site: Site) -> None:
    for one in (_queue, _templates, _rules, _shift, _machines):
        _quietly(one, site)


def _quietly(one: Callable[[Site], object], site: Site) -> None:
    try:
        one(site)
    except Exception:
        log.warning("%s could not be made ready ahead", one.__name__.strip("_"), exc_info=True)


def _queue(site: Site) -> None:
    tally.of(site.desk.engine).current(clock.now())


def _templates(_site: Site) -> None:
    compile_all()


def _rules(site: Site) -> None:
    verdict.standing(site, site.rules().catalog)


def _shift(site: Site) -> None:
    board.figures(site, [id for id, _ in queries.shops(site.desk.engine)], clock.now())


def _machines(site: Site) -> None:
    machine.draw_all(site.rules())
