"""The laws: whatever people, feeds, platforms and the clock do, in whatever order, these stay true."""

import itertools

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.conftest import BACKENDS
from tests.laws.stories import GRACE, a_world, differences, latest, outcome, play, stories, tell

lateness = st.lists(st.sampled_from([1, 2, 60, 899, 900]), min_size=1, max_size=4)


@settings(max_examples=200)
@given(stories, lateness, st.booleans())
def test_mem(story, late, busy):
    with a_world("memory") as ideal, a_world("memory") as other:
        script = tell(ideal, story)
        play(other, script, ideal.now, itertools.cycle(late), busy=busy)
        assume(latest(other) <= GRACE)
        assert differences(outcome(ideal), outcome(other)) == []
