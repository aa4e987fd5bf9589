"""What may be done to a ticket of any type without moving it."""

from __future__ import annotations

from dataclasses import dataclass

from aftersales.workflows import facts
from aftersales.workflows.vocabulary import AGENT, BUYER, PLATFORM, SYSTEM, Actor, Fact


@dataclass(frozen=True)
class PlainAction:
    name: str
    label: str
    #: the kind of event it leaves
    kind: str
    by: tuple[Actor, ...]
    asks: tuple[Fact, ...]
    accepts: tuple[Fact, ...] = ()

    @property
    def facts(self) -> tuple[Fact, ...]:
        return (*self.asks, *self.accepts)


RECORD_CONTACT = PlainAction("record_contact", "登记沟通", "contact", (AGENT,), (facts.channel, facts.summary))
ADD_EVIDENCE = PlainAction(
    "add_evidence", "上传凭证", "evidence", (BUYER, AGENT, PLATFORM, SYSTEM), (facts.evidence_kind,),
    (facts.note, facts.fingerprints),
)  # fmt: skip
SET_PLATFORM_DEADLINE = PlainAction("set_platform_deadline", "同步平台期限", "deadline", (PLATFORM,), (facts.due_at,))
#: the only way past the workflow's own rows: what the platform shows becomes what the ticket shows. It orders no money
ADOPT_PLATFORM_STATE = PlainAction(
    "adopt_platform_state", "采用平台状态", "adopt", (PLATFORM,), (facts.platform_state,),
    (facts.occurred_at, facts.due_at, facts.note),
)  # fmt: skip
NOTE = PlainAction("note", "备注", "note", (AGENT, PLATFORM), (facts.text,))
#: to a person, to a group, or to a person of a group; the person is asked for unless there is a group
ASSIGN = PlainAction(
    "assign",
    "分配",
    "assign",
    (AGENT,),
    (),
    (facts.agent, facts.team, facts.handing_reason, facts.handing_summary),
)
#: how upset the buyer is, for tickets of any type; the ticket remembers it
GRADE = PlainAction("grade", "定投诉等级", "grade", (AGENT,), (facts.complaint_level,), (facts.note,))

PLAIN_ACTIONS = {
    action.name: action
    for action in (RECORD_CONTACT, ADD_EVIDENCE, SET_PLATFORM_DEADLINE, ADOPT_PLATFORM_STATE, NOTE, ASSIGN, GRADE)
}
