"""`aftersales check`: every message word for word, defects planted in the shipped tables, and how long tickets live.

The bad examples stand in tests/bad/, one mistake each: the tables, and after `=== check` what must be said of them.
"""

import json
import re
import shutil
import time
from pathlib import Path

import pytest

from aftersales import check
from aftersales.catalog import built_in
from aftersales.checking import sources as reading
from aftersales.checking.examine import examine
from aftersales.checking.lives import lives
from aftersales.checking.rulings import _ASKED_BY
from aftersales.checking.sources import PACKAGE, POLICIES, WORKFLOWS, Source
from aftersales.policies.vocabulary import Ruling

BAD = sorted((Path(__file__).parents[1] / "bad").glob("*.txt"))
REAL = list(built_in().workflows.values())


def read_example(path):
    """The tables of a bad example by their place, and what must be said of them."""
    tables, expected = {}, []
    lines = expected
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.startswith("=== "):
            place = line.split()[1]
            lines = expected if place == "check" else tables.setdefault(place, [])
        else:
            lines.append(line)
    return {place: "".join(text) for place, text in tables.items()}, [line.rstrip("\n") for line in expected]


def said_of(tables):
    """What is said of these tables, beside the shipped ones."""
    beside, _ = reading.shipped()
    own = {}
    for place, text in tables.items():
        folder, name = place.removesuffix(".py").split("/")
        source = Source(folder, name, f"{name}.py", text)
        own[source.module] = source
    return [str(problem) for problem in examine(own, beside, REAL).problems]


# ── every message, word for word ──


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_example(path):
    tables, expected = read_example(path)
    assert said_of(tables) == expected
    assert any(f" {path.stem.split('-')[0]} " in line for line in expected)


def test_every_code_of_a_table_has_a_bad_example():
    code = re.compile(r'"([TWPHL][0-9]+)"')
    known = {found for file in (PACKAGE / "checking").glob("*.py") for found in code.findall(file.read_text("utf-8"))}
    known -= {"P21"}  # compares two versions: tests/unit/test_catalog.py
    assert known == {path.stem.split("-")[0] for path in BAD}


def test_every_message_says_what_to_do():
    said = [line for path in BAD for line in read_example(path)[1]]
    assert [line for line in said if not re.search("请|是不是|可以用|要写成", line)] == []


# ── files that cannot be read ──


def said_of_file(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    _, problems = reading.in_rules_dir(tmp_path)
    return [f"{problem.line} {problem.code} {problem.message}" for problem in problems]


def test_a_file_saved_in_another_encoding(tmp_path):
    text = '"""快手小店"""\n'.encode("gb18030")
    assert said_of_file(tmp_path, "shop.py", b"# first\n" + text) == [
        "2 F4 文件不是 UTF-8 编码，请用编辑器另存为 UTF-8 再试"
    ]


def test_a_file_with_a_mark_of_windows_is_read(tmp_path):
    assert said_of_file(tmp_path, "shop.py", b"\xef\xbb\xbf" + '"""平台"""\r\n'.encode()) == []


@pytest.mark.parametrize("name", ["shop (1).py", "店铺.py", "Shop.py", "shop-2.py"])
def test_a_copy_that_an_editor_left_behind(tmp_path, name):
    [said] = said_of_file(tmp_path, name, b"")
    stem = name.removesuffix(".py")
    assert said == f"1 F2 文件名「{stem}」不能用，没有读它；请只用小写英文字母、数字和下划线"


def test_a_file_of_the_program_cannot_be_replaced(tmp_path):
    [said] = said_of_file(tmp_path, "vocabulary.py", b"")
    assert said == "1 F2 vocabulary.py 是程序的一部分，不能替换，请换一个文件名"


def test_a_file_too_large_to_be_a_table(tmp_path):
    [said] = said_of_file(tmp_path, "shop.py", b"#" * 300_001)
    assert said == "1 F3 文件超过 300 KB，不像规则表，没有读它；请检查是不是放错了文件"


def test_a_folder_that_is_named_like_a_table(tmp_path):
    (tmp_path / "shop.py").mkdir()
    _, [problem] = reading.in_rules_dir(tmp_path)
    assert problem.code == "F5"
    assert problem.message.startswith("文件读不出来（")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5_000,
        "[" * 500 + "]" * 500,
        "1\x00",
        "'\ud800'",
        "-" * 9_000 + "1",
        "a" + ".one_of" * 2_000,
        "1" + "+1" * 5_000,
    ],
    ids=["brackets", "lists", "null", "surrogate", "minus", "dots", "sums"],
)
def test_a_text_that_chokes_python_is_a_problem_like_any_other(text):
    [said, *_] = said_of({"policies/shop.py": f'"""平台"""\nx = {text}\n'})
    assert said.startswith("shop.py:")


# ── defects planted in the shipped tables ──


@pytest.fixture
def copy(tmp_path):
    for folder in (WORKFLOWS, POLICIES):
        shutil.copytree(PACKAGE / folder, tmp_path / folder)
    return tmp_path


@pytest.fixture
def plant(copy):
    """Changes a copy of a shipped table, and gives what is then said that was not said before."""
    before = set(map(str, check.check_everything(package=copy).problems))

    def plant(file, old, new):
        path = copy / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new), encoding="utf-8")
        after = [str(problem).removeprefix(f"{copy}/") for problem in check.check_everything(package=copy).problems]
        known = {said.removeprefix(f"{copy}/") for said in before}
        return [said for said in after if said not in known]

    return plant


def line_of(file, text):
    lines = (PACKAGE / file).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_a_then_that_was_swapped(plant):
    line = line_of("policies/kuaishou.py", "then=Exchange.auto_approve")
    instead = "可以用：Exchange.auto_approve（逾期未处理，视为同意换货）"
    assert plant("policies/kuaishou.py", "then=Exchange.auto_approve", "then=Exchange.return_timeout") == [
        f"policies/kuaishou.py:{line}: P9 「逾期未寄回，关闭换货」不能从「待商家审核」触发；{instead}"
    ]


def test_a_rule_that_was_deleted(plant):
    rule = """    Rule("KS-EX-G1", "商家发出换货商品", Exchange.awaiting_reship,
         no_limit(v2022_09_30, because="规则没有规定换货发出的时限，由店铺内部目标提醒")),
"""
    [said] = plant("policies/kuaishou.py", rule, "")
    assert said.endswith('P4 换货「待商家发出换货商品」没有规则；没有时限请写 no_limit(…, because="…")')


def test_a_state_from_which_nothing_leads_out(plant):
    row = '    # ── 开单 ──\n    apply = Opening(\n        "申请换货"'
    trap = '    limbo = State("悬置", waits_for=MERCHANT)\n    hang = Step("悬置工单", inspecting, limbo)\n\n'
    said = plant("workflows/exchange.py", row, trap + row)
    assert any("「悬置」没有任何动作能离开，工单会卡死在这里，请加一个通向终点的动作" in line for line in said)
    # the others have a rule for all of Exchange.waiting
    assert [line.split(":")[0] for line in said if " P4 " in line] == ["policies/kuaishou.py"]


def test_a_name_that_was_misspelt(plant):
    line = line_of("policies/kuaishou.py", "then=Exchange.auto_approve")
    assert plant("policies/kuaishou.py", "then=Exchange.auto_approve", "then=Exchange.auto_aprove") == [
        f"policies/kuaishou.py:{line}: T9 Exchange 里没有「auto_aprove」，是不是「auto_approve」？"
    ]


def test_a_state_that_was_renamed_is_found_wherever_it_is_used(plant):
    said = plant("workflows/bad_review.py", "    amendment_invited   = State", "    invited_to_amend    = State")
    files = {line.split(":")[0] for line in said}
    assert files == {"workflows/bad_review.py", "policies/taobao.py"}


def test_a_condition_that_was_taken_away_makes_a_rule_powerless(plant):
    [said] = plant("workflows/refund.py", "guards.within_window, guards.attempts_left,", "guards.within_window,")
    assert said.endswith("P13 「申请退款」不问这条规则，写了也不起作用；请开发给它加上 needs=[guards.attempts_left]")


def test_a_timeout_that_leads_back_makes_a_loop(plant):
    old = 'Timeout("逾期未寄回，关闭换货", awaiting_buyer_return, closed_timeout)'
    said = plant("workflows/exchange.py", old, old.replace("closed_timeout", "pending_merchant_review"))
    round_and_round = "「待商家审核」 → 「待买家寄回」 → 「待商家审核」（KS-EX-01 限48小时、KS-EX-02 限10天）"
    assert any(f"L1 没有人动时会一直打转：{round_and_round}" in line for line in said)


def test_a_way_back_that_was_forgotten(plant):
    old = "back_to(rejected_pending_buyer, return_rejected, inspecting, awaiting_reship, clock=ENDS)"
    [said] = plant("workflows/exchange.py", old, old.replace("inspecting, ", ""))
    assert said.endswith("W15 「平台裁定」回不到「已签收，待拆包验货」，请把它加进 back_to(…)")


def test_a_ruling_for_which_there_is_no_way(plant):
    old = "named_by(facts.outcome, awaiting_buyer_return, awaiting_reship, converted_to_refund, closed_by_platform,"
    said = plant("workflows/exchange.py", old, old.replace("awaiting_reship, ", ""))
    assert any("「平台裁定」没写平台裁定为「商家换发」时到哪里去" in line for line in said)


def test_a_new_document_that_only_some_rules_answer(plant, copy):
    path = copy / "policies/kuaishou.py"
    text = path.read_text(encoding="utf-8")
    new = 'v2027_01_01 = Document("新规", effective="2027-01-01", source="公告", checked_on="2026-11-23")'
    text = text.replace("open_platform = Document(", f"{new}\nopen_platform = Document(", 1)
    text = text.replace("documents=[v2022_09_30,", "documents=[v2022_09_30, v2027_01_01,")
    path.write_text(text, encoding="utf-8")
    old = 'no_limit(v2022_09_30, because="规则没有规定平台裁定的时限")'
    said = plant("policies/kuaishou.py", old, old + ', no_limit(v2027_01_01, because="仍没有规定")')
    assert len(said) == len(built_in().policies["kuaishou"].clock_rules) - 1  # every rule but this one
    wanted = (
        '「商家处理换货申请」没有回答 2027-01-01 的《新规》，没变也请在末尾写一行 unchanged(v2027_01_01, quote="原文")'
    )
    assert any(line.endswith(wanted) for line in said)


def test_a_law_asks_nothing_of_rules_that_do_not_cite_it(plant):
    """Laws are dated too, and a platform's next text is no new version of a law."""
    assert plant("policies/statute.py", "effective=None", 'effective="2014-03-15"') == []


# ── the shipped tables ──


def test_the_shipped_tables_are_sound():
    assert [str(problem) for problem in check.check_everything().problems] == []


def test_it_takes_well_under_two_seconds():
    began = time.process_time()
    examine(reading.shipped()[0])
    lives(built_in())
    assert time.process_time() - began < 2


def test_what_a_platform_leaves_open_is_told():
    remarks = examine(reading.shipped()[0]).remarks()
    assert "微信小店：退款「待商家处理」，退款类型为「卡券退款」：没有规则，不设时钟" in remarks
    assert "微信小店：1 条只有第三方转载为据，却在执行：LAW-02" in remarks
    assert "淘宝：4 条写着但没有启用（off）：TB-01、TB-02、TB-03、TB-11" in remarks
    assert not any("协商上门时间" in said for said in remarks)  # whoever gets there has agreed to a visit


def test_every_kind_of_ruling_is_known_to_the_checker():
    assert set(_ASKED_BY) == set(Ruling.__subclasses__())


# ── how long a ticket lives if nobody ever acts ──


@pytest.fixture(scope="module")
def told():
    found = {}
    for life in lives(built_in()):
        key = " ".join(filter(None, [life.policy, life.workflow, life.opening, life.which]))
        found[key] = life
    return found


@pytest.mark.parametrize(
    ("which", "sentence"),
    [
        ("快手小店 换货 申请换货", "48小时 + 10天 = 12天，到「超时关闭」"),
        ("快手小店 换货 转单开出 转入状态为「待买家寄回」", "10天，到「超时关闭」"),
        (
            "快手小店 换货 转单开出 转入状态为「待商家发出换货商品」",
            "不会自己结束：停在「待商家发出换货商品」，规则未规定时限（KS-EX-G1）",
        ),
        (
            "快手小店 维修 申请维修 需要上门维修：是",
            "不会自己结束：3天（从申请时间起）+ 15天，然后停在「商家逾期违约，买家可主张」，规则未规定时限（KS-RP-03）",
        ),
        ("快手小店 维修 申请维修 需要上门维修：否", "不会自己结束：停在「待商家审核」，规则未规定时限（KS-RP-01）"),
        (
            "快手本地生活 退款 申请退款 退款类型为「卡券退款」，卡券有效期至：没有",
            "不会自己结束：7个工作日，然后停在「退款打款中」，逾期后升级给人，不再自动推进（KS-LL-04）",
        ),
        ("微信小店 退款 申请退款 退款类型为「退货退款」", "48小时 + 7天 = 9天，到「超时关闭」"),
        (
            "微信小店 退款 申请退款 退款类型为「未发货仅退款」、「已发货仅退款」",
            "不会自己结束：48小时，然后停在「退款打款中」，规则未规定时限（WX-G2）",
        ),
        ("微信小店 退款 申请退款 退款类型为「卡券退款」", "不会自己结束：停在「待商家处理」，这类工单没有规则"),
        ("淘宝 退款 申请退款", "不会自己结束：停在「待商家处理」，时限没有启用（TB-01）"),
    ],
)
def test_life(told, which, sentence):
    assert told[which].sentence == sentence


def test_a_life_as_data(told):
    life = told["快手小店 换货 申请换货"].to_json()
    assert life["seconds"] == 12 * 86_400
    assert [(clock["rule"], clock["seconds"]) for clock in life["clocks"]] == [
        ("KS-EX-01", 172_800),
        ("KS-EX-02", 864_000),
    ]
    assert life["version"] == "2022-09-30"


# ── the command ──


@pytest.fixture
def sound(monkeypatch, copy):
    """The tables as they will be: what is still wrong with the shipped ones is another test's matter."""
    repair = copy / "workflows/repair.py"
    text = repair.read_text(encoding="utf-8").replace("3日协商期已过", "协商期已过")
    repair.write_text(
        text.replace('"逾期未上门，商家违约", visit_grace', '"宽限期内未上门，商家违约", visit_grace'), "utf-8"
    )
    monkeypatch.setattr(check.check_everything, "__kwdefaults__", {"rules_dir": None, "package": copy})
    return copy


def test_sound_tables_give_status_0_and_lives(sound, capsys):
    assert check.run_check() == 0
    said = capsys.readouterr().out
    assert said.startswith("检查通过：5 种工单，4 个平台，11 个文件\n")
    assert "提醒  快手本地生活：没有中差评、换货、丢件·物流异常、维修的时限规则，这些工单在这里不设时钟\n" in said
    assert "\n快手小店 · 换货\n" in said
    assert re.search(r"\n  申请换货 +48小时 \+ 10天 = 12天，到「超时关闭」\n", said)


def test_broken_tables_give_status_1_and_the_place(sound, capsys):
    (sound / "policies/house.py").write_text('"""店铺。"""\n\nHOUSE = House(\n', encoding="utf-8")
    assert check.run_check() == 1
    assert capsys.readouterr().out == (
        f"{sound}/policies/house.py:3: T1 这一行的「(」没有配对的另一半，请补上\n\n"
        "1 处要改，改完再运行 aftersales check\n"
    )


def test_as_data(sound, capsys):
    assert check.run_check(None, True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["problems"], told["policies"], told["workflows"]) == (True, [], 4, 5)
    assert any(life["sentence"] == "48小时 + 10天 = 12天，到「超时关闭」" for life in told["lives"])


def test_a_file_that_is_named_is_checked_in_place_of_the_shipped_one(sound, tmp_path, capsys):
    file = tmp_path / "kuaishou.py"
    text = (PACKAGE / "policies/kuaishou.py").read_text(encoding="utf-8")
    file.write_text(text.replace("hours(48)", "hours(72)"), encoding="utf-8")
    assert check.run_check([file]) == 0
    assert "72小时 + 10天 = 13天，到「超时关闭」" in capsys.readouterr().out


def test_a_folder_is_checked_with_all_tables_in_it(sound, tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "wechat.py").write_text("", encoding="utf-8")
    (mine / "taobao.py").write_text("", encoding="utf-8")
    assert check.run_check([mine]) == 1
    said = capsys.readouterr().out
    assert f"{mine}/taobao.py:1: T2" in said
    assert f"{mine}/wechat.py:1: T2" in said


def test_a_file_that_is_not_there(sound, capsys):
    assert check.run_check([Path("nowhere.py")]) == 1
    assert "nowhere.py:1: F1 没有这个文件，请检查路径" in capsys.readouterr().out


def test_the_operators_directory_is_checked_too(sound, tmp_path, capsys, monkeypatch):
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "wechat.py").write_text("if True: pass", encoding="utf-8")
    monkeypatch.setenv("AFTERSALES_RULES_DIR", str(rules))
    assert check.run_check() == 1
    assert f"{rules}/wechat.py:1: T3 规则文件只能列表格，不能写程序，这里用了条件语句 if" in capsys.readouterr().out
    monkeypatch.setenv("AFTERSALES_RULES_DIR", str(tmp_path / "gone"))
    assert check.run_check() == 1
    assert "F7 规则目录读不出来（No such file or directory）" in capsys.readouterr().out
