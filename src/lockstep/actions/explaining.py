"""Explain why a person has an account in an application, or has none.

The account is read from the application. If that fails, the explanation covers only what Lockstep has stored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lockstep.actions.access import needs
from lockstep.actions.applications import list_applications
from lockstep.actions.context import Context
from lockstep.actions.held import what_is_held
from lockstep.actions.jobs import new_services, read_job
from lockstep.actions.permissions import Permission
from lockstep.actions.previews import LazyReader, find_anybody, read_failed
from lockstep.actions.standing import ways_in
from lockstep.configuration.rules import Scope
from lockstep.engine.decisions.effects import predicted_plan
from lockstep.engine.decisions.explain import Circumstances, Explanation, WriteDecision, explain
from lockstep.engine.plans import Plan
from lockstep.engine.records import ObjectKind, SourceObject
from lockstep.errors import LockstepError, invalid, not_found
from lockstep.ports import TargetError
from lockstep.postgres.pool import Connection
from lockstep.storage import failing, groups, held_operations, links, unverified
from lockstep.storage.held_operations import HeldFilter
from lockstep.storage.rejections import rejections_among
from lockstep.sync.drain import on_demand
from lockstep.sync.planning import planner
from lockstep.sync.services import Job
from lockstep.wording import counted

MOST_NAMED = 3  # assignments or groups listed by name; further ones are only counted


@dataclass(frozen=True, slots=True)
class ExplainedObject:
    """An explanation for one person or group. *failed* says why the application could not be read; the explanation then covers only what is
    stored.

    *decision* is an administrator's decision about the object's held write, or None.
    """

    plan: Plan
    why: Explanation
    failed: LockstepError | None = None
    decision: WriteDecision | None = None


@needs(Permission.APPLICATIONS_READ, filters=True)
async def only_application(context: Context) -> str:
    """Return the name of the only application. Raises LockstepError if there is none or more than one."""
    names = [app.name for app in await list_applications(context)]
    if len(names) == 1:
        return names[0]
    if not names:
        raise not_found("No application has been added yet", next_step="Add one: lockstep apps add documo")
    raise invalid("More than one application exists; name one", next_step=f"One of: {', '.join(names)}")


@needs(Permission.APPLICATIONS_READ, app="app")
async def explain_person(context: Context, user: str, app: str) -> ExplainedObject:
    """Return the present plan for one person, the conditions in the order in which they were checked, and everything that keeps the plan
    from being carried out.
    """
    services = new_services(context)
    async with context.reading() as connection:
        job = await read_job(context, connection, app)
        person = await find_anybody(connection, user)
        known = await planner.load(connection, job, ObjectKind.USER, [person.id])
        obj = known.objects[person.id]
        circumstances = await _circumstances(connection, job, obj)
    failed: LockstepError | None = None
    try:
        reader = LazyReader(services, job)
        [planned] = await on_demand.preview(services, job, ObjectKind.USER, [person.id], reader)
        plan = planned.plan
    except (TargetError, LockstepError) as error:
        failed = read_failed(error) if isinstance(error, TargetError) else error
        link = known.links.get(person.id)
        plan = predicted_plan(obj, link, job.configuration, services.moment(), known.account_ids)
        unasked = f"{job.row.app_display_name} could not be queried: {failed.detail}"
        circumstances = replace(circumstances, unasked=unasked)
    return ExplainedObject(plan, explain(plan, circumstances), failed, circumstances.decision)


async def _circumstances(connection: Connection, job: Job, obj: SourceObject) -> Circumstances:
    ways = ways_in(obj.assignments, job.configuration.roles_by_id)
    more = f" and {counted(len(ways) - MOST_NAMED, 'more way')}" if len(ways) > MOST_NAMED else ""
    assigned = f"assigned {', '.join(ways[:MOST_NAMED])}{more}" if ways else ""
    if not ways and job.configuration.scope is Scope.ALL:
        assigned = "not assigned, but everyone is in scope"
    decision, decided = await _decision(connection, job, obj)
    notes = [
        *([] if ways else await _nested(connection, job, obj)),
        *await _failing(connection, job, obj),
        *_notes(job),
        *await _taken_over(connection, job, obj),
        *await _unverified(connection, job, obj),
    ]
    return Circumstances(assigned, tuple(notes), decision, decided)


async def _nested(connection: Connection, job: Job, obj: SourceObject) -> list[str]:
    """Return one sentence for each nested group that the person belongs to without being assigned. Returns no sentences if members of
    nested groups count as assigned, or if everybody is in scope.
    """
    if job.configuration.nested_groups or job.configuration.scope is Scope.ALL:
        return []
    return [
        f"The person is a member of {nested}, which is nested in the assigned group {top}. Members of nested groups do not count. "
        f"Assign {nested} too."
        for top, nested in await groups.nested_ways(connection, job.row.app, obj.id, limit=MOST_NAMED)
    ]


async def _failing(connection: Connection, job: Job, obj: SourceObject) -> list[str]:
    found = await failing.failing_object(connection, job.id, obj.kind.value, obj.id)
    if found is None:
        return []
    times = f"{counted(found.failures, 'attempt')} failed since {found.since:%Y-%m-%d %H:%M} UTC"
    reason = f", the last one because: {found.reason.rstrip('.')}" if found.reason else ""
    again = (
        f"It is retried at {found.again_at:%Y-%m-%d %H:%M} UTC."
        if found.again_at
        else "It is not retried automatically."
    )
    return [f"{times}{reason}. {'The next attempt is due.' if found.is_due else again}"]


async def _taken_over(connection: Connection, job: Job, obj: SourceObject) -> list[str]:
    former = await links.former_owner(connection, job.id, obj.kind.value, obj.id)
    if former is None:
        return []
    name, at = former
    return [f'This person received the account at {at:%Y-%m-%d %H:%M} UTC; its former owner, "{name}", was deleted.']


async def _unverified(connection: Connection, job: Job, obj: SourceObject) -> list[str]:
    found = await unverified.groups_of(connection, job.id, obj.id, limit=MOST_NAMED)
    if not found:
        return []
    app = job.row
    return [
        f"Membership of {', '.join(found)} was written but cannot be verified: {app.app_display_name} does not show the members "
        f"of its groups. See: lockstep creds test {app.app_name} --deep"
    ]


async def _decision(connection: Connection, job: Job, obj: SourceObject) -> tuple[WriteDecision | None, str]:
    app = job.row.app_name
    for one in await held_operations.held_operations(connection, job.id, HeldFilter([obj.id])):
        what = what_is_held(one)
        since = f"{one.planned_at:%Y-%m-%d %H:%M} UTC"
        command = f"lockstep deletes list {app} --user {obj.display}"
        return WriteDecision.HELD, f"Waiting for approval since {since} ({what}): {command}"
    rejected = (await rejections_among(connection, job.id, obj.kind.value, [obj.id])).get(obj.id)
    if rejected is None:
        return None, ""
    return WriteDecision.REJECTED, (
        f"The {rejected.action} was rejected by {rejected.by or 'someone'} on {rejected.at:%Y-%m-%d %H:%M} UTC and is not sent. "
        f"To send it anyway, approve the rejected change: lockstep deletes approve {app} --rejected --user {obj.display}"
    )


def _notes(job: Job) -> list[str]:
    row = job.row
    notes = []
    if row.quarantine is not None:
        error = row.quarantine.get("error", {})
        why = str(error.get("message") or row.quarantine.get("reason", "")).rstrip(".")
        notes.append(f"{row.app_display_name} is in quarantine: {why}. See: lockstep quarantine show {row.app_name}")
    if row.status == "off":
        began = "is paused" if row.started else "has not been switched on yet"
        notes.append(
            f"Provisioning of {row.app_display_name} {began}, so nothing is sent: lockstep start {row.app_name}"
        )
    return notes
