"""Whatever was written in a ticket finds it, by every part of two characters or more; and nothing else finds it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from aftersales import bigrams, database
from aftersales.queries import search
from tests.conftest import BACKENDS, fresh_database
from tests.web.conftest import World, made_world

#: few, so that texts meet: Chinese, both widths, both cases, spaces, punctuation, an emoji, what unfolds into several
CHARACTERS = "马丁靴破损aAＡb１1 　-\"'*()^%_\\😀㎏ﬁß\t"
texts = st.one_of(
    st.text(CHARACTERS, min_size=1, max_size=12),
    st.text("马丁靴", min_size=3, max_size=7),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12),
).filter(str.strip)


def holds(told: list[str], word: str) -> bool:
    return any(word in text for text in told)


@pytest.mark.parametrize("kind", BACKENDS)
def test_every_part_of_a_text_finds_its_ticket_and_no_other(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COMMON", "FEW"):  # set below
        monkeypatch.setattr(search, name, getattr(search, name))
    monkeypatch.setattr(search, "LOOKED_AT", 1_000)
    world = made_world(fresh_database(kind))
    told: dict[int, list[str]] = {}

    def ids(asked: str) -> set[int]:
        """What is found, in the same way by all who ask."""
        with database.reading(world.engine) as connection:
            ways = [search.matching(connection.dialect.name, asked)]
            for search.COMMON in (1, 10_000):
                ways += [search.walked(connection, asked)[0], search.each(connection, asked)]
            found = [set(connection.execute(select(search._TICKET.c.id).where(way)).scalars()) for way in ways]
        if bigrams.asked(asked):
            for search.FEW in (1, 500):
                found.append({one.id for one in search.found(world.engine, asked, limit=1_000)})
        assert all(one == found[0] for one in found)
        return found[0]

    @settings(max_examples=60)
    @given(texts, texts, st.data())
    def law(note: str, summary: str, data: st.DataObject) -> None:
        ticket = written_into(world, note, summary)
        told[ticket.id] = [bigrams.folded(text) for text in (*bigrams.names_of(ticket), note, summary)]
        text = data.draw(st.sampled_from([note, summary]))
        start = data.draw(st.integers(0, max(len(text) - 2, 0)))
        part = text[start : data.draw(st.integers(start + 1, len(text)))]
        words = bigrams.asked(part)
        found = ids(part)
        assert ticket.id in found
        assert found == {id for id, those in told.items() if all(holds(those, word) for word in words)}
        other = data.draw(texts)
        words = bigrams.asked(other)
        assert ids(other) == {id for id, those in told.items() if all(holds(those, word) for word in words)}

    law()


def written_into(world: World, note: str, summary: str):
    world.now += timedelta(minutes=1)
    ticket = world.open()
    world.do(ticket, "note", text=note)
    return world.do(ticket, "record_contact", channel="im", summary=summary)


@given(st.text(), st.text())
def test_a_part_of_a_text_is_folded_as_it_is_in_the_whole(one: str, other: str) -> None:
    assert bigrams.folded(one) + bigrams.folded(other) == bigrams.folded(one + other)
