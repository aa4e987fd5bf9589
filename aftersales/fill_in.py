"""What was filled in, checked against what a form asks for: types, choices, lengths, times.

Money arrives as an integer number of 分, times as aware datetimes or as text (Asia/Shanghai unless they carry
an offset), numbers as integers. Web forms, which know only text, use `from_text` first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from aftersales.clock import parse, shown
from aftersales.errors import Refused
from aftersales.money import MAX_FEN, fen
from aftersales.saying import Written, listed, said_by, say
from aftersales.workflows.vocabulary import Fact

#: longer texts are documents: they belong in the evidence
LONGEST_TEXT = 20_000
LONGEST_NAME = 200
#: texts that are no longer than a name: they are looked for
_NAMES = {"waybill_no", "courier", "agent", "review_id", "order_no", "item_no", "buyer", "shop"}
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


class Form(Protocol):
    @property
    def label(self) -> str: ...
    @property
    def asks(self) -> tuple[Fact, ...]: ...
    @property
    def facts(self) -> tuple[Fact, ...]: ...


def filled_in(form: Form, given: Mapping[str, Any], at: datetime, also: Sequence[Fact] = ()) -> dict[str, Any]:
    """The values, well formed. `also`: what must be filled in this time, beside what always must.

    Refused: missing_field before invalid_field; each says which and what to do.
    """
    present = {name: value for name, value in given.items() if value is not None and value != ""}
    absent = [fact.label for fact in (*form.asks, *also) if fact.name not in present]
    if absent:
        says = say("「{form}」还缺：{facts}，请填写后再提交", form=form.label, facts=listed(absent))
        raise Refused("missing_field", says)
    asked = {fact.name: fact for fact in form.facts}
    for name in present:
        if name not in asked:
            raise Refused("invalid_field", _not_asked(form, name, listed(asked) or "无"))
    return {name: _clean(asked[name], value, at) for name, value in present.items()}


def sorted_out(
    form: Form, given: Mapping[str, Any], at: datetime, also: Sequence[Fact] = ()
) -> tuple[dict[str, Any], list[tuple[str, Refused]]]:
    """As `filled_in`, for a form that is still being filled in: what is well formed, and (name, refusal) for each
    input that is not, the empty ones first."""
    present = {name: value for name, value in given.items() if value is not None and value != ""}
    asked = {fact.name: fact for fact in form.facts}
    wanted = {fact.name: fact for fact in (*form.asks, *also) if fact.name not in present}
    wrong = [(name, Refused("missing_field", say("{what}还没有填", what=fact.label))) for name, fact in wanted.items()]
    well: dict[str, Any] = {}
    for name, value in present.items():
        try:
            well |= {name: _clean(asked[name], value, at)} if name in asked else {}
        except Refused as refusal:
            wrong.append((name, refusal))
    return well, wrong


def _not_asked(form: Form, name: str, able: str) -> str:
    return say("「{form}」不收「{name}」这一项，可填的有：{able}", form=form.label, name=Written(name), able=able)


def with_defaults(form: Form, given: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """Left out: the default of the fact, where it has one."""
    defaults = {
        fact.name: at if fact.default == "now" else fact.default for fact in form.facts if fact.default is not None
    }
    return {**defaults, **given}


def clean(fact: Fact, value: Any) -> Any:
    """The value as the fact has it. ValueError says what is wrong with it, without naming the fact."""
    return _CLEAN[fact.kind](fact, value)


def _clean(fact: Fact, value: Any, at: datetime) -> Any:
    try:
        cleaned = clean(fact, value)
    except ValueError as problem:
        says = say("{label}：{problem}", label=fact.label, problem=said_by(problem))
        raise Refused("invalid_field", says) from None
    if fact.name == "occurred_at" and cleaned > at:
        says = say("{label} {time} 晚于现在，请核对后重填", label=fact.label, time=shown(cleaned))
        raise Refused("invalid_field", says)
    return cleaned


def text_problem(text: str, longest: int) -> str | None:
    """What keeps the text from being stored, in words; None if nothing does."""
    if len(text) > longest:
        return say("太长了（{length} 字），最多 {longest} 字，长内容请作为凭证上传", length=len(text), longest=longest)
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        return "含有不能保存的字符，请删去后重填"
    return None


def _text(fact: Fact, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("要填文字")
    text = value.strip()
    longest = LONGEST_NAME if fact.name in _NAMES else LONGEST_TEXT
    problem = text_problem(text, longest)
    if problem is not None:
        raise ValueError(problem)
    if not text:
        raise ValueError("不能只填空格")
    return text


def _int(fact: Fact, value: Any) -> int:
    if type(value) is not int:
        raise ValueError("要填整数")
    if fact.at_least is not None and value < fact.at_least:
        raise ValueError(say("不能小于 {least}", least=fact.at_least))
    if value > 1_000_000:
        raise ValueError("数字太大，请核对")
    return value


def _fen(fact: Fact, value: Any) -> int:
    if type(value) is not int:
        raise ValueError("金额以分为单位，要填整数")
    if fact.at_least is not None and value < fact.at_least:
        raise ValueError(say("不能小于 {least} 分", least=fact.at_least))
    if abs(value) > MAX_FEN:
        raise ValueError("金额太大，请核对单位是不是分")
    return value


def _bool(fact: Fact, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("要填是或否（true 或 false）")
    return value


def _time(fact: Fact, value: Any) -> datetime:
    instant = parse(value)
    if not _EARLIEST <= instant <= _LATEST:
        raise ValueError(say("{time} 不像是真的时间，请核对年份", time=shown(instant)))
    return instant


def _choice(fact: Fact, value: Any) -> Any:
    for choice, _ in fact.choices:
        if choice == value and type(choice) is type(value):
            return choice
    able = listed(say("{choice}（{label}）", choice=choice, label=label) for choice, label in fact.choices)
    raise ValueError(say("没有「{value}」这个选项，可选：{able}", value=Written(value), able=able))


_FINGERPRINTS = re.compile("[0-9a-f]{64}( [0-9a-f]{64})*")


def _evidence(_fact: Fact, value: Any) -> str:
    """The SHA-256 of files, in hexadecimal digits, a space between them."""
    if not isinstance(value, str) or not _FINGERPRINTS.fullmatch(value):
        raise ValueError("要填文件的 SHA-256")
    return value


_CLEAN = {
    "text": _text, "int": _int, "fen": _fen, "bool": _bool, "time": _time, "choice": _choice, "evidence": _evidence,
}  # fmt: skip


# ── from a web form or a file ──


def from_text(form: Form, given: Mapping[str, str]) -> dict[str, Any]:
    """Texts turned into the types the facts have; what cannot be turned stays text, and is refused with a
    proper sentence by `filled_in`. Amounts are written in 元 by people."""
    asked = {fact.name: fact for fact in form.facts}
    return {name: _typed(asked.get(name), text.strip()) for name, text in given.items() if text.strip()}


_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")


def _typed(fact: Fact | None, text: str) -> Any:
    if fact is None:
        return text
    if fact.kind == "bool":
        return {"true": True, "1": True, "on": True, "是": True, "false": False, "0": False, "否": False}.get(
            text, text
        )
    if fact.kind == "choice":
        return next((value for value, _ in fact.choices if str(value) == text), text)
    if fact.kind == "fen":
        return fen(text, allow_negative=True) if _is_amount(text) else text
    if fact.kind == "int" and _WHOLE_NUMBER.fullmatch(text):
        return int(text)
    return text


def _is_amount(text: str) -> bool:
    try:
        fen(text, allow_negative=True)
    except ValueError:
        return False
    return True
