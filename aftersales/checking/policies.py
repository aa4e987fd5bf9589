"""Layer 3: each policy fits the workflows, answers its documents and cites them.

Which documents must a rule answer? Two documents belong together when some rule answers both: the later is then a new
text of the earlier. A rule must answer every full document that belongs to its own and is later than its first line.
So a law that only one rule cites asks nothing of the others, and a new text of the platform's rules asks all of them.
A later full document that no rule connects with an earlier one is reported itself: somebody has begun to enter it and
stopped, or it is `partial`.

A policy with no clock rule at all for a workflow says nothing about it: its tickets have no clock there, and that is
told as information. With one rule it must answer for every waiting state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise

from aftersales.checking.imagined import Test, arrived, combinations, described, facts_asked, holds
from aftersales.checking.loading import Place, Room
from aftersales.checking.machines import stuck
from aftersales.checking.problem import Problem, listed
from aftersales.checking.rulings import check_ruling, facts_on
from aftersales.policies.vocabulary import APPLICATION, Document, Limit, Policy, Rule, Ruling, agreed, until
from aftersales.workflows.context import Context
from aftersales.workflows.vocabulary import Fact, Import, Move, Opening, State, Step, Timeout, Workflow

CONFIDENCE = ("seed", "public-official", "public-3rdparty")


@dataclass(frozen=True)
class Book:
    """One policy with what is needed to look at it."""

    policy: Policy
    workflows: Sequence[type[Workflow]]
    room: Room

    @property
    def place(self) -> Place:
        return self.room.place_of(self.policy)

    def problem(self, thing: object, code: str, message: str, line: int | None = None) -> Problem:
        place = self.room.place_of(thing, otherwise=self.policy)
        return Problem(place.path, line or place.line, code, message)

    def at(self, rule: Rule | Ruling, code: str, message: str, limit: Limit | None = None) -> Problem:
        return self.problem(rule, code, message, limit.line if limit else rule.line)

    def rules_of(self, workflow: type[Workflow]) -> list[Rule]:
        return [rule for rule in self.policy.clock_rules if any(state.workflow is workflow for state in rule.states)]


def check_policy(book: Book) -> list[Problem]:
    """The problems of one. What is of the wrong kind or has no date makes further looking pointless."""
    wrong = [*_wrong_kinds(book)] or [*_dates(book)]
    if wrong:
        return wrong
    checks: list[Callable[[Book], Iterator[Problem]]] = [
        _itself, _documents, _ids, _families, _rules, _states, _contradictions, _traps, _left_out,
    ]  # fmt: skip
    return [problem for check in checks for problem in check(book)]


# ── everything is what it should be ──


def _wrong_kinds(book: Book) -> Iterator[Problem]:
    policy = book.policy
    for document in policy.documents:
        if not isinstance(document, Document):
            yield book.problem(policy, "P1", f"documents 里的{_brief(document)}不是文件，请写 Document(…) 那一行的名字")
    for rule in policy.rules:
        if not isinstance(rule, Rule | Ruling):
            hint = "；整组规则请在前面加 *" if isinstance(rule, list) else "，请写 Rule(…) 一类的行"
            yield book.problem(policy, "P18", f"rules 里的{_brief(rule)}不是规则{hint}")
        else:
            yield from _wrong_parts(book, rule)


def _wrong_parts(book: Book, rule: Rule | Ruling) -> Iterator[Problem]:
    what, kind = ("状态", State) if isinstance(rule, Rule) else ("动作", Move)
    parts: Sequence[object] = rule.states if isinstance(rule, Rule) else rule.moves
    for part in parts:
        if not isinstance(part, kind) or part.workflow not in book.workflows:
            yield book.at(rule, "P12", f"「{rule.label}」里的{_brief(part)}不是流程里的{what}，请写成 流程.{what}")
    if isinstance(rule, Rule) and not rule.history:
        yield book.at(rule, "P5", f"「{rule.label}」没有写任何规定，请加一行 since(…) 或 no_limit(…)")


def _brief(thing: object) -> str:
    """A thing that should not be there, as people know it."""
    if isinstance(thing, list | tuple):
        return f"一组（{len(thing)} 项）"
    return f"「{getattr(thing, 'label', thing)}」"


def _dates(book: Book) -> Iterator[Problem]:
    for document in _all_documents(book):
        for name, written in (("effective", document.effective), ("checked_on", document.checked_on)):
            if written is not None and not _is_day(written):
                message = f"《{document.title}》的 {name} 写的是「{written}」，请写成 2022-09-30 这样"
                yield book.problem(document, "P3", message)


def _all_documents(book: Book) -> list[Document]:
    cited = [limit.document for rule in book.policy.clock_rules for limit in rule.history]
    cited += [rule.document for rule in book.policy.rules if isinstance(rule, Ruling)]
    return [*{id(document): document for document in (*book.policy.documents, *cited)}.values()]


def _is_day(written: object) -> bool:
    try:
        return isinstance(written, str) and date.fromisoformat(written).isoformat() == written
    except ValueError:
        return False


# ── the policy itself, its documents, its ids ──


def _itself(book: Book) -> Iterator[Problem]:
    if book.policy.pin not in ("clock", "ticket"):
        message = f'pin 写的是「{book.policy.pin}」，请写 "clock"（按时钟开始时的规定）或 "ticket"（按开单时的规定）'
        yield book.problem(book.policy, "P18", message)
    if not str(book.policy.label).strip():
        yield book.problem(book.policy, "P18", "label 是空的，请写平台的中文名")


def _documents(book: Book) -> Iterator[Problem]:
    documents = book.policy.documents
    own = [document for document in documents if book.room.place_of(document).path == book.place.path]
    for earlier, later in pairwise(document for document in own if document.effective is not None):
        if later.begins < earlier.begins:
            message = f"《{later.title}》（{later.label}）早于它前面的一份，请在 documents 里从早到晚排列"
            yield book.problem(book.policy, "P1", message)
    for document in documents:
        if document.checked_on is None:
            message = f'《{document.title}》还没有人核对过原文，请核对后填 checked_on="哪一天"'
            yield book.problem(document, "P2", message)
        if document.confidence not in CONFIDENCE:
            able = "、".join(CONFIDENCE)
            yield book.problem(document, "P2", f"《{document.title}》的 confidence 请写 {able} 里的一个")
    for document in _all_documents(book):
        if document not in documents:
            yield book.problem(book.policy, "P7", f"规则引用了《{document.title}》，请把它列进 documents")


def _ids(book: Book) -> Iterator[Problem]:
    """A ticket in the database names its clock by rule id and version, so an id must lead to one rule."""
    clocks: dict[str, Rule] = {}
    rulings: dict[tuple[str, type[Ruling], object], Ruling] = {}
    for rule in book.policy.rules:
        if not rule.id.strip() or not rule.label.strip():
            yield book.at(rule, "P8", f"规则「{rule.label or rule.id}」缺编号或名称，请补上")
        if isinstance(rule, Rule):
            if rule.id in clocks:
                message = f"编号 {rule.id} 在第 {clocks[rule.id].line} 行已经用过，请换一个，否则查不出时钟依据哪一条"
                yield book.at(rule, "P11", message)
            clocks.setdefault(rule.id, rule)
            continue
        for move in rule.moves:
            key = (rule.id, type(rule), move)
            if key in rulings:
                yield book.at(rule, "P11", f"「{rule.label}」（{rule.id}）与第 {rulings[key].line} 行重复，请删掉一处")
            rulings.setdefault(key, rule)


# ── does every rule answer every document of its own subject? ──


def _families(book: Book) -> Iterator[Problem]:
    families = _belonging_together(book.policy)
    for rule in book.policy.clock_rules:
        answered = [limit.document for limit in rule.history]
        first = min(document.begins for document in answered)
        for document in families[answered[0]]:
            if document.begins > first and not document.partial and document not in answered:
                yield book.at(rule, "P5", _unanswered(book, rule, document))
    used = {document for rule in book.policy.rules for document in _answered_by(rule)}
    for document in book.policy.documents:
        if document not in used:
            message = f"《{document.title}》（{document.label}）没有一条规则依据它，请写进相关的规则"
            yield book.problem(document, "P16", f"{message}；不用的请从 documents 里删掉")
        elif _stands_alone(book, document, families):
            message = f"《{document.title}》（{document.label}）是整份的新文件，却没有一条已有规则回答它"
            yield book.problem(document, "P17", f"{message}；{_ANSWER}；它只管几条、不替代旧文件的，请写 partial=True")


_ANSWER = "请在每条规则末尾加一行：变了 since(…)，没变 unchanged(…)，不再限时 no_limit(…)"


def _unanswered(book: Book, rule: Rule, document: Document) -> str:
    name = book.room.place_of(document).name or "哪份文件"
    wanted = f'没变也请在末尾写一行 unchanged({name}, quote="原文")'
    return f"「{rule.label}」没有回答 {document.label} 的《{document.title}》，{wanted}"


def _answered_by(rule: Rule | Ruling) -> list[Document]:
    return [limit.document for limit in rule.history] if isinstance(rule, Rule) else [rule.document]


def _belonging_together(policy: Policy) -> dict[Document, set[Document]]:
    """For every document that a clock rule answers: it and those that some rule connects it with."""
    family: dict[Document, set[Document]] = {}
    for rule in policy.clock_rules:
        joined = {document for answered in _answered_by(rule) for document in family.get(answered, {answered})}
        for document in joined:
            family[document] = joined
    return family


def _stands_alone(book: Book, document: Document, families: dict[Document, set[Document]]) -> bool:
    """A full document of the platform's own, later than another by which clocks go, and no rule connects the two.
    What is written in another file, a law, is no earlier text of it."""
    if document.partial or document not in families:
        return False
    own = [other for other in families if book.room.place_of(other).path == book.place.path]
    earlier = [other for other in own if other.begins < document.begins]
    return bool(earlier) and not any(other in families[document] for other in earlier)


# ── single rules ──


def _rules(book: Book) -> Iterator[Problem]:
    for rule in book.policy.rules:
        yield from _clock_rule(book, rule) if isinstance(rule, Rule) else check_ruling(book, rule)


def _clock_rule(book: Book, rule: Rule) -> Iterator[Problem]:
    for earlier, later in pairwise(rule.history):
        if later.document.begins <= earlier.document.begins:
            message = f"「{rule.label}」的各行要按生效日期从早到晚，同一天只写一行，请调整"
            yield book.at(rule, "P6", message, later)
    for state in rule.states:
        if state.final:
            message = f"「{rule.label}」写在「{state.label}」，那里已经结束，不会有时钟，请换成还没办完的状态"
            yield book.at(rule, "P12", message)
    for limit in rule.history:
        yield from _line(book, rule, limit)


def _line(book: Book, rule: Rule, limit: Limit) -> Iterator[Problem]:
    if not limit.clause.strip():
        yield book.at(rule, "P8", f'「{rule.label}」缺条款号，请写 clause="第几条"', limit)
    if limit.within is None:
        if not limit.because.strip():
            yield book.at(rule, "P10", f'「{rule.label}」没有说为什么不限时，请写 because="…"', limit)
        return
    if not limit.quote.strip():
        yield book.at(rule, "P10", f'「{rule.label}」缺原文，请写 quote="原文里的一句话"', limit)
    for state in rule.states:
        if limit.then is not None and state not in limit.then.sources and not state.final:
            message = f"「{limit.then.label}」不能从「{state.label}」触发；可以用：{_timeouts_from(state)}"
            yield book.at(rule, "P9", message, limit)
    for fact, kind in _facts_counted_by(limit):
        yield from _known_fact(book, rule, limit, fact, kind)


def _timeouts_from(state: State) -> str:
    timeouts = state.workflow.timeouts_from(state)
    owner = state.workflow.__name__
    return (
        "、".join(f"{owner}.{move.name}（{move.label}）" for move in timeouts) or "没有，请先在流程的「到期」里加一行"
    )


def _facts_counted_by(limit: Limit) -> list[tuple[Fact, str]]:
    """What the length of this limit depends on, and the kind it must have."""
    found = [(limit.counted_from, "time")] if limit.counted_from not in (None, APPLICATION) else []
    if isinstance(limit.within, until):
        found.append((limit.within.fact, "time"))
    if isinstance(limit.within, agreed):
        found.append((limit.within.fact, "int"))
    return [(fact, kind) for fact, kind in found if fact is not None]


def _known_fact(book: Book, rule: Rule, limit: Limit, fact: Fact, kind: str) -> Iterator[Problem]:
    if fact.kind != kind:
        wanted = {"time": "一个时间", "int": "一个天数"}[kind]
        yield book.at(rule, "P14", f"「{rule.label}」按「{fact.label}」计算，可它不是{wanted}，请换一项", limit)
    for workflow in dict.fromkeys(state.workflow for state in rule.states):
        if fact.name not in facts_on(workflow):
            message = f"{workflow.label}工单上没有「{fact.label}」，这条规则永远算不出期限，请换一项"
            yield book.at(rule, "P14", message, limit)


# ── does every waiting state have a clock, or a reason why not? ──


def _states(book: Book) -> Iterator[Problem]:
    families = _belonging_together(book.policy)
    for workflow in book.workflows:
        rules = book.rules_of(workflow)
        for state in workflow.waiting if rules else ():
            here = [rule for rule in rules if state in rule.states]
            first = _first_text(here, families)
            if not here:
                message = f'{workflow.label}「{state.label}」没有规则；没有时限请写 no_limit(…, because="…")'
                yield book.problem(book.policy, "P4", message)
            elif first and not any(rule.at(first.begins) for rule in here):
                message = (
                    f"{workflow.label}「{state.label}」在 {first.label} 的文件里没有规定；没有时限请写 no_limit(…)"
                )
                yield book.at(here[0], "P4", message)


def _first_text(rules: Sequence[Rule], families: dict[Document, set[Document]]) -> Document | None:
    """The first of the documents that these rules go by, whether or not they answer it themselves."""
    documents = {document for rule in rules for document in families[rule.history[0].document]}
    full = [document for document in documents if not document.partial]
    return min(full, key=lambda document: document.begins, default=None)


def first_version(rules: Iterable[Rule]) -> Document | None:
    """The first document by which the clocks of a workflow go: a dated one if there is any."""
    documents = [limit.document for rule in rules for limit in rule.history]
    dated = [document for document in documents if document.effective is not None]
    return min(dated or documents, key=lambda document: document.begins, default=None)


def versions(rules: Iterable[Rule]) -> list[datetime]:
    """The instants at which the clocks of a workflow change, oldest first."""
    rules = list(rules)
    first = first_version(rules)
    begun = {limit.document.begins for rule in rules for limit in rule.history}
    return sorted(instant for instant in begun if first and instant >= first.begins)


def _contradictions(book: Book) -> Iterator[Problem]:
    """For everybody a limit, and for everybody none: one of the two was forgotten."""
    for workflow in book.workflows:
        rules = [rule for rule in book.rules_of(workflow) if rule.when is None]
        for instant, state in ((instant, state) for instant in versions(rules) for state in workflow.waiting):
            lines = [(rule, rule.at(instant)) for rule in rules if state in rule.states]
            free = next((rule for rule, limit in lines if limit and limit.within is None), None)
            bound = next((rule for rule, limit in lines if limit and limit.within and not limit.off), None)
            if free and bound:
                message = f"「{state.label}」既写了限时（{bound.id}）又写了不限时（{free.id}），请删掉一处"
                yield book.at(free, "P19", message)
                return


def _traps(book: Book) -> Iterator[Problem]:
    """Nothing may wait for a clock that this policy never starts."""
    for workflow in book.workflows:
        rules = book.rules_of(workflow)
        lines = [limit for rule in rules for limit in rule.history if not limit.off]
        armed = {limit.then for limit in lines if limit.then is not None}
        steps = [move for move in workflow.moves if isinstance(move, Step) or move in armed]
        anyway = stuck(workflow, workflow.moves)
        for state in stuck(workflow, steps) if rules else ():
            if state in anyway:
                continue
            able = listed(move.label for move in workflow.moves if isinstance(move, Timeout) and state in move.sources)
            message = f"{workflow.label}「{state.label}」只有到期才能离开，这里却没有时钟，工单会卡死；请给{able}写时限"
            yield book.problem(book.policy, "P20", message)


def _left_out(book: Book) -> Iterator[Problem]:
    """Written but not handed in: it would be silently without effect."""
    used = {id(rule) for policy in book.room.policies() for rule in policy.rules}
    for kind in (Rule, Ruling):
        written: Iterable[tuple[Rule | Ruling, Place]] = book.room.written(kind)
        for rule, place in written:
            if id(rule) not in used and place.path == book.place.path:
                hint = f"*{place.name}" if place.name else "它"
                yield book.at(
                    rule, "P15", f"「{rule.label}」写了却没有交给 Policy，不会起作用，请在 rules=[…] 里加上 {hint}"
                )


# ── what was in force before must be found again ──


def check_kept(before: Policy, book: Book) -> Iterator[Problem]:
    """Running clocks name the rule and the version they were started under."""
    after = {rule.id: rule for rule in book.policy.clock_rules}
    for old in before.clock_rules:
        if old.id not in after:
            message = f"在用的规则里有 {old.id}（{old.label}），这里没有了；正在走的时钟还记着它，请把它放回来"
            yield book.problem(book.policy, "P21", f"{message}，不再限时就在末尾加一行 no_limit(…)")
            continue
        for limit in old.history:
            if after[old.id].line_of(limit.document.label) is None:
                message = f"「{old.label}」（{old.id}）少了 {limit.document.label} 那一行；正在走的时钟还按它办"
                yield book.at(after[old.id], "P21", f"{message}，旧的行不要删，请放回来")


# ── what is told although it is no mistake ──


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
