"""Chinese first, English beside it: nothing on an English page is left in Chinese but what people wrote."""

import re
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from tests.web.languages import untranslated
from web import i18n
from web.rendering import CHINESE

#: an element that is said to be Chinese
IN_CHINESE = re.compile(r'(?s)<(\w+)[^>]*lang="zh-CN".*?</\1>')
TEMPLATES = Path(i18n.__file__).parent / "templates"
each_template = pytest.mark.parametrize(
    "file", sorted(TEMPLATES.rglob("*.html")), ids=lambda file: str(file.relative_to(TEMPLATES))
)


def parsed(file: Path) -> nodes.Template:
    return Environment(extensions=["jinja2.ext.do"]).parse(file.read_text(encoding="utf-8"))


def test_what_is_left_in_chinese_is_found():
    html = '<p>售后</p><p lang="zh-CN">售后<b>台</b></p><img alt="图"><i title="x">ok</i>'
    assert untranslated(html) == ["售后", "alt=图"]


@each_template
def test_every_text_a_template_says_has_its_english(file):
    said = [
        call.args[0].value
        for call in parsed(file).find_all(nodes.Call)
        if getattr(call.node, "name", "") in ("_", "say") and isinstance(call.args[0], nodes.Const)
    ]
    assert [text for text in said if not i18n.knows(text)] == []


@each_template
def test_no_template_says_chinese_that_nobody_could_translate(file):
    code = re.sub(r"(?s){#.*?#}|{%.*?%}|{{.*?}}", "", file.read_text(encoding="utf-8"))
    assert CHINESE.findall(IN_CHINESE.sub("", code)) == []


def test_a_translation_fills_in_the_same_names():
    for chinese, english in i18n.catalog("en").items():
        assert set(re.findall(r"{(\w*)}", chinese)) == set(re.findall(r"{(\w*)}", english)), chinese
