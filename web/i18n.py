"""Two languages: the source is Chinese, English is read from the translation files at start-up.

A message id is the Chinese text itself. `translations/en/` holds a file for each room (queue.po, tables.po ...), so
that whoever adds a page adds a file. What has no translation is shown in Chinese, and a test fails for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.pofile import read_po

from aftersales.saying import Listed, Said, Written

TRANSLATIONS = Path(__file__).parent / "translations"
LOCALES = {"zh-CN": "中文", "en": "English"}
DEFAULT = "zh-CN"
locale: ContextVar[str] = ContextVar("locale", default=DEFAULT)


@cache
def catalog(language: str) -> Mapping[str, str]:
    """Every message of this language by its Chinese; the same id in two files must mean the same in both."""
    found: dict[str, str] = {}
    for file in sorted((TRANSLATIONS / language).glob("*.po")):
        with file.open("rb") as opened:
            for message in read_po(opened, abort_invalid=True):
                if not message.id:
                    continue
                text = str(message.string)
                if found.setdefault(str(message.id), text) != text:
                    raise ValueError(f"{file.name}: {message.id!r} is translated otherwise in another file")
    return found


def english() -> bool:
    return locale.get() == "en"


def gettext(text: str, /, **values: Any) -> str:
    """The text in the language of this visit, with {names} filled in, each translated if it can be."""
    template = catalog(locale.get()).get(text) or text if locale.get() != DEFAULT else text
    return template.format(**{name: translated(value) for name, value in values.items()}) if values else template


def translated(value: Any) -> Any:
    """What the engine said, in the language of this visit; anything but text is left as it is."""
    if locale.get() == DEFAULT or not isinstance(value, str) or isinstance(value, Written):
        return value
    if isinstance(value, Said):
        return gettext(value.template, **value.values) if value.values else gettext(value.template)
    if isinstance(value, Listed):
        return gettext(value.between).join(str(translated(one)) for one in value.items)
    return gettext(value) if value else value


def said_in(sentence: str, language: str) -> str:
    """The same for somebody who is not looking at a page: in a language of their choice."""
    token = locale.set(language)
    try:
        return str(translated(sentence))
    finally:
        locale.reset(token)


def knows(text: str) -> bool:
    """Whether this text has an English beside it."""
    return bool(catalog("en").get(text))
