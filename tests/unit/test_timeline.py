"""The line of a clock: whatever is drawn, it stays in the picture, in order, and no words lie on others."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from web.timeline import LEFT, RIGHT, Line, Mark, Span, draw

START = datetime(2026, 10, 1, 2, tzinfo=UTC)
seconds = st.integers(-40 * 86_400, 120 * 86_400).map(lambda n: START + timedelta(seconds=n))
words = st.sampled_from(
    ["", "现在 14:32", "到期，系统视为同意换货", "10-03 10:00", "店内目标 24 小时", "A long English label"]
)
marks = st.lists(
    st.builds(Mark, seconds, st.sampled_from(["start", "due", "now", "target", "was"]), words, words), max_size=7
)
spans = st.lists(
    st.tuples(seconds, st.integers(0, 30 * 86_400), st.sampled_from(["holiday", "skip", "pause", "worked"]), words).map(
        lambda s: Span(s[0], s[0] + timedelta(seconds=s[1]), s[2], s[3])
    ),
    max_size=5,
)
lines = st.builds(
    lambda length, used, marks, spans: Line(
        START, START + timedelta(seconds=length), START + timedelta(seconds=used), marks, spans
    ),
    st.integers(0, 100 * 86_400),
    st.integers(0, 110 * 86_400),
    marks,
    spans,
)


@given(lines)
def test_everything_is_in_the_picture(line):
    drawn = draw(line)
    for bar in (drawn.track, *drawn.used, *drawn.spans):
        assert bar.x >= 0
        assert bar.width >= 0
        assert bar.x + bar.width <= 100.01
    for label in (*drawn.labels, *drawn.days):
        assert 0 <= label.left <= label.right <= 100
        assert 0 <= label.x <= 100
    assert all(0 <= tick.x <= 100 for tick in drawn.ticks)


@given(lines)
def test_what_is_earlier_never_stands_right_of_what_is_later(line):
    ticks = draw(line).ticks
    placed = sorted((mark.at, tick.x) for tick, mark in zip(ticks, line.marks, strict=True))
    assert [x for _, x in placed] == sorted(x for _, x in placed)


@given(lines)
def test_no_words_lie_on_others(line):
    drawn = draw(line)
    for row in (drawn.labels, drawn.days):
        placed = sorted(row, key=lambda label: (label.left, label.right))
        for one, other in pairwise(placed):
            assert one.right < other.left


def test_half_of_the_time_is_half_of_the_line():
    middle = START + timedelta(hours=24)
    drawn = draw(Line(START, START + timedelta(hours=48), middle, [Mark(middle, "now", "现在")]))
    assert drawn.ticks[0].x == (LEFT + RIGHT) / 2
    assert [(bar.x, bar.width) for bar in drawn.used] == [(LEFT, (RIGHT - LEFT) / 2)]


def test_a_pause_is_a_gap_in_what_is_used():
    def hour(n):
        return START + timedelta(hours=n)

    drawn = draw(Line(START, hour(100), hour(80), spans=[Span(hour(20), hour(40), "pause")]))
    assert [(round(bar.x - LEFT, 1), round(bar.width, 1)) for bar in drawn.used] == [(0, 17.6), (35.2, 35.2)]


def test_the_important_labels_are_there_and_the_others_where_they_fit():
    due = START + timedelta(hours=48)
    near = due - timedelta(minutes=20)
    drawn = draw(
        Line(START, due, near, [Mark(due, "due", "到期"), Mark(START, "start", "买家申请"), Mark(near, "now", "现在")])
    )
    assert {label.kind for label in drawn.labels} >= {"due", "start"}
    assert [label.title for label in drawn.days] == ["10-02", "10-03"]


def test_a_long_line_tells_fewer_days():
    drawn = draw(Line(START, START + timedelta(days=90), START))
    assert 3 <= len(drawn.days) <= 14


def test_a_title_that_would_fill_the_picture_gives_way_to_a_shorter_one():
    due = START + timedelta(hours=48)
    long = Mark(due, "due", "Due: not answered in time, exchange deemed approved", "10-03 10:00", "Due")
    assert [label.title for label in draw(Line(START, due, START, [long])).labels] == ["Due"]
