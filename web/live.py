"""What changes anywhere, told to every browser that listens: by this process, another one, or the scheduler.

One watcher reads the events since the last look, once a second while anybody listens and not at all when nobody does.
A browser that takes nothing off is told to load its page again; it never makes the program grow.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starlette.concurrency import run_in_threadpool

from aftersales import clock, queries
from aftersales.clock import shown_to_machines
from aftersales.database import DatabaseBusy, Engine
from aftersales.office import presence
from aftersales.office.presence import Looking
from aftersales.queries import UNREACHABLE
from aftersales.queries.changes import Changed, changed_after, newest_event

EVERY_SECONDS = 1.0
#: looks between two pulses, which tell a browser that the line is open
PULSE_EVERY = 4
#: events told one by one; when there are more, pages are loaded again
MOST_CHANGES = 500
#: messages that may wait for one browser
WAITING = 50
#: streams of one process, and of one signed-in browser or one address
MOST_STREAMS, MOST_OF_ONE = 2_000, 12
#: a stream ends after so long, and the browser comes again: who may listen is asked anew
LIFE_SECONDS = 3600.0
#: an id that was left out may belong to a transaction that is still running
GAP_SECONDS = 40.0
_DOWN: tuple[type[Exception], ...] = (DatabaseBusy, *UNREACHABLE)


class TooMany(Exception):
    """This browser, or this process, has too many streams."""


@dataclass(frozen=True, slots=True)
class Message:
    """`what`: tickets, presence, pulse, reload. `said` is not yet in anybody's language."""

    what: str
    said: Any = None
    #: where a browser goes on that lost the line
    event_id: int | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """Who has which ticket open: of these tickets, or of `all` there are."""

    of: Mapping[int, Sequence[Looking]]
    all: bool = False


class Stream:
    """One browser that listens: few messages wait for it, and the newest thing it must know is never lost."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Message | None] = asyncio.Queue(WAITING)

    def tell(self, message: Message) -> None:
        if self._waiting.full():
            self._empty()
            self._waiting.put_nowait(Message("reload", event_id=message.event_id))
        else:
            self._waiting.put_nowait(message)

    def close(self) -> None:
        if self._waiting.full():
            self._empty()
        self._waiting.put_nowait(None)

    def _empty(self) -> None:
        while not self._waiting.empty():
            self._waiting.get_nowait()

    async def __aiter__(self) -> AsyncIterator[Message]:
        while (message := await self._waiting.get()) is not None:
            yield message


@dataclass
class Look:
    """What one look of the watcher found."""

    changed: Sequence[Changed] = ()
    present: Mapping[int, Sequence[Looking]] = field(default_factory=dict)
    beat: datetime | None = None


class Live:
    """The watcher of one process and its streams. Everything but the looks runs in the event loop of the server."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._streams: set[Stream] = set()
        self._of: Counter[str] = Counter()
        self._watching: asyncio.Task[None] | None = None
        self._closed = False
        self._seen = 0
        #: ids that were left out, and until when they may still come
        self._gaps: dict[int, float] = {}
        self._present: Mapping[int, Sequence[Looking]] = {}

    @asynccontextmanager
    async def listening(self, client: str, after: int | None) -> AsyncIterator[Stream]:
        """A stream of what changes from now on, and of what changed `after` this event. TooMany."""
        if len(self._streams) >= MOST_STREAMS or self._of[client] >= MOST_OF_ONE:
            raise TooMany
        stream = Stream()
        self._streams.add(stream)
        self._of[client] += 1
        end = asyncio.get_running_loop().call_later(LIFE_SECONDS, stream.close)
        try:
            if self._closed:
                stream.close()
            else:
                await self._begin(stream, after)
            yield stream
        finally:
            end.cancel()
            self._streams.discard(stream)
            self._of[client] -= 1
            self._of += Counter()  # forgets those that have none

    def listeners(self) -> int:
        return len(self._streams)

    def close(self) -> None:
        """Ends every stream: the server stops, and waits for its answers."""
        self._closed = True
        for stream in self._streams:
            stream.close()

    async def _begin(self, stream: Stream, after: int | None) -> None:
        look = await run_in_threadpool(self._first_look, after)
        if len(look.changed) > MOST_CHANGES:
            stream.tell(Message("reload", event_id=look.changed[-1].event_id))
        elif look.changed:
            stream.tell(_tickets(look.changed))
        stream.tell(Message("presence", Present(look.present, all=True)))
        stream.tell(Message("pulse", look.beat))
        if self._watching is None or self._watching.done():
            self._seen, self._gaps, self._present = (
                await run_in_threadpool(newest_event, self._engine),
                {},
                look.present,
            )
            self._watching = asyncio.create_task(self._watch())

    def _first_look(self, after: int | None) -> Look:
        changed = [] if after is None else changed_after(self._engine, after, MOST_CHANGES + 1)
        present = presence.everywhere(self._engine, clock.now())
        return Look(changed, present, queries.last_beat(self._engine))

    # ── the watcher ──

    async def _watch(self) -> None:
        nth = 0
        while self._streams and not self._closed:
            nth += 1
            try:
                look = await run_in_threadpool(self._look, nth)
            except _DOWN:
                pass  # it is looked at again; browsers notice the silence
            else:
                for message in self._news(look, nth):
                    for stream in self._streams:
                        stream.tell(message)
            await asyncio.sleep(EVERY_SECONDS)

    def _look(self, nth: int) -> Look:
        changed = changed_after(self._engine, self._seen, MOST_CHANGES + 1, late=list(self._gaps))
        present = presence.everywhere(self._engine, clock.now())
        beat = queries.last_beat(self._engine) if nth % PULSE_EVERY == 0 else None
        if len(changed) > MOST_CHANGES:
            self._seen = newest_event(self._engine)
        return Look(changed, present, beat)

    def _news(self, look: Look, nth: int) -> list[Message]:
        news = []
        if len(look.changed) > MOST_CHANGES:
            self._gaps.clear()
            news.append(Message("reload", event_id=self._seen))
        elif look.changed:
            self._remember([one.event_id for one in look.changed])
            news.append(_tickets(look.changed, self._seen))
        moved = {id for id in {*look.present, *self._present} if _who(look.present, id) != _who(self._present, id)}
        self._present = look.present
        if moved:
            news.append(Message("presence", Present({id: look.present.get(id, ()) for id in moved})))
        if nth % PULSE_EVERY == 0:
            news.append(Message("pulse", look.beat))
        return news

    def _remember(self, ids: Sequence[int]) -> None:
        """PostgreSQL gives out ids before the commit: one that was left out may come later. SQLite leaves none out."""
        now = time.monotonic()
        there = set(ids)
        newest = max(ids[-1], self._seen)
        left_out = {id: now + GAP_SECONDS for id in range(self._seen + 1, newest) if id not in there}
        gaps = {id: until for id, until in self._gaps.items() if id not in there and until > now} | left_out
        self._gaps = dict(sorted(gaps.items())[-2 * MOST_CHANGES :])
        self._seen = newest


def _who(present: Mapping[int, Sequence[Looking]], ticket_id: int) -> list[tuple[int, str]]:
    return [(one.account_id, one.doing) for one in present.get(ticket_id, ())]


def _tickets(changed: Sequence[Changed], seen: int | None = None) -> Message:
    """Each ticket once, with the newest of its events."""
    newest = {one.ticket_id: one for one in changed}
    return Message("tickets", [_told(one) for one in newest.values()], changed[-1].event_id if seen is None else seen)


def _told(one: Changed) -> dict[str, Any]:
    due = one.due_at
    return {
        "id": one.ticket_id,
        "number": one.number,
        "shop": one.shop_id,
        "workflow": one.workflow,
        "state": one.state,
        "version": one.version,
        "owner": one.owner,
        "due": None if due is None else shown_to_machines(due),
        "closed": one.closed_at is not None,
        "trigger": one.trigger,
        "actor": one.actor,
        "by": one.actor_name,
    }
