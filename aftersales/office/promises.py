"""What must not be said to a buyer: cash for praise, ways around the platform, promises nobody can keep.

    find("好评返 现 5 元") -> [Hit(rule=返现, start=2, end=6)]

People hide words: full-width letters, spaces and dots between the signs, look-alikes (薇信, V信). So the text is folded
first (`_Folded`), and what is found is told by its place in the text as it was written. Sentences are not joined: a
comma between 返 and 现 hides nothing, it ends a clause.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Engine, delete, insert, select, update

from aftersales.clock import whole_second
from aftersales.database import reading, writing
from aftersales.errors import Refused
from aftersales.models import metadata
from aftersales.saying import Written, say

_RULE, _HIT = metadata.tables["keyword_rule"], metadata.tables["promise_hit"]

WARN, STOP = "warn", "stop"
SEVERITIES = {WARN: "提醒，可以坚持发", STOP: "不能发"}


@dataclass(frozen=True)
class Promise:
    """A rule: one of `include` or `regex` is there, and not inside one of `exclude`. Words are folded when compared."""

    label: str
    include: tuple[str, ...]
    reason: str
    instead: str
    exclude: tuple[str, ...] = ()
    regex: str = ""
    severity: str = WARN
    #: the operating rule behind it; "" for the house's own
    clause: str = ""
    #: of the house's own rules
    id: int | None = None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        words = [_word(folded(word)) for word in self.include if folded(word)]
        return re.compile("|".join([*words, *([f"(?:{self.regex})"] if self.regex else [])]) or "(?!)")

    @cached_property
    def allowed(self) -> re.Pattern[str]:
        return re.compile("|".join(_word(folded(word)) for word in self.exclude if folded(word)) or "(?!)")


def _word(word: str) -> str:
    """Latin words stand alone: QQ is not in QQQ, vx not in vxd."""
    begins = r"(?<![a-z])" if word[0].isascii() and word[0].isalpha() else ""
    ends = r"(?![a-z])" if word[-1].isascii() and word[-1].isalpha() else ""
    return begins + re.escape(word) + ends


@dataclass(frozen=True)
class Hit:
    """Where a rule found something, counted in the characters of the text as written."""

    rule: Promise
    start: int
    end: int


_ELSEWHERE = "这里只能用平台聊天沟通；电话里说定的，请买家在平台聊天里确认一次"
# fmt: off
BUILT_IN: Sequence[Promise] = (
    Promise("返现", ("返现", "返红包", "好评返", "返利", "好评红包", "好评有礼", "好评奖励", "五星返", "改评返"),
            "不能说有返现，也不能拿钱换好评或改评", "只说处理方案本身，例如“为您办理换货，运费由我们承担”",
            exclude=("没有返现", "不能返现", "无返现", "不支持返现"), severity=STOP, clause="OP-08"),
    Promise("微信", ("微信", "v信", "vx", "wx", "weixin", "加v", "加我v", "扫码加", "企业微信", "微信号", "wechat"),
            "不能引到平台外沟通", _ELSEWHERE,
            exclude=("微信小店", "微信支付", "微信小程序", "微信客服平台"), clause="OP-09"),
    Promise("QQ", ("qq", "扣扣", "企鹅号", "q群"), "不能引到平台外沟通", _ELSEWHERE, clause="OP-09"),
    Promise("手机号", (), "不能引到平台外沟通", _ELSEWHERE, clause="OP-09",
            regex=r"(?:加我|打我|联系我|私下|手机号?|电话)[是为:]?1[3-9][0-9]{9}"),
    Promise("转运仓", ("转运仓", "集运仓", "转运地址", "集运地址", "转运公司"),
            "不发转运仓的地址", "请买家给一个能直接收货的地址", clause="OP-10",
            exclude=("不发转运仓", "不能发转运仓", "不是转运仓", "不发集运仓")),
    Promise("保证", ("一定可穿", "一定能穿", "一定合适", "肯定合适", "保证合适", "保证", "包您满意", "百分百", "100%",
                     "绝对", "永久保修", "终身保修", "假一赔万"),
            "不能保证没有把握的事", "说事实：尺码表、材质、检测结果；拿不准就写“建议参考尺码表”",
            exclude=("保证金", "品质保证书", "不能保证", "无法保证", "不敢保证", "不保证")),
    Promise("别的平台", ("淘宝", "天猫", "拼多多", "京东", "抖音小店", "抖店", "小红书", "闲鱼", "唯品会", "1688",
                         "快手小店"),
            "不提别的平台，也不引买家去别处下单", "只说本店在这个平台上的处理办法"),
    Promise("泄露订单信息", ("别的买家的", "其他买家的", "其他客户的", "上一位买家", "代您查了他的", "把他的地址",
                             "把她的地址"),
            "不能向下单账号以外的人说订单信息，违者扣 6 分", "请下单的账号自己来问；核实身份前不说地址、电话、单号",
            severity=STOP, clause="OP-03"),
    Promise("身份证号", (), "聊天里不能出现完整的身份证号", "需要核实时走平台的实名流程",
            regex=r"(?<![0-9])[1-9][0-9]{5}(?:19|20)[0-9]{2}[01][0-9][0-3][0-9][0-9]{3}[0-9x](?![0-9x])", severity=STOP,
            clause="OP-03"),
)
# fmt: on
#: what a platform may be called on itself, by the keys of the policies
OWN_NAMES: Mapping[str, Sequence[str]] = {
    "taobao": ("淘宝", "天猫"),
    "kuaishou": ("快手小店", "快手"),
    "kuaishou_local": ("快手小店", "快手"),
    "wechat": ("微信小店", "微信", "视频号"),
}


# ── folding ──

#: look-alikes and traditional signs, as people write around the rules
_ALIKE = str.maketrans(
    "薇溦徽威维幑❤芯伩訊訫返現錢轉運倉淘寶東發紅號證終身薦個",
    "微微微微微微心信信信信返现钱转运仓淘宝东发红号证终身荐个",
)
#: 威 and 维 are words of their own elsewhere: they stand for 微 only before 信
_ONLY_BEFORE = re.compile("[威维芯徽](?!信)")
_JOINERS = set(" \t\u3000.·•・-–—_*~|/\\+#^'\"`´=()[]{}<>《》【】「」“”‘’…ˉ＊✱")
_TWO = {"➕": "加"}


class _Folded:
    """The text in one form, and where each sign of it stood. Line breaks and 。 stay: nothing joins over them."""

    def __init__(self, text: str) -> None:
        signs: list[str] = []
        self.places: list[int] = []
        for place, sign in enumerate(text):
            for plain in unicodedata.normalize("NFKC", _TWO.get(sign, sign)).casefold():
                if plain in _JOINERS or unicodedata.category(plain) in ("Cf", "Mn", "Me", "Zs"):
                    continue
                signs.append(plain)
                self.places.append(place)
        self.text = _alike("".join(signs))


def _alike(text: str) -> str:
    kept = {found.start() for found in _ONLY_BEFORE.finditer(text)}
    return "".join(sign if place in kept else sign.translate(_ALIKE) for place, sign in enumerate(text))


def folded(text: str) -> str:
    return _Folded(text).text


# ── finding ──


def find(text: str, rules: Iterable[Promise] = BUILT_IN, *, platform: str = "") -> list[Hit]:
    """Everything these rules find, in the order of the text; of overlapping places, the longest of each rule."""
    whole = _Folded(text)
    own = OWN_NAMES.get(platform, ())
    of_platform = re.compile("|".join(_word(folded(name)) for name in own) or "(?!)")
    found = [hit for rule in rules for hit in _found(rule, whole, of_platform)]
    return sorted(found, key=lambda hit: (hit.start, -hit.end))


def _found(rule: Promise, whole: _Folded, of_platform: re.Pattern[str]) -> Iterable[Hit]:
    fine = [one.span() for pattern in (rule.allowed, of_platform) for one in pattern.finditer(whole.text)]
    for one in rule.pattern.finditer(whole.text):
        start, end = one.span()
        if start < end and not any(begin <= start and end <= stop for begin, stop in fine):
            yield Hit(rule, whole.places[start], whole.places[end - 1] + 1)


def pieces(text: str, hits: Sequence[Hit]) -> list[tuple[str, bool]]:
    """The text in pieces: (piece, whether it is to be marked)."""
    marked = sorted({place for hit in hits for place in range(hit.start, hit.end)})
    cut: list[tuple[str, bool]] = []
    inside = set(marked)
    for place, sign in enumerate(text):
        if cut and cut[-1][1] == (place in inside):
            cut[-1] = (cut[-1][0] + sign, cut[-1][1])
        else:
            cut.append((sign, place in inside))
    return cut


# ── the house's own rules ──

_OWN = ("id", "label", "include", "exclude", "regex", "severity", "reason", "instead")
MOST_RULES = 200
_LONGEST_REGEX = 200


def own_rules(engine: Engine) -> list[Promise]:
    question = select(*(_RULE.c[name] for name in _OWN)).where(_RULE.c.active).order_by(_RULE.c.id).limit(MOST_RULES)
    with reading(engine) as connection:
        return [_promise(row._mapping) for row in connection.execute(question)]


def every_rule(engine: Engine) -> list[Promise]:
    return [*BUILT_IN, *own_rules(engine)]


def _promise(row: Mapping[Any, Any]) -> Promise:
    return Promise(
        label=row["label"], include=tuple(row["include"]), exclude=tuple(row["exclude"]), regex=row["regex"],
        severity=row["severity"], reason=row["reason"], instead=row["instead"], id=row["id"],
    )  # fmt: skip


def keep(engine: Engine, promise: Promise, *, by: str, at: datetime) -> int:
    """Adds the rule, or changes the one of its id. Refused: no words, or an expression that cannot be read."""
    _sound(promise)
    values = {
        "label": promise.label, "include": list(promise.include), "exclude": list(promise.exclude),
        "regex": promise.regex, "severity": promise.severity, "reason": promise.reason, "instead": promise.instead,
        "active": True, "updated_at": whole_second(at), "updated_by": by,
    }  # fmt: skip
    with writing(engine) as connection:
        if promise.id is None:
            return int(connection.execute(insert(_RULE).values(**values).returning(_RULE.c.id)).scalar_one())
        connection.execute(update(_RULE).where(_RULE.c.id == promise.id).values(**values))
        return promise.id


def remove(engine: Engine, rule_id: int) -> None:
    with writing(engine) as connection:
        connection.execute(delete(_RULE).where(_RULE.c.id == rule_id))


#: a repeated group that is repeated: such an expression can take for ever on a text of a hundred signs
_FOR_EVER = re.compile(r"\([^)]*[*+{][^)]*\)\s*[*+{]")


def _sound(promise: Promise) -> None:
    if not promise.label.strip():
        raise Refused("missing_field", say("请给规则起个名字"))
    if not any(folded(word) for word in promise.include) and not promise.regex:
        raise Refused("missing_field", say("规则「{label}」至少要写一个词，或一个表达式", label=Written(promise.label)))
    if len(promise.regex) > _LONGEST_REGEX or _FOR_EVER.search(promise.regex):
        raise Refused("invalid_field", say("表达式太长，或重复里面还有重复，会很慢，请写简单些"))
    try:
        found = re.compile(promise.regex).match("")
    except (re.error, RecursionError, OverflowError) as problem:
        raise Refused(
            "invalid_field", say("表达式看不懂（{problem}），请检查括号和反斜杠", problem=Written(str(problem)))
        ) from None
    if promise.regex and found is not None:
        raise Refused("invalid_field", say("这个表达式连空的文字也算命中，请写得具体些"))


# ── what was said in spite of a warning ──


def note_hits(
    engine: Engine, hits: Sequence[Hit], text: str, *, shop_id: int, ticket_id: int, account: str, at: datetime
) -> None:
    """For a lead to look at. The words around the place are kept, 40 signs on each side."""
    rows = [
        {
            "shop_id": shop_id, "ticket_id": ticket_id, "rule": hit.rule.label, "found": text[hit.start : hit.end],
            "said": text[max(0, hit.start - 40) : hit.end + 40], "account": account, "at": whole_second(at),
            "verdict": None, "judged_by": "",
        }
        for hit in hits
    ]  # fmt: skip
    if rows:
        with writing(engine) as connection:
            connection.execute(insert(_HIT), rows)


@dataclass(frozen=True)
class NotedHit:
    id: int
    ticket_id: int
    rule: str
    found: str
    said: str
    account: str
    at: datetime


def open_hits(engine: Engine, most: int = 50) -> list[NotedHit]:
    """Not looked at yet, the oldest first."""
    columns = (_HIT.c[name] for name in NotedHit.__dataclass_fields__)
    question = select(*columns).where(_HIT.c.verdict.is_(None)).order_by(_HIT.c.id).limit(most)
    with reading(engine) as connection:
        return [NotedHit(*row) for row in connection.execute(question)]


def judge(engine: Engine, hit_id: int, *, confirmed: bool, by: str) -> None:
    verdict = "confirmed" if confirmed else "false_positive"
    with writing(engine) as connection:
        connection.execute(update(_HIT).where(_HIT.c.id == hit_id).values(verdict=verdict, judged_by=by))
