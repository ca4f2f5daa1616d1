"""Download the timeline of a person or a group with the filters of its page, as CSV or as JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import StreamingResponse

from lockstep.actions import applications
from lockstep.actions.context import Context
from lockstep.actions.group_pages import page_of_group
from lockstep.actions.timeline import Event, pages_of_timeline, show_timeline
from lockstep.errors import not_found
from lockstep.web.page import PageAnswer, Pages
from lockstep.web.pages.log_downloads import LogJson
from lockstep.web.pages.people import person_of
from lockstep.web.timeline import TIMELINE_FILES, TimelineQuery, timeline_entry
from lockstep.wording import spreadsheet_text

pages = Pages()
_COLUMNS = ("time", "kind", "application", "event", "by", "detail", "page")


@pages.get("/users/{person}/timeline/{file}")
async def download_of_person(context: Context, request: Request) -> PageAnswer:
    return await _download(context, request, (await person_of(context, request)).person.id)


@pages.get("/groups/{group}/timeline/{file}")
async def download_of_group(context: Context, request: Request) -> PageAnswer:
    return await _download(context, request, (await page_of_group(context, request.path_params["group"])).group.id)


async def _download(context: Context, request: Request, object_id: str) -> PageAnswer:
    name = request.path_params["file"]
    if name not in TIMELINE_FILES:
        raise not_found(f"There is no download {name}", next_step="Choose one beside the timeline")
    apps = {one.name: one.display_name for one in await applications.list_applications(context)}
    query = TimelineQuery.of(request.query_params, apps)
    records = _records(context, object_id, query, apps)
    await show_timeline(
        context, object_id, only=query.only, limit=1
    )  # raise an error now, not in the middle of the file
    is_json = name.endswith(".json")
    kind = "application/json" if is_json else "text/csv; charset=utf-8"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Whole-Page": "yes"}
    return StreamingResponse(_json(records) if is_json else _csv(records), media_type=kind, headers=headers)


async def _records(
    context: Context, object_id: str, query: TimelineQuery, apps: Mapping[str, str]
) -> AsyncIterator[list[LogJson]]:
    """Yield the events that the page shows with the same filters. They are read and returned in batches."""
    after, before = query.after(context.now()), query.before
    async for page in pages_of_timeline(context, object_id, only=query.only, after=after, before=before):
        yield [_record(one, page.names, apps) for one in page.events]


def _record(event: Event, names: Mapping[str, str], apps: Mapping[str, str]) -> LogJson:
    entry = timeline_entry(event, names, apps)
    return {
        "time": event.at.isoformat().replace("+00:00", "Z"),
        "kind": "signIn" if event.sign_in is not None else "directory" if event.change is not None else "provisioning",
        "application": event.app,
        "event": entry.title,
        "by": entry.by,
        "detail": entry.detail,
        "page": entry.href,
        "changes": [{"attribute": name, "before": before, "after": after} for name, before, after in entry.pairs],
    }


async def _json(records: AsyncIterator[list[LogJson]]) -> AsyncIterator[bytes]:
    lead = b"["
    async for page in records:
        for record in page:
            yield lead + orjson.dumps(record)
            lead = b",\n"
    yield b"[]" if lead == b"[" else b"]"


async def _csv(records: AsyncIterator[list[LogJson]]) -> AsyncIterator[bytes]:
    """Yield CSV with one row for each event. All changes of an event are in one cell, one line for each attribute."""
    yield _rows([[*_COLUMNS, "changes"]])
    async for page in records:
        yield _rows([*(record[name] for name in _COLUMNS), _changes(record)] for record in page)


def _changes(record: LogJson) -> str:
    return "\n".join(f"{one['attribute']}: {one['before'] or ''} -> {one['after'] or ''}" for one in record["changes"])


def _rows(rows: Iterable[Iterable[Any]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows([spreadsheet_text(value) for value in row] for row in rows)
    return file.getvalue().encode()
