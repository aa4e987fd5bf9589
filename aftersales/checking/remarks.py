"""What is told although it is no mistake: what a policy leaves open, and what it goes by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aftersales.checking.book import Book
from aftersales.checking.imagined import Test, arrived, combinations, described, facts_asked, holds
from aftersales.saying import listed, say
from aftersales.workflows.context import Context
from aftersales.workflows.vocabulary import Import, Move, Opening, State


def remarks(book: Book) -> Iterator[str]:
    """For people to know: what the policy leaves open."""
    policy = book.policy
    silent = [workflow.label for workflow in book.workflows if not book.rules_of(workflow)]
    if silent:
        yield say("{policy}：没有{types}的时限规则，这些工单在这里不设时钟", policy=policy.label, types=listed(silent))
    for workflow in book.workflows:
        for state in workflow.waiting:
            uncovered = _uncovered(book, state)
            if uncovered:
                yield say(
                    "{policy}：{type}「{state}」，{which}：没有规则，不设时钟",
                    policy=policy.label, type=workflow.label, state=state.label, which=uncovered,
                )  # fmt: skip
    lines = [(rule, limit) for rule in policy.clock_rules for limit in rule.history[-1:] if limit.within is not None]
    acting = [(rule.id, line) for rule, line in lines if not line.off]
    for template, ids in (
        ("{policy}：{n} 条按我们的读法执行（assumed）：{rules}", [id for id, line in acting if line.assumed]),
        ("{policy}：{n} 条只有第三方转载为据，却在执行：{rules}", [
            id for id, line in acting if line.document.confidence == "public-3rdparty"
        ]),
        ("{policy}：{n} 条写着但没有启用（off）：{rules}", [rule.id for rule, line in lines if line.off]),
    ):  # fmt: skip
        if ids:
            yield say(template, policy=policy.label, n=len(ids), rules=listed(ids))


def _uncovered(book: Book, state: State) -> str:
    """For which tickets no rule holds in this state, where all its rules hold for some tickets only."""
    rules = book.policy.rules_for(state)
    tests = [rule.when.test for rule in rules if rule.when is not None]
    if not rules or len(tests) < len(rules):
        return ""
    arriving = [(move, source) for move in state.workflow.moves for source in _sources(move, state)]
    facts = facts_asked(tests, arriving[0][0], state.name, book.policy)
    bare = [
        fields
        for fields in combinations(facts)
        if not all(_covered(tests, arrived(move, source, state, book.policy, fields)) for move, source in arriving)
    ]
    return described(facts, bare, list(combinations(facts)))


def _sources(move: Move, state: State) -> list[State | None]:
    """From where this move leads to the state from elsewhere."""
    if isinstance(move, Import):
        return []
    froms: Sequence[State | None] = [None] if isinstance(move, Opening) else move.sources
    return [source for source in froms if source is not state and state in move.destinations(source)]


def _covered(tests: Sequence[Test], context: Context) -> bool:
    return any(holds(test, context) for test in tests)
