"""Preview the changes that Lockstep would make for a person, with the reasons. Also return the attribute values that expressions read.
Nothing is written.

Lockstep connects to the application only if the plan needs it, so a person who is out of scope can be explained without credentials.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.jobs import new_services, read_job
from lockstep.actions.lookup import find_group, find_person
from lockstep.actions.permissions import Permission
from lockstep.configuration.rules import JobConfiguration, manager_attributes
from lockstep.directory.attributes import PERSON_ATTRIBUTES
from lockstep.directory.objects import read_objects
from lockstep.engine.decisions.prepare import prepare
from lockstep.engine.decisions.source_record import source_record
from lockstep.engine.plans import Plan
from lockstep.engine.records import DEFAULT_ACCESS, Account, Lifecycle, ObjectKind
from lockstep.errors import Kind, LockstepError
from lockstep.ports import TargetError, TargetPage, TargetReader, Verdict
from lockstep.postgres.pool import Connection
from lockstep.storage import applications, people
from lockstep.storage.log_record import change_json as change_json
from lockstep.storage.log_record import step_json as step_json
from lockstep.storage.people import PersonRow
from lockstep.sync.drain import on_demand
from lockstep.sync.services import Job, Services

_KINDS = {Verdict.UNAUTHORIZED: Kind.UNAUTHORIZED, Verdict.THROTTLED: Kind.THROTTLED}


@dataclass
class LazyReader:
    """A reader of the application that connects to it when something is read for the first time. The connection is opened for reading only,
    so nothing can be written through it.
    """

    services: Services
    job: Job
    _reader: TargetReader | None = field(default=None)

    async def _opened(self) -> TargetReader:
        if self._reader is None:
            self._reader = await self.services.open_reader(self.job)
        return self._reader

    async def find(self, kind: ObjectKind, attribute: str, value: str) -> Sequence[Account]:
        return await (await self._opened()).find(kind, attribute, value)

    async def get(self, kind: ObjectKind, target_id: str) -> Account | None:
        return await (await self._opened()).get(kind, target_id)

    async def pages(self, kind: ObjectKind) -> AsyncIterator[TargetPage]:
        async for page in (await self._opened()).pages(kind):
            yield page


@needs(Permission.APPLICATIONS_READ, app="app")
async def preview(context: Context, app: str, *, users: Sequence[str] = (), groups: Sequence[str] = ()) -> list[Plan]:
    """Return the plans that a push of these people and groups would carry out, in the order of the given names. Raises LockstepError if the
    application cannot be read.
    """
    services = new_services(context)
    async with context.reading() as connection:
        job = await read_job(context, connection, app)
        wanted = [(ObjectKind.USER, [(await find_anybody(connection, name)).id for name in users])]
        wanted.append((ObjectKind.GROUP, [(await find_group(connection, name)).id for name in groups]))
    reader = LazyReader(services, job)
    try:
        return [
            planned.plan
            for kind, ids in wanted
            if ids
            for planned in await on_demand.preview(services, job, kind, ids, reader)
        ]
    except TargetError as failed:
        raise read_failed(failed) from None


@needs(Permission.APPLICATIONS_READ, app="app", filters=True)
async def expression_record(context: Context, user: str, app: str = "") -> Mapping[str, Any]:
    """Return the attribute values of a person as the expressions of *app* read them. Without *app*, uses the first application to which the
    person is assigned or, if there is none, the first of all applications. Applications that the caller may not read are ignored.
    """
    async with context.reading() as connection:
        person = await find_anybody(connection, user)
        visible = [
            one.name
            for one in await applications.list_applications(connection)
            if context.actor.may(Permission.APPLICATIONS_READ, one.id)
        ]
        names = [app] if app else visible
        record: Mapping[str, Any] | None = None
        for name in names:
            job = await read_job(context, connection, name)
            wanted = {*PERSON_ATTRIBUTES, *manager_attributes(job.configuration, ObjectKind.USER)}
            found = await read_objects(connection, job.row.app, ObjectKind.USER, [person.id], manager_attributes=wanted)
            obj = found[person.id]
            if record is None or obj.assignments:
                moment = new_services(context).moment()
                record = prepare(obj, None, job.configuration, moment).record
            if obj.assignments:
                break
        if record:
            return record
        obj = (await read_objects(connection, DEFAULT_ACCESS, ObjectKind.USER, [person.id]))[person.id]
        has_left = not obj.account_enabled or obj.lifecycle is not Lifecycle.ACTIVE
        return source_record(obj, JobConfiguration(version=0), is_soft_deleted=has_left)


async def find_anybody(connection: Connection, name: str) -> PersonRow:
    """Find a person by name, even in the recycle bin. Raises LockstepError, with suggestions, if no person has this name."""
    try:
        return await find_person(connection, name)
    except LockstepError:
        deleted = await people.find_person(connection, name.strip(), is_deleted=True)
        if deleted is None:
            raise
        return deleted


def read_failed(failed: TargetError) -> LockstepError:
    """Convert a failed read of the application into an error that a person can read."""
    answer = failed.answer
    kind = _KINDS.get(answer.verdict, Kind.UNREACHABLE)
    return LockstepError(kind, answer.detail, next_step=answer.next_step, code=answer.code)
