"""Receivers that really receive: an HTTP server in a thread, which checks signatures and counts."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aftersales import clock, database
from aftersales.catalog import built_in
from aftersales.decide import NewTicket, Rules
from aftersales.desk import Command, Desk
from aftersales.office import endpoints
from aftersales.outbound import signing, topics
from aftersales.outbound.call import Caller
from aftersales.outbound.worker import OutboxWorker, Outside
from aftersales.work_calendar import WorkCalendar

RULES = Rules(built_in(), WorkCalendar.default())


class Receiver:
    """`answer(number, handler)` gives the status of the nth call; None hangs up without a word."""

    def __init__(self, answer: Callable[[int], int | None] = lambda _: 204) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answer, self.delay, self.headers, self.text = answer, 0.0, {}, b""
        self.released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                status = receiver.answer(len(receiver.got))
                if receiver.delay:
                    receiver.released.wait(receiver.delay)
                if status is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                with suppress(OSError):
                    self.wfile.write(receiver.text)

            def log_message(self, *_args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]

    @property
    def said(self) -> list[dict]:
        return [json.loads(body) for _, body in self.got]


@contextmanager
def receiving(answer: Callable[[int], int | None] = lambda _: 204):
    receiver = Receiver(answer)
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join()


def desk_on(url: str) -> Desk:
    return Desk(database.create_engine(url), lambda: RULES)


def opened(desk: Desk, count: int = 1, shop: str = "我的店铺"):
    at = clock.now()
    return [
        desk.open(
            NewTicket("exchange", "kuaishou", "apply", "buyer", at, {"paid_fen": 32900, "reason": "size"},
                      f"单{time.monotonic_ns()}-{i}", "马丁靴", "梅子酱"),
            shop=shop,
        )
        for i in range(count)
    ]  # fmt: skip


def moved(desk: Desk, ticket, trigger="approve", actor="agent"):
    return desk.do(Command(ticket.id, trigger, actor, clock.now()))


def endpoint_on(desk: Desk, receiver_url: str, wanted=topics.USUAL, shop_id: int = 1) -> int:
    return endpoints.add(
        desk.engine, shop_id, receiver_url, wanted, signing.new_secret(), clock.whole_second(clock.now())
    )


def worker_on(desk: Desk, *, now=clock.now, seconds: float = 2.0, **rest) -> OutboxWorker:
    caller = Caller(loopback=True, seconds=seconds)
    return OutboxWorker(
        desk.engine, lambda: RULES, Outside(loopback=True, public_url="https://desk.example.com"),
        poll_seconds=0.05, now=now, caller=caller, **rest,
    )  # fmt: skip
