"""One thing a message asks of a ticket: the step, in whose name, with which facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Wish:
    trigger: str
    actor: str
    facts: Mapping[str, Any]
