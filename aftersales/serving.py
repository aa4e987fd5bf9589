"""Runs the scheduler as a process of its own, and makes it for those who run it in theirs."""

from __future__ import annotations

import gc
import random
import signal
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from itertools import cycle

from aftersales import logs
from aftersales.application import Application
from aftersales.office import evidence, housekeeping
from aftersales.office.evidence import Folder
from aftersales.scheduler import Scheduler


def run_scheduler(application: Application, *, once: bool, tick: float | None) -> None:
    """Until SIGINT or SIGTERM; with `once`, until nothing is due."""
    logs.set_up(application.settings.log_format)
    metronome = make_scheduler(application, tick)
    collect_garbage_rarely()
    if once:
        metronome.run_once()
        return
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    metronome.start()
    stopped.wait()
    metronome.stop()


def make_scheduler(application: Application, tick: float | None = None) -> Scheduler:
    settings = application.settings
    return Scheduler(
        application.desk,
        poll_seconds=tick or settings.poll_seconds,
        batch=settings.sweep_batch,
        refresh=application.book.refresh,
        chores=chores(application),
    )


def chores(application: Application) -> dict[str, Callable[[datetime], int]]:
    """What the scheduler cleans up. Of the evidence one of its 256 folders at a time: there may be a million files."""
    engine, folder = application.engine, Folder.of(application.settings)
    parts = cycle(random.sample(evidence.PARTS, len(evidence.PARTS)))
    return {
        "heartbeats of schedulers that are gone": partial(housekeeping.heartbeats, engine),
        "sessions that have run out": partial(housekeeping.sessions, engine),
        "people who have left a ticket": partial(housekeeping.presence, engine),
        "files of evidence without a row": lambda now: evidence.sweep(engine, folder, now, next(parts)),
    }


def collect_garbage_rarely() -> None:
    """For a long-lived process: what start-up made will stay, and a sweep makes nothing but tuples that die with it.

    Worth 5 us a ticket of a sweep (benchmarks/README.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)
