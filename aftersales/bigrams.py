"""What is searched for and what is found, as pairs of characters: the one place that says what a text holds.

Most Chinese words have two characters, and nothing between them says where one ends. So a text is cut into every pair
of neighbours, and a word is found where its pairs stand one after the other. Pure; both databases use it.

Each character is taken by itself, so that a part of a text always gives a part of what the text gives:

* full width and half width, upper and lower case are the same (NFKC and casefold of the character);
* spaces, line ends and what cannot be seen count for nothing: `SF 1234` is found as SF1234 and as sf12 34;
* of each text the first 2,000 characters are searched.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from aftersales.ticket import Change
from aftersales.workflows import facts
from aftersales.workflows.vocabulary import Fact

#: characters of each text that are searched; of a question; and how many words a question may have
LONGEST, LONGEST_ASKED, MOST_WORDS = 2_000, 100, 8
#: stands after the last character of a text, so that every character begins a pair and no pair joins two texts
END = "\n"
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Zs", "Zl", "Zp"}


class _Folded(dict[int, str]):
    def __missing__(self, code: int) -> str:
        plain = unicodedata.normalize("NFKC", chr(code)).casefold()
        kept = self[code] = "".join(char for char in plain if unicodedata.category(char) not in _UNSEEN)
        return kept


_FOLDED = _Folded()


def folded(text: str) -> str:
    """The text as it is compared."""
    return text[:LONGEST].translate(_FOLDED)


def asked(text: str) -> list[str]:
    """The words of a question, folded: a ticket is found if it has all of them."""
    words = [folded(word) for word in text[:LONGEST_ASKED].split()]
    return [word for word in dict.fromkeys(words) if word][:MOST_WORDS]


def pairs(word: str) -> list[str]:
    """Of a folded word: its neighbours, one after the other."""
    return [word[place : place + 2] for place in range(len(word) - 1)]


def pairs_of(texts: Iterable[str]) -> list[str]:
    """Of whole folded texts: theirs, each with the end."""
    return [pair for text in texts if text for pair in pairs(text + END)]


# ── what a ticket is found by ─────────────────────────────────────────────────────────────────────────────────────────

#: of the ticket itself
NAMED = ("number", "order_no", "item_no", "buyer", "platform_no")


def _codes() -> set[tuple[str, Any]]:
    every = [fact for fact in vars(facts).values() if isinstance(fact, Fact)]
    return {(fact.name, value) for fact in every for value, _ in fact.choices}


#: (fact, value) of what is chosen from a list, which nobody wrote; and facts that are states and logins
_CODES, _NOT_WORDS = _codes(), {"state", "platform_status", "member_level", facts.agent.name}


def written(said: Mapping[str, Any]) -> list[str]:
    """The texts that people wrote among these facts or fields."""
    return [
        value
        for name, value in said.items()
        if isinstance(value, str) and name not in _NOT_WORDS and (name, value) not in _CODES
    ]


def texts_of(change: Change) -> list[tuple[int, list[str]]]:
    """(seq of the event, the folded texts that came with it). Nothing for what the clock alone does."""
    found = []
    for event in change.events:
        texts = written(event.facts) if event.facts else []
        if event.seq == 1:
            texts = [*names_of(change.after), *texts, *written(change.after.fields)]
        if texts:
            found.append((event.seq, fold_all(texts)))
    return found


def names_of(ticket: Any) -> list[str]:
    """What the ticket is called; it never changes. `ticket`: anything with the names of NAMED."""
    return [getattr(ticket, name) or "" for name in NAMED]


def fold_all(texts: Iterable[str]) -> list[str]:
    """Each once, without those that come to nothing."""
    return [text for text in dict.fromkeys(map(folded, texts)) if text]
