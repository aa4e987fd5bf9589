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
from typing import Protocol

from aftersales import logs
from aftersales.application import Application
from aftersales.feeds.work import Worker as FeedsWorker
from aftersales.office import evidence, housekeeping
from aftersales.office.evidence import Folder
from aftersales.outbound.messages import Speaks
from aftersales.outbound.worker import OutboxWorker, Outside
from aftersales.scheduler import Scheduler


class Worker(Protocol):
    """What works in a thread of its own."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


def run_scheduler(application: Application, *, once: bool, tick: float | None, outbox: OutboxWorker | None) -> None:
    """Until SIGINT or SIGTERM; with `once`, until nothing is due. `outbox` sends what that tells the outside."""
    logs.set_up(application.settings.log_format)
    metronome = make_scheduler(application, tick)
    collect_garbage_rarely()
    if once:
        metronome.run_once()
        if outbox is not None:
            outbox.run_once()
        return
    _until_told(metronome, FeedsWorker(application.desk), *([] if outbox is None else [outbox]))


def run_outbox(application: Application, worker: OutboxWorker, *, once: bool) -> None:
    logs.set_up(application.settings.log_format)
    if once:
        worker.run_once()
    else:
        _until_told(worker)


def _until_told(*workers: Worker) -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    for worker in workers:
        worker.start()
    stopped.wait()
    for worker in workers:
        worker.stop()


def make_outbox(application: Application, speak: Speaks) -> OutboxWorker:
    settings = application.settings
    outside = Outside(settings.webhooks_to_loopback, settings.public_url, settings.mail_url.get_secret_value())
    return OutboxWorker(
        application.engine, application.rules, outside,
        rule_problems=lambda: application.book.problems, speak=speak,
    )  # fmt: skip


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
