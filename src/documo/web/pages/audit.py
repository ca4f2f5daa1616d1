"""Audit log: who changed what, and who signed in; filters, the values before and after, downloads."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import orjson
from starlette.requests import Request
from starlette.responses import Response

from documo import audit_log
from documo.audit_log import ACTIVITIES, MOST_EXPORTED, AccountAuditFilter
from documo.permissions import MemberPermission
from documo.web.context import DocumoPages, PageContext
from lockstep.errors import not_found
from lockstep.kit.pages import Crumb, PageAnswer, PageView, address
from lockstep.wording import spreadsheet_text

pages = DocumoPages()
HERE = "/settings/audit"
PAGE_SIZE = 50
RANGES: Mapping[str, tuple[str, timedelta | None]] = {
    "": ("Any time", None),
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
}
_NAMES = ("actor", "text", "kind", "activity", "range")
_DOWNLOADS = {"AuditLog.csv": "CSV", "AuditLog.json": "JSON"}


@pages.get(HERE, needs=MemberPermission.AUDIT_LOG)
async def list_entries(context: PageContext, request: Request) -> PageAnswer:
    account = await context.account()
    kinds = audit_log.kinds_of(account.custom)
    given = _given(request.query_params, kinds)
    below = request.query_params.get("after", "")
    found = await audit_log.find_entries(context.store, account.id, _filter(given), most=PAGE_SIZE + 1, below=below)
    return PageView(
        "settings/audit.html",
        heading="Audit log",
        section="Account Settings",
        model={
            "entries": found[:PAGE_SIZE],
            "given": given,
            "is_filtered": any(given.values()),
            "kinds": [("", "Anything"), *((kind, kind) for kind in kinds)],
            "activities": [("", "Any activity"), *ACTIVITIES.items()],
            "ranges": [(key, label) for key, (label, _) in RANGES.items()],
            "next": address(HERE, **given, after=found[PAGE_SIZE - 1].id) if len(found) > PAGE_SIZE else None,
            "first": address(HERE, **given) if below else None,
            "downloads": [(label, address(f"{HERE}/download/{name}", **given)) for name, label in _DOWNLOADS.items()],
            "days": account.audit_days,
            "here": HERE,
        },
    )


@pages.get(HERE + "/{entry}", needs=MemberPermission.AUDIT_LOG)
async def show_entry(context: PageContext, request: Request) -> PageAnswer:
    account = await context.account()
    entry = await audit_log.show_entry(context.store, account.id, request.path_params["entry"])
    return PageView(
        "settings/audit_entry.html",
        heading=f"{entry.title}: {entry.object_name or entry.kind}",
        section="Account Settings",
        parents=(Crumb("Audit log", HERE),),
        model={
            "entry": entry,
            "fields": [(name, _text(before), _text(after)) for name, before, after in entry.differences()],
        },
    )


@pages.get(HERE + "/download/{file}", needs=MemberPermission.AUDIT_LOG)
async def download(context: PageContext, request: Request) -> PageAnswer:
    account, name = await context.account(), request.path_params["file"]
    if name not in _DOWNLOADS:
        raise not_found("This download does not exist", next_step="Choose one in the audit log")
    given = _given(request.query_params, audit_log.kinds_of(account.custom))
    found = await audit_log.find_entries(context.store, account.id, _filter(given), most=MOST_EXPORTED)
    rows = [audit_log.as_json(entry) for entry in found]
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if name.endswith(".json"):
        return Response(orjson.dumps(rows), media_type="application/json", headers=headers)
    file = io.StringIO()
    writer = csv.writer(file)
    columns = ("id", "at", "actor", "actorKind", "activity", "kind", "object", "objectId", "before", "after")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(spreadsheet_text(_text(row[column])) for column in columns)
    return Response(file.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _given(query: Mapping[str, str], kinds: list[str]) -> dict[str, str]:
    """Return the filters in the address. Unknown values of a choice are ignored."""
    given = {name: query.get(name, "").strip() for name in _NAMES}
    for name, known in (("kind", kinds), ("activity", ACTIVITIES), ("range", RANGES)):
        given[name] = given[name] if given[name] in known else ""
    return given


def _filter(given: Mapping[str, str]) -> AccountAuditFilter:
    length = RANGES[given["range"]][1]
    since = datetime.now(UTC) - length if length else None
    return AccountAuditFilter(given["actor"], given["text"], given["kind"], given["activity"], since)


def _text(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return orjson.dumps(value).decode()
