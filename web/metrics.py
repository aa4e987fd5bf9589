"""What /metrics tells, in the format of Prometheus.

Each process tells of itself: its requests, pages that listen, connections to the database, memory and processor time.
What is in the database every process tells alike: it is read when it is asked for, in the bounded queries of the page
on automation. So take the requests as a sum over processes, and the rest as a maximum. docs/operating.md has the list.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from aftersales import clock, database
from aftersales.database import DatabaseBusy
from aftersales.queries import UNREACHABLE, automation
from aftersales.queries.automation import Punctual
from web.live import Live
from web.recent import Recent
from web.site import Site

_DOWN: tuple[type[Exception], ...] = (DatabaseBusy, *UNREACHABLE)
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 10.0)
#: the time over which `recent` is meant
HOUR = timedelta(hours=1)
_punctual: Recent[Punctual] = Recent()


class Metrics:
    """Of one process."""

    def __init__(self, site: Site, live: Live) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "aftersales_request_seconds", "Until the answer began, by route template.", ["method", "route", "status"],
            buckets=_BUCKETS, registry=self._registry,
        )  # fmt: skip
        streams = Gauge("aftersales_live_streams", "Open pages that are told of changes.", registry=self._registry)
        streams.set_function(live.listeners)
        Gauge(
            "aftersales_build_info", "1; the version is in the labels.", ["version", "python"], registry=self._registry
        ).labels(version("aftersales"), platform.python_version()).set(1)
        ProcessCollector(registry=self._registry)
        self._registry.register(_FromDatabase(site))

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self._registry)


class _FromDatabase(Collector):
    def __init__(self, site: Site) -> None:
        self._site = site

    def collect(self) -> Iterator[Metric]:
        yield from self._pool()
        yield _gauge("rule_file_problems", "Mistakes in the operator's rule files.", len(self._site.rule_problems()))
        try:
            found = [*self._alarms(), *self._schedulers(), *self._waiting()]
        except _DOWN:
            found = []
        yield _gauge("database_up", "1 if the database answered.", int(bool(found)))
        yield from found

    def describe(self) -> Iterator[Metric]:
        """Nothing: or the registry would ask the database when it is made."""
        return iter(())

    def _pool(self) -> Iterator[Metric]:
        used, size = database.pool_use(self._site.desk.engine)
        yield _gauge("database_connections_in_use", "Of this process, at this moment.", used)
        yield _gauge("database_connections_limit", "At most so many at once in this process.", size)

    def _alarms(self) -> Iterator[Metric]:
        engine, now = self._site.desk.engine, clock.now()
        meters = automation.meters(engine)
        late = HistogramMetricFamily("aftersales_alarm_lateness_seconds", "Fired minus the first instant it might.")
        late.add_metric([], meters.buckets, meters.seconds)
        yield late
        yield _counter("alarms_fired", "By all schedulers there ever were.", meters.fired)
        yield _counter(
            "tickets_set_aside", "Could not be decided, by all schedulers there ever were.", meters.set_aside
        )
        hour = _punctual.get(engine, lambda: automation.punctuality(engine, now, [HOUR])[0])
        recent = _family("alarm_lateness_last_hour_seconds", "Of clocks that ran out, whole seconds.", ["quantile"])
        for quantile, seconds in (("0.5", hour.p50), ("0.99", hour.p99), ("1", hour.most)):
            recent.add_metric([quantile], seconds)
        yield recent
        backlog = automation.backlog(engine, now)
        due = _family("alarms_overdue", f"Due for more than 5 s and not fired; {automation.MANY} or more.", ["kind"])
        due.add_metric(["clock"], backlog.due)
        due.add_metric(["reminder"], backlog.other)
        yield due
        yield _gauge("alarms_overdue_oldest_seconds", "How long the oldest waits.", _age(backlog.oldest_at, now))
        for alarm in automation.next_alarms(engine, 1):
            at = alarm.alarm_at.timestamp()
            yield _gauge("next_alarm_timestamp_seconds", "When the next alarm is set for.", at)
        yield _gauge("tickets_aside", "Set aside now, to be tried again.", len(automation.set_aside(engine, now)))

    def _schedulers(self) -> Iterator[Metric]:
        rounds = _family(
            "scheduler_last_round_timestamp_seconds", "The last that went well; without those that stopped.", ["name"]
        )
        for beat in automation.beats(self._site.desk.engine, clock.now()):
            if not beat.stopped:
                rounds.add_metric([beat.name], beat.at.timestamp())
        yield rounds

    def _waiting(self) -> Iterator[Metric]:
        engine, now = self._site.desk.engine, clock.now()
        unsent = automation.unsent(engine)
        yield _gauge("outbox_unsent", f"Messages to the outside; {automation.MANY} or more.", unsent.count)
        yield _gauge("outbox_oldest_seconds", "How long the oldest waits.", _age(unsent.oldest_at, now))
        count = _family("payments", f"Ordered and not answered, or failed; {automation.MANY} or more.", ["status"])
        fen = _family("payments_fen", "The same in 分.", ["status"])
        oldest = _family("payments_oldest_seconds", "How long the oldest waits.", ["status"])
        for money in automation.payments(engine):
            for family, value in ((count, money.count), (fen, money.fen), (oldest, _age(money.oldest_at, now))):
                family.add_metric([money.status], value)
        yield from (count, fen, oldest)


def _family(name: str, says: str, labels: list[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"aftersales_{name}", says, labels=labels)


def _gauge(name: str, says: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"aftersales_{name}", says, value=value)


def _counter(name: str, says: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"aftersales_{name}", says, value=value)


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
