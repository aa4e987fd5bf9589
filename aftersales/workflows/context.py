"""What guards, conditions and effects may look at, and the draft that effects write on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from aftersales.ticket import Entry, Payment, Ticket
from aftersales.workflows.vocabulary import Fact, Move


class Closing(NamedTuple):
    """A window of the rule book as it stands for one attempt."""

    rule: str
    label: str
    #: in words: 7天
    length: str
    counted_from: Fact
    #: when it closes; None while that cannot be told
    closes: datetime | None
    #: what must be known to tell whether it concerns the attempt at all
    awaits: tuple[Fact, ...] = ()


class Rulings(Protocol):
    """What a platform's rules say beside clocks. The policies' side of it is `policies.vocabulary.Policy`."""

    @property
    def key(self) -> str: ...
    def permits(self, move: Move) -> bool: ...
    def forbids(self, move: Move, context: Context) -> str | None: ...
    def attempts(self, move: Move) -> int | None: ...
    def attempts_by(self, move: Move) -> tuple[str, int] | None: ...
    def windows(self, move: Move, context: Context) -> Sequence[Closing]: ...
    def window_closed(self, move: Move, context: Context) -> str | None: ...
    def agrees_at_once(self, move: Move, context: Context) -> bool: ...
    def awaits_version(self, move: Move, context: Context) -> bool: ...
    def fixes_amount(self, move: Move, context: Context) -> bool: ...


@dataclass(frozen=True)
class Known:
    """What the database was asked before deciding, so that deciding needs no database."""

    #: waybill numbers among the facts that some ticket already uses
    waybills_in_use: frozenset[str] = frozenset()
    duplicate_open: str | None = None
    #: what other tickets have refunded, or ordered to be, of the same item of the same order
    refunded_fen: int = 0


NOTHING_KNOWN = Known()


@dataclass
class Draft:
    """The new values of a ticket while its effects are applied."""

    fields: dict[str, Any]
    flags: list[str]
    changes: dict[str, Any] = field(default_factory=dict)
    payments: list[Payment] = field(default_factory=list)
    waybills: list[str] = field(default_factory=list)

    def raise_flag(self, flag: str) -> None:
        if flag not in self.flags:
            self.flags.append(flag)

    def lower_flag(self, flag: str) -> None:
        if flag in self.flags:
            self.flags.remove(flag)


@dataclass
class Context:
    """One attempt to move one ticket."""

    ticket: Ticket
    move: Move
    facts: Mapping[str, Any]
    actor: str
    #: when it takes effect (the fact a feed reports) / the step's own time
    at: datetime
    now: datetime
    policy: Rulings
    history: Sequence[Entry] = ()
    known: Known = NOTHING_KNOWN
    draft: Draft = field(default_factory=lambda: Draft({}, []))
    #: the state it leads to, once the machine has said so
    to: str = ""

    def value(self, fact: Fact) -> Any:
        """What was filled in now, else what the ticket remembers, else the default."""
        given = self.facts.get(fact.name)
        return self.remembered(fact) if given is None else given

    def remembered(self, fact: Fact) -> Any:
        found = self.ticket.fields.get(fact.name)
        if found is not None:
            return found
        return None if fact.default == "now" else fact.default

    def evidence_since_entered(self) -> list[Entry]:
        return self._evidence(self.ticket.entered_seq)

    def evidence_since_applied(self) -> list[Entry]:
        return self._evidence(self.ticket.applied_seq)

    def _evidence(self, after: int) -> list[Entry]:
        return [entry for entry in self.history if entry.kind == "evidence" and entry.seq > after]

    def contacts_since_applied(self) -> list[Entry]:
        after = self.ticket.applied_seq
        return [entry for entry in self.history if entry.kind == "contact" and entry.seq > after]
