"""Files that were refused, drafts to try out, and what rests on our reading."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from aftersales import clock
from aftersales.catalog import Catalog
from aftersales.checking.problem import Problem
from aftersales.checking.sources import NOT_TABLES, in_rules_dir
from aftersales.checking.trial import LONGEST, Verdict, try_out
from aftersales.clock import shown_day
from aftersales.policies.vocabulary import Policy
from aftersales.queries.rules import File as RuleFile
from aftersales.rule_words import Entry, entries_on
from web.i18n import gettext
from web.pages.rules import shelf
from web.pages.rules.lines import Diff, diff_of
from web.pages.rules.room import address_of, frame_of
from web.pages.rules.verdict import files_in_force, shipped_text, verdict_on
from web.rendering import page
from web.site import Site, TheSite

router = APIRouter()
#: a rule file is named as its platform: kuaishou, statute, house, or a new one
_NAME = re.compile("[a-z][a-z0-9_]{0,39}")


# ── files that were refused ──


@dataclass(frozen=True)
class Refused:
    """A file of the operator's directory that is not in force. `good`: what is in force in its place."""

    path: str
    problems: Sequence[Problem]
    good: RuleFile | None
    #: how it differs from what is in force; None where its text cannot be read
    diff: Diff | None


def refused_files(site: Site) -> list[Refused]:
    problems = verdict_on(site).refused
    texts = _lying_there(site.settings.rules_dir)
    good = {file.name: file for file in files_in_force(site)}
    paths = dict.fromkeys(problem.path for problem in problems)
    return [_refused(path, [one for one in problems if one.path == path], texts.get(path), good) for path in paths]


def _refused(path: str, problems: Sequence[Problem], text: str | None, good: dict[str, RuleFile]) -> Refused:
    name = Path(path).stem
    in_force = good[name].text if name in good else shipped_text(name)
    diff = diff_of(in_force, text) if text is not None and in_force is not None else None
    return Refused(path, problems, good.get(name), diff)


def _lying_there(rules_dir: Path | None) -> dict[str, str]:
    """The texts of the operator's directory by the path that problems name."""
    if rules_dir is None:
        return {}
    try:
        sources, _ = in_rules_dir(rules_dir)
    except OSError:
        return {}
    return {source.path: source.text for source in sources.values()}


def own_files(site: Site) -> list[tuple[RuleFile, Diff | None]]:
    """The operator's files in force, each with how it differs from what comes with the product (None: nothing does)."""
    found = [(file, shipped_text(file.name)) for file in files_in_force(site)]
    return [(file, None if text is None else diff_of(text, file.text)) for file, text in found]


# ── drafts ──


@dataclass(frozen=True)
class Draft:
    """What somebody pasted, with the answer. `wrong`: why it was not even looked at."""

    name: str = ""
    text: str = ""
    wrong: str = ""
    verdict: Verdict | None = None
    diff: Diff | None = None

    def touched(self, tickets: shelf.Tickets) -> int:
        """Open tickets whose clock runs under a rule that the draft changes: they keep it, later ones do not."""
        if self.verdict is None:
            return 0
        changed = {(day.policy, change.id) for day in self.verdict.days for change in day.changes if change.matters}
        return sum(tickets.by_rule.get(one, 0) for one in changed)


def _page(site: Site, draft: Draft, status: int = 200) -> Response:
    names = sorted({*site.rules().catalog.policies, shelf.HOUSE, shelf.STATUTE})
    tickets = shelf.tickets(site)
    context = {
        "refused": refused_files(site), "own": own_files(site), "draft": draft, "names": names, "tickets": tickets,
        "touched": draft.touched(tickets), "longest": LONGEST,
    }  # fmt: skip
    return page("rules/check.html", {**frame_of(site, "check", shown_day(clock.now())), **context}, status)


@router.get("/rules/check")
def check(request: Request, site: TheSite) -> Response:
    """`?name=kuaishou` begins a draft with the text that is in force."""
    name = request.query_params.get("name", "")
    text = _text_in_force(site, name) if _NAME.fullmatch(name) else None
    return _page(site, Draft(name if text else "", text or ""))


@router.post("/rules/check")
def check_draft(
    site: TheSite,
    name: Annotated[str, Form()] = "",
    text: Annotated[str, Form()] = "",
    file: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """The verdict on a draft. Nothing comes into force, nothing is kept."""
    draft = _sent(name.strip(), text, file)
    if draft.wrong:
        return _page(site, draft, 422)
    in_force = {one.name: one.text for one in files_in_force(site)}
    verdict = try_out(draft.name, draft.text, in_force, shown_day(clock.now()))
    old = _text_in_force(site, draft.name)
    return _page(site, Draft(draft.name, draft.text, "", verdict, diff_of(old or "", draft.text)))


def _sent(name: str, text: str, file: UploadFile | None) -> Draft:
    """An uploaded file goes before what was pasted, and names itself."""
    if file is not None and file.filename:
        name = name or Path(file.filename).stem
        try:
            text = file.file.read(4 * LONGEST + 1).decode("utf-8-sig")
        except UnicodeDecodeError:
            return Draft(name[:40], "", gettext("文件不是 UTF-8 编码，请用编辑器另存为 UTF-8 再试"))
    text = text.replace("\r\n", "\n")
    return Draft(name[:40], text[:LONGEST], _wrong(name, text))


def _wrong(name: str, text: str) -> str:
    if not text.strip():
        return gettext("没有收到草稿，请贴上规则文件的内容，或选一个文件")
    if len(text) > LONGEST:
        return gettext("草稿超过 30 万字，不像规则文件，没有检查；请看看是不是贴错了")
    if not _NAME.fullmatch(name) or name in NOT_TABLES:
        return gettext("文件名「{name}」不能用；请用小写字母、数字和下划线，例如 kuaishou", name=name[:40])
    if re.search("[\x00\ud800-\udfff]", text):
        return gettext("草稿里有不是文字的内容，没有检查；请用编辑器另存为普通文本再试")
    return ""


def _text_in_force(site: Site, name: str) -> str | None:
    return next((file.text for file in files_in_force(site) if file.name == name), None) or shipped_text(name)


# ── what is assumed ──


@dataclass(frozen=True)
class Assumption:
    """A rule that rests on our reading, on a doubtful copy, or on a text that nobody has looked at."""

    policy: Policy
    entry: Entry
    address: str
    #: since a person last compared the text; None: nobody ever did
    days: int | None

    @property
    def doubtful(self) -> bool:
        return self.entry.document.confidence == "public-3rdparty"


def assumptions(catalog: Catalog, day: date) -> list[Assumption]:
    found = []
    for policy in shelf.books(catalog).values():
        for entry in {id(one.rule): one for one in entries_on(policy, day)}.values():
            of_law = policy.key != shelf.STATUTE and entry.document in shelf.law(catalog).documents
            one = Assumption(policy, entry, address_of(policy.key, entry.id), _age(entry.document.checked_on, day))
            if not of_law and (entry.assumed or one.doubtful or one.days is None):
                found.append(one)
    return found


def _age(checked_on: str | None, day: date) -> int | None:
    return None if checked_on is None else max(0, (day - date.fromisoformat(checked_on)).days)


@router.get("/rules/assumed")
def assumed(request: Request, site: TheSite) -> Response:
    day = shelf.day_of(request)
    found = assumptions(site.rules().catalog, day)
    context: dict[str, Any] = {
        "read": [one for one in found if one.entry.assumed],
        "doubtful": [one for one in found if one.doubtful or one.days is None],
        "oldest": max((one.days for one in found if one.days is not None), default=None),
    }
    return page("rules/assumed.html", {**frame_of(site, "assumed", day), **context})
