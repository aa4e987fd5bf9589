"""Runs the scheduler as a process of its own, and makes it for those who run it in theirs."""

from __future__ import annotations

import gc
import logging
import signal
import threading
from typing import Protocol

from aftersales.application import Application
from aftersales.outbound.messages import Speaks
from aftersales.outbound.worker import OutboxWorker, Outside
from aftersales.scheduler import Scheduler


class Worker(Protocol):
    """What works in a thread of its own."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


def run_scheduler(application: Application, *, once: bool, tick: float | None, outbox: OutboxWorker | None) -> None:
    """Until SIGINT or SIGTERM; with `once`, until nothing is due. `outbox` sends what that tells the outside."""
    log_to_stderr()
    metronome = make_scheduler(application, tick)
    collect_garbage_rarely()
    if once:
        metronome.run_once()
        if outbox is not None:
            outbox.run_once()
        return
    _until_told(metronome, *([] if outbox is None else [outbox]))


def run_outbox(worker: OutboxWorker, *, once: bool) -> None:
    log_to_stderr()
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
