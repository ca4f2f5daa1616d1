"""Read the provisioning log: list it, show one change whole, follow it as it grows."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from lockstep.actions.context import Context
from lockstep.actions.jobs import job_row
from lockstep.errors import not_found
from lockstep.storage import instance, provisioning_log
from lockstep.storage.provisioning_log import LogFilter, LogRow

_FOLLOW_SECONDS = 0.5
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


async def list_log(
    context: Context, wanted: LogFilter | None = None, *, app: str = "", limit: int = 100
) -> list[LogRow]:
    """The newest records that pass, newest first; *app* names an application."""
    async with context.reading() as connection:
        query = wanted or LogFilter()
        if app:
            query = replace(query, job=(await job_row(connection, app)).id)
        return await provisioning_log.read_log(connection, query, limit=limit)


async def show_log(context: Context, change_id: str) -> list[LogRow]:
    """The records of one change, oldest first. Raises LockstepError when there are none."""
    found: list[LogRow] = []
    if _GUID.fullmatch(change_id):
        async with context.reading() as connection:
            found = await provisioning_log.read_log(connection, LogFilter(change_id=change_id), limit=50)
    if not found:
        raise not_found(f"The log has no change {change_id}", next_step="See: lockstep logs")
    return found[::-1]


async def follow_log(context: Context, wanted: LogFilter | None = None, *, app: str = "") -> AsyncIterator[LogRow]:
    """New records as they are written, oldest first, for ever."""
    newest = await list_log(context, wanted, app=app, limit=1)
    position = newest[0].seq if newest else 0
    while True:
        query = replace(wanted or LogFilter(), above_seq=position)
        for row in (await list_log(context, query, app=app, limit=1000))[::-1]:
            position = row.seq
            yield row
        await asyncio.sleep(_FOLLOW_SECONDS)


async def as_graph(context: Context, rows: list[LogRow]) -> list[dict[str, Any]]:
    """The records in Microsoft Graph's shape (provisioningObjectSummary)."""
    async with context.reading() as connection:
        tenant = await instance.tenant_id(connection)
        names = await provisioning_log.application_names(connection, {row.app for row in rows})
    return [_graph_record(row, tenant, names.get(row.app, "")) for row in rows]


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
