"""A site over an empty database, a clock that can be set, and a browser that knows forms and links and nothing else."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient

from aftersales import clock, database, queries
from aftersales.catalog import built_in
from aftersales.clock import parse
from aftersales.decide import Imported, NewTicket, Rules
from aftersales.desk import Command, Desk
from aftersales.settings import Settings
from aftersales.ticket import Ticket
from aftersales.work_calendar import WorkCalendar
from web import recent
from web.app import create_app

VOID = {"input", "br", "meta", "link", "hr", "img", "col"}


@dataclass
class Form:
    """A form as a browser without JavaScript has it: what it would send if it were sent as it is."""

    action: str
    method: str
    #: (name, value) in order; a box that is not ticked sends nothing
    values: list[tuple[str, str]] = field(default_factory=list)
    #: by name: select, checkbox, radio, hidden, text, textarea, datetime-local
    hidden: list[tuple[str, str]] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)
    buttons: list[str] = field(default_factory=list)
    id: str = ""

    def get(self, name: str) -> str | None:
        return dict(self.values).get(name)

    def filled(self, **given: object) -> list[tuple[str, str]]:
        """The same with these values; a list ticks these boxes, None unticks or empties."""
        kept = [pair for pair in self.values if pair[0] not in given or pair in self.hidden]
        for name, value in given.items():
            assert name in self.kinds, f"the form has no {name}, but {sorted(self.kinds)}"
            kept += [(name, str(one)) for one in (value if isinstance(value, list) else [value]) if one is not None]
        return kept


class Page(HTMLParser):
    """What can be seen on a page and done with it."""

    def __init__(self, response) -> None:
        super().__init__()
        self.response, self.status = response, response.status_code
        self.html = response.text
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._words: list[str] = []
        self._open: list[str] = []
        self._form: Form | None = None
        self._select: str | None = None
        self._textarea: str | None = None
        self.feed(self.html)
        assert not self._open, f"never closed: {self._open}"

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self._words)).strip()

    @property
    def form(self) -> Form:
        """The page's own: of a ticket the form of the step. The frame around it has a switch of the language."""
        found = [form for form in self.forms if form.method == "post" and form.action != "/choices"]
        (form,) = [form for form in found if form.id == "do"] or found
        return form

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        if tag == "form":
            self._form = Form(attributes.get("action", ""), attributes.get("method", "get"))
            self._form.id = attributes.get("id") or ""
            self.forms.append(self._form)
        elif self._form is not None:
            self._control(tag, attributes)

    def _control(self, tag, attributes):
        form, name = self._form, attributes.get("name")
        if name and tag in ("input", "select", "textarea"):
            kind = attributes.get("type", "text") if tag == "input" else tag
            form.kinds[name] = kind
            if "required" in attributes:
                form.required.add(name)
            if tag == "input" and (kind not in ("checkbox", "radio") or "checked" in attributes):
                form.values.append((name, attributes.get("value", "")))
            if kind == "hidden":
                form.hidden.append((name, attributes["value"]))
            if kind in ("checkbox", "radio"):
                form.choices.setdefault(name, []).append(attributes["value"])
            self._select = name if tag == "select" else self._select
            self._textarea = name if tag == "textarea" else None
            if tag != "input":
                form.values.append((name, ""))
        elif tag == "option" and self._select:
            form.choices.setdefault(self._select, []).append(attributes["value"])
            if "selected" in attributes:
                form.values[-1] = (self._select, attributes["value"])
        elif tag == "button":
            form.buttons.append("")

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1] == tag, f"</{tag}> closes <{self._open[-1]}>"
        self._open.pop()
        self._form = None if tag == "form" else self._form
        self._select = None if tag == "select" else self._select
        self._textarea = None if tag == "textarea" else self._textarea

    def handle_data(self, data):
        self._words.append(data)
        if self._textarea:
            name, value = self._form.values[-1]
            self._form.values[-1] = (name, value + (data.removeprefix("\n") if not value else data))
        elif self._open and self._open[-1] == "button" and self._form is not None:
            self._form.buttons[-1] += data.strip()


BROWSER_SAYS = {"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"}


class Browser:
    """Opens pages and sends forms, as a person without JavaScript would; says what browsers say of themselves."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def get(self, path: str) -> Page:
        return Page(self.client.get(path, follow_redirects=False))

    def send(self, form: Form, values: list[tuple[str, str]] | None = None) -> Page:
        """The answer of the server, without following it."""
        sent = form.values if values is None else values
        return self.post(form.action, sent)

    def post(self, path: str, values: list[tuple[str, str]]) -> Page:
        data: dict[str, list[str]] = {}
        for name, value in values:
            data.setdefault(name, []).append(value)
        return Page(self.client.post(path, data=data, headers=BROWSER_SAYS, follow_redirects=False))

    def do(self, path: str, **given: object) -> Page:
        """Open the form, fill it in, send it, and land where the server sends one after success."""
        form = self.get(path).form
        answer = self.send(form, form.filled(**given))
        assert answer.status == 303, answer.text
        return self.get(answer.response.headers["location"])


@dataclass
class World:
    """One site and what stands behind it."""

    desk: Desk
    rules: Rules
    settings: Settings
    now: datetime
    orders: int = 0

    @property
    def engine(self):
        return self.desk.engine

    def browser(self) -> Browser:
        return Browser(TestClient(create_app(self.desk, lambda: self.rules, self.settings)))

    def open(self, workflow="exchange", policy="kuaishou", *, ago=0.0, shop="我的店铺", actor=None, **facts):
        """A ticket opened so many hours ago through the one door."""
        self.orders += 1
        opening = self.rules.catalog.workflows[workflow].openings()[0]
        new = NewTicket(
            workflow, policy, opening.name, actor or opening.by[0].value, self.now - timedelta(hours=ago),
            {**BASIC.get(workflow, {}), **facts}, f"订单{self.orders:04d}", "马丁靴", "梅子酱",
        )  # fmt: skip
        return self.desk.open(new, shop=shop)

    def inspecting(self):
        """An exchange that the merchant has to inspect within seven days."""
        ticket = self.open()
        self.do(ticket, "approve")
        self.do(ticket, "submit_return_waybill", "buyer", waybill_no=f"SF00000{ticket.id:05d}")
        return self.do(ticket, "return_signed", "system")

    def place(self, workflow, state, policy="kuaishou", shop="我的店铺", **extra):
        """A ticket that came over from the platform in this state."""
        self.orders += 1
        imported = Imported(
            workflow, policy, state, self.now, f"导入{self.orders:04d}", 32900,
            fields={**({"review_at": self.now, "rating": 1} if workflow == "bad_review" else {}), **extra},
        )  # fmt: skip
        (landed,) = self.desk.import_tickets([imported], shop=shop, now=self.now)
        assert isinstance(landed, Ticket), landed
        return landed

    def do(self, ticket, trigger, actor="agent", evidence=(), **facts):
        return self.desk.do(Command(ticket.id, trigger, actor, self.now, facts, evidence))

    def ticket(self, number):
        return queries.ticket_by_number(self.engine, number)

    def events(self, number):
        return queries.events(self.engine, self.ticket(number).id)


BASIC = {
    "exchange": {"paid_fen": 32900, "reason": "size"},
    "refund": {"paid_fen": 32900, "reason": "quality", "kind": "return_refund"},
    "repair": {"paid_fen": 32900, "fault": "不开机"},
    "lost_parcel": {"paid_fen": 32900, "waybill_no": "SF00000001", "issue": "lost"},
    "bad_review": {"review_id": "R1", "rating": 1},
}
RULES = Rules(built_in(), WorkCalendar.default())


def made_world(url: str, rules: Rules = RULES) -> World:
    settings = Settings(database_url=url, shop="我的店铺")
    return World(Desk(database.create_engine(url), lambda: rules), rules, settings, parse("2026-10-02 14:32:00"))


@pytest.fixture(name="clock")
def set_clock(monkeypatch):
    """The time stands still until a world's `now` is set."""

    def follow(world: World) -> World:
        monkeypatch.setattr(clock, "now", lambda: world.now)
        monkeypatch.setattr(recent, "CHEAP", math.inf)  # figures are those of this moment, however busy the machine
        return world

    return follow


@pytest.fixture
def world(sqlite_url, clock):
    return clock(made_world(sqlite_url))


@pytest.fixture
def browser(world):
    return world.browser()
