"""Hand-over notes: one draft each, handed over once, confirmed by the receiver only."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aftersales.clock import parse
from aftersales.database import create_engine
from aftersales.errors import Refused
from aftersales.office import accounts, handover
from aftersales.office.handover import Note

NOW = parse("2026-10-02 17:50:00")
KEY, OTHER = "key-of-a-form-000001", "key-of-a-form-000002"


@pytest.fixture
def office(database_url):
    engine = create_engine(database_url)
    chen, li, zhou = (
        accounts.add(engine, f"店:{login}", name, NOW)
        for login, name in (("chen", "陈晓"), ("li", "李雯"), ("zhou", "周凯"))
    )
    return engine, chen, li, zhou


def test_a_draft_is_kept_and_replaced_until_it_is_handed_over(office):
    engine, chen, li, _ = office
    handover.save(engine, chen, Note(li.login, "先写一半"), KEY, NOW)
    handover.save(engine, chen, Note(li.login, "写完了 🎉"), OTHER, NOW)
    assert handover.draft_of(engine, chen.login).text == "写完了 🎉"
    assert handover.unseen(engine, li.login, NOW) == []
    handover.hand_over(engine, chen, li, Note(li.login, "写完了 🎉", tickets=[3, 5]), "key-of-a-form-000003", NOW)
    assert handover.draft_of(engine, chen.login) is None
    [note] = handover.unseen(engine, li.login, NOW)
    assert (note.text, note.from_login, list(note.tickets), list(note.moved)) == ("写完了 🎉", chen.login, [3, 5], [])


def test_the_same_form_twice_hands_over_once(office):
    engine, chen, li, _ = office
    one = handover.hand_over(engine, chen, li, Note(li.login, "一"), KEY, NOW)
    assert handover.hand_over(engine, chen, li, Note(li.login, "二"), KEY, NOW) == one
    handover.save(engine, chen, Note(li.login, "三"), KEY, NOW)
    assert [note.text for note in handover.history(engine, li.login)] == ["一"]
    assert handover.draft_of(engine, chen.login) is None


def test_a_draft_becomes_the_note_when_its_own_form_is_handed_over(office):
    engine, chen, li, _ = office
    handover.save(engine, chen, Note("", "没写给谁"), KEY, NOW)
    handover.hand_over(engine, chen, li, Note(li.login, "给李雯"), KEY, NOW)
    assert [note.text for note in handover.history(engine, chen.login)] == ["给李雯"]


@pytest.mark.parametrize(
    ("note", "said"),
    [
        (Note("店:nobody", "话"), "接班人：没有这个账号，或已停用，请从列表里选"),
        (Note("店:chen", "话"), "接班人：不能交给自己，请选另一个人"),
        (Note("店:li", "  \n"), "您要交代的：没有写内容，也没有要转的工单，请至少写一句"),
        (Note("店:li", "长" * 5001), "您要交代的：太长了（5001 字），最多 5000 字"),
        (Note("店:li", "\x00"), "您要交代的：含有不能保存的字符，请删去后重填"),
        (Note("店:li", "话", tickets=range(201)), "一次最多交 200 张工单，其余请在「团队」里转"),
    ],
)
def test_what_cannot_be_handed_over_leaves_nothing(office, note, said):
    engine, chen, *_ = office
    people = {account.login: account for account in accounts.everyone(engine)}
    with pytest.raises(Refused) as refused:
        handover.hand_over(engine, chen, people.get(note.to_login), note, KEY, NOW)
    assert refused.value.message == said
    assert handover.history(engine, chen.login) == []


def test_only_the_receiver_confirms_and_the_first_time_counts(office):
    engine, chen, li, zhou = office
    note = handover.hand_over(engine, chen, li, Note(li.login, "话"), KEY, NOW)
    assert not handover.seen(engine, zhou, note.id, NOW)
    assert not handover.seen(engine, chen, note.id, NOW)
    assert handover.unseen_count(engine, li.login) == 1
    assert handover.seen(engine, li, note.id, NOW + timedelta(minutes=5))
    assert handover.seen(engine, li, note.id, NOW + timedelta(minutes=9))
    assert handover.unseen_count(engine, li.login) == 0
    [seen] = handover.history(engine, li.login)
    assert seen.seen_at == NOW + timedelta(minutes=5)


def test_what_asks_for_no_confirmation_is_shown_for_a_day_and_not_counted(office):
    engine, chen, li, _ = office
    handover.hand_over(engine, chen, li, Note(li.login, "话", asks_to_confirm=False), KEY, NOW)
    assert handover.unseen_count(engine, li.login) == 0
    assert len(handover.unseen(engine, li.login, NOW + timedelta(hours=23))) == 1
    assert handover.unseen(engine, li.login, NOW + timedelta(hours=25)) == []


def test_history_goes_back_page_by_page(office):
    engine, chen, li, zhou = office
    for number in range(5):
        handover.hand_over(engine, chen, li, Note(li.login, f"第 {number} 次"), f"key-of-a-form-10000{number}", NOW)
    handover.hand_over(engine, zhou, li, Note(li.login, "别人的"), OTHER, NOW)
    first = handover.history(engine, chen.login, limit=3)
    rest = handover.history(engine, chen.login, limit=3, before=first[-1].id)
    assert [note.text for note in (*first, *rest)] == [f"第 {number} 次" for number in (4, 3, 2, 1, 0)]
