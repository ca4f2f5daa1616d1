"""The attributes that an application accepts but does not keep, each with advice."""

from __future__ import annotations

from collections.abc import Mapping

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.jobs import read_job
from lockstep.actions.permissions import Permission
from lockstep.configuration.findings import Finding
from lockstep.configuration.rules import JobConfiguration
from lockstep.engine.decisions.kept import confirmed
from lockstep.engine.records import ObjectKind
from lockstep.sync.services import Job, unkept_of


@needs(Permission.APPLICATIONS_READ, app="app")
async def unkept_attributes(context: Context, app: str) -> Mapping[tuple[str, str], Finding]:
    """Return the attributes that the application accepts but does not keep, by kind of object and target path, each with advice."""
    async with context.reading() as connection:
        return unkept_in(await read_job(context, connection, app))


def unkept_in(job: Job) -> dict[tuple[str, str], Finding]:
    """Return the same attributes as `unkept_attributes` does, for a *job* that the caller has already read."""
    certain = {(one.kind, one.path) for one in confirmed(unkept_of(job.row), job.configuration)}
    app, name = job.row.app_name, job.row.app_display_name
    found = {}
    for row in job.row.unkept:
        kind, path = ObjectKind(row["kind"]), str(row["path"])
        if (kind, path) not in certain:
            continue
        is_given_up = path in job.configuration.unkept.get(kind, ())
        then = "a difference in it no longer triggers a write" if is_given_up else "it is still written"
        which = f"'{path}'" if '"' in path or " " in path else path
        of_group = " --kind group" if kind is ObjectKind.GROUP else ""
        message = (
            f'{name} does not keep "{path}": {row["answers"]} consecutive responses left it out, '
            f"most recently for {row['display'] or 'an account'}; {then}"
        )
        next_step = (
            f"See its attributes: lockstep map attributes {app} --discover; remove the mapping: lockstep map set {app} {which}"
            f"{of_group} --remove; try again: lockstep push {app} {'--group NAME' if of_group else 'USER'} --again"
        )
        found[kind.value, path] = Finding("warning", _place(job.configuration, kind, path), message, next_step)
    return found


def _place(configuration: JobConfiguration, kind: ObjectKind, path: str) -> str:
    for index, mapping in enumerate(configuration.objects):
        for number, attribute in enumerate(mapping.attributes):
            if mapping.source is kind and attribute.target == path:
                return f"mappings[{index}].attributes[{number}].target"
    return path
