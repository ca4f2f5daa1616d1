"""Download the filtered records of the provisioning log: as three CSV files, as in Entra, or as one JSON file."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import StreamingResponse

from lockstep.actions import logs
from lockstep.actions.context import Context
from lockstep.actions.logs import LogFilter, LogRow
from lockstep.errors import not_found
from lockstep.web.log_form import LogQuery
from lockstep.web.page import PageAnswer, Pages
from lockstep.wording import spreadsheet_text

pages = Pages()
LogJson = Mapping[str, Any]


@pages.get("/logs/provisioning/download/{file}")
async def download(context: Context, request: Request) -> PageAnswer:
    name, query = request.path_params["file"], LogQuery.of(request.query_params)
    if name != "ProvisioningLogs.json" and name not in _FILES:
        raise not_found(f"There is no download {name}", next_step="Choose one in Provisioning logs")
    wanted = query.as_filter(context.now())
    await logs.list_log(context, wanted, app=query.app, limit=1)  # raise an error now, not in the middle of the file
    is_json = name.endswith(".json")
    body = _json(context, wanted, query.app) if is_json else _csv(context, wanted, query.app, *_FILES[name])
    kind = "application/json" if is_json else "text/csv; charset=utf-8"
    return StreamingResponse(
        body, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Whole-Page": "yes"}
    )


async def _json(context: Context, wanted: LogFilter, app: str) -> AsyncIterator[bytes]:
    lead = b"["
    async for page in logs.pages_of_log(context, wanted, app=app):
        for record in await logs.as_graph(context, page):
            yield lead + orjson.dumps(record)
            lead = b",\n"
    yield b"[]" if lead == b"[" else b"]"


async def _csv(
    context: Context,
    wanted: LogFilter,
    app: str,
    header: list[str],
    lines: Callable[[LogRow, LogJson], Iterable[list[Any]]],
) -> AsyncIterator[bytes]:
    yield _rows([header])
    async for page in logs.pages_of_log(context, wanted, app=app):
        records = await logs.as_graph(context, page)
        yield _rows(line for row, record in zip(page, records, strict=True) for line in lines(row, record))


def _rows(rows: Iterable[list[Any]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows([spreadsheet_text(value) for value in row] for row in rows)
    return file.getvalue().encode()


def _change_line(row: LogRow, record: LogJson) -> list[list[Any]]:
    error = record["provisioningStatusInfo"]["errorInformation"] or {}
    source, target = record["sourceIdentity"], record["targetIdentity"]
    return [
        [record["id"], record["activityDateTime"], record["changeId"], record["cycleId"], record["jobId"],
         record["provisioningAction"], record["provisioningStatusInfo"]["status"], error.get("errorCode"), row.reason,
         source["id"], source["displayName"], source["identityType"], target["id"], target["displayName"],
         record["sourceSystem"]["displayName"], record["targetSystem"]["displayName"], record["durationInMilliseconds"],
         record["initiatedBy"]["displayName"]]
    ]  # fmt: skip


def _step_lines(_row: LogRow, record: LogJson) -> list[list[Any]]:
    return [
        [record["id"], step["name"], step["provisioningStepType"], step["status"], step["description"]]
        for step in record["provisioningSteps"]
    ]


def _property_lines(_row: LogRow, record: LogJson) -> list[list[Any]]:
    return [
        [record["id"], one["displayName"], one.get("oldValue"), one.get("newValue")]
        for one in record["modifiedProperties"]
    ]


_FILES: Mapping[str, tuple[list[str], Callable[[LogRow, LogJson], Iterable[list[Any]]]]] = {
    "ProvisioningLogs.csv": (
        ["id", "activityDateTime", "changeId", "cycleId", "jobId", "provisioningAction", "status", "errorCode", "reason",
         "sourceId", "sourceDisplayName", "sourceIdentityType", "targetId", "targetDisplayName", "sourceSystem", "targetSystem",
         "durationInMilliseconds", "initiatedBy"],
        _change_line,
    ),
    "ProvisioningLogs_ProvisioningSteps.csv": (["id", "name", "provisioningStepType", "status", "description"], _step_lines),
    "ProvisioningLogs_ModifiedProperties.csv": (["id", "displayName", "oldValue", "newValue"], _property_lines),
}  # fmt: skip
