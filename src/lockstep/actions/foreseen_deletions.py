"""Plan the people and groups that a deletion would affect, with and without the deletion. The deletion itself is not made.

The objects are planned slice by slice. If a slice contains members of deleted groups, the slice is read a second time in a transaction that
deletes these groups. That transaction is rolled back before the slice is planned. Other changes of the directory therefore wait at most for
one such read, even if the source has very many people.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lockstep.actions.context import Context, Deletion
from lockstep.actions.forecasts import ReportProgress
from lockstep.actions.jobs import new_services
from lockstep.configuration.rules import Scope
from lockstep.directory.objects import as_deleted
from lockstep.engine.decisions.effects import Effect, effects_of, keeps_role, predicted_plan
from lockstep.engine.moment import Moment
from lockstep.engine.records import ObjectKind, SourceObject
from lockstep.postgres.pool import Connection
from lockstep.storage import deletions, jobs, touched
from lockstep.storage.deletions import Leavers
from lockstep.storage.locks import lock_directory
from lockstep.sync.planning import planner
from lockstep.sync.planning.planner import SliceFacts
from lockstep.sync.services import Job

SLICE = 500
_AT_ONCE = 10  # objects that are planned before other tasks of the process continue
EffectsById = dict[str, tuple[str, dict[Effect, str]]]  # by object id: its name, and each effect with its text


@dataclass(slots=True)
class ForeseenJob:
    """The effects on objects of one kind in one job, with the change (*after*) and without it (*before*). *job_before* is the job without
    the change; None if the job does not exist without it.
    """

    job: Job
    kind: ObjectKind
    after: EffectsById
    before: EffectsById
    job_before: Job | None


class _Undo(Exception):
    """Raised inside the transaction to roll back the deletion of the groups."""


async def foresee_deletion(context: Context, deletion: Deletion, report: ReportProgress) -> list[ForeseenJob]:
    """Return the effects of *deletion* on the objects of every job that was started. Calls *report* with the number of objects planned so
    far and the number of all objects to plan.
    """
    services = new_services(context)
    found: list[tuple[ForeseenJob, list[str]]] = []
    async with context.reading() as connection:
        leavers = await deletions.leavers_of(connection, source=deletion.source, group=deletion.group)
        for row in await jobs.read_jobs(connection):
            if row.started:
                job = await services.compiled(connection, row)
                found += [
                    (ForeseenJob(job, kind, {}, {}, job), ids)
                    for kind, ids in await _affected(connection, job, leavers)
                ]
    total, done = sum(len(ids) for _, ids in found), 0
    moment = services.moment()
    for one, ids in found:
        for start in range(0, len(ids), SLICE):
            report(done, total)
            some = ids[start : start + SLICE]
            known, then = await _read(context, one, some, leavers, moment.now)
            changed = {
                key: obj for key, obj in then.items() if obj != known.objects.get(key)
            }  # others have the same plan
            one.after |= await effects_among(replace(known, objects=changed), one.job, moment)
            affected = {key: obj for key, obj in known.objects.items() if key in one.after}
            one.before |= await effects_among(replace(known, objects=affected), one.job, moment)
            done += len(some)
    return [one for one, _ in found]


async def effects_among(known: SliceFacts, job: Job, moment: Moment) -> EffectsById:
    """Plan the objects in *known*, and return the effects. Objects without an effect are left out."""
    found: EffectsById = {}
    mapping = job.configuration.mapping_for(known.kind)
    for number, (source_id, obj) in enumerate(known.objects.items()):
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
        link = known.links.get(source_id)
        plan = predicted_plan(obj, link, job.configuration, moment, known.account_ids)
        effects = effects_of(plan, link)
        if link is not None and mapping is not None and keeps_role(plan, link, mapping):
            effects[Effect.KEEPS_ROLE] = ""
        if effects:
            found[source_id] = (obj.display, effects)
    return found


async def _affected(connection: Connection, job: Job, leavers: Leavers) -> list[tuple[ObjectKind, list[str]]]:
    """Return the objects whose plan the deletion may change. Leaves out objects that are deleted but have no account, because nothing is
    done to them.
    """
    everybody = job.configuration.scope is Scope.ALL
    found = []
    for mapping in job.configuration.objects:
        kind = mapping.source
        wanted = await touched.linked(connection, job.id, kind.value) & leavers.deleted
        if kind is ObjectKind.USER and leavers.remaining:
            concerned = await touched.concerned(connection, job.id, job.row.app, kind.value, everybody=everybody)
            wanted |= leavers.remaining.intersection(concerned)
        found.append((kind, sorted(wanted)))
    return found


async def _read(
    context: Context, one: ForeseenJob, ids: Sequence[str], leavers: Leavers, at: datetime
) -> tuple[SliceFacts, Mapping[str, SourceObject]]:
    """Return the facts about *ids* now, and the objects as they would be after the deletion."""
    async with context.reading() as connection:
        known = await planner.load(connection, one.job, one.kind, ids)
        then: Mapping[str, SourceObject] = known.objects
        if leavers.groups and not leavers.members.isdisjoint(ids):
            try:
                async with connection.transaction():
                    await lock_directory(connection)
                    await deletions.hide_groups(connection, leavers.groups)
                    then = await planner.load_objects(connection, one.job, one.kind, ids)
                    raise _Undo
            except _Undo:
                pass
    deleted = leavers.deleted
    return known, {key: as_deleted(obj, at) if key in deleted else obj for key, obj in then.items()}
