"""One POST, to an address that was looked at, within a time and a size, and nowhere else: redirects are answers."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

from aftersales.errors import Refused
from aftersales.outbound import reach
from aftersales.outbound.reach import Target, Unreachable

CONNECT_SECONDS, WHOLE_SECONDS = 4.0, 8.0
#: of the answer, kept for the log
KEPT_BYTES = 500


@dataclass(frozen=True)
class Answer:
    """`status` None: there was none, and `error` says why."""

    status: int | None
    duration_ms: int
    text: str = ""
    error: str = ""

    @property
    def well(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Caller:
    """Posts, from any thread; `cut` ends all that are on their way."""

    def __init__(self, *, loopback: bool = False, seconds: float = WHOLE_SECONDS) -> None:
        self.loopback, self.seconds = loopback, seconds
        self._tls = ssl.create_default_context()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._cut = False

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        began = monotonic()

        def took() -> int:
            return round((monotonic() - began) * 1000)

        try:
            target = reach.target(url, loopback=self.loopback)
            addresses = reach.resolved(target, loopback=self.loopback)
            with self._connected(target, addresses) as connection:
                status, text = self._exchange(connection, target, headers, body)
                return Answer(status, took(), text)
        except Refused as refusal:
            return Answer(None, took(), error=str(refusal))
        except Unreachable as problem:
            return Answer(None, took(), error=str(problem))
        except TimeoutError:
            return Answer(None, took(), error="超时，没有等到答复")
        except (OSError, http.client.HTTPException, ValueError):
            late = monotonic() - began >= self.seconds
            return Answer(None, took(), error="超时，没有等到答复" if late else "连接失败")

    @contextlib.contextmanager
    def _connected(self, target: Target, addresses: Sequence[str]) -> Iterator[socket.socket]:
        """A socket that is shut down when the time of a whole call is over, or when all are cut."""
        plain = _connect(addresses[:2], target.port)
        # a descriptor of its own: wrapping takes the first away from `plain`
        handle = plain.dup()
        watch = threading.Timer(self.seconds, _shut, (handle,))
        watch.daemon = True
        with self._lock:
            self._open.add(handle)
            cut = self._cut
        watch.start()
        try:
            if cut:
                raise Unreachable("正在关闭，稍后再发")
            plain.settimeout(self.seconds)
            if target.secure:
                with self._tls.wrap_socket(plain, server_hostname=target.host.rstrip(".")) as wrapped:
                    yield wrapped
            else:
                yield plain
        finally:
            watch.cancel()
            with self._lock:
                self._open.discard(handle)
            for one in (plain, handle):
                one.close()

    def _exchange(
        self, connection: socket.socket, target: Target, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, str]:
        line = http.client.HTTPConnection(target.host, target.port)
        line.sock = connection
        line.request(
            "POST", target.path, body,
            {"Host": target.authority, "Connection": "close", "Accept-Encoding": "identity", **headers},
        )  # fmt: skip
        answer = line.getresponse()
        return answer.status, answer.read(KEPT_BYTES).decode("utf-8", "replace").replace("\x00", "�")

    def cut(self) -> None:
        with self._lock:
            self._cut, opened = True, list(self._open)
        for one in opened:
            _shut(one)


def _shut(opened: socket.socket) -> None:
    """Whoever waits on it, in any thread, is told at once."""
    with contextlib.suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)


def _connect(addresses: Sequence[str], port: int) -> socket.socket:
    """To the first address that answers."""
    for last, address in enumerate(addresses, 1):
        try:
            return socket.create_connection((address, port), CONNECT_SECONDS)
        except OSError:
            if last == len(addresses):
                raise
    raise Unreachable("域名没有地址")
