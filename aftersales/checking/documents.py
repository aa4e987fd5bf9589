"""Layer 3: the documents of a policy are in order and checked, and every rule answers those that concern it.

Which documents must a rule answer? Two documents belong together when some rule answers both: the later is then a new
text of the earlier. A rule must answer every full document that belongs to its own and is later than its first line.
So a law that only one rule cites asks nothing of the others, and a new text of the platform's rules asks all of them.
A later full document that no rule connects with an earlier one is reported itself: somebody has begun to enter it and
stopped, or it is `partial`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise

from aftersales.checking.book import Book
from aftersales.checking.problem import Problem
from aftersales.policies.vocabulary import Document, Policy, Rule, Ruling

CONFIDENCE = ("seed", "public-official", "public-3rdparty")
Families = Mapping[Document, set[Document]]


def check_dates(book: Book) -> Iterator[Problem]:
    """Dates are read when a rule is asked for, which would be too late."""
    for document in _all_documents(book):
        for name, written in (("effective", document.effective), ("checked_on", document.checked_on)):
            if written is not None and not _is_day(written):
                message = f"《{document.title}》的 {name} 写的是「{written}」，请写成 2022-09-30 这样"
                yield book.problem(document, "P3", message)


def _all_documents(book: Book) -> list[Document]:
    """Those that are listed, and those that are cited without being listed."""
    cited = [document for rule in book.policy.rules for document in _answered_by(rule)]
    return [*{id(document): document for document in (*book.policy.documents, *cited)}.values()]


def _is_day(written: object) -> bool:
    try:
        return isinstance(written, str) and date.fromisoformat(written).isoformat() == written
    except ValueError:
        return False


def check_documents(book: Book) -> Iterator[Problem]:
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


# ── does every rule answer every document of its own subject? ──


def check_answers(book: Book) -> Iterator[Problem]:
    families = families_of(book.policy)
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


def families_of(policy: Policy) -> Families:
    """For every document that a clock rule answers: it and those that some rule connects it with."""
    family: dict[Document, set[Document]] = {}
    for rule in policy.clock_rules:
        joined = {document for answered in _answered_by(rule) for document in family.get(answered, {answered})}
        for document in joined:
            family[document] = joined
    return family


def _stands_alone(book: Book, document: Document, families: Families) -> bool:
    """A full document of the platform's own, later than another by which clocks go, and no rule connects the two.
    What is written in another file, a law, is no earlier text of it."""
    if document.partial or document not in families:
        return False
    own = [other for other in families if book.room.place_of(other).path == book.place.path]
    earlier = [other for other in own if other.begins < document.begins]
    return bool(earlier) and not any(other in families[document] for other in earlier)


def first_text(rules: Sequence[Rule], families: Families) -> Document | None:
    """The first of the documents that these rules go by, whether or not they answer it themselves."""
    documents = {document for rule in rules for document in families[rule.history[0].document]}
    full = [document for document in documents if not document.partial]
    return min(full, key=lambda document: document.begins, default=None)
