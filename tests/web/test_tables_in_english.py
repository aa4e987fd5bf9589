"""The tables and the engine speak Chinese; what they say has its English beside it, word by word."""

import ast
import re
from datetime import date
from pathlib import Path

import pytest

import aftersales
from aftersales import rulebook
from aftersales.catalog import built_in
from aftersales.clock import lasting
from aftersales.errors import Refused
from aftersales.explain import _noun_of, explain, one_line, render
from aftersales.explanation import limit_words, version_words
from aftersales.policies.vocabulary import Rule, Window
from aftersales.saying import Said, Written, listed, say
from aftersales.workflows import facts
from aftersales.workflows.facts import EVIDENCE_LABELS
from aftersales.workflows.guards import Guard
from aftersales.workflows.links import RELATIONS
from aftersales.workflows.plain import PLAIN_ACTIONS
from aftersales.workflows.vocabulary import Actor, Fact, Party, Timeout
from tests.web.languages import untranslated
from web import i18n, words
from web.pages import feeds
from web.rendering import CHINESE, spoken

HERE = Path(aftersales.__file__).parent
WEB = Path(i18n.__file__).parent
CATALOG = built_in()
#: every Chinese text in these is shown to people
SPOKEN = [
    *(HERE / f"{name}.py" for name in ("clock", "money", "decide", "machine", "desk", "fill_in", "arrivals")),
    *(HERE / f"{name}.py" for name in ("explain", "explanation", "workflows/guards", "workflows/plain")),
    *(HERE / f"workflows/{name}.py" for name in ("facts", "links", *CATALOG.workflows)),
    *(HERE / f"policies/{name}.py" for name in ("statute", "house", *CATALOG.policies)),
    *(file for file in WEB.rglob("*.py") if file.name not in ("i18n.py", "rendering.py")),
]
#: parts of patterns, words that are looked for, what keeps apart the halves of a label, a language's own name
HAN = re.compile("[\u3400-\u9fff]")
NOT_SHOWN = {"门店设置：", "日", "时间", "，", "逾期", "转运仓", "轉運倉", "集运仓", "集運倉", "返现", "返現"}
NOT_SHOWN |= {"中文", "好评", "好評", "改评", "改評", "删评", "刪評"}
#: said to programs, in both languages at once
NOT_SHOWN |= {feeds.CUT_OFF, feeds.BUSY}
#: what a table quotes stays in its own language
QUOTED = ("quote", "title", "source")


@pytest.fixture
def english():
    token = i18n.locale.set("en")
    yield
    i18n.locale.reset(token)


def left_in_chinese(texts) -> list[str]:
    return [text for text in texts if CHINESE.search(str(i18n.translated(text)))]


# ── what is written in the source ──


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def said_in(tree: ast.AST) -> list[str]:
    """The templates of say(...) and gettext(...)."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    first = [call.args[0] for call in calls if call.func.id in ("say", "gettext") and call.args]
    return [text.value for text in first if isinstance(text, ast.Constant)]


def chinese_in(tree: ast.AST) -> list[str]:
    """Every Chinese text that is no docstring, no quote and no pattern; of an f-string, the whole of it."""
    aside = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):  # docstrings
            aside.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            aside |= {id(part) for part in node.values}
        quoted = node.args[:1] if isinstance(node, ast.Call) and ast.unparse(node.func) == "Document" else []
        quoted += [node.value] if isinstance(node, ast.keyword) and node.arg in QUOTED else []
        aside |= {id(part) for one in quoted for part in ast.walk(one)}
    nodes = [node for node in ast.walk(tree) if id(node) not in aside]
    whole = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    pieced = [ast.unparse(node) for node in nodes if isinstance(node, ast.JoinedStr)]
    return [text for text in whole if CHINESE.search(text)] + [text for text in pieced if HAN.search(text)]


def test_every_sentence_that_is_made_has_its_english():
    files = [*HERE.rglob("*.py"), *WEB.rglob("*.py")]
    made = [(file.name, text) for file in files for text in said_in(parsed(file)) if CHINESE.search(text)]
    assert [(name, text) for name, text in made if not i18n.knows(text)] == []


@pytest.mark.parametrize("file", SPOKEN, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_nothing_is_said_that_has_no_english(file):
    patterns = {text for text in chinese_in(parsed(file)) if re.search(r"\[0-9|\(\?|元\]|\[\\s", text)}
    for_programmers = {text for text in chinese_in(parsed(file)) if text.startswith("f'") and "clock.parse" in text}
    told = [text for text in chinese_in(parsed(file)) if text not in {*NOT_SHOWN, *patterns, *for_programmers}]
    assert [text for text in told if not i18n.knows(text)] == []


# ── what the tables hold ──


def every_guard() -> list[Guard]:
    moves = [move for table in CATALOG.workflows.values() for move in table.moves]
    found = [guard for move in moves for guard in (*move.only, *move.needs)]
    found += [needed.when for move in moves for needed in move.asks_if]
    for policy in CATALOG.policies.values():
        for rule in policy.rules:
            when = getattr(rule, "when", None)
            found += [] if when is None else list(when) if isinstance(when, tuple) else [when]
    return found


def every_label() -> list[str]:
    found = [fact.label for fact in vars(facts).values() if isinstance(fact, Fact)]
    found += [label for fact in vars(facts).values() if isinstance(fact, Fact) for _, label in fact.choices]
    found += [*EVIDENCE_LABELS.values(), *RELATIONS.values(), *(action.label for action in PLAIN_ACTIONS.values())]
    found += [*(actor.label for actor in Actor), *(party.value for party in Party)]
    for table in CATALOG.workflows.values():
        found += [table.label, table.__doc__, *(state.label for state in table.states)]
        for move in table.moves:
            found += [move.label, *(branch.says for branch in move.branches if branch.says)]
            found += [fact.label for fact in move.facts]
    return [*found, *(guard.says for guard in every_guard())]


def every_rule_text() -> list[str]:
    found = [policy.label for policy in CATALOG.policies.values()]
    found += [target.label for target in CATALOG.house.targets] + [target.off for target in CATALOG.house.targets]
    for policy in CATALOG.policies.values():
        for rule in policy.rules:
            found.append(rule.label)
            if isinstance(rule, Rule):
                for limit in rule.history:
                    found += [limit.sentence, limit.because, limit.assumed, limit.off, str(limit.within or "")]
                    found += [_noun_of(limit.counted_from)] if limit.counted_from else []
            elif isinstance(rule, Window):
                found += [str(rule.within), _noun_of(rule.counted_from), rule.assumed, rule.off]
    return found


def test_every_label_of_the_tables_has_its_english(english):
    assert left_in_chinese(every_label()) == []


def test_every_rule_has_its_english(english):
    assert left_in_chinese(every_rule_text()) == []


def test_what_a_timeout_leads_to_can_be_said_alone(english):
    """one_line says only the second half of 逾期未处理，视为同意换货."""
    moves = [move for table in CATALOG.workflows.values() for move in table.moves if isinstance(move, Timeout)]
    halves = [move.label.rpartition("，") for move in moves]
    assert left_in_chinese(then for before, _, then in halves if "逾期" in before) == []


def test_the_rule_book_of_a_day_can_be_read_in_english(english):
    day = date(2026, 10, 2)
    lines = [line for policy in CATALOG.policies.values() for line in rulebook.rules_on(policy, day)]
    assert left_in_chinese(text for line in lines for text in (line.sentence, line.when, *line.states)) == []


def test_the_words_of_codes_have_their_english(english):
    tables = (words.FLAGS, words.NO_CLOCK, words.BASIS, words.AUTHORITIES, words.PLACE, words.CLOCK_EFFECTS)
    tables += (words.EVENT_KINDS, words.GOODS, words._OTHER_FIELDS)
    assert left_in_chinese(label for table in tables for label in table.values()) == []


def test_the_names_of_holidays_have_their_english(english):
    from chinese_calendar import constants

    assert left_in_chinese([holiday.chinese for holiday in constants.Holiday]) == []


# ── how sentences are put together ──


def test_a_sentence_is_said_in_english_with_its_parts(english):
    refused = Refused(
        "missing_field", say("「{form}」还缺：{facts}，请填写后再提交", form="驳回", facts=listed(["拒绝理由", "金额"]))
    )
    assert str(refused) == "「驳回」还缺：拒绝理由、金额，请填写后再提交"
    assert (
        i18n.translated(refused.message)
        == "“Reject” still lacks: Reason for rejection, Amount. Fill in and submit again"
    )


def test_what_people_wrote_is_never_translated_and_is_marked(english):
    sentence = say("没有「{kind}」这种凭证，请从列表里选", kind=Written("照片"))
    assert i18n.translated(sentence) == "There is no evidence of kind “照片”, choose from the list"
    assert '<span lang="zh-CN">照片</span>' in spoken(sentence)


def test_what_people_wrote_cannot_become_markup(english):
    assert "<b>" not in spoken(say("没有「{kind}」这种凭证，请从列表里选", kind=Written("<b>照片")))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(70_080, "19 h 28 min"), (223_200, "2 d 14 h"), (86_400, "24 h"), (-5, "5 s past"), (0, "0 s"), (60, "1 min")],
)
def test_a_length_of_time(english, seconds, said):
    assert words.lasting(seconds) == said
    assert i18n.translated(lasting(seconds)) == said


def test_versions_and_limits(english):
    assert i18n.translated(version_words("2022-09-30")) == "version 2022-09-30"
    length = CATALOG.policies["kuaishou"].rule("KS-EX-01").history[0].within
    assert i18n.translated(limit_words(str(length))) == "within 48 h"


def test_a_sentence_outlives_being_copied():
    import copy
    import pickle

    made = say("还剩 {span}", span=lasting(3_600))
    for again in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert again == made == "还剩 1 小时"
        assert isinstance(again, Said)
        assert again.values == made.values


@pytest.fixture
def told(world):
    """Tickets about which there is much to say."""
    waiting, inspecting = world.open(ago=28.5), world.inspecting()
    paused = world.open("refund", "wechat", ago=2)
    paused = world.do(paused, "propose", reason="少退一点", amount_fen=100)
    late = world.open("repair", needs_on_site=True, ago=24 * 4)
    imported = world.place("refund", "pending_merchant_review", "taobao")
    voucher = world.open("refund", "kuaishou_local", kind="voucher", voucher_total=2)
    closed = world.do(world.open(ago=1), "cancel", "buyer")
    return [waiting, inspecting, paused, late, imported, voucher, closed]


def test_a_whole_explanation_in_english(english, world, told):
    for ticket in told:
        explanation = explain(world.engine, ticket, world.rules, now=world.now)
        lines = [*render(explanation).items, one_line(explanation)]
        assert untranslated("".join(f"<p>{spoken(line)}</p>" for line in lines)) == []


def test_an_explanation_names_what_runs_out(english, world):
    explanation = explain(world.engine, world.open(ago=28.5), world.rules, now=world.now)
    assert i18n.translated(one_line(explanation)).endswith(
        "KS-EX-01 within 48 h (version 2022-09-30), from 2026-10-01 10:02:00 (request), until 2026-10-03 10:02:00; "
        "when it runs out: exchange deemed approved"
    )
