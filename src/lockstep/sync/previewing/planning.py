"""Plan a slice of a preview from the listed accounts or, if they are not sufficient, by asking the application.

The plan of each object is the one that a full cycle would make (`plan_one`). Then the decisions of administrators and the guards are
applied, as in a drain; writes that would be held are marked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from lockstep.engine.decisions.drafting import privileges_in
from lockstep.engine.decisions.effects import Effect, effects_of
from lockstep.engine.decisions.mapping import held_values
from lockstep.engine.decisions.plan import PreparedObject
from lockstep.engine.decisions.rejections import keep_rejected
from lockstep.engine.decisions.safeguards import Counts, hold_or_release
from lockstep.engine.moment import Moment
from lockstep.engine.plans import Plan
from lockstep.engine.records import Account, Action, ObjectKind, SourceObject
from lockstep.errors import LockstepError
from lockstep.ports import TargetError, Verdict
from lockstep.storage import preview_accounts
from lockstep.storage.preview_objects import PreviewedObject, due_among
from lockstep.storage.previews import ClaimedPreview
from lockstep.sync.drain.guarding import still_undecided
from lockstep.sync.drain.on_demand import preview_one
from lockstep.sync.planning import index_reader, planner
from lockstep.sync.planning.index_reader import IndexReader, SlicePages
from lockstep.sync.planning.ownership import StoredOwnership
from lockstep.sync.planning.planner import NotKnown, PlanResult, SliceFacts
from lockstep.sync.planning.shown_plans import display_name, shown_plan
from lockstep.sync.planning.unique_values import ImaginedClaims
from lockstep.sync.previewing.reading import PacedReader
from lockstep.sync.services import Job, Services

AT_ONCE = 8  # objects that are planned by asking the application at the same time
# Effects beside those of `Effect`.
PRIVILEGED = "privileged"  # access to a privileged account ends
DRIFT = "drift"  # a value that was changed in the application is reported and not corrected
_OF_ONE_OBJECT = frozenset({Verdict.REFUSED, Verdict.AMBIGUOUS, Verdict.CONFLICT, Verdict.STALE})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PlannedObject:
    """One object of the preview. *plan* is its plan before the guards are applied, or None if the object could not be planned."""

    shown: PreviewedObject
    plan: Plan | None
    is_unread: bool = False  # the application did not answer for this object


@dataclass(frozen=True, slots=True)
class SlicePlanner:
    """Plans the slices of one preview. *listed* are the kinds whose accounts were listed; *counts* are the numbers of recent writes that
    guards use.
    """

    services: Services
    job: Job
    claimed: ClaimedPreview
    reader: PacedReader
    claims: ImaginedClaims
    listed: frozenset[ObjectKind]
    counts: Counts
    is_all_due: bool  # the next cycle looks at everyone, so that no marks are needed

    async def plan(self, kind: ObjectKind, ids: Sequence[str]) -> list[PlannedObject]:
        """Plan the objects *ids*. Raises TargetError if the application cannot be read at all."""
        moment = self.services.moment()
        known, prepared, pages, due = await self._load(kind, ids, moment)
        pages = await index_reader.choose_values(self.job, known, prepared.values(), pages, self.claims)
        limit = asyncio.Semaphore(AT_ONCE)

        async def planned(one: str) -> PlannedObject:
            async with limit:
                return await self._plan(known, one, prepared.get(one), pages, moment, is_due=one in due)

        tasks = [asyncio.create_task(planned(one)) for one in ids if one in known.objects]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _load(
        self, kind: ObjectKind, ids: Sequence[str], moment: Moment
    ) -> tuple[SliceFacts, dict[str, PreparedObject], SlicePages, frozenset[str]]:
        job, prepared = self.job, {}
        async with self.services.pool.connection() as connection:
            known = await planner.load(connection, job, kind, ids)
            for one in known.objects:
                try:
                    prepared[one] = planner.prepare_one(known, job, one, moment, look=True)
                except Exception:  # noqa: S112  # reported when the object is planned itself
                    continue
            due = frozenset(ids) if self.is_all_due else await due_among(connection, job.id, kind, ids)
            if kind not in self.listed:
                return known, prepared, SlicePages(), due
            asking = index_reader.asking_among(prepared.values())
            asked = index_reader.questions_of(asking)
            answers = await preview_accounts.find(connection, self.claimed.id, kind, asked) if asked else {}
            accounts = await preview_accounts.linked(connection, self.claimed.id, job.id, kind, ids)
            reader = IndexReader(asked, answers, accounts)
            pages = await index_reader.with_owners(connection, job, kind, asking, reader)
        return replace(known, has_index=True), prepared, pages, due

    async def _plan(
        self,
        known: SliceFacts,
        id: str,
        prepared: PreparedObject | None,
        pages: SlicePages,
        moment: Moment,
        *,
        is_due: bool,
    ) -> PlannedObject:
        obj = known.objects[id]
        try:
            found = await self._planned(known, id, prepared, pages, moment)
        except TargetError as failed:
            if failed.answer.verdict not in _OF_ONE_OBJECT or failed.answer.is_not_scim:
                raise
            answer = failed.answer
            shown = _not_planned(obj, answer.code, answer.detail, answer.next_step, is_due=is_due)
            return PlannedObject(shown, None, is_unread=True)
        except LockstepError:
            raise
        except Exception as fault:
            log.error("preview_fault", job=self.job.id, fault=type(fault).__name__, object=id)
            text = f"Lockstep cannot plan this object because of a bug ({type(fault).__name__})."
            return PlannedObject(_not_planned(obj, "InternalError", text, "Report it.", is_due=is_due), None)
        checked = self._decided(known, found.plan)
        return PlannedObject(_shown(found, checked, is_due=is_due), found.plan)

    async def _planned(
        self, known: SliceFacts, id: str, prepared: PreparedObject | None, pages: SlicePages, moment: Moment
    ) -> PlanResult:
        if prepared is not None and id not in known.open_operations:
            try:
                return await pages.plan(prepared)
            except NotKnown:
                pass
        ownership = StoredOwnership(self.services.pool, self.job.id, self.claims)
        return await preview_one(self.services, self.job, known, id, moment, self.reader, ownership)

    def _decided(self, known: SliceFacts, plan: Plan) -> Plan:
        """Return *plan*, held or left out as in a drain. A held or a rejected write of the object is considered first. If neither applies
        to *plan*, the guards are applied as if this plan were the only one.
        """
        held, rejected = known.held.get(plan.source_id), known.rejected.get(plan.source_id)
        if held is not None and (undecided := still_undecided(held, plan)) is not None:
            return undecided
        if rejected is not None and (kept := keep_rejected(plan, rejected, app=self.job.row.app_name)) is not None:
            return kept
        return hold_or_release(plan, self.counts, self.job.configuration)


def _shown(found: PlanResult, checked: Plan, *, is_due: bool) -> PreviewedObject:
    plan = found.plan
    effects = [one.value for one in effects_of(plan, found.prepared.link)]
    if Effect.LOSES_ACCESS in effects and _is_privileged(found):
        effects.append(PRIVILEGED)
    if plan.reports_drift:
        effects.append(DRIFT)
    shown = shown_plan(found, checked.reason, effects=effects, is_due=is_due)
    return replace(shown, is_held=checked.action is not plan.action)


def _is_privileged(found: PlanResult) -> bool:
    """Whether the account has a privileged value. A value that was not read is taken from the link's base."""
    mapping, link = found.prepared.mapping, found.prepared.link
    if mapping is None:
        return False
    values = held_values(mapping, found.current.resource) if isinstance(found.current, Account) else {}
    agreed = link.base if link is not None else {}
    return any(
        privileges and privileges_in(privileges, values.get(path, agreed.get(path)))
        for path, privileges in mapping.privileges.items()
    )


def _not_planned(obj: SourceObject, code: str, text: str, next_step: str, *, is_due: bool) -> PreviewedObject:
    return PreviewedObject(
        obj.kind.value, obj.id, obj.display, display_name(obj), Action.REFUSE.value, is_held=False, is_due=is_due, effects=[], code=code,
        reason=text, next_step=next_step, target_id="", changes=[],
    )  # fmt: skip
