"""The records of changes of members: the journal entry, the log record, and the result of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from lockstep.engine.plans import Step, StepStatus, StepType
from lockstep.engine.records import Change, ObjectKind
from lockstep.ports import Answer, Verdict
from lockstep.postgres.ids import new_id
from lockstep.storage.dirty import Claim
from lockstep.storage.journal import JournalEntry
from lockstep.storage.log_record import LogRecord
from lockstep.storage.resume import Resume
from lockstep.storage.target_members import MemberWrite, UnsureMember
from lockstep.sync.outcome.log_records import record_of_members
from lockstep.sync.outcome.outcomes import Failure
from lockstep.sync.planning.planner import PlanResult
from lockstep.wording import counted

ABOUT_MEMBERS = frozenset({400, 404, 409, 422})
MEMBERS = "members"  # the action of such an operation in the journal


@dataclass(slots=True)
class MembersResult:
    """The result of a run. *answer* is the response that stopped the run, or None if all members are in step."""

    added: int = 0
    removed: int = 0
    requests: int = 0
    answer: Answer | None = None
    is_group_gone: bool = False
    is_interrupted: bool = False  # the remaining chunks are sent at the group's next turn
    is_read_back: bool = False  # whether to read back: a member is in the sample, or an answer shows unexpected members
    removed_ids: set[str] = field(default_factory=set)
    unkept: Failure | None = None
    not_kept: int = 0
    unverified: int = 0
    refused: dict[str, tuple[MemberWrite, Answer]] = field(default_factory=dict)  # change and answer, by member
    counted_refusals: frozenset[str] = frozenset()  # members whose refusal this cycle has counted already

    @property
    def counts(self) -> dict[str, int]:
        """The number that this run adds to each of the cycle's counters, keyed by the name of the counter. Zeros are left out."""
        counts = {
            "membersAdded": self.added,
            "membersRemoved": self.removed,
            "membersRefused": len(self.refused.keys() - self.counted_refusals),
            "membersNotKept": self.not_kept,
            "membersUnverified": self.unverified,
        }
        return {name: count for name, count in counts.items() if count}


def counted_refusals(claim: Claim) -> frozenset[str]:
    """Return the members whose refusals the cycle of *claim* has already counted, because that cycle has processed the group before."""
    resume = claim.resume
    return frozenset(resume.refused_members) if resume.refused_in == claim.cycle else frozenset()


def refusing(resume: Resume, refused: tuple[str, ...], *, cycle: int | None) -> Resume:
    """Return *resume* with *refused* as its refused members. *resume* contains the notes for the next try. The rest of the group is in
    step. *cycle* is the cycle that counted the refusals.
    """
    return replace(resume, is_about_references=True, refused_members=refused, refused_in=cycle if refused else None)


def chunk_entry(claim: Claim, planned: PlanResult, operation_id: str, part: Sequence[MemberWrite]) -> JournalEntry:
    """Build the journal entry of one chunk. It is written before the chunk is sent."""
    return JournalEntry(
        id=operation_id,
        kind=ObjectKind.GROUP,
        source_id=claim.source_id,
        target_id=planned.plan.target_id,
        cycle=claim.cycle,
        action=MEMBERS,
        attempt=claim.attempt,
        before=None,
        after={
            "add": [one.target_id for one in part if one.is_added],
            "remove": [one.former_id for one in part if one.former_id],
            "members": unsure_members(claim.source_id, part),
        },
    )


def unsure_members(group: str, part: Sequence[MemberWrite]) -> list[UnsureMember]:
    """Return the members of *part* as unsure: the application may or may not have them."""
    return [UnsureMember(group, one.member_id, one.target_id) for one in part]


def chunk_record(
    claim: Claim,
    planned: PlanResult,
    operation_id: str,
    part: Sequence[MemberWrite],
    answer: Answer,
    *,
    initiated_by: str,
) -> LogRecord:
    """Build the provisioning log record of one chunk."""
    added, removed = sum(one.is_added for one in part), sum(not one.is_added for one in part)
    text = f"{added} members added and {removed} removed." if answer.is_done else answer.detail
    if len(part) == 1 and may_be_about_members(answer):
        text = refusal([(part[0], answer)]).reason
    status = StepStatus.SUCCESS if answer.is_done else StepStatus.FAILURE
    return record_of_members(
        claim,
        planned.plan,
        Step("EntryExportUpdate", StepType.EXPORT, status, text),
        change_id=operation_id,
        initiated_by=initiated_by,
        changes=[_change(one) for one in part],
        answer=answer,
        failure=None if answer.is_done else Failure(answer.code, text, answer.next_step),
    )


def unverified_record(claim: Claim, planned: PlanResult, changes: int, *, initiated_by: str) -> LogRecord:
    """Build the log record of accepted changes to a group whose members the application does not show."""
    text = (
        f"{changes} {'change' if changes == 1 else 'changes'} of members were accepted but cannot be verified: "
        "the application does not show the members of the group."
    )
    step = Step("EntryExportReadBack", StepType.EXPORT, StepStatus.WARNING, text)
    return record_of_members(claim, planned.plan, step, change_id=new_id(), initiated_by=initiated_by)


def _change(one: MemberWrite) -> Change:
    old, new = (None, one.target_id) if one.is_added else (one.target_id, None)
    return Change("members", old, new)


def refusal(refused: Sequence[tuple[MemberWrite, Answer]]) -> Failure:
    """Build the failure that names the refused members and contains the application's response for the first one."""
    change, answer = refused[0]
    names = ", ".join(f"{one.display or one.member_id} ({one.target_id})" for one, _ in refused[:5])
    names += f" and {len(refused) - 5} more" if len(refused) > 5 else ""
    members = counted(len(refused), "member")
    verb = "add" if change.is_added else "remove"
    reason = f"The application did not {verb} {members}: {names}. It answered: {answer.detail}"
    return Failure(answer.code or "Conflict", reason, answer.next_step)


def may_be_about_members(answer: Answer) -> bool:
    """Whether the application may have refused a chunk because of one of its members."""
    last = answer.exchanges[-1] if answer.exchanges else None
    is_refusal = answer.verdict in (Verdict.REFUSED, Verdict.CONFLICT, Verdict.GONE)
    return is_refusal and last is not None and last.status in ABOUT_MEMBERS


def is_step_of_search(part: Sequence[MemberWrite], answer: Answer) -> bool:
    """Whether *part* is a refused batch that will be split to find the refused members. The refusal of such a batch is not logged. The
    refusal of a single member is logged.
    """
    return len(part) > 1 and may_be_about_members(answer)
