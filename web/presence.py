"""Who else is looking, in words: beside a ticket, and in a row of the queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from aftersales import clock
from aftersales.decide import Rules
from aftersales.office import presence
from aftersales.office.presence import Looking
from web import identity, visit, words
from web.i18n import gettext, translated
from web.rendering import data, icon, offer
from web.site import Site

#: names told in one sentence
MOST_NAMES = 3


@dataclass(frozen=True)
class Said:
    """`html` stands beside the ticket, `mark` in a row of the queue."""

    html: Markup
    mark: Markup
    editing: bool


NOBODY = Said(Markup(""), Markup(""), False)


def of(people: Sequence[Looking], rules: Rules) -> Said:
    """Those who fill in a form, one by one; then those who read."""
    if not people:
        return NOBODY
    filling = [_filling(one, rules) for one in people if one.doing][:MOST_NAMES]
    reading = [one.name for one in people if not one.doing]
    sentences = [*filling, *([_reading(reading)] if reading else [])]
    html = icon("eye") + Markup(" ").join(Markup("<span>{}</span>").format(one) for one in sentences)
    mark = icon("pencil") + gettext("正在改") if filling else icon("eye") + gettext("在看")
    return Said(html, mark, bool(filling))


def sentence(text: str, /, **values: Any) -> Markup:
    """As gettext, of values that are markup already; what is not is escaped."""
    return escape(gettext(text)).format(**values)


def _filling(one: Looking, rules: Rules) -> Markup:
    form = translated(words.move_label(rules, one.workflow, one.doing))
    return sentence("{name}正在填「{form}」", name=data(one.name), form=form)


def _reading(names: Sequence[str]) -> Markup:
    several = escape(gettext("、")).join(data(name) for name in names[:MOST_NAMES])
    if len(names) > MOST_NAMES:
        return sentence("{names}等 {n} 人也在看", names=several, n=len(names))
    return sentence("{names}也在看" if len(names) == 1 else "{names}都在看", names=several)


def lookers(ticket_id: int) -> Said:
    """For templates: who else has this ticket open as the page is made. All of it is asked for once a visit."""
    known = visit.current.get().known
    site: Site = known["site"]
    if "present" not in known:
        known["present"] = presence.everywhere(site.desk.engine, clock.now())
    me = identity.me(site)
    people = known["present"].get(ticket_id, ())
    return of([one for one in people if me is None or one.account_id != me.id], site.rules())


offer(lookers=lookers)
