"""What goes into a row comes out of it, and equal values are equal text, whichever database held them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersales.rows import (
    Instants,
    clocks_from_json,
    clocks_to_json,
    event_hash,
    from_json,
    json_instant,
    sqlite_instant,
    to_json,
)
from aftersales.ticket import Clock, Event

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
zones = st.sampled_from([UTC, timezone(timedelta(hours=8)), timezone(-timedelta(hours=9, minutes=30))])
instants = st.datetimes(datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=zones)  # noqa: DTZ001 -- the strategy adds the zone
whole_seconds = instants.map(lambda instant: instant.astimezone(UTC).replace(microsecond=0))
plain = st.none() | st.booleans() | st.integers(-(2**62), 2**62) | texts
values = st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
facts = st.dictionaries(texts.filter(lambda key: not key.endswith("_at")), values, max_size=4)
clocks = st.builds(
    Clock,
    *(texts, texts, texts, whole_seconds, whole_seconds, whole_seconds),
    st.just("rule") | texts,
    st.none() | whole_seconds,
    st.booleans(),
    st.none() | st.integers(0, 2**40),
)
usual_clocks = st.tuples(texts, texts, texts, whole_seconds, whole_seconds, whole_seconds).map(
    lambda values: Clock(*values)
)


def as_jsonb(text: str) -> str:
    """As PostgreSQL gives it back: keys by length, then by bytes; a space after colons and commas."""

    def ordered(value: Any) -> Any:
        if isinstance(value, dict):
            keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
            return {key: ordered(value[key]) for key in keys}
        return [ordered(each) for each in value] if isinstance(value, list) else value

    return json.dumps(ordered(json.loads(text)), ensure_ascii=False)


@given(st.lists(clocks | usual_clocks, max_size=3).map(tuple))
def test_clocks_come_back_from_both_databases(clocks: tuple[Clock, ...]) -> None:
    text = clocks_to_json(clocks, Instants())
    assert clocks_from_json(text) == clocks
    assert clocks_from_json(as_jsonb(text)) == clocks
    assert to_json(json.loads(text)) == text, "canonical"


@given(facts)
def test_facts_come_back_and_are_the_same_text_again(facts: dict[str, Any]) -> None:
    text = to_json(facts)
    assert from_json(text) == facts
    assert to_json(from_json(as_jsonb(text))) == text


@given(instants)
def test_an_instant_in_facts_comes_back_in_utc(instant: datetime) -> None:
    found = from_json(to_json({"signed_at": instant, "more": [{"x_at": instant}]}))
    assert found == {"signed_at": instant, "more": [{"x_at": instant}]}
    assert found["signed_at"].tzinfo is UTC


@pytest.mark.parametrize("text", ["", "Z", "明天", "2022-10-01", "2022-10-01 10:00:00"])
def test_a_text_that_is_no_instant_stays_a_text_whatever_it_is_called(text: str) -> None:
    assert from_json(to_json({"signed_at": text})) == {"signed_at": text}


@given(instants, instants)
def test_instants_sort_as_text(one: datetime, other: datetime) -> None:
    assert (sqlite_instant(one) < sqlite_instant(other)) == (one < other)
    assert datetime.fromisoformat(sqlite_instant(one) + "+00:00") == one
    assert datetime.fromisoformat(json_instant(one)) == one
    assert Instants()[one] == (sqlite_instant(one), json_instant(one))


@given(facts, st.lists(clocks, max_size=2).map(tuple), whole_seconds)
def test_a_seal_does_not_depend_on_the_database_but_on_everything_else(
    facts: dict[str, Any], clocks: tuple[Clock, ...], at: datetime
) -> None:
    event = Event(1, "move", "apply", "buyer", "", "new", "a", at, at, facts, clocks=clocks)
    kept = Event(
        1, "move", "apply", "buyer", "", "new", "a", at, at, from_json(as_jsonb(to_json(facts))),
        clocks=clocks_from_json(as_jsonb(clocks_to_json(clocks, Instants()))),
    )  # fmt: skip
    seal = event_hash("", 1, 1, event)
    assert event_hash("", 1, 1, kept) == seal
    others = [
        event_hash("0", 1, 1, event),
        event_hash("", 2, 1, event),
        event_hash("", 1, 2, event),
        event_hash("", 1, 1, event, "key"),
        event_hash("", 1, 1, Event(1, "move", "apply", "buyer", "", "new", "a", at, at, {**facts, "x_": 1})),
    ]
    assert seal not in others


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="set cannot be stored as JSON"):
        to_json({"a": {1}})
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(float("nan"))
    with pytest.raises(ValueError, match="has no time zone"):
        to_json({"a_at": datetime(2022, 10, 1)})  # noqa: DTZ001
