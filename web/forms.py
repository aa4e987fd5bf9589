"""Forms drawn from the tables, and what people sent back in them.

A form asks for the facts of a row (a step, an opening, a plain action); a new row is a new form. Names that begin with
an underscore are the form's own: the version it was drawn from, its idempotency key, who acts, the evidence.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Request

from aftersales import queries
from aftersales.errors import Refused
from aftersales.fill_in import Form, clean, from_text
from aftersales.money import fen
from aftersales.saying import said_by, say
from aftersales.workflows.facts import EVIDENCE_LABELS
from aftersales.workflows.vocabulary import Actor, Fact
from web import words
from web.i18n import gettext
from web.site import Site

VERSION, KEY, WHO, EVIDENCE, LOOK, PLATFORM = "_version", "_key", "_as", "_evidence", "_look", "_platform"
#: a contact that is recorded on the way
CHANNEL, SUMMARY = "_channel", "_summary"
#: a file of evidence; a text to the buyer that is sent in spite of a warning
FILE, INSISTS = "_file", "_insists"
#: whole forms, in bytes: a text of the greatest length allowed is 180 KB when it arrives
MAX_BODY = 2 * 1024 * 1024
_MAX_FIELDS = 200
#: one line is enough for these texts; all others may be long
_ONE_LINE = {"courier", "agent", "liable", "shop", "buyer"}
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


# ── what was sent ──


@dataclass(frozen=True)
class Posted:
    """A form that came back: texts as typed, by the names of its facts."""

    texts: Mapping[str, str] = field(default_factory=dict)
    evidence: Sequence[str] = ()
    actor: str = ""
    version: int = 0
    key: str = ""
    #: a contact recorded on the way: how, and what was said; both "" for none
    channel: str = ""
    summary: str = ""
    #: whoever sends it has been told of a promise in it and sends it all the same
    insists: bool = False
    #: a file was chosen in it, and not uploaded: without a script a browser sends only its name
    unsent: bool = False

    #: sent to be looked at, not to be done
    look: bool = False
    #: the platform that was put into the form, not chosen by a person
    platform: str = ""

    def read(self, form: Form) -> tuple[dict[str, Any], dict[str, Refused]]:
        """The values that can be read, and a refusal for each input that cannot."""
        found: dict[str, Any] = {}
        wrong: dict[str, Refused] = {}
        for name, text in self.texts.items():
            try:
                found |= Posted({name: text}).facts(form)
            except Refused as refusal:
                wrong[name] = refusal
        return found, wrong

    def facts(self, form: Form) -> dict[str, Any]:
        """Texts made into values. Refused: a text that no database can store, which must not even be looked for."""
        asked = {fact.name: fact for fact in form.facts}
        found: dict[str, Any] = {}
        for name, text in self.texts.items():
            if _UNSTORABLE.search(name + text):
                label = asked[name].label if name in asked else words.UNKNOWN_FIELD
                raise Refused("invalid_field", say("{label}：{problem}", label=label, problem=words.UNSTORABLE))
            found |= _value(form, asked.get(name), name, text)
        return found


def _value(form: Form, fact: Fact | None, name: str, text: str) -> dict[str, Any]:
    if fact is not None and fact.kind == "fen" and text.strip():
        _amount(fact, text)
    try:
        return from_text(form, {name: text})
    except ValueError:  # --5, or a number of thousands of digits: the engine says what is wrong with it
        return {name: text}


def _amount(fact: Fact, text: str) -> None:
    """People write 元, so they are told what is wrong with it in 元."""
    try:
        fen(text, allow_negative=True)
    except ValueError as problem:
        says = say("{label}：{problem}", label=fact.label, problem=said_by(problem))
        raise Refused("invalid_field", says) from None


async def _posted(request: Request) -> Posted:
    """The only part of a request that has to be waited for; the pages themselves are plain functions."""
    try:
        form = await request.form(max_files=0, max_fields=_MAX_FIELDS, max_part_size=MAX_BODY)
    except ValueError:  # no form, whatever its header says
        raise HTTPException(400, words.BROKEN_FORM) from None
    return posted_of([(name, value) for name, value in form.multi_items() if isinstance(value, str)])


def posted_of(pairs: Iterable[tuple[str, str]]) -> Posted:
    """What these texts of a form say. HTTPException 400: they are of no form of ours."""
    sent = [(name, value.replace("\r\n", "\n")) for name, value in pairs]
    own = {name: value for name, value in sent if name.startswith("_")}
    version, key = own.get(VERSION, ""), own.get(KEY, "")
    if not re.fullmatch(r"[0-9]{1,9}", version) or not re.fullmatch(r"[0-9A-Za-z_-]{16,64}", key):
        raise HTTPException(400, words.BROKEN_FORM)
    return Posted(
        texts={name: value for name, value in sent if not name.startswith("_")},
        evidence=tuple(dict.fromkeys(value for name, value in sent if name == EVIDENCE)),
        actor=own.get(WHO, ""),
        version=int(version),
        key=key,
        channel=own.get(CHANNEL, ""),
        summary=own.get(SUMMARY, "").strip(),
        insists=INSISTS in own,
        unsent=any(name.partition(":")[0] == FILE and value for name, value in own.items()),
        look=LOOK in own,
        platform=own.get(PLATFORM, ""),
    )


PostedForm = Annotated[Posted, Depends(_posted)]


def sent_before(site: Site, shop: str, posted: Posted, refusal: Refused) -> Refused:
    """Back, and the same form sent with something else in it: said as people would, and as any stale form."""
    if refusal.code != "invalid_field" or _UNSTORABLE.search(shop):
        return refusal
    used = queries.key_used(site.desk.engine, shop, posted.key)
    return Refused("stale_version", words.SENT_BEFORE) if used else refusal


def status(refusal: Refused | None) -> int:
    """Of the page that shows a form, again or for the first time."""
    if refusal is None:
        return 200
    return 409 if refusal.code == "stale_version" else 422


# ── what is read, field by field ──


@dataclass(frozen=True)
class Read:
    """What was filled in, and what is wrong with the rest, each by the name of its field."""

    values: Mapping[str, Any]
    problems: Mapping[str, str]


def read(form: Form, texts: Mapping[str, str], also: Iterable[Fact] = ()) -> Read:
    """Everything that is wrong at once, so that nobody mends one thing and is told of the next."""
    required = {fact.name for fact in (*form.asks, *also)}
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for fact in _once(form.facts):
        text = texts.get(fact.name, "")
        if not text.strip():
            problems |= {fact.name: "请选择" if fact.choices else "请填写"} if fact.name in required else {}
            continue
        try:
            values[fact.name] = _read_one(form, fact, text)
        except ValueError as problem:
            problems[fact.name] = said_by(problem)
    return Read(values, problems)


def _read_one(form: Form, fact: Fact, text: str) -> Any:
    """ValueError says what is wrong with it."""
    if _UNSTORABLE.search(text):
        raise ValueError(words.UNSTORABLE)
    if fact.kind == "fen":
        return clean(fact, fen(text, allow_negative=True))
    try:
        typed = from_text(form, {fact.name: text})[fact.name]
    except ValueError:  # --5, or a number of thousands of digits
        typed = text
    return clean(fact, typed)


# ── what is drawn ──

_NONE: Mapping[str, str] = MappingProxyType({})
_NO_LIMITS: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class Input:
    """One input: `widget` is select, checkbox, time, yuan, number, line or text."""

    name: str
    label: str
    widget: str
    required: bool
    value: str
    choices: Sequence[tuple[str, str]] = ()
    #: the value that is taken when nothing is filled in
    default: str = ""
    #: what is wrong with what was typed
    error: str = ""
    #: the largest amount, in 分
    most: int | None = None


@dataclass(frozen=True)
class Drawn:
    """A whole form for the template."""

    label: str
    inputs: Sequence[Input]
    actors: Sequence[tuple[str, str]]
    actor: str
    version: int
    evidence: Sequence[tuple[str, str]] = ()
    ticked: Sequence[str] = ()
    channel: str = "im"
    summary: str = ""
    #: new each time: a form shown again is another attempt
    key: str = field(default_factory=lambda: secrets.token_urlsafe(18))


def draw(
    form: Form,
    by: Sequence[Actor],
    *,
    version: int,
    actor: str = "",
    sent: Posted | None = None,
    evidence: bool = True,
    errors: Mapping[str, str] = _NONE,
    most: Mapping[str, int] = _NO_LIMITS,
) -> Drawn:
    """The form as it is first shown, or with everything that was typed into it. `errors`, `most`: by the names of the
    inputs."""
    able = [(one.value, gettext(one.label)) for one in sorted(by, key=lambda one: one != Actor.AGENT)]
    chosen = sent.actor if sent else actor
    return Drawn(
        label=gettext(form.label),
        inputs=[
            replace(one, error=errors.get(one.name, ""), most=most.get(one.name))
            for one in inputs(form, None if sent is None else sent.texts)
        ],
        actors=able,
        actor=chosen if chosen in dict(able) else able[0][0],
        version=version,
        evidence=tuple((kind, gettext(label)) for kind, label in EVIDENCE_LABELS.items()) if evidence else (),
        ticked=() if sent is None else sent.evidence,
        channel="im" if sent is None else sent.channel,
        summary="" if sent is None else sent.summary,
    )


def inputs(form: Form, typed: Mapping[str, str] | None) -> list[Input]:
    asked = {fact.name for fact in form.asks}
    return [_input(fact, fact.name in asked, typed) for fact in _once(form.facts) if fact.kind != "evidence"]


def _once(facts: Iterable[Fact]) -> Iterable[Fact]:
    return {fact.name: fact for fact in facts}.values()


def _input(fact: Fact, required: bool, typed: Mapping[str, str] | None) -> Input:
    default = _as_text(fact.default)
    shown_first = default if fact.kind in ("choice", "bool") else ""
    value = shown_first if typed is None else typed.get(fact.name, "")
    choices = tuple((str(choice), gettext(label)) for choice, label in fact.choices)
    return Input(fact.name, gettext(fact.label), _widget(fact), required, value, choices, default)


def _widget(fact: Fact) -> str:
    if fact.choices:
        return "select"
    if fact.kind == "text":
        short = fact.name in _ONE_LINE or fact.name.endswith(("_no", "_id", "address", "ship_to"))
        return "line" if short else "text"
    return {"bool": "checkbox", "time": "time", "fen": "yuan", "int": "number"}.get(fact.kind, "line")


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
