"""Is the clock at work: the schedulers, what waits, how punctual it was, what was set aside, what it did last."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Response

from aftersales import clock
from aftersales.clocks import PLATFORM_DEADLINE
from aftersales.decide import Rules
from aftersales.queries import automation
from aftersales.queries.automation import Alarm, Robot
from web import words
from web.recent import Recent
from web.rendering import page
from web.shell import SILENT_SECONDS, pulse_of
from web.site import Site, TheSite, address_of, several_shops

router = APIRouter()
SPANS = (timedelta(hours=1), timedelta(days=1))
_punctual: Recent[list[automation.Punctual]] = Recent()


@router.get("/automation")
def show(site: TheSite) -> Response:
    engine, rules, now = site.desk.engine, site.rules(), clock.now()
    several = several_shops(site)
    aside = automation.set_aside(engine, now)
    context: dict[str, Any] = {
        "now": now,
        "pulse": pulse_of(site, now),
        "beats": automation.beats(engine, now),
        "silent": timedelta(seconds=_silent_after(site)),
        "backlog": automation.backlog(engine, now),
        "punctual": _punctual.get(engine, lambda: automation.punctuality(engine, now, SPANS)),
        "next": [one for one in automation.next_alarms(engine, 10 + len(aside)) if one.trouble is None][:10],
        "aside": aside,
        "payments": automation.payments(engine),
        "problems": [str(problem) for problem in site.rule_problems()],
        "steps": automation.last_steps(engine),
        "address": lambda id, number: address_of(id, number, several=several),
        "what": lambda alarm: _what(alarm, rules),
        "move": lambda step: words.move_label(rules, step.workflow, step.trigger),
        "state": lambda workflow, state: words.state_label(rules, workflow, state),
        "workflow": lambda key: words.workflow_label(rules, key),
        "clause": lambda step: _clause(step, rules),
    }
    return page("automation.html", context)


def _silent_after(site: Site) -> float:
    return max(SILENT_SECONDS, 3 * site.settings.poll_seconds)


def _what(alarm: Alarm, rules: Rules) -> str:
    """What happens at an alarm: the clock runs out, or people are told."""
    if alarm.due_at is not None and alarm.alarm_at >= alarm.due_at:
        return words.move_label(rules, alarm.workflow, alarm.timeout)
    return words.EVENT_KINDS["reminder" if alarm.due_at is not None else "target"]


def _clause(step: Robot, rules: Rules) -> str:
    """What the rule behind a step is called; "" where the book has it no more."""
    if step.rule == PLATFORM_DEADLINE:
        return words.BASIS["platform"]
    policy = rules.catalog.policies.get(step.policy)
    rule = policy.rule(step.rule or "") if policy else None
    return rule.label if rule is not None else ""
