"""Laws of giving out and of duty: they hold for whatever groups, rules, loads and plans there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from aftersales.rota import Exceptional, Span, Weekly, merged, nobody, spans_of, without
from aftersales.routing import Arriving, Person, Rule, Team, may_take, route

LOGINS = [f"店:{name}" for name in "甲乙丙丁戊"]
people = st.builds(Person, st.sampled_from(LOGINS), st.just("谁"), st.frozensets(st.integers(1, 3), max_size=2))
each_once = st.lists(people, max_size=5, unique_by=lambda one: one.login).map(tuple)
teams = st.dictionaries(
    st.integers(1, 4), st.tuples(each_once, st.none() | st.integers(1, 6)), max_size=4
).map(lambda found: {id: Team(id, f"组{id}", *rest) for id, rest in found.items()})  # fmt: skip
rules = st.lists(
    st.builds(
        Rule, st.text(max_size=3), st.integers(1, 5), st.sampled_from(["", "exchange", "refund"]),
        st.sampled_from(["", "kuaishou", "wechat"]), st.none() | st.integers(1, 3), st.sampled_from(["", "L2", "L4"]),
        st.sampled_from(["", "V3", "V10"]), st.lists(st.sampled_from(["靴", "Boot", "毯"]), max_size=2).map(tuple),
    ),
    max_size=6,
)  # fmt: skip
tickets = st.builds(
    Arriving, st.sampled_from(["exchange", "refund"]), st.sampled_from(["kuaishou", "wechat"]), st.integers(1, 3),
    st.sampled_from(["", "L1", "L3"]), st.sampled_from(["", "V1", "V9", "V10"]),
    st.sampled_from(["马丁靴", "BOOT", ""]), st.just("EX-1"), st.none() | st.sampled_from(LOGINS),
    st.none() | st.integers(1, 5),
)  # fmt: skip
loads = st.dictionaries(st.sampled_from(LOGINS), st.integers(0, 8))
awake = st.frozensets(st.sampled_from(LOGINS))
everything = given(tickets, rules, teams, loads, awake)


@everything
def test_a_ticket_has_one_group_exactly_if_a_rule_matches_or_its_parent_has_an_owner_there(
    t, rules, teams, loads, awake
):
    choice = route(t, rules, teams, loads, awake)
    first = next((rule for rule in rules if rule.team in teams and not rule.misses(t)), None)
    if choice.kind == "parent":
        assert choice.owner == t.parent_owner
        assert choice.team in teams
    else:
        assert choice.team == (None if first is None else first.team)
        assert choice.rule == ("" if first is None else first.name)


@everything
def test_nobody_is_given_more_than_the_group_allows_or_a_shop_not_served(t, rules, teams, loads, awake):
    choice = route(t, rules, teams, loads, awake)
    if choice.owner is not None:
        team = teams[choice.team]
        person = next(one for one in team.people if one.login == choice.owner)
        assert team.each_at_most is None or loads.get(person.login, 0) < team.each_at_most
        assert not person.shops or t.shop_id in person.shops


@everything
def test_nobody_off_duty_gets_it_while_somebody_on_duty_is_free(t, rules, teams, loads, awake):
    choice = route(t, rules, teams, loads, awake)
    if choice.owner is not None and choice.owner not in awake:
        team = teams[choice.team]
        assert not [one for one in team.people if one.login in awake and may_take(one, team, t.shop_id, loads)]


@everything
def test_no_ticket_lies_about_while_somebody_of_the_group_has_room(t, rules, teams, loads, awake):
    choice = route(t, rules, teams, loads, awake)
    if choice.team is not None and choice.owner is None:
        team = teams[choice.team]
        assert not [one for one in team.people if may_take(one, team, t.shop_id, loads)]


@everything
def test_of_those_alike_the_one_with_the_fewest_gets_it(t, rules, teams, loads, awake):
    choice = route(t, rules, teams, loads, awake)
    if choice.kind == "owner":
        team = teams[choice.team]
        alike = [one for one in team.people if (one.login in awake) == choice.awake]
        able = [loads.get(one.login, 0) for one in alike if may_take(one, team, t.shop_id, loads)]
        assert loads.get(choice.owner, 0) == min(able)


@everything
def test_the_order_in_which_things_are_told_does_not_matter(t, rules, teams, loads, awake):
    turned = {
        id: Team(team.id, team.name, team.people[::-1], team.each_at_most) for id, team in reversed(teams.items())
    }
    again = route(t, rules, turned, dict(reversed(loads.items())), sorted(awake, reverse=True))
    assert again == route(t, rules, teams, loads, awake)


def test_a_member_level_means_that_one_and_above():
    """As numbers: V10 is above V9."""
    asked = Rule("贵宾", 1, member="V9")
    assert not asked.misses(Arriving("refund", "wechat", 1, member="V10"))
    assert asked.misses(Arriving("refund", "wechat", 1, member="V8")) == "member"
    assert asked.misses(Arriving("refund", "wechat", 1)) == "member"


# ── duty ──

NOON = datetime(2026, 10, 2, 4, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
minutes = st.integers(-3 * 1440, 5 * 1440).map(lambda n: NOON + MINUTE * n)
weekly = st.builds(
    lambda login, day, begin, length: Weekly(login, day, begin, begin + length),
    st.sampled_from(LOGINS[:3]), st.integers(0, 6), st.integers(0, 1439), st.integers(1, 1440),
)  # fmt: skip
exceptional = st.builds(
    lambda login, begin, length, works: Exceptional(login, begin, begin + MINUTE * length, works),
    st.sampled_from(LOGINS[:3]), minutes, st.integers(1, 2000), st.booleans(),
)  # fmt: skip
spans = st.lists(
    st.builds(lambda at, length: Span(at, at + MINUTE * length), minutes, st.integers(1, 2000)), max_size=6
)


def there(found, at):
    return any(span.from_at <= at < span.to_at for span in found)


@given(st.lists(weekly, max_size=8), st.lists(exceptional, max_size=6), minutes)
def test_somebody_is_on_duty_if_and_only_if_the_plan_or_an_exception_says_so(week, exceptions, at):
    found = spans_of(week, exceptions, NOON - 3 * DAY, NOON + 5 * DAY)
    local = at + timedelta(hours=8)
    minute = local.weekday() * 1440 + local.hour * 60 + local.minute
    for login in LOGINS[:3]:
        mine = [one for one in week if one.login == login]
        planned = any(
            one.weekday * 1440 + one.from_minute <= moment < one.weekday * 1440 + one.to_minute
            for one in mine for moment in (minute, minute + 7 * 1440)
        )  # fmt: skip
        said = [one.works for one in exceptions if one.login == login and one.from_at <= at < one.to_at]
        expected = True in said or (planned and False not in said)
        assert there(found.get(login, ()), at) is (expected and NOON - 3 * DAY <= at < NOON + 5 * DAY)


@given(spans, minutes)
def test_merging_keeps_the_time_and_leaves_no_overlap(found, at):
    together = merged(found)
    assert there(together, at) is there(found, at)
    assert all(one.to_at < other.from_at for one, other in pairwise(together))


@given(spans, spans, minutes)
def test_without_takes_away_exactly_that(found, taken, at):
    assert there(without(found, taken), at) is (there(found, at) and not there(taken, at))


@given(spans, minutes)
def test_nobody_is_there_exactly_when_no_span_runs(found, at):
    alone = nobody(found, NOON - DAY, NOON + DAY)
    inside = NOON - DAY <= at < NOON + DAY
    assert there(alone, at) is (inside and not there(found, at))
