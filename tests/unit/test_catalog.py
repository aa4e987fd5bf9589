"""The operator's rule files: a broken one changes nothing, a sound one is in force at the next look."""

import logging
import os
import threading
from importlib.metadata import EntryPoint

import pytest

from aftersales import catalog as catalogs
from aftersales.catalog import InMemoryLastGood, RuleBook, built_in, load
from aftersales.checking.sources import PACKAGE
from aftersales.clock import parse
from aftersales.decide import NewTicket, Rules, catch_up, open_ticket
from aftersales.durations import hours
from aftersales.policies.kuaishou import KUAISHOU
from aftersales.work_calendar import WorkCalendar


@pytest.fixture(autouse=True)
def quiet():
    """What is wrong is logged too; that is looked at where it is meant."""
    logging.getLogger("aftersales.catalog").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("aftersales.catalog").setLevel(logging.NOTSET)


@pytest.fixture
def rules(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    return folder


def shipped(name):
    return (PACKAGE / "policies" / f"{name}.py").read_text(encoding="utf-8")


_writes = iter(range(1, 10_000))


def write(folder, name, text):
    """Saved a moment later than anything before, as an editor would."""
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    later = 1_800_000_000 + next(_writes)
    os.utime(path, (later, later))


def kuaishou(*, review=48, **changes):
    text = shipped("kuaishou").replace("hours(48)", f"hours({review})")
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    return text


def review_time(catalog):
    """How long the merchant has for an exchange on Kuaishou: what the tests change."""
    return catalog.policies["kuaishou"].rule("KS-EX-01").history[-1].within


def told(problems):
    return [f"{problem.path.rpartition('/')[2]} {problem.code}" for problem in problems]


SHOP = '''"""示例平台。"""

from aftersales.policies.vocabulary import Document, Policy, Rule, no_limit
from aftersales.workflows.bad_review import BadReview

v2024 = Document("示例规则", effective="2024-01-01", source="示例", checked_on="2026-11-23")

SHOP = Policy(
    key="shop", label="示例平台", documents=[v2024],
    rules=[Rule("SH-01", "中差评", BadReview.waiting, no_limit(v2024, because="规则没有规定"))],
)
'''


# ── what lies over what ──


def test_without_a_directory_the_built_in_rules_are_in_force():
    loaded = load()
    assert loaded.catalog == built_in()
    assert loaded.problems == ()
    assert loaded.catalog.policies["kuaishou"] is KUAISHOU


def test_a_file_of_the_same_name_replaces_a_shipped_policy_and_leaves_the_others_alone(rules):
    write(rules, "kuaishou", kuaishou(review=72))
    loaded = load(rules)
    assert loaded.problems == ()
    assert review_time(loaded.catalog) == hours(72)
    assert loaded.catalog.policies["wechat"] is built_in().policies["wechat"]
    assert list(loaded.catalog.policies) == list(built_in().policies)


def test_a_file_of_a_new_name_adds_a_platform(rules):
    write(rules, "shop", SHOP)
    assert load(rules).catalog.policies["shop"].label == "示例平台"


def test_the_shops_own_rules_can_be_replaced(rules):
    write(rules, "house", shipped("house").replace("[hours(24), hours(4)]", "[hours(1)]"))
    assert load(rules).catalog.house.reminders == [hours(1)]


def test_a_law_that_is_replaced_holds_on_every_platform(rules):
    write(rules, "statute", shipped("statute").replace("civil_days(7)", "civil_days(15)"))
    loaded = load(rules)
    assert loaded.problems == ()
    assert {str(policy.rule("LAW-01").within) for policy in loaded.catalog.policies.values()} == {
        "15个自然日（次日起算）"
    }


def test_files_that_need_one_another_come_into_force_together(rules):
    law = shipped("statute").replace("consumer_law", "consumer_law_2027")
    for name in ("kuaishou", "kuaishou_local", "wechat", "taobao"):
        write(rules, name, shipped(name).replace("consumer_law", "consumer_law_2027"))
    write(rules, "statute", law)
    assert load(rules).problems == ()


# ── broken files ──

BROKEN = {
    "syntax": ("T1", kuaishou() + "\nrules = [\n"),
    "a program": ("T3", kuaishou() + "\nwhile True:\n    pass\n"),
    "an import": ("T4", kuaishou() + "\nfrom os import system\n"),
    "an end of the program": ("T8", kuaishou() + "\nexit()\n".replace("exit()", "gone = exit(1)")),
    "a wrong value": ("T5", kuaishou().replace("hours(48)", "hours(0)")),
    "a far too long time": ("T5", kuaishou().replace("hours(48)", "hours(1000000000)")),
    "half an hour": ("T5", kuaishou().replace("hours(48)", "hours(0.5)")),
    "no length": ("T5", kuaishou().replace("hours(48)", "None")),
    "no policy": ("P18", kuaishou().replace("rules=[*exchange_rules,", "rules=[exchange_rules,")),
    "another encoding": ("F4", kuaishou().encode("gb18030")),
    "nothing": ("T2", ""),
    "not checked": ("P2", kuaishou().replace(', checked_on="2026-11-23")', ")")),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_leaves_the_built_in_rules_in_force(rules, what):
    code, text = BROKEN[what]
    (rules / "kuaishou.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    loaded = load(rules)
    assert loaded.catalog == built_in()
    assert f"kuaishou.py {code}" in told(loaded.problems)


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_leaves_the_last_good_version_in_force(rules, what):
    code, text = BROKEN[what]
    last_good = InMemoryLastGood()
    write(rules, "kuaishou", kuaishou(review=72))
    book = RuleBook(rules, last_good)
    (rules / "kuaishou.py").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert f"kuaishou.py {code}" in told(book.refresh())
    assert review_time(book.catalog) == hours(72)
    after_a_restart = RuleBook(rules, last_good)
    assert review_time(after_a_restart.catalog) == hours(72)
    assert f"kuaishou.py {code}" in told(after_a_restart.problems)


def test_a_mended_file_is_in_force_at_the_next_look(rules):
    book = RuleBook(rules, InMemoryLastGood())
    write(rules, "kuaishou", BROKEN["syntax"][1])
    assert told(book.refresh()) == ["kuaishou.py T1"]
    write(rules, "kuaishou", kuaishou(review=24))
    assert book.refresh() == ()
    assert book.problems == ()
    assert review_time(book.catalog) == hours(24)


def test_one_broken_file_does_not_keep_the_others_out(rules):
    write(rules, "kuaishou", kuaishou(review=72))
    write(rules, "wechat", BROKEN["syntax"][1])
    write(rules, "shop", SHOP)
    loaded = load(rules)
    assert told(loaded.problems) == ["wechat.py T1"]
    assert review_time(loaded.catalog) == hours(72)
    assert "shop" in loaded.catalog.policies


def test_a_law_with_which_a_platform_cannot_be_used_is_kept_out(rules):
    write(rules, "statute", shipped("statute").replace("STATUTE = [", "LAWS = ["))
    write(rules, "shop", SHOP)
    loaded = load(rules)
    assert {policy.key for policy in loaded.catalog.policies.values()} > {"shop"}
    assert loaded.catalog.policies["kuaishou"] is KUAISHOU
    [problem] = [problem for problem in loaded.problems if problem.path.endswith("rules/statute.py")]
    assert problem.message.startswith("没有启用这个文件：用了它，aftersales/policies/kuaishou.py、")


def test_a_broken_law_does_not_keep_a_sound_platform_out(rules):
    write(rules, "statute", "LAWS = [\n")
    write(rules, "kuaishou", kuaishou(review=72))
    loaded = load(rules)
    assert told(loaded.problems) == ["statute.py T1"]
    assert review_time(loaded.catalog) == hours(72)


# ── what was in force is not lost ──


def test_a_rule_by_which_clocks_may_run_cannot_be_deleted(rules):
    write(rules, "kuaishou", kuaishou())
    book = RuleBook(rules, InMemoryLastGood())
    rule = kuaishou().partition('    Rule("KS-EX-G5"')[2].partition("]\n")[0]
    write(rules, "kuaishou", kuaishou(drop=('    Rule("KS-EX-G5"' + rule, ""), all=(
        "Exchange.awaiting_buyer_receipt, Exchange.reship_exception]",
        "Exchange.awaiting_buyer_receipt, Exchange.reship_exception, Exchange.platform_intervening]")))  # fmt: skip
    [problem] = book.refresh()
    assert problem.code == "P21"
    assert problem.message == (
        "在用的规则里有 KS-EX-G5（平台介入），这里没有了；正在走的时钟还记着它，请把它放回来，"
        "不再限时就在末尾加一行 no_limit(…)"
    )


def test_a_version_by_which_clocks_may_run_cannot_be_deleted(rules):
    write(rules, "shop", SHOP)
    book = RuleBook(rules, InMemoryLastGood())
    write(rules, "shop", SHOP.replace("2024-01-01", "2025-01-01"))
    [problem] = book.refresh()
    assert (problem.code, problem.message) == (
        "P21",
        "「中差评」（SH-01）少了 2024-01-01 那一行；正在走的时钟还按它办，旧的行不要删，请放回来",
    )
    assert book.catalog.policies["shop"].rule("SH-01").line_of("2024-01-01") is not None


def test_a_running_clock_keeps_its_version_when_the_rule_changes(rules):
    book = RuleBook(rules, InMemoryLastGood())
    at = parse("2023-03-01 10:00:00")
    ticket = opened(book.catalog, at)
    new = 'v2023_03_02 = Document("新规", effective="2023-03-02", source="公告", checked_on="2026-11-23")\n\n# fmt: off'
    line = """重新计48小时（决定 7）"),
         since(v2023_03_02, hours(24), then=Exchange.auto_approve, quote="24小时")"""
    text = kuaishou(
        document=("# fmt: off", new),
        listed=("documents=[v2022_09_30,", "documents=[v2022_09_30, v2023_03_02,"),
        partial=('source="公告", ', 'source="公告", partial=True, '),
        line=('重新计48小时（决定 7）")', line),
    )  # fmt: skip
    write(rules, "kuaishou", text)
    assert book.refresh() == ()
    rules_now = Rules(book.catalog, WorkCalendar.default())
    assert catch_up(ticket, parse("2023-03-03 10:00:00"), rules_now) is None
    clock = ticket.clock
    assert book.catalog.policies["kuaishou"].rule(clock.rule).line_of(clock.version).within == hours(48)
    assert opened(book.catalog, parse("2023-03-02 10:00:00")).clock.version == "2023-03-02"


def opened(catalog, at):
    new = NewTicket("exchange", "kuaishou", "apply", "buyer", at, {"paid_fen": 100, "reason": "size"}, order_no="1")
    return open_ticket(new, Rules(catalog, WorkCalendar.default()), ticket_id=1, number="", shop_id=1).after


def test_a_file_that_disappears_stays_in_force(rules):
    last_good = InMemoryLastGood()
    write(rules, "shop", SHOP)
    book = RuleBook(rules, last_good)
    (rules / "shop.py").unlink()
    [problem] = book.refresh()
    assert (problem.code, problem.message) == (
        "F8",
        "这个文件不见了，它的规则继续有效，因为有工单按它办；请放回来，或放一份新的",
    )
    assert "shop" in book.catalog.policies
    assert "shop" in RuleBook(rules, last_good).catalog.policies


def test_a_directory_that_disappears_changes_nothing(rules):
    last_good = InMemoryLastGood()
    write(rules, "kuaishou", kuaishou(review=72))
    book = RuleBook(rules, last_good)
    (rules / "kuaishou.py").unlink()
    rules.rmdir()
    assert "F7" in [problem.code for problem in book.refresh()]
    assert review_time(book.catalog) == hours(72)
    assert review_time(RuleBook(rules, last_good).catalog) == hours(72)


def test_after_an_upgrade_a_file_may_lack_a_rule_for_a_new_state(rules):
    """It was in force; it is told what it lacks, and it stays in force."""
    last_good = InMemoryLastGood()
    old = kuaishou(review=72, gap=("[Exchange.awaiting_buyer_receipt, Exchange.reship_exception]",
                                   "Exchange.awaiting_buyer_receipt"))  # fmt: skip
    last_good.put("kuaishou", old)
    write(rules, "kuaishou", old)
    book = RuleBook(rules, last_good)
    assert told(book.problems) == ["kuaishou.py P4"]
    assert review_time(book.catalog) == hours(72)
    write(rules, "shop", SHOP)
    assert book.refresh() == ()
    assert "shop" in book.catalog.policies


# ── looking again ──


def test_looking_again_is_cheap_while_nothing_changes(rules, monkeypatch):
    write(rules, "kuaishou", BROKEN["syntax"][1])
    book = RuleBook(rules, InMemoryLastGood())
    monkeypatch.setattr(catalogs, "load", lambda *_: pytest.fail("read again"))
    assert [book.refresh() for _ in range(3)] == [(), (), ()]
    assert told(book.problems) == ["kuaishou.py T1"]


def test_a_problem_is_new_once(rules):
    book = RuleBook(rules, InMemoryLastGood())
    write(rules, "kuaishou", BROKEN["syntax"][1])
    assert told(book.refresh()) == ["kuaishou.py T1"]
    write(rules, "shop", SHOP)
    assert book.refresh() == ()
    assert told(book.problems) == ["kuaishou.py T1"]


def test_every_problem_is_in_the_log(rules, caplog):
    logging.getLogger("aftersales.catalog").setLevel(logging.ERROR)
    book = RuleBook(rules, InMemoryLastGood())
    write(rules, "shop", "SHOP = 1\n")
    book.refresh()
    assert f"{rules}/shop.py:1: T2 文件开头缺一段说明" in caplog.text


def test_whoever_holds_the_old_catalog_may_finish_with_it(rules):
    book = RuleBook(rules, InMemoryLastGood())
    before = book.catalog
    write(rules, "kuaishou", kuaishou(review=24))
    book.refresh()
    assert (review_time(before), review_time(book.catalog)) == (hours(48), hours(24))


def test_readers_never_see_a_catalog_in_between(rules):
    book = RuleBook(rules, InMemoryLastGood())
    seen, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            seen.add(str(review_time(book.catalog)))

    def look():
        while not stop.is_set():
            book.refresh()

    threads = [threading.Thread(target=work) for work in (read, read, look, look)]
    for thread in threads:
        thread.start()
    for review in (24, 72, 96):
        write(rules, "kuaishou", kuaishou(review=review))
        book.refresh()
    stop.set()
    for thread in threads:
        thread.join()
    assert seen <= {"48小时", "24小时", "72小时", "96小时"}
    assert review_time(book.catalog) == hours(96)


class Failing(InMemoryLastGood):
    """A store whose database is away."""

    fails = True

    def get(self, name):
        return self._or_fail(super().get(name))

    def put(self, name, source):
        self._or_fail(None)
        super().put(name, source)

    def names(self):
        return self._or_fail(super().names())

    def _or_fail(self, value):
        if self.fails:
            raise ConnectionError("the database is away")
        return value


def test_a_store_that_fails_stops_nothing_and_is_tried_again(rules):
    last_good = Failing()
    write(rules, "kuaishou", kuaishou(review=72))
    book = RuleBook(rules, last_good)
    assert review_time(book.catalog) == hours(72)
    [problem] = book.problems
    assert (problem.code, problem.message) == (
        "F9",
        "这个文件已经启用，但没能存下备用（the database is away），会自动再试；在此之前请不要删掉它",
    )
    last_good.fails = False
    assert book.refresh() == ()
    assert book.problems == ()
    assert last_good.get("kuaishou") == kuaishou(review=72)


def test_looking_again_never_raises(rules, monkeypatch):
    book = RuleBook(rules, InMemoryLastGood())
    monkeypatch.setattr(catalogs, "_load", lambda *_: 1 / 0)
    write(rules, "shop", SHOP)
    [problem] = book.refresh()
    assert (problem.code, problem.message) == (
        "X1",
        "读规则文件时出了意外（division by zero），现有规则继续有效；请把这句话交给开发",
    )
    assert book.catalog == built_in()


def test_starting_never_raises(rules, monkeypatch):
    monkeypatch.setattr(catalogs, "_load", lambda *_: 1 / 0)
    assert RuleBook(rules, InMemoryLastGood()).catalog == built_in()


# ── what other packages add ──


@pytest.fixture
def packages(monkeypatch):
    points = []
    monkeypatch.setattr(catalogs, "entry_points", lambda group: [one for one in points if one.group == group])
    return points


GIVEN = {}


class Point(EntryPoint):
    """An entry point that gives what it was told to give."""

    def load(self):
        given = GIVEN[self.name]
        return given() if callable(given) and not isinstance(given, type) else given


def test_a_package_may_add_a_policy(packages, rules, monkeypatch):
    write(rules, "shop", SHOP)
    policy = load(rules).catalog.policies["shop"]
    monkeypatch.setitem(GIVEN, "shop", policy)
    packages.append(Point("shop", "acme.shop:SHOP", "aftersales.policies"))
    assert load().catalog.policies["shop"] is policy


def test_a_package_cannot_take_the_place_of_what_is_there(packages, monkeypatch):
    monkeypatch.setitem(GIVEN, "acme", KUAISHOU)
    packages.append(Point("acme", "acme.rules:KUAISHOU", "aftersales.policies"))
    [problem] = load().problems
    assert str(problem) == (
        "acme.rules:KUAISHOU:1: F11 扩展包「acme」的 key「kuaishou」已经有了，没有启用；请联系它的提供者换一个"
    )


def test_a_package_that_cannot_be_loaded_is_left_out(packages, monkeypatch):
    def ends():
        raise SystemExit(3)

    monkeypatch.setitem(GIVEN, "acme", ends)
    packages.append(Point("acme", "acme.gift:Gift", "aftersales.workflows"))
    loaded = load()
    assert loaded.catalog == built_in()
    [problem] = loaded.problems
    assert str(problem) == "acme.gift:Gift:1: F10 扩展包「acme」装不上（SystemExit：3），没有启用；请联系它的提供者"


def test_a_package_with_an_unsound_policy_is_left_out(packages, monkeypatch):
    from aftersales.policies.vocabulary import Policy

    monkeypatch.setitem(GIVEN, "acme", Policy("acme", "外部平台", [], KUAISHOU.rules))
    packages.append(Point("acme", "acme.rules:ACME", "aftersales.policies"))
    loaded = load()
    assert loaded.catalog == built_in()
    assert {problem.code for problem in loaded.problems} == {"P7"}
