"""Sends what the outbox holds, beside the scheduler or as a process of its own, in as many processes as wanted.

One thread passes rows on and starts a lane, a thread, for each endpoint and channel that has something to send: whoever
is slow or down holds up nobody else. Every write is a short transaction of its own, so no sweep waits for one.

A claim has a lease. What a killed worker had claimed is sent by another when the lease is over: at least once, and
without a fault exactly once. A lane that was stopped so long that its lease is nearly over sends nothing more.
"""

from __future__ import annotations

import hashlib
import logging
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from aftersales import clock
from aftersales.database import Engine
from aftersales.decide import Rules
from aftersales.office import channels, endpoints, outbox
from aftersales.office.channels import Channel
from aftersales.office.endpoints import Due, Endpoint, Told
from aftersales.outbound import messages, messenger, pace, signing, topics
from aftersales.outbound.call import WHOLE_SECONDS, Answer, Caller
from aftersales.outbound.messages import Speaks
from aftersales.workflows.vocabulary import Escalation

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
#: of one endpoint, in one lease
CLAIMED = 20
#: looking a name up has no limit of its own
LOOK_UP_SECONDS = 15.0
PEOPLE_LEASE = timedelta(minutes=5)
MOST_SAID = 500
TIDY_EVERY_SECONDS, WATCH_EVERY_SECONDS = 300.0, 30.0
LANES = 16
#: no scheduler was heard of for so long
SILENT = timedelta(minutes=2)
#: a worker gives what is on its way so long to arrive when it is told to stop
FAREWELL_SECONDS = 0.3
#: of a failure that is this message's own: the endpoint itself is well
_ITS_OWN = frozenset({400, 403, 404, 409, 413, 415, 422})
_GONE = 410


@dataclass(frozen=True)
class Outside:
    """What the installation says about the outside."""

    #: this machine may be called, and by http: for development
    loopback: bool = False
    #: where people find the pages, for links
    public_url: str = ""
    #: apprise's address of the mail server
    mail_url: str = ""


class OutboxWorker:
    """`rule_problems`: what is wrong with the rule files; `speak`: says a sentence in a language."""

    def __init__(
        self, engine: Engine, rules: Callable[[], Rules], outside: Outside | None = None, *,
        poll_seconds: float = 0.5, rule_problems: Callable[[], Sequence[object]] = tuple,
        speak: Speaks = messages.chinese, now: Callable[[], datetime] = clock.now, caller: Caller | None = None,
    ) -> None:  # fmt: skip
        self.engine, self.rules, self.outside, self.poll = engine, rules, outside or Outside(), poll_seconds
        self._problems, self._speak, self._now = rule_problems, speak, now
        self._caller = caller or Caller(loopback=self.outside.loopback)
        self._stopping = threading.Event()
        self._lanes: dict[tuple[str, int], threading.Thread] = {}
        self._tidied_at = self._watched_at = -float("inf")
        self._complained = ""
        self._failed: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Within a second: what is on its way is cut, and sent again by whoever comes next."""
        self._stopping.set()
        lanes = list(self._lanes.values())
        until = monotonic() + FAREWELL_SECONDS
        for lane in lanes:
            lane.join(max(0.0, until - monotonic()))
        self._caller.cut()
        for one in (self._thread, *lanes):
            if one.is_alive():
                one.join(FAREWELL_SECONDS)

    def run_once(self) -> None:
        """Everything that is to be sent now, then end. What goes wrong is raised."""
        while self._pass_on():
            pass
        self._watch()
        while not self._failed and (lanes := self._start_lanes()):
            for lane in lanes:
                lane.join()
        if self._failed:
            raise self._failed
        outbox.tidy(self.engine, self._now())

    # ── the thread ──

    def _run(self) -> None:
        while not self._stopping.is_set():
            busy = False
            for chore in (self._pass_on, self._start_lanes, self._now_and_then):
                busy = self._guarded(chore) or busy
            self._stopping.wait(0.01 if busy else self.poll)

    def _guarded(self, chore: Callable[[], object]) -> bool:
        """Nothing may end the thread; the same trouble is logged once."""
        try:
            done = bool(chore())
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            if what != self._complained:
                log.error("outbox: %s", what, exc_info=error)
            self._complained, self._failed = what, error
            return False
        return done

    def _pass_on(self) -> int:
        escalations = {
            (workflow.key, move.name)
            for workflow in self.rules().catalog.workflows.values()
            for move in workflow.moves
            if isinstance(move, Escalation)
        }
        return 0 if self._stopping.is_set() else outbox.pass_on(self.engine, self._now(), escalations)

    def _now_and_then(self) -> bool:
        if monotonic() - self._watched_at >= WATCH_EVERY_SECONDS:
            self._watched_at = monotonic()
            self._watch()
        if monotonic() - self._tidied_at >= TIDY_EVERY_SECONDS:
            if outbox.tidy(self.engine, self._now()):
                return True  # there may be more
            self._tidied_at = monotonic()
        return False

    def _watch(self) -> None:
        """What no ticket tells of: the scheduler fell silent, a rule file was refused."""
        now = self._now()
        beat, ended = outbox.last_beat(self.engine)
        if beat is not None and not ended and now - beat > SILENT:
            channels.tell_all(self.engine, topics.STOPPED, f"silent:{beat.isoformat()}", {}, now)
        if problems := [str(one) for one in self._problems()]:
            key = hashlib.sha256("\n".join(problems).encode()).hexdigest()[:16]
            facts = {"problems": len(problems)}
            channels.tell_all(self.engine, topics.RULES_REFUSED, f"rules:{key}", facts, now)

    # ── lanes ──

    def _start_lanes(self) -> list[threading.Thread]:
        self._lanes = {key: lane for key, lane in self._lanes.items() if lane.is_alive()}
        now = self._now()
        started: list[threading.Thread] = []
        wanted: list[tuple[tuple[str, int], Callable[[], None]]] = [
            (("endpoint", one.id), partial(self._deliver, one)) for one in endpoints.with_work(self.engine, now)
        ]
        wanted += [(("channel", one.id), partial(self._say, one)) for one in channels.with_work(self.engine, now)]
        for key, work in wanted:
            if key not in self._lanes and len(self._lanes) < LANES and not self._stopping.is_set():
                lane = threading.Thread(
                    target=self._guarded, args=(work,), name=f"outbox-{key[0]}-{key[1]}", daemon=True
                )
                self._lanes[key] = lane
                lane.start()
                started.append(lane)
        return started

    def _deliver(self, endpoint: Endpoint) -> None:
        """What is due for this endpoint, until something fails or the lease runs out."""
        until = monotonic() + LEASE.total_seconds() - WHOLE_SECONDS - LOOK_UP_SECONDS
        now = self._now()
        dues = endpoints.claim(self.engine, endpoint.id, now, until=now + LEASE, limit=CLAIMED)
        told = endpoints.told(self.engine, [due.outbox_id for due in dues if due.outbox_id is not None])
        for place, due in enumerate(dues):
            if self._stopping.is_set() or monotonic() > until or not self._delivered(endpoint, due, told):
                rest = dues[place if self._stopping.is_set() or monotonic() > until else place + 1 :]
                endpoints.release(self.engine, rest)
                return

    def _delivered(self, endpoint: Endpoint, due: Due, told: dict[int, Told]) -> bool:
        """False: leave the endpoint alone for now."""
        at = self._now()
        id = str(due.outbox_id) if due.outbox_id is not None else f"test-{due.id}"
        body = self._body(due, told)
        if body is None:
            answer = Answer(None, 0, error="消息已经过了 30 天，没有保留")
        else:
            signed = signing.headers(endpoint.secrets(at), id, int(at.timestamp()), body)
            answer = self._caller.post(endpoint.url, {"Content-Type": "application/json", **_AGENT, **signed}, body)
        if self._stopping.is_set() and not answer.well:  # cut by `stop`: nothing is known of it
            endpoints.release(self.engine, [due])
            return False
        return self._record(endpoint, due, answer, lost=body is None)

    def _body(self, due: Due, told: dict[int, Told]) -> bytes | None:
        if due.outbox_id is None:
            return topics.body("test", due.created_at, {})
        one = told.get(due.outbox_id)
        if one is None:
            return None
        data = topics.data(one.shop, one.workflow, one.policy, one.seq, one.payload)
        return topics.body(due.topic, one.payload["at"], data)

    def _record(self, endpoint: Endpoint, due: Due, answer: Answer, *, lost: bool) -> bool:
        now = self._now()
        attempt = {
            "at": now, "status": answer.status, "duration_ms": answer.duration_ms, "answer": answer.text,
            "error": answer.error,
        }  # fmt: skip
        if answer.well:
            endpoints.went_well(self.engine, due, endpoint.id, attempt)
            return True
        now_known = endpoints.by_id(self.engine, endpoint.id)
        if now_known is None:
            return False
        wait = None if lost else pace.again(due.attempts + 1, random.random())
        own = lost or answer.status in _ITS_OWN
        rests = None if own else now + pace.rest(now_known.failures + 1, random.random())
        why = _why_paused(now_known, answer, now)
        next_at = None if wait is None else now + wait
        endpoints.went_wrong(
            self.engine, due, endpoint.id, attempt, next_at=next_at, rests_until=rests, paused_why=why
        )  # fmt: skip
        if why and now_known.paused_at is None:
            log.warning("outbox: endpoint %d is paused: %s", endpoint.id, why)
            facts = {"url": urlsplit(endpoint.url).hostname or ""}
            channels.tell_all(self.engine, topics.STOPPED, f"paused:{endpoint.id}:{now.isoformat()}", facts, now)
        return own and not why

    def _say(self, channel: Channel) -> None:
        now = self._now()
        lease, waiting = channels.claim(self.engine, channel.id, now, until=now + PEOPLE_LEASE, limit=MOST_SAID)
        if not waiting:
            return
        url = self.outside.public_url
        title, text = messages.message(waiting, channel.language, now, self.rules(), url, self._speak)
        try:
            messenger.send(channel, title, text, self.outside.mail_url)
        except Exception as error:  # noqa: BLE001 -- apprise may raise anything, with the token in it
            why = str(error) if isinstance(error, messenger.NotSent) else type(error).__name__
            wait = pace.again(max(one.attempts for one in waiting) + 1, random.random())
            later = None if wait is None else pace.due(self._now() + wait, "now", channel.quiet_from, channel.quiet_to)
            channels.unsaid(self.engine, channel, lease, self._now(), later, why)
            return
        channels.said(self.engine, channel, lease, self._now())


_AGENT: dict[str, Any] = {"User-Agent": "aftersales-webhooks/1"}


def _why_paused(endpoint: Endpoint, answer: Answer, now: datetime) -> str:
    """ "" to go on."""
    if answer.status == _GONE:
        return "对方答复 410：不再接收"
    if endpoint.failing_since is not None and now - endpoint.failing_since >= pace.PAUSED_AFTER:
        return "连续失败 24 小时"
    return ""
