"""What changes between two days of a book, and what is still to come."""

from datetime import date

import pytest

from aftersales.clock import parse
from aftersales.durations import days, hours, workdays
from aftersales.policies.kuaishou import KUAISHOU
from aftersales.policies.vocabulary import Document, Policy, Rule, no_limit, since, unchanged
from aftersales.rule_changes import change_from_json, change_to_json, coming, compare, version_days
from aftersales.rule_words import entries_on
from aftersales.saying import Said
from aftersales.workflows.exchange import Exchange

OLD = Document("旧规", effective="2026-01-01", source="x")
NEW = Document("新规", effective="2026-12-01", source="x")
BEFORE, AFTER = date(2026, 11, 30), date(2026, 12, 1)


def book(*rules, documents=(OLD, NEW), **rest):
    return Policy("p", "平台", list(documents), list(rules), **rest)


def review(*later, id="P-1", label="商家审核"):
    first = since(OLD, hours(48), then=Exchange.auto_approve, quote="四十八小时")
    return Rule(id, label, Exchange.pending_merchant_review, first, *later)


def changes(policy, before=BEFORE, after=AFTER):
    return compare(entries_on(policy, before), entries_on(policy, after))


def parts(change):
    return {part.name: (part.before, part.after) for part in change.parts}


def test_a_changed_limit_is_told_in_words():
    new = since(NEW, workdays(3), then=Exchange.auto_approve, quote="三个工作日")
    [change] = changes(book(review(new)))
    assert (change.id, change.how, change.version) == ("P-1", "changed", "2026-01-01")
    assert parts(change) == {
        "限多久": ("48 小时", "3 个工作日"),
        "怎么算": ("一直走，节假日不停", "次日起只数工作日，到第 3 个的 24 点；节假日不算，补班算"),
        "原文": ("四十八小时", "三个工作日"),
    }


def test_a_limit_that_goes_says_why():
    [change] = changes(book(review(no_limit(NEW, because="新规不再限时"))))
    assert parts(change)["限多久"] == ("48 小时", "不限时")
    assert parts(change)["为什么不限时"] == ("", "新规不再限时")
    assert parts(change)["到期以后"] == ("系统转到「待买家寄回」", "")


def test_the_same_in_another_document_is_no_change_but_is_told():
    [change] = changes(book(review(unchanged(NEW))))
    assert (change.how, change.parts, change.matters) == ("restated", (), False)


def test_a_rule_that_begins_is_new_and_one_that_is_gone_is_told_too():
    new = Rule("P-2", "验货", Exchange.inspecting, since(NEW, days(7), then=Exchange.inspect_overdue, quote="七天"))
    policy = book(review(unchanged(NEW)), new)
    assert [(one.id, one.how) for one in changes(policy) if one.matters] == [("P-2", "added")]
    assert [(one.id, one.how) for one in changes(policy, AFTER, BEFORE) if one.matters] == [("P-2", "removed")]


def test_nothing_changes_on_the_day_itself():
    assert changes(KUAISHOU, AFTER, AFTER) == []


def test_two_windows_of_one_id_are_not_taken_for_each_other():
    entries = entries_on(KUAISHOU, AFTER)
    assert [one.id for one in entries if one.id == "KSO-01"] == ["KSO-01", "KSO-01"]
    assert compare(entries, entries_on(KUAISHOU, BEFORE)) == []


def test_a_change_goes_to_another_process_and_comes_back_with_its_words():
    new = since(NEW, workdays(3), then=Exchange.auto_approve, quote="三个工作日")
    [change] = changes(book(review(new)))
    back = change_from_json(change_to_json(change))
    assert back == change
    assert isinstance(back.parts[0].after, Said)
    assert (back.parts[0].after.template, back.parts[0].after.values) == ("{n} 个工作日", {"n": 3})


# ── what is still to come ──


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-11-30 23:59:59", [date(2026, 12, 1)]),
        ("2026-12-01 00:00:00", []),
        ("2025-12-31 23:59:59", [date(2026, 1, 1), date(2026, 12, 1)]),
    ],
)
def test_a_version_is_to_come_until_the_second_in_which_it_begins(now, expected):
    assert [one.day for one in coming(book(review(unchanged(NEW))), parse(now))] == expected


def returning(*later):
    first = since(OLD, days(10), then=Exchange.return_timeout, quote="十日")
    return Rule("P-2", "买家寄回", Exchange.awaiting_buyer_return, first, *later)


def test_the_clocks_that_lead_to_a_changed_rule_are_known():
    new = since(NEW, days(7), then=Exchange.return_timeout, quote="七日")
    [one] = coming(book(review(unchanged(NEW)), returning(new)), parse("2026-11-01"))
    assert [change.id for change in one.changes if change.matters] == ["P-2"]
    assert one.leading == (("exchange", "pending_merchant_review", "auto_approve"),)


def test_a_rule_that_is_only_restated_leads_nowhere_new():
    [one] = coming(book(review(unchanged(NEW)), returning(unchanged(NEW))), parse("2026-11-01"))
    assert one.leading == ()


def test_tickets_that_keep_the_version_they_were_opened_under_are_not_touched():
    new = since(NEW, days(7), then=Exchange.return_timeout, quote="七日")
    [one] = coming(book(review(unchanged(NEW)), returning(new), pin="ticket"), parse("2026-11-01"))
    assert one.changes
    assert one.leading == ()


def test_the_days_on_which_something_begins():
    assert version_days(KUAISHOU) == [date(2022, 9, 30)]
