"""Control the provisioning of an application: start, pause, restart, run now, push people, decide about held writes.

Except for a push, these actions send nothing themselves. They change the stored state and wake the drain after the commit.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lockstep.actions.access import needs, needs_also
from lockstep.actions.context import Context, audit
from lockstep.actions.held import facts_about
from lockstep.actions.jobs import job_row, new_services, require_credentials
from lockstep.actions.lookup import find_group, find_person
from lockstep.actions.permissions import Permission
from lockstep.actions.restore import believe_backup, require_people_of_today
from lockstep.engine.records import ObjectKind
from lockstep.errors import conflict
from lockstep.postgres.pool import Connection
from lockstep.storage import (
    cycles,
    dirty_marks,
    jobs,
    links,
    operations,
    rejections,
    target_state,
    unkept,
)
from lockstep.storage.cycles import Cycle as Cycle
from lockstep.storage.jobs import JobRow as JobRow
from lockstep.storage.log_record import LogRecord as LogRecord
from lockstep.sync.cycle import frame as cycle_frame
from lockstep.sync.cycle.judging import is_held
from lockstep.sync.drain import on_demand
from lockstep.sync.drain.on_demand import PushResult as PushResult
from lockstep.sync.notifying import report_end_of_quarantine


class ResetScope(StrEnum):
    """The data that a restart clears (in Microsoft Graph: criteria.resetScope)."""

    NONE = "None"
    WATERMARK = "Watermark"
    ESCROWS = "Escrows"
    QUARANTINE_STATE = "QuarantineState"
    CONNECTOR_DATA_STORE = "ConnectorDataStore"
    FORCE_DELETES = "ForceDeletes"
    FULL = "Full"


USUAL_RESTART = frozenset({ResetScope.QUARANTINE_STATE, ResetScope.WATERMARK, ResetScope.ESCROWS})
_FULL = USUAL_RESTART | {ResetScope.CONNECTOR_DATA_STORE}
_RESETS_NEED = {
    ResetScope.CONNECTOR_DATA_STORE: Permission.LINKS_WRITE,
    ResetScope.FORCE_DELETES: Permission.APPROVALS_DECIDE,
}


@needs(Permission.PROVISIONING_CONTROL, app="app")
async def start(context: Context, app: str, *, as_of_backup: bool = False) -> JobRow:
    """Switch provisioning on, and end a quarantine. The first start begins an initial cycle; a later start continues where provisioning
    stopped.

    Raises LockstepError if no credentials are stored, or if a backup was restored and some sources have not been read since. With
    *as_of_backup*, the people in the backup count as current in all applications, and no source has to be read.
    """
    async with context.changing() as edit:
        row = await job_row(edit.connection, app)
        await require_credentials(edit.connection, row)
        if as_of_backup:
            await believe_backup(edit)
        await require_people_of_today(edit.connection, row.app_name)
        await _switch_on(edit.connection, row, context.actor.name)
        await _lift_quarantine(edit.connection, row, context.now())
        if not row.started:
            await cycle_frame.begin_initial(edit.connection, row.id)
        await audit(
            edit,
            "Enable/start provisioning configuration",
            row.app_name,
            before={"status": row.status},
            after={"status": "on"} | ({"asOfBackup": True} if as_of_backup else {}),
        )
    await context.after_commit(frozenset({row.id}))
    return row


@needs(Permission.PROVISIONING_CONTROL, app="app")
async def pause(context: Context, app: str) -> JobRow:
    """Switch provisioning off. Requests that are under way are finished and recorded. Links, the retry list and the position of the job are
    kept. A cycle that applies a preview becomes an ordinary full cycle, which continues when provisioning is switched on.
    """
    async with context.changing() as edit:
        row = await job_row(edit.connection, app)
        if row.is_applying:
            await cycles.unpin(edit.connection, row.id)
        await jobs.set_status(edit.connection, row.id, "off", actor=context.actor.name)
        await audit(
            edit,
            "Disable/pause provisioning configuration",
            row.app_name,
            before={"status": row.status},
            after={"status": "off"},
        )
    return row


@needs(Permission.PROVISIONING_CONTROL, app="app")
async def restart(context: Context, app: str, scopes: Collection[ResetScope] = USUAL_RESTART) -> JobRow:
    """Clear the data that *scopes* name, switch provisioning on, and start again. Links are kept unless *scopes* contain
    ConnectorDataStore.

    If *scopes* clear the position or the links, or if provisioning was never started, an initial cycle runs. Otherwise provisioning
    continues where it stopped. To forget links, the caller also needs the permission of `forget_link`. The scope ForceDeletes approves the
    held writes; for it, the caller also needs the permission of `approve_deletes`.
    """
    wanted = _FULL if ResetScope.FULL in scopes else frozenset(scopes)
    for scope, permission in _RESETS_NEED.items():
        if scope in wanted:
            await needs_also(context, permission, app=app)
    async with context.changing() as edit:
        connection = edit.connection
        row = await job_row(connection, app)
        await require_credentials(connection, row)
        await require_people_of_today(connection, row.app_name)
        await _switch_on(connection, row, context.actor.name)
        if ResetScope.QUARANTINE_STATE in wanted:
            await report_end_of_quarantine(connection, row)
            await jobs.set_quarantine(connection, row.id, None)
            await target_state.forget(connection, row.id)
        if ResetScope.CONNECTOR_DATA_STORE in wanted:
            await dirty_marks.overrule_claims(connection, row.id)
        if ResetScope.ESCROWS in wanted:
            await dirty_marks.forget_escrow(connection, row.id)
        if ResetScope.CONNECTOR_DATA_STORE in wanted:
            await links.forget_links(connection, row.id)
        if ResetScope.FORCE_DELETES in wanted:
            await operations.decide_held(connection, row.id, decision="approved", actor=context.actor.name)
        await unkept.forget(connection, row.id)
        if wanted & {ResetScope.WATERMARK, ResetScope.CONNECTOR_DATA_STORE} or not row.started:
            await cycle_frame.begin_initial(connection, row.id)
        await audit(
            edit, "Enable/restart provisioning configuration", row.app_name, after={"resetScope": sorted(wanted)}
        )
    await context.after_commit(frozenset({row.id}))
    return row


@needs(Permission.PROVISIONING_CONTROL, app="app")
async def run(context: Context, app: str, *, full: bool = False) -> Cycle:
    """Open a cycle now, and retry everything that failed. Returns the cycle without waiting for it; `follow` waits for its end.

    *full* re-evaluates everybody and lists the application's accounts. Raises LockstepError if provisioning is off.
    """
    services = new_services(context)
    async with context.changing() as edit:
        row = await job_row(edit.connection, app)
        if row.status != "on":
            raise conflict(
                f"Provisioning of {row.app_display_name} is off",
                next_step=f"Switch it on: lockstep start {row.app_name}",
            )
        if row.started and not full:
            cycle = await cycle_frame.open_incremental(edit.connection, await services.compiled(edit.connection, row))
        else:
            cycle = await cycle_frame.begin_initial(edit.connection, row.id)
        await audit(edit, "Run provisioning now", row.app_name, after={"cycle": cycle.id})
    await context.after_commit(frozenset({row.id}))
    return cycle


@needs(Permission.PROVISIONING_CONTROL, app="app")
async def clear_quarantine(context: Context, app: str) -> bool:
    """Let a job in quarantine try again now. Returns False if the job is not in quarantine. Does not switch provisioning on or off."""
    async with context.changing() as edit:
        row = await job_row(edit.connection, app)
        if row.quarantine is None:
            return False
        await _lift_quarantine(edit.connection, row, context.now())
        await audit(edit, "Clear quarantine", row.app_name, before={"quarantine": row.quarantine.get("reason")})
    await context.after_commit(frozenset({row.id}))
    return True


@needs(Permission.PROVISIONING_CONTROL, app="app")
async def retry(context: Context, app: str, *, users: Sequence[str] = (), code: str = "") -> int:
    """Retry failed objects now: all of them, only the people *users*, or only objects that failed with *code*. Returns the number of
    objects that will be retried.

    Objects that are held for approval stay held.
    """
    async with context.changing() as edit:
        row = await job_row(edit.connection, app)
        ids = [(await find_person(edit.connection, name)).id for name in users] if users else None
        count = await dirty_marks.make_failed_due(edit.connection, row.id, ids, code=code)
        await audit(edit, "Retry failed objects", row.app_name, after={"count": count, "code": code})
    await context.after_commit(frozenset({row.id}))
    return count


@needs(Permission.PROVISIONING_PUSH, app="app")
async def push(
    context: Context, app: str, *, users: Sequence[str] = (), groups: Sequence[str] = (), again: bool = False
) -> list[PushResult]:
    """Provision people and groups now, ahead of all others, even while provisioning is off. Returns the result for each of them, with the
    reasons.

    With *again*, also send values that the application did not keep before. If the application keeps such a value now, Lockstep assumes
    that it keeps this attribute for all objects. Raises LockstepError if a name is unknown, if no credentials are stored, or if a backup
    was restored and some sources have not been read since.
    """
    context.refuse_rehearsal()
    services = new_services(context)
    async with context.reading() as connection:
        row = await job_row(connection, app)
        await require_credentials(connection, row)
        await require_people_of_today(connection, row.app_name)
        people = [(await find_person(connection, name)).id for name in users]
        named = [(await find_group(connection, name)).id for name in groups]
    if again:
        async with context.changing() as edit:
            await unkept.forget(edit.connection, row.id)
            await audit(edit, "Resend values that the application did not keep", row.app_name)
        await context.after_commit(frozenset({row.id}))
    async with context.reading() as connection:
        job = await services.compiled(connection, await job_row(connection, app))
    results: list[PushResult] = []
    for kind, ids in ((ObjectKind.USER, people), (ObjectKind.GROUP, named)):
        if ids:
            results += await on_demand.push(services, job, kind, ids, initiated_by=context.actor.name)
    return results


@dataclass(frozen=True, slots=True)
class DecisionCount:
    """The number of held writes that were approved or rejected."""

    count: int
    decision: str


@needs(Permission.APPROVALS_DECIDE, app="app")
async def approve_deletes(context: Context, app: str, ids: Sequence[str] | None = None) -> DecisionCount:
    """Approve the held writes *ids*; without *ids*, approve all. Each is re-evaluated against the present state before it is sent."""
    return await _decide(context, app, "approved", ids)


@needs(Permission.APPROVALS_DECIDE, app="app")
async def reject_deletes(context: Context, app: str, ids: Sequence[str] | None = None) -> DecisionCount:
    """Reject the held writes with the ids *ids* or, without *ids*, all held writes (not only deletions). A rejected write is not sent.
    Later writes with the same effect on the object are not sent either, until Lockstep plans something different for the object.
    """
    return await _decide(context, app, "rejected", ids)


@needs(Permission.APPROVALS_DECIDE, app="app")
async def approve_rejected(context: Context, app: str, ids: Sequence[str] | None = None) -> DecisionCount:
    """Approve the rejected writes *ids*; without *ids*, approve all rejected writes. Each is re-evaluated against the present state before
    it is sent.
    """
    async with context.changing() as edit:
        row = await job_row(edit.connection, app)
        decided = await rejections.approve_rejected(edit.connection, row.id, actor=context.actor.name, ids=ids)
        after = {"decision": "approved", "count": len(decided)} | await facts_about(edit.connection, row.id, decided)
        await audit(edit, "Approve rejected writes", row.app_name, after=after)
    await context.after_commit(frozenset({row.id}))
    return DecisionCount(len(decided), "approved")


async def _decide(context: Context, app: str, decision: str, ids: Sequence[str] | None) -> DecisionCount:
    async with context.changing() as edit:
        row = await job_row(edit.connection, app)
        decided = await operations.decide_held(
            edit.connection, row.id, decision=decision, actor=context.actor.name, ids=ids
        )
        # Read afterwards, so that they are about exactly the decided writes: others may have been held or decided in the meantime.
        after = {"decision": decision, "count": len(decided)} | await facts_about(edit.connection, row.id, decided)
        await audit(edit, "Decide on held deletes", row.app_name, after=after)
    await context.after_commit(frozenset({row.id}))
    return DecisionCount(len(decided), decision)


async def _switch_on(connection: Connection, row: JobRow, actor: str) -> None:
    await jobs.set_status(connection, row.id, "on", actor=actor)
    if not row.is_applying:  # a preview may have been applied until provisioning was paused
        await dirty_marks.make_left_due(connection, row.id)


async def _lift_quarantine(connection: Connection, row: JobRow, now: datetime) -> None:
    if row.quarantine is not None:
        # The next drain tries at once; only a success ends quarantine.
        await jobs.set_quarantine(connection, row.id, {**row.quarantine, "nextAttempt": now.isoformat()})
        await target_state.forget(connection, row.id)
        if not is_held(row.quarantine):
            await dirty_marks.make_some_failed_due(connection, row.id)
            await dirty_marks.make_slowed_due(connection, row.id)
