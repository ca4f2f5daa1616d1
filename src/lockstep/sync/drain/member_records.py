"""What is written of a change of members: into the journal before it is sent, into the log after its answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lockstep.engine.records import ObjectKind, Step, StepStatus, StepType
from lockstep.ports import Answer, Verdict
from lockstep.storage.batches import Row
from lockstep.storage.dirty import Claim
from lockstep.storage.target_members import MemberChange
from lockstep.sync.outcome.log_records import exchange_rows, new_id, step_row
from lockstep.sync.outcome.outcomes import Failure
from lockstep.sync.planning.planner import Planned
from lockstep.wording import counted

ABOUT_MEMBERS = frozenset({400, 404, 409, 422})


def journal_row(claim: Claim, planned: Planned, operation_id: str, part: Sequence[MemberChange]) -> Row:
    """One chunk as the journal keeps it before it is sent."""
    return {
        "id": operation_id,
        "kind": ObjectKind.GROUP.value,
        "source_id": claim.source_id,
        "target_id": planned.plan.target_id,
        "cycle": claim.cycle,
        "action": "members",
        "attempt": claim.attempt,
        "before": None,
        "after": {
            "add": [one.target_id for one in part if one.is_added],
            "remove": [one.former_id for one in part if one.former_id],
            "members": member_rows(claim.source_id, part),
        },
    }


def member_rows(group: str, part: Sequence[MemberChange]) -> list[Row]:
    return [{"group": group, "member": one.member_id, "account": one.target_id} for one in part]


def log_row(
    claim: Claim,
    planned: Planned,
    operation_id: str,
    part: Sequence[MemberChange],
    answer: Answer,
    *,
    initiated_by: str,
) -> Row:
    """What the provisioning log says of one chunk."""
    added, removed = sum(one.is_added for one in part), sum(not one.is_added for one in part)
    text = f"{added} members added and {removed} removed." if answer.is_done else answer.detail
    if len(part) == 1 and may_be_about_members(answer):
        text = refusal([(part[0], answer)]).reason
    status = StepStatus.SUCCESS if answer.is_done else StepStatus.FAILURE
    step = Step("EntryExportUpdate", StepType.EXPORT, status, text)
    error = None
    if not answer.is_done:
        error = {
            "errorCode": answer.code,
            "reason": text,
            "errorCategory": "failure",
            "additionalDetails": {},
            "recommendedAction": answer.next_step,
        }
    return {
        "id": new_id(),
        "change_id": operation_id,
        "cycle": claim.cycle,
        "action": "update",
        "status": "success" if answer.is_done else "failure",
        "kind": ObjectKind.GROUP.value,
        "source_id": claim.source_id,
        "source_display": planned.plan.display,
        "target_id": planned.plan.target_id,
        "target_display": "",
        "error_code": answer.code if error else "",
        "reason": text,
        "duration_ms": 0,
        "initiated_by": initiated_by,
        "record": {
            "steps": [step_row(step)],
            "modifiedProperties": list(_modified(part)),
            "errorInformation": error,
            "exchanges": exchange_rows(answer, whole=not answer.is_done),
        },
    }


def unverified_row(claim: Claim, planned: Planned, changes: int, *, initiated_by: str) -> Row:
    """What the log says of members that were accepted and that the application does not show."""
    text = (
        f"{changes} {'change' if changes == 1 else 'changes'} of members were accepted and cannot be verified: "
        "the application does not show the members of the group."
    )
    row = log_row(claim, planned, new_id(), (), Answer(Verdict.DONE, detail=text), initiated_by=initiated_by)
    step = Step("EntryExportReadBack", StepType.EXPORT, StepStatus.WARNING, text)
    return {**row, "reason": text, "record": {**row["record"], "steps": [step_row(step)]}}


def _modified(part: Sequence[MemberChange]) -> Iterator[Row]:
    for one in part:
        old, new = (None, one.target_id) if one.is_added else (one.target_id, None)
        yield {"displayName": "members", "oldValue": old, "newValue": new}


def refusal(refused: Sequence[tuple[MemberChange, Answer]]) -> Failure:
    """Which members the application refused, and what it said of the first."""
    change, answer = refused[0]
    names = ", ".join(f"{one.display or one.member_id} ({one.target_id})" for one, _ in refused[:5])
    names += f" and {len(refused) - 5} more" if len(refused) > 5 else ""
    members = counted(len(refused), "member")
    verb = "add" if change.is_added else "remove"
    reason = f"The application did not {verb} {members}: {names}. It said: {answer.detail}"
    return Failure(answer.code or "Conflict", reason, answer.next_step)


def may_be_about_members(answer: Answer) -> bool:
    """Whether an application may have refused a chunk because of one of its members."""
    last = answer.exchanges[-1] if answer.exchanges else None
    is_refusal = answer.verdict in (Verdict.REFUSED, Verdict.CONFLICT, Verdict.GONE)
    return is_refusal and last is not None and last.status in ABOUT_MEMBERS
