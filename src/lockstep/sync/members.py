"""Keep the members of a provisioned group in step: the difference, in chunks, each an operation of its own.

Adding a member that is there and removing one that is not change nothing, so a chunk with an unknown end is simply part of the next
difference. Members of the application that we did not set are never touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from lockstep.engine.records import LinkState, ObjectKind, Step, StepStatus, StepType
from lockstep.ports import Answer, Target, Verdict
from lockstep.postgres.pool import transaction
from lockstep.storage import dirty, operations, provisioning_log, references, target_members
from lockstep.storage.batches import Row
from lockstep.storage.dirty import Claim
from lockstep.storage.pipelines import pipelined
from lockstep.storage.target_members import MemberChange
from lockstep.sync import outcomes
from lockstep.sync.log_records import exchange_rows, new_id, step_row
from lockstep.sync.outcomes import Outcome, settled_row
from lockstep.sync.planner import Planned
from lockstep.sync.sending import failed_look
from lockstep.sync.services import Job, Services

CHUNK = 100
PAGE = 10_000
_TOO_MUCH = frozenset({413})


@dataclass(slots=True)
class MembersResult:
    """*answer* is the one that stopped it; None when all is in step."""

    added: int = 0
    removed: int = 0
    requests: int = 0
    answer: Answer | None = None


@dataclass(slots=True)
class MemberSync:
    """One group's run."""

    services: Services
    job: Job
    target: Target
    claim: Claim
    planned: Planned
    initiated_by: str
    chunk: int = CHUNK
    result: MembersResult = field(default_factory=MembersResult)

    @property
    def noted_only(self) -> bool:
        """Whether comparing the members that were noted as changed is enough: nothing but members brought us here."""
        return list(self.claim.reasons) == ["members"] and not outcomes.members_due(self.claim)

    async def outcome(self) -> tuple[Outcome, Answer | None]:
        """Bring the members in step; what to record for the group, and the answer that stopped it, if one did."""
        result = await self.run()
        counts = {"membersAdded": result.added, "membersRemoved": result.removed}
        if result.answer is None:
            is_counted = outcomes.members_due(self.claim)
            counted = "" if is_counted else "updated" if any(counts.values()) else "unchanged"
            outcome = replace(outcomes.without_write(self.claim, self.planned), counted=counted)
        else:
            wait = timedelta(seconds=self.services.times.ambiguous_wait_seconds)
            outcome = failed_look(self.claim, result.answer, moment=self.services.moment(), wait=wait)
        more = {name: count for name, count in counts.items() if count}
        requests = self.planned.requests + result.requests
        return replace(outcome, requests=requests, more_counts=more), result.answer

    async def run(self) -> MembersResult:
        """Send what differs until nothing does, or until an answer stops it."""
        # Whoever is being linked this moment is waited for: what is noted of them before must not be forgotten without them.
        async with transaction(self.services.pool) as connection:
            await references.lock_references(connection, self.job.id)
            seen = await target_members.newest_note(connection, self.job.id, self.claim.source_id)
        after = target_members.FIRST
        while True:
            async with self.services.pool.connection() as connection:
                page = await target_members.differences(
                    connection, self.job.id, self.claim.source_id, noted_only=self.noted_only, after=after, limit=PAGE
                )
            if not await self._send_page(page):
                return self.result
            if len(page) < PAGE:
                break
            after = page[-1].member_id
        async with self.services.pool.connection() as connection:
            await target_members.forget_notes(connection, self.job.id, self.claim.source_id, up_to=seen)
        return self.result

    async def _send_page(self, page: Sequence[MemberChange]) -> bool:
        start = 0
        while start < len(page):
            part = page[start : start + self.chunk]
            answer = await self._send_chunk(part)
            if answer is None or answer.is_done:
                if answer is None:
                    return False
                start += len(part)
            elif _is_too_much(answer) and self.chunk > 1:
                self.chunk = max(1, self.chunk // 2)
            else:
                self.result.answer = answer
                return False
        return True

    async def _send_chunk(self, part: Sequence[MemberChange]) -> Answer | None:
        """Journal, send and record one chunk; None when the group is no longer ours."""
        operation_id = new_id()
        async with pipelined(self.services.pool) as connection:
            row = self._journal_row(operation_id, part)
            if operation_id not in await operations.journal(connection, self.job.id, [row], owner=self.services.owner):
                return None
        answer = await self.target.change_members(
            self.planned.plan.target_id,
            add=[one.target_id for one in part if one.is_added],
            remove=[one.target_id for one in part if not one.is_added],
            operation_id=operation_id,
        )
        self.result.requests += max(1, len(answer.exchanges))
        async with pipelined(self.services.pool) as connection:
            if self.claim.attempt not in await dirty.fence(connection, self.job.id, [self.claim]):
                return None
            state = "confirmed" if answer.is_done else "dropped"
            await operations.settle(connection, self.job.id, [settled_row(operation_id, state, requests=1)])
            if answer.is_done:
                await target_members.apply_changes(connection, self.job.id, self.claim.source_id, part)
            record = self._log_row(operation_id, part, answer)
            await provisioning_log.append(connection, self.job.id, self.job.row.app, [record])
        if answer.is_done:
            self.result.added += sum(one.is_added for one in part)
            self.result.removed += sum(not one.is_added for one in part)
        return answer

    def _journal_row(self, operation_id: str, part: Sequence[MemberChange]) -> Row:
        return {
            "id": operation_id,
            "kind": ObjectKind.GROUP.value,
            "source_id": self.claim.source_id,
            "target_id": self.planned.plan.target_id,
            "cycle": self.claim.cycle,
            "action": "members",
            "attempt": self.claim.attempt,
            "before": None,
            "after": {
                "add": [one.target_id for one in part if one.is_added],
                "remove": [one.target_id for one in part if not one.is_added],
            },
        }

    def _log_row(self, operation_id: str, part: Sequence[MemberChange], answer: Answer) -> Row:
        added, removed = sum(one.is_added for one in part), sum(not one.is_added for one in part)
        text = f"{added} members added and {removed} removed." if answer.is_done else answer.detail
        status = StepStatus.SUCCESS if answer.is_done else StepStatus.FAILURE
        step = Step("EntryExportUpdate", StepType.EXPORT, status, text)
        error = None
        if not answer.is_done:
            error = {
                "errorCode": answer.code,
                "reason": answer.detail,
                "errorCategory": "failure",
                "additionalDetails": {},
                "recommendedAction": answer.next_step,
            }
        return {
            "id": new_id(),
            "change_id": operation_id,
            "cycle": self.claim.cycle,
            "action": "update",
            "status": "success" if answer.is_done else "failure",
            "kind": ObjectKind.GROUP.value,
            "source_id": self.claim.source_id,
            "source_display": self.planned.plan.display,
            "target_id": self.planned.plan.target_id,
            "target_display": "",
            "error_code": answer.code if error else "",
            "reason": text,
            "duration_ms": 0,
            "initiated_by": self.initiated_by,
            "record": {
                "steps": [step_row(step)],
                "modifiedProperties": list(_member_rows(part)),
                "errorInformation": error,
                "exchanges": exchange_rows(answer, whole=not answer.is_done),
            },
        }


def has_members(planned: Planned) -> bool:
    """Whether the object is a group whose members are provisioned and whose account is there once its plan is carried out."""
    plan, mapping = planned.plan, planned.prepared.mapping
    return (
        plan.kind is ObjectKind.GROUP
        and mapping is not None
        and mapping.has_members
        and plan.link_state is LinkState.LIVE
    )


def _member_rows(part: Sequence[MemberChange]) -> Iterator[Row]:
    for one in part:
        old, new = (None, one.target_id) if one.is_added else (one.target_id, None)
        yield {"displayName": "members", "oldValue": old, "newValue": new}


def _is_too_much(answer: Answer) -> bool:
    last = answer.exchanges[-1] if answer.exchanges else None
    if answer.verdict is Verdict.REFUSED and last is not None and last.status in _TOO_MUCH:
        return True
    return answer.verdict is Verdict.REFUSED and "too many" in answer.detail.lower()
