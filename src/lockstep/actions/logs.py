"""Read the provisioning log: list its records, show all records of one change, and follow the log as it grows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.jobs import job_row
from lockstep.actions.permissions import Permission
from lockstep.errors import conflict, not_found
from lockstep.storage import changes, instance, provisioning_log
from lockstep.storage.changes import ChangeRow as ChangeRow
from lockstep.storage.provisioning_log import LogFilter as LogFilter
from lockstep.storage.provisioning_log import LogRow as LogRow

_FOLLOW_SECONDS = 0.5
_PAGE = 1_000
_MOST_OF_ONE_CHANGE = 50
_BEGINNING = re.compile(r"[0-9a-f-]{8,36}")


@dataclass(frozen=True, slots=True)
class GraphNames:
    """The id of the tenant, and the display names of *applications* by id."""

    tenant: str
    applications: Mapping[str, str]


@needs(Permission.LOGS_READ, app="app", filters=True)
async def list_log(
    context: Context, wanted: LogFilter | None = None, *, app: str = "", limit: int = 100
) -> list[LogRow]:
    """Return the newest matching records, newest first. *app* limits the result to the application with this name."""
    async with context.reading() as connection:
        query = wanted or LogFilter()
        if app:
            query = replace(query, job=(await job_row(connection, app)).id)
        query = _visible(context, query)
        return await provisioning_log.read_log(connection, query, limit=limit)


@needs(Permission.LOGS_READ, app="app", filters=True)
async def pages_of_log(
    context: Context, wanted: LogFilter | None = None, *, app: str = "", size: int = _PAGE
) -> AsyncIterator[list[LogRow]]:
    """Yield all matching records, newest first, in pages of at most *size* records."""
    query = wanted or LogFilter()
    while page := await list_log(context, query, app=app, limit=min(size, _PAGE)):
        yield page
        query = replace(query, below_seq=page[-1].seq)


@needs(Permission.DIRECTORY_READ)
async def directory_change_before(context: Context, row: LogRow) -> ChangeRow | None:
    """*row* is a log record about a person or group. Return the last change of this person or group in the directory before *row* was
    written. That change is often the cause of *row*. Returns None if no such change is recorded.
    """
    if not row.source_id:
        return None
    async with context.reading() as connection:
        return await changes.latest_before(connection, row.source_id, row.at)


@needs(Permission.LOGS_READ, filters=True)
async def show_log(context: Context, name: str) -> list[LogRow]:
    """Return the records of one change, oldest first. *name* is the number of a record, or a change id or its beginning.

    Raises LockstepError if no change has this name, or if several change ids begin with it.
    """
    folded = name.strip().lower()
    found: list[LogRow] = []
    async with context.reading() as connection:
        if folded.isdecimal() and len(folded) < 18:
            query = _visible(context, LogFilter(seq=int(folded)))
            numbered = await provisioning_log.read_log(connection, query, limit=1)
            folded = numbered[0].change_id if numbered else folded
        if _BEGINNING.fullmatch(folded):
            wanted = _visible(context, LogFilter(change_id=folded))
            found = await provisioning_log.read_log(connection, wanted, limit=_MOST_OF_ONE_CHANGE)
    if not found:
        raise not_found(f"The log has no change {name}", next_step="See: lockstep logs")
    if len({row.change_id for row in found}) > 1:
        raise conflict(
            f"Several changes begin with {name}",
            next_step="Enter more characters of the id, or use the number of the record",
        )
    return found[::-1]


@needs(Permission.LOGS_READ, filters=True)
async def attempts_beside(context: Context, row: LogRow) -> tuple[str, str]:
    """Return the ids of two changes of the same object in the same application: the change before *row* and the change after it. An id is
    "" if there is no such change.
    """
    if not row.source_id or not context.actor.may(Permission.LOGS_READ, row.app):
        return "", ""
    async with context.reading() as connection:
        return await provisioning_log.attempts_beside(connection, row)


@needs(Permission.LOGS_READ, app="app", filters=True)
async def follow_log(
    context: Context, wanted: LogFilter | None = None, *, app: str = "", after: int | None = None
) -> AsyncIterator[LogRow]:
    """Yield new records as they are written, oldest first, without end. The first record is the one after the record number *after*.
    Without *after*, only records that are written from now on are yielded.
    """
    position = after
    if position is None:
        newest = await list_log(context, wanted, app=app, limit=1)
        position = newest[0].seq if newest else 0
    while True:
        query = replace(wanted or LogFilter(), above_seq=position)
        for row in (await list_log(context, query, app=app, limit=1000))[::-1]:
            position = row.seq
            yield row
        await asyncio.sleep(_FOLLOW_SECONDS)


@needs(Permission.LOGS_READ, filters=True)
async def as_graph(context: Context, rows: Sequence[LogRow]) -> list[dict[str, Any]]:
    """Return the records in the JSON form of Microsoft Graph (provisioningObjectSummary)."""
    return graph_records(rows, await graph_names(context, sorted({row.app for row in rows})))


@needs(Permission.LOGS_READ, filters=True)
async def graph_names(context: Context, apps: Sequence[str]) -> GraphNames:
    """Return the names that `graph_records` needs for records of the applications with these ids."""
    async with context.reading() as connection:
        seen = {app for app in apps if context.actor.may(Permission.LOGS_READ, app)}
        names = await provisioning_log.application_names(connection, seen)
        return GraphNames(await instance.tenant_id(connection), names)


def graph_records(rows: Sequence[LogRow], names: GraphNames) -> list[dict[str, Any]]:
    """Convert records to the JSON form of Microsoft Graph (provisioningObjectSummary)."""
    return [_graph_record(row, names.tenant, names.applications.get(row.app, "")) for row in rows]


def _visible(context: Context, query: LogFilter) -> LogFilter:
    """Return *query*, limited to the applications whose log the caller may read."""
    actor = context.actor
    return query if actor.everywhere(Permission.LOGS_READ) else replace(query, apps=sorted(actor.own_applications))


def _graph_record(row: LogRow, tenant: str, app_name: str) -> dict[str, Any]:
    record = row.record
    return {
        "id": row.id,
        "activityDateTime": row.at.isoformat().replace("+00:00", "Z"),
        "tenantId": tenant,
        "jobId": row.job,
        "cycleId": str(row.cycle) if row.cycle is not None else None,
        "changeId": row.change_id,
        "durationInMilliseconds": row.duration_ms,
        "provisioningAction": row.action,
        "provisioningStatusInfo": {"status": row.status, "errorInformation": record.get("errorInformation")},
        "provisioningSteps": record.get("steps", []),
        "modifiedProperties": record.get("modifiedProperties", []),
        "cause": record.get("cause", ""),
        "sourceSystem": {"id": tenant, "displayName": "Lockstep", "details": {}},
        "targetSystem": {"id": row.app, "displayName": app_name, "details": {}},
        "sourceIdentity": _identity(row.source_id or "", row.source_display, row.kind),
        "targetIdentity": _identity(row.target_id, row.target_display, row.kind),
        "servicePrincipal": {"id": row.app, "displayName": app_name},
        "initiatedBy": {
            "id": "",
            "displayName": row.initiated_by,
            "initiatorType": "system" if row.initiated_by == "system" else "user",
        },
    }


def _identity(identifier: str, display: str, kind: str) -> dict[str, Any]:
    return {"id": identifier, "displayName": display, "identityType": kind, "details": {}}
