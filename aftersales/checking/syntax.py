"""Python's complaints, in words for people who do not write Python."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from aftersales.checking.problem import meant
from aftersales.workflows import vocabulary

# ── it cannot even be read ──

_FULL_WIDTH = {
    "，": ",", "（": "(", "）": ")", "：": ":", "“": '"', "”": '"', "‘": "'", "’": "'", "＝": "=", "【": "[", "】": "]",
    "、": ",", "。": ".", "；": ",", "＊": "*", "［": "[", "］": "]", "＂": '"',
}  # fmt: skip

#: (what Python says, what we say)
_SYNTAX = [
    (r"invalid character '(.)'", None),
    (r"invalid non-printable character U\+(\w+)", "这里有一个看不见的字符（多半是全角空格），请删掉，改用普通空格"),
    (r"'(.)' was never closed", "这一行的「{0}」没有配对的另一半，请补上"),
    (r"unmatched '(.)'", "这一行多了一个「{0}」，或者前面少了它的另一半"),
    (r"closing parenthesis '(.)' does not match opening parenthesis '(.)'", "括号不配对：前面是「{1}」，这里是「{0}」"),
    (r"unterminated triple-quoted", "文件里有一处三个引号的说明没有结束，请在说明末尾补上三个引号"),
    (r"unterminated string literal", "这一行的引号没有配对，请在文字末尾补上引号"),
    (r"Perhaps you forgot a comma", "这里多半少了一个逗号，请看这一行和上一行的末尾"),
    (r"Maybe you meant '=='|cannot assign to|expression cannot contain assignment", "等号的写法不对，请对照别的行"),
    (r"keyword argument repeated: (\w+)", "「{0}=」写了两次，请只留一个"),
    (r"positional argument follows keyword argument", "没有「名字=」的项要写在有「名字=」的项前面"),
    (r"unexpected indent|unindent|expected an indented|inconsistent use of tabs", "行首的空格不对，请与上下行对齐"),
    (r"null bytes", "文件里有不是文字的内容，请用编辑器另存为普通文本"),
    (r"too many nested|too complex|recursion", "括号套得太深，请对照别的行"),
]  # fmt: skip


def in_plain_words(error: Exception) -> tuple[int, str]:
    """(line, message) of a file that cannot be read."""
    line = getattr(error, "lineno", None) or 1
    said = getattr(error, "msg", None) or str(error) or "too complex"
    for pattern, ours in _SYNTAX:
        found = re.search(pattern, said)
        if found:
            return line, (ours.format(*found.groups()) if ours else _wrong_character(found[1]))
    return line, f"这一行写法有误，多半是括号、引号或逗号，请对照别的行（Python 说：{said}）"


def _wrong_character(character: str) -> str:
    if character in _FULL_WIDTH:
        return f"这里用了中文标点「{character}」，请改成英文的「{_FULL_WIDTH[character]}」"
    return f"这里不能用「{character}」，如果是文字请放进引号里"


# ── it can be read, but a word was used wrongly ──

#: how each word is written, for the words people get wrong
_USAGE = {
    "Document": 'Document("标题", effective="2022-09-30", source="出处", checked_on="2026-11-23")',
    "Rule": 'Rule("编号", "名称", 流程.状态, since(…))',
    "since": 'since(哪份文件, 限多久, then=流程.到期, quote="原文")',
    "unchanged": 'unchanged(哪份文件, quote="原文")',
    "no_limit": 'no_limit(哪份文件, because="为什么不限")',
    "Policy": 'Policy(key="英文名", label="平台名", documents=[…], rules=[…])',
    "Target": 'Target("编号", "名称", 流程.状态, hours(48))',
    "State": 'State("中文名", waits_for=MERCHANT)',
    "Step": 'Step("按钮文字", 从哪个状态, 到哪个状态)',
    "Opening": 'Opening("按钮文字", 到哪个状态, by=BUYER)',
    "Timeout": 'Timeout("说明", 从哪个状态, 到哪个状态)',
    "Escalation": 'Escalation("说明", 哪个状态)',
    "__init_subclass__": 'class 名字(Workflow, key="英文名", label="中文名", code="EX")',
}
#: what the things are called that a word asks for
_PARAMETERS = {
    "label": "名称", "source": "从哪个状态", "to": "到哪个状态", "while_in": "在哪个状态", "within": "限多久",
    "then": "到期怎么办", "document": "哪份文件", "quote": "原文", "because": "为什么不限", "effective": "生效日期",
}  # fmt: skip
_CALL = r"^(?:\w+\.)*?(\w+?)(?:\.__init__)?\(\) "
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


def wrong_use(error: BaseException, names: Mapping[str, Any]) -> str:
    """What went wrong while the table was put together. `names`: those of the table, to guess what was meant."""
    said = str(error)
    if _CHINESE.search(said):  # the vocabulary has spoken
        return said if "请" in said or "要写" in said else f"{said}，请改这一行"
    for explain in (_unknown_keyword, _missing, _too_many, _wrong_thing):
        message = explain(said, names)
        if message:
            return message
    return f"这一行的写法不对，请对照同一个文件里别的行（Python 说：{type(error).__name__} {said}）"


def _unknown_keyword(said: str, names: Mapping[str, Any]) -> str | None:
    found = re.search(_CALL + r"got an unexpected keyword argument '(\w+)'", said)
    if found is None:
        return None
    word, keyword = found.groups()
    known = [name for name in _keywords(names.get(word) or vars(vocabulary).get(word)) if name != "self"]
    return f"{_shown(word)}没有「{keyword}=」这一项，{meant(keyword, known, '请检查拼写；')}{_usage(word)}"


def _missing(said: str, names: Mapping[str, Any]) -> str | None:
    found = re.search(_CALL + r"missing \d+ required [\w-]+(?: [\w-]+)? arguments?: (.+)", said)
    if found is None:
        return None
    word = found[1]
    missing = [f"{_PARAMETERS[name]}（{name}）" if name in _PARAMETERS else name for name in _quoted(found[2])]
    return f"{_shown(word)}还缺{'、'.join(missing)}，请补上{'；' if word in _USAGE else ''}{_usage(word)}"


def _too_many(said: str, names: Mapping[str, Any]) -> str | None:
    found = re.search(_CALL + r"takes .* positional arguments? but .* given", said)
    if found is None:
        return None
    word = found[1]
    return f"{_shown(word)}里写多了，或者少写了「名字=」，请改正{'；' if word in _USAGE else ''}{_usage(word)}"


def _wrong_thing(said: str, names: Mapping[str, Any]) -> str | None:
    found = re.search(r"^'(\w+)' object (?:has no attribute|is not)|^type object '(\w+)' has no attribute", said)
    return found and f"这一行里的 {found[1] or found[2]} 放错了地方，请对照同一个文件里别的行"


def _quoted(said: str) -> list[str]:
    return re.findall(r"'(\w+)'", said)


def _shown(word: str) -> str:
    return {"__init_subclass__": "流程的第一行", "Move": "这一行"}.get(word, f"{word} ")


def _usage(word: str) -> str:
    return f"写法：{_USAGE[word]}" if word in _USAGE else ""


def _keywords(word: Any) -> list[str]:
    try:
        return list(inspect.signature(word).parameters)
    except (TypeError, ValueError):
        return []
