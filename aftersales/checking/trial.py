"""Tries a draft of a rule file out: would it be put in force, what would it change. Nothing comes into force.

    verdict = try_out("kuaishou", text, in_force={"statute": "..."}, today=date(2026, 10, 2))

A draft is text that somebody pasted into a page. Layer 1 reads it before anything of it is run, and it is run in a room
that has no doors; but neither lock is asked to hold alone: all of it happens in a process of its own, without
environment, files to write, or more than its share of time and memory, which hands back nothing but JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from threading import BoundedSemaphore
from typing import Any

from aftersales.checking.problem import Problem
from aftersales.checking.sources import PACKAGE, POLICIES, Source
from aftersales.rule_changes import Change, change_from_json, change_to_json, compare, version_days
from aftersales.rule_words import entries_on
from aftersales.saying import packed, unpacked

#: characters of a draft; the largest shipped table has 15 000
LONGEST = 300_000
_WALL_SECONDS, _CPU_SECONDS, _BYTES = 20, 10, 1 << 30
#: at most two at a time, whoever asks: the desk must stay quick for everyone else
_seats = BoundedSemaphore(2)
_PATIENCE_SECONDS = 10
BUSY = "别人的草稿正在检查，请过几秒再交一次；您的草稿没有丢，还在下面"
TOO_LONG = "检查这份草稿用的时间或内存太多，已经停下，什么也没有启用；请看看是不是有很长的列表，或者贴错了文件"


@dataclass(frozen=True)
class Day:
    """What the draft changes for one platform on one day."""

    policy: str
    label: str
    day: date
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Verdict:
    """`accepted`: the file would be put in force as it is."""

    accepted: bool
    problems: tuple[Problem, ...] = ()
    remarks: tuple[str, ...] = ()
    days: tuple[Day, ...] = ()

    @property
    def changes(self) -> list[Change]:
        return [change for day in self.days for change in day.changes if change.matters]


def shown_name(name: str) -> str:
    """What problems of the draft are told of."""
    return f"{name}.py（草稿）"


def try_out(name: str, text: str, in_force: Mapping[str, str], today: date) -> Verdict:
    """`in_force`: the operator's files by name. Whatever the draft does, this returns, and soon."""
    question = {"name": name, "text": text, "in_force": dict(in_force), "today": today.isoformat()}
    if not _seats.acquire(timeout=_PATIENCE_SECONDS):
        return _refused(name, "X2", BUSY)
    try:
        done = subprocess.run(  # noqa: S603 -- our own program; the draft is only handed to it
            [sys.executable, "-X", "utf8", "-B", "-m", __name__],
            input=json.dumps(question), capture_output=True, encoding="utf-8",
            cwd=PACKAGE.parent, env={}, timeout=_WALL_SECONDS, check=True,
        )  # fmt: skip
        return _read(json.loads(done.stdout))
    except (subprocess.SubprocessError, ValueError, OSError):
        return _refused(name, "X2", TOO_LONG)
    finally:
        _seats.release()


def _refused(name: str, code: str, message: str) -> Verdict:
    return Verdict(False, (Problem(shown_name(name), 1, code, message),))


def _read(answer: dict[str, Any]) -> Verdict:
    days = [
        Day(one["policy"], one["label"], date.fromisoformat(one["day"]), tuple(map(change_from_json, one["changes"])))
        for one in answer["days"]
    ]
    problems = tuple(Problem(**{**one, "message": unpacked(one["message"])}) for one in answer["problems"])
    return Verdict(answer["accepted"], problems, tuple(map(unpacked, answer["remarks"])), tuple(days))


# ── in the process of its own ──


def _examined(question: dict[str, Any]) -> dict[str, Any]:
    from aftersales.catalog import built_in
    from aftersales.checking.settling import settle

    shipped, today = built_in(), date.fromisoformat(question["today"])
    workflows = list(shipped.workflows.values())
    own = {
        (source := Source(POLICIES, name, f"{name}.py", text)).module: source
        for name, text in question["in_force"].items()
    }
    now = settle({}, own, workflows, {})
    before = {**shipped.policies, **{policy.key: policy for policy in now.examined.policies}}
    draft = Source(POLICIES, question["name"], shown_name(question["name"]), question["text"])
    then = settle(now.sources, {draft.module: draft}, workflows, before)
    accepted = then.sources.get(draft.module) == draft
    after = {policy.key: policy for policy in then.examined.policies} if accepted else {}
    return {
        "accepted": accepted,
        "problems": [{**asdict(one), "message": packed(one.message)} for one in then.problems],
        "remarks": [packed(one) for one in then.examined.remarks()] if accepted else [],
        "days": [day for key in after for day in _days(before.get(key), after[key], today)],
    }


def _days(before: Any, after: Any, today: date) -> Iterable[dict[str, Any]]:
    """Today, and every day to come on which a version begins."""
    ahead = {day for policy in (before, after) if policy for day in version_days(policy) if day > today}
    for day in [today, *sorted(ahead)]:
        changes = compare(entries_on(before, day) if before else [], entries_on(after, day))
        if changes:
            found = [change_to_json(change) for change in changes]
            yield {"policy": after.key, "label": after.label, "day": day.isoformat(), "changes": found}


def _confine() -> None:
    """No more than its share of time and memory, and not a byte written to a file."""
    import resource

    for limit, most in (
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_AS, _BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))


def main() -> None:
    _confine()
    sys.stdout.write(json.dumps(_examined(json.load(sys.stdin)), ensure_ascii=False))


if __name__ == "__main__":
    main()
