"""Runs the scheduler as a process of its own, and makes it for those who run it in theirs."""

from __future__ import annotations

import gc
import logging
import signal
import threading

from aftersales.application import Application
from aftersales.feeds.work import Worker
from aftersales.scheduler import Scheduler


def run_scheduler(application: Application, *, once: bool, tick: float | None) -> None:
    """Until SIGINT or SIGTERM; with `once`, until nothing is due."""
    log_to_stderr()
    metronome = make_scheduler(application, tick)
    collect_garbage_rarely()
    if once:
        metronome.run_once()
        return
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    feeds = Worker(application.desk)
    metronome.start()
    feeds.start()
    stopped.wait()
    feeds.stop()
    metronome.stop()


def make_scheduler(application: Application, tick: float | None = None) -> Scheduler:
    settings = application.settings
    return Scheduler(
        application.desk,
        poll_seconds=tick or settings.poll_seconds,
        batch=settings.sweep_batch,
        refresh=application.book.refresh,
    )


def collect_garbage_rarely() -> None:
    """For a long-lived process: what start-up made will stay, and a sweep makes nothing but tuples that die with it.

    Worth 5 us a ticket of a sweep (benchmarks/README.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


def log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for name in ("apscheduler", "alembic", "transitions"):
        logging.getLogger(name).setLevel(logging.WARNING)
