"""What is left in Chinese on an English page: text, or an attribute that is read aloud, outside lang="zh-CN"."""

from __future__ import annotations

from html.parser import HTMLParser

from web.rendering import CHINESE

READ_ALOUD = ("title", "alt", "placeholder", "aria-label", "aria-description", "data-l")
VOID = {"input", "br", "meta", "link", "hr", "img", "source", "wbr", "col"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.languages: list[str] = ["en"]
        self.left: list[str] = []

    def handle_starttag(self, tag, attrs):
        said = dict(attrs)
        language = said.get("lang") or self.languages[-1]
        if language == "en":
            self.left += [f"{name}={said[name]}" for name in READ_ALOUD if CHINESE.search(said.get(name) or "")]
        if tag == "input" and language == "en" and said.get("type") in ("submit", "button"):
            self.left += [said["value"]] if CHINESE.search(said.get("value") or "") else []
        if tag not in VOID:
            self.languages.append(language)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if tag not in VOID:
            self.languages.pop()

    def handle_data(self, data):
        if self.languages[-1] == "en" and CHINESE.search(data):
            self.left.append(data.strip())


def untranslated(html: str) -> list[str]:
    reader = _Reader()
    reader.feed(html)
    return reader.left
