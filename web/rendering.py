"""Templates: one Jinja environment, everything escaped, and what every template may use.

{{ _("待办工单") }}      the page's own words; with values also in attributes
{{ say("没有 {number} 这张工单", number=number) }}   the same in running text, where what people wrote is marked
{{ label | t }}          words of the tables and of the engine; what people wrote inside, and words of the operator's
                         own rule files, are marked as `data` marks them: in an attribute {{ label | t | striptags }}
{{ buyer | data }}       what people wrote: stays as it is, marked lang="zh-CN" on an English page
{{ icon("clock") }}      a picture of icons.svg, silent to screen readers
{{ at | shown }} {{ seconds | lasting }} {{ fen | yuan }}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from aftersales import clock
from aftersales.clock import shown, shown_to_machines
from aftersales.money import yuan
from aftersales.saying import Listed, Said, Written, say
from web import i18n, shell, try_moment, visit, words
from web.assets import asset, integrity

_templates = Environment(
    loader=PackageLoader("web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
#: what is not written in Latin letters: Chinese text and its punctuation
CHINESE = re.compile("[\u3000-\u303f\u3400-\u9fff\uf900-\ufaff\uff00-\uff65\U00020000-\U0003ffff]")


def data(text: Any) -> Markup:
    """What people or platforms wrote: never translated, and said to be Chinese where the page is not."""
    said = escape("" if text is None else text)
    if i18n.english() and CHINESE.search(str(text)):
        return Markup('<span lang="zh-CN">{}</span>').format(said)
    return said


def spoken(value: Any) -> Any:
    """What the tables call it and what the engine said, in the language of this visit.

    Words without an English, such as those of the operator's own rule files, are said to be Chinese.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    if not i18n.english():
        return escape(value)
    if isinstance(value, Listed):
        return escape(i18n.gettext(value.between)).join(spoken(one) for one in value.items)
    if isinstance(value, Said) and i18n.knows(value.template):
        parts = {name: spoken(one) for name, one in value.values.items()}
        return Markup(escape(i18n.gettext(value.template))).format(**parts)  # noqa: S704 -- escaped here
    return escape(i18n.gettext(value)) if i18n.knows(value) and not isinstance(value, Written) else data(value)


def phrase(text: str, /, **values: Any) -> Any:
    """The page's own words with values in them, each shown as `t` shows it."""
    return spoken(say(text, **values))


def icon(name: str) -> Markup:
    return Markup('<svg class="i" aria-hidden="true"><use href="{}#{}"/></svg>').format(asset("icons.svg"), name)


def moment(instant: datetime) -> Markup:
    """<time> to the minute, as words.brief says it, with the whole instant for machines."""
    return Markup('<time class="nb" datetime="{}">{}</time>').format(
        shown_to_machines(instant), words.brief(instant, clock.now())
    )


def _path_with(**changed: Any) -> str:
    return visit.current.get().with_query(changed)


_templates.globals |= {
    "_": i18n.gettext,
    "say": phrase,
    "asset": asset,
    "integrity": integrity,
    "icon": icon,
    "words": words,
    "shell": shell.shell,
    "language_switch": shell.language_switch,
    "visit": visit.current.get,
    "path_with": _path_with,
    "moment_tried": try_moment.of_visit,
    "english": i18n.english,
}
_templates.filters |= {
    "yuan": yuan,
    "shown": shown,
    "moment": moment,
    "machine": shown_to_machines,
    "brief": words.brief_now,
    "lasting": words.lasting,
    "t": spoken,
    "data": data,
}


def offer(**more: Any) -> None:
    """Puts more into the hands of every template; for modules that themselves use this one."""
    _templates.globals |= more


def compile_all() -> None:
    """Every template: the first look at each page need not wait for that."""
    for name in _templates.list_templates(extensions=["html"]):
        _templates.get_template(name)


def page(
    name: str, context: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """The page of this template. A lone surrogate, which no page can carry, becomes a question mark."""
    text = _templates.get_template(name).render(context)
    return HTMLResponse(text.encode("utf-8", "replace"), status, dict(headers or {}))
