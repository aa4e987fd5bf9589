"""Is a message the platform's own: a verifier looks at the raw bytes, before anything is read from them.

The default is HMAC-SHA256. The platforms' own schemes are not confirmed by public documents, so none is built in: an
installed package may bring one under the entry point group `aftersales.feed_verifiers`, and a shop that names it in
`aftersales feeds connect --verifier` switches it on.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.metadata import entry_points
from typing import Protocol

#: how old, or how far ahead of our clock, a message may be
REPLAY_WINDOW = timedelta(minutes=5)
HMAC = "hmac-sha256"
_ID = re.compile("[!-~]{1,128}")
_SECONDS = re.compile("[0-9]{1,12}")


@dataclass(frozen=True)
class Signed:
    """What a verified message says of itself."""

    message_id: str
    sent_at: datetime


class Verifier(Protocol):
    """Signed, or None if the message is not the platform's. `headers`: names in lower case. In constant time."""

    def __call__(self, secret: str, headers: Mapping[str, str], body: bytes) -> Signed | None: ...


def hmac_sha256(secret: str, headers: Mapping[str, str], body: bytes) -> Signed | None:
    """`X-Feed-Signature`: hex of HMAC-SHA256 over `<timestamp>.<id>.<body>`; the id is signed, or a message caught on
    its way could be sent again under another."""
    told, stamp = headers.get("x-feed-id", ""), headers.get("x-feed-timestamp", "")
    expected = signature(secret, told, stamp, body)
    given = headers.get("x-feed-signature", "")
    same = hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))
    if not same or not secret or _ID.fullmatch(told) is None or _SECONDS.fullmatch(stamp) is None:
        return None
    return Signed(told, datetime.fromtimestamp(int(stamp), UTC))


def signature(secret: str, message_id: str, stamp: str, body: bytes) -> str:
    signed = f"{stamp}.{message_id}.".encode("utf-8", "replace") + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def verifier(name: str) -> Verifier | None:
    return hmac_sha256 if name == HMAC else _installed().get(name)


@cache
def _installed() -> Mapping[str, Verifier]:
    return {point.name: point.load() for point in entry_points(group="aftersales.feed_verifiers")}
