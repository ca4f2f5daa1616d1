"""Keep the members of a provisioned group in step: send the differences in chunks, each as a separate operation.

After each chunk, a large group gives up its sender if more urgent work, such as a leaver, waits for a sender.

Adding and removing members is idempotent. If the outcome of a chunk is unknown, the members of that chunk are therefore compared again next
time. Members in the application that Lockstep did not add are never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from lockstep.engine.records import ObjectKind
from lockstep.ports import Answer, Target, TargetError, Verdict
from lockstep.postgres.ids import new_id
from lockstep.postgres.pool import transaction
from lockstep.storage import dirty, journal, links, provisioning_log, target_members, unverified
from lockstep.storage.dirty import Claim
from lockstep.storage.journal import SettledOperation
from lockstep.storage.locks import lock_references
from lockstep.storage.pipelines import pipelined
from lockstep.storage.resume import Stage
from lockstep.storage.target_members import MemberWrite, UnsureMember
from lockstep.sync.drain.answers import GONE_TEXT, failed_look
from lockstep.sync.drain.member_check import Unseen, is_sampled, read_back, shows_otherwise
from lockstep.sync.drain.member_records import (
    MembersResult,
    chunk_entry,
    chunk_record,
    counted_refusals,
    is_step_of_search,
    may_be_about_members,
    refusal,
    refusing,
    unsure_members,
    unverified_record,
)
from lockstep.sync.outcome import giving_back, outcomes
from lockstep.sync.outcome.outcomes import Failure, Outcome
from lockstep.sync.planning.planner import PlanResult
from lockstep.sync.services import Job, Services

CHUNK = 100
PAGE = 10_000
NO_END = frozenset({Verdict.AMBIGUOUS, Verdict.THROTTLED})  # a 503 counts as THROTTLED and may come from a proxy
MOST_REFUSED = 20  # if more members than this are refused one by one, the cause is something else


@dataclass(slots=True)
class MemberSync:
    """Synchronizes the members of one group."""

    services: Services
    job: Job
    target: Target
    claim: Claim
    planned: PlanResult
    initiated_by: str
    chunk: int = CHUNK
    must_give_way: Callable[[], bool] = lambda: False  # whether more urgent work waits; asked after each chunk
    result: MembersResult = field(default_factory=MembersResult)

    @property
    def noted_only(self) -> bool:
        """Whether the run compares only members noted as changed. This requires that nothing but changed members caused the claim."""
        claim = self.claim
        return claim.is_about_members and not claim.members_due and claim.resume.stage is not Stage.SETTLED

    async def outcome(self) -> tuple[Outcome, Answer | None]:
        """Synchronize the members. Returns what to record for the group, and the response that stopped the run, if any."""
        self.result.counted_refusals = counted_refusals(self.claim)
        result = await self.run()
        if result.is_group_gone:
            outcome = giving_back.look_again(
                self.claim,
                GONE_TEXT,
                after=self.services.times.ambiguous_wait,
                moment=self.services.moment(),
                settled=(),
                requests=0,
            )
        elif result.is_interrupted:
            outcome = giving_back.not_sent(self.claim, due=None)
        elif result.answer is None and result.refused:
            outcome = self._without_some()
        elif result.unkept is not None:
            outcome = self._failed(result.unkept)
        elif result.answer is None:
            is_counted = self.claim.members_due
            counted = "" if is_counted else "updated" if result.counts else "unchanged"
            outcome = replace(outcomes.without_write(self.claim, self.planned), counted=counted)
        else:
            # If some changes were accepted, the pauses start short again.
            is_progress = bool(result.added or result.removed)
            outcome = failed_look(
                outcomes.as_new(self.claim) if is_progress else self.claim,
                result.answer,
                moment=self.services.moment(),
                wait=self.services.times.ambiguous_wait,
                prepared=self.planned.prepared,
                initiated_by=self.initiated_by,
            )
        requests = self.planned.requests + result.requests
        return replace(outcome, requests=requests, more_counts=result.counts), result.answer

    async def run(self) -> MembersResult:
        """Send the differences until none is left or a response stops the run."""
        # Wait for links that are being written now, so that notes about those members are not deleted unread.
        async with transaction(self.services.pool) as connection:
            await lock_references(connection, self.job.id)
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
            if self.result.refused:
                await target_members.note(connection, self.job.id, self.claim.source_id, list(self.result.refused))
        await self._read_back()
        return self.result

    async def _read_back(self) -> None:
        """Compare the written members with those that the application shows. Changes that the application did not keep are sent again
        when the group is retried.
        """
        wrote = self.result.added or self.result.removed
        if not wrote or (self.noted_only and not self.result.is_read_back):
            return
        group, account = self.claim.source_id, self.planned.plan.target_id
        await self.services.turns(self.job).wait()
        self.result.requests += 1
        found = await read_back(
            self.services.pool, self.job.id, group, account, self.target, removed=self.result.removed_ids
        )
        if isinstance(found, Unseen):
            await self._tell_unseen(found)
            return
        unkept, expected = found
        async with self.services.pool.connection() as connection:
            await unverified.end(connection, self.job.id, group)
        if not (unkept.missing or unkept.remaining):
            return
        self.result.unkept = unkept.failure(expected)
        self.result.not_kept = len(unkept.missing) + len(unkept.remaining)
        unsure = [UnsureMember(group, member, one) for member, one in unkept.missing.items()]
        async with self.services.pool.connection() as connection:
            await target_members.mark_unsure(connection, self.job.id, unsure)

    async def _tell_unseen(self, why: Unseen) -> None:
        """Report that the changes could not be verified because the application does not show the members."""
        if why is Unseen.NOT_READ:
            return
        self.result.unverified = self.result.added + self.result.removed
        record = unverified_record(self.claim, self.planned, self.result.unverified, initiated_by=self.initiated_by)
        async with self.services.pool.connection() as connection:
            await unverified.note(connection, self.job.id, self.claim.source_id)
            await provisioning_log.append(connection, self.job.id, self.job.row.app, [record])

    def _without_some(self) -> Outcome:
        """Return the outcome for the case that the application refused some members. The group is retried with these members, which are
        sent after all other members.
        """
        failure = refusal(list(self.result.refused.values()))
        return replace(self._failed(failure, refused=tuple(self.result.refused)), is_logged=True)

    def _failed(self, failure: Failure, *, refused: tuple[str, ...] = ()) -> Outcome:
        """Return a reference failure: the group is in step, but its members are not. *refused* are the members to send last
        in the retry.
        """
        outcome = outcomes.refused(self.claim, self.planned, failure, moment=self.services.moment())
        assert outcome.postponed is not None  # noqa: S101
        resume = refusing(outcome.postponed.resume, refused, cycle=self.claim.cycle)
        counted = "" if self.claim.members_due else outcome.counted
        return replace(outcome, counted=counted, postponed=replace(outcome.postponed, resume=resume))

    async def _send_page(self, page: Sequence[MemberWrite]) -> bool:
        """Send one page of the differences. Members that were refused last time are sent last, so that they do not delay the others."""
        doubtful = frozenset(self.claim.resume.refused_members)
        return await self._send_all([one for one in page if one.member_id not in doubtful]) and await self._send_all(
            [one for one in page if one.member_id in doubtful]
        )

    async def _send_all(self, changes: Sequence[MemberWrite]) -> bool:
        start = 0
        while start < len(changes):
            part = changes[start : start + self.chunk]
            answer = await self._send_chunk(part)
            if answer is None:
                return False
            if answer.is_done:
                start += len(part)
                if start < len(changes) and self.must_give_way():
                    self.result.is_interrupted = True
                    return False
            elif answer.is_too_much and self.chunk > 1:
                self.chunk = max(1, self.chunk // 2)
            elif await self._is_about_members(answer):
                if not await self._narrow_down(part, answer):
                    return False
                start += len(part)
            else:
                self.result.answer = self.result.answer or answer
                return False
        return True

    async def _narrow_down(self, part: Sequence[MemberWrite], answer: Answer) -> bool:
        """Split the refused *part* into halves until only the members that caused the refusal are left. Returns False if the run must
        stop.
        """
        if len(part) == 1:
            self.result.refused[part[0].member_id] = (part[0], answer)
            if len(self.result.refused) <= MOST_REFUSED:
                return True
            self.result.answer = answer  # too many refusals: the members are not the cause
            return False
        middle = len(part) // 2
        for half in (part[:middle], part[middle:]):
            said = await self._send_chunk(half)
            if said is None:
                return False
            if said.is_done:
                continue
            if not may_be_about_members(said):
                self.result.answer = said
                return False
            if not await self._narrow_down(half, said):
                return False
        return True

    async def _is_about_members(self, answer: Answer) -> bool:
        """Whether a member may be the cause of *answer*. "Not found" may refer to a member or to the group itself, so the group is read."""
        if not may_be_about_members(answer):
            return False
        if answer.verdict is not Verdict.GONE:
            return True
        self.result.requests += 1
        try:
            found = await self.target.get(ObjectKind.GROUP, self.planned.plan.target_id)
        except TargetError as failed:
            self.result.answer = failed.answer
            return False
        self.result.is_group_gone = found is None
        return found is not None

    async def _send_chunk(self, part: Sequence[MemberWrite]) -> Answer | None:
        """Journal, send and record one chunk. Returns None if another worker has taken the group over."""
        operation_id = new_id()
        # Wait before writing the journal entry, because a journalled operation must be sent without delay.
        await self.services.turns(self.job).wait()
        async with pipelined(self.services.pool) as connection:
            entry = chunk_entry(self.claim, self.planned, operation_id, part)
            written = await journal.write_entries(connection, self.job.id, [entry], owner=self.services.owner)
            if operation_id not in written:
                return None
        add = [one.target_id for one in part if one.is_added]
        remove = [one.former_id for one in part if one.former_id]
        answer = await self.target.change_members(
            self.planned.plan.target_id, add=add, remove=remove, operation_id=operation_id
        )
        self.result.requests += max(1, len(answer.exchanges))
        async with pipelined(self.services.pool) as connection:
            # During the request an account may have been deleted and created again for another person.
            left = await target_members.hold_accounts(connection, self.job.id, part) if answer.is_done else []
            is_unknown = not answer.is_done and answer.verdict in NO_END
            if self.claim.attempt not in await dirty.fence(connection, self.job.id, [self.claim]):
                # The worker that has the group now must not rely on members that it read before this request.
                await journal.reopen(connection, self.job.id, [SettledOperation(operation_id, "confirmed")])
                return None
            if is_unknown:
                await target_members.mark_unsure(connection, self.job.id, unsure_members(self.claim.source_id, part))
            state = "confirmed" if answer.is_done else "dropped"
            ended = SettledOperation(operation_id, state, request_count=1)
            await journal.settle(connection, self.job.id, [ended])
            if answer.is_done:
                await target_members.apply_changes(connection, self.job.id, self.claim.source_id, part)
                if left:
                    await target_members.compare_again(connection, self.job.id, self.claim.source_id, left)
                etag = answer.account.etag if answer.account is not None else ""
                await links.save_etag(connection, self.job.id, ObjectKind.GROUP, self.claim.source_id, etag)
            if not is_step_of_search(part, answer):
                record = chunk_record(
                    self.claim, self.planned, operation_id, part, answer, initiated_by=self.initiated_by
                )
                await provisioning_log.append(connection, self.job.id, self.job.row.app, [record])
        if answer.is_done:
            self.result.added += sum(one.is_added for one in part)
            self.result.removed += sum(not one.is_added for one in part)
            self.result.removed_ids.update(one.former_id for one in part if one.former_id)
            self.result.is_read_back |= any(is_sampled(one.member_id) for one in part)
            self.result.is_read_back |= shows_otherwise(answer, added=add, removed=remove)
        return answer
