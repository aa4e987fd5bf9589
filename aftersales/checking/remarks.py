"""What is told although it is no mistake: what a policy leaves open, and what it goes by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aftersales.checking.book import Book
from aftersales.checking.imagined import Test, arrived, combinations, described, facts_asked, holds
from aftersales.policies.vocabulary import Policy
from aftersales.workflows.context import Context
from aftersales.workflows.vocabulary import Import, Move, Opening, State


def remarks(book: Book) -> Iterator[str]:
    """For people to know: what the policy leaves open."""
    policy = book.policy
    silent = [workflow.label for workflow in book.workflows if not book.rules_of(workflow)]
    if silent:
        yield f"{policy.label}：没有{'、'.join(silent)}的时限规则，这些工单在这里不设时钟"
    for workflow in book.workflows:
        for state in workflow.waiting:
            uncovered = _uncovered(book, state)
            if uncovered:
                yield f"{policy.label}：{workflow.label}「{state.label}」，{uncovered}：没有规则，不设时钟"
    lines = [(rule, limit) for rule in policy.clock_rules for limit in rule.history[-1:] if limit.within is not None]
    yield from _told(
        policy, "条按我们的读法执行（assumed）", [r.id for r, line in lines if line.assumed and not line.off]
    )
    yield from _told(policy, "条只有第三方转载为据，却在执行", [
        rule.id for rule, line in lines if line.document.confidence == "public-3rdparty" and not line.off
    ])  # fmt: skip
    yield from _told(policy, "条写着但没有启用（off）", [rule.id for rule, line in lines if line.off])


def _told(policy: Policy, what: str, ids: list[str]) -> Iterator[str]:
    if ids:
        yield f"{policy.label}：{len(ids)} {what}：{'、'.join(ids)}"


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
