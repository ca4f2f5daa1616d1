"""Audit logs: who changed what, with the values before and after; verification of the hash chain; downloads."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace

import orjson
from starlette.requests import Request
from starlette.responses import StreamingResponse

from lockstep.actions import audit
from lockstep.actions.audit import AuditFilter, AuditRow
from lockstep.actions.context import Context
from lockstep.actions.rows.records import AuditJson, audit_json
from lockstep.errors import not_found
from lockstep.web.copied import api_list, command_with
from lockstep.web.log_form import RANGES, day_after, days_in, number_in, span_flags, time_terms
from lockstep.web.page import CopyAs, Crumb, PageAnswer, Pages, View, address
from lockstep.wording import spreadsheet_text

pages = Pages()
HERE = "/logs/audit"
SIZE = 50
DOWNLOADED_AT_ONCE = 1_000
_NAMES = ("actor", "activity", "object", "range", "since", "until")


@pages.get(HERE)
async def list_entries(context: Context, request: Request) -> View:
    given = _given(request.query_params)
    after = number_in(request.query_params, "after")
    entries = await audit.list_entries(context, _filter(context, given, after), limit=SIZE + 1)
    is_checked = request.query_params.get("verify") == "1"
    model = {
        "entries": entries[:SIZE],
        "given": given,
        "is_filtered": any(given.values()),
        "ranges": [(key, label) for key, (label, _) in RANGES.items()],
        "next": address(HERE, **given, after=str(entries[SIZE - 1].seq)) if len(entries) > SIZE else None,
        "first": address(HERE, **given) if after else None,
        "downloads": [
            (label, f"{HERE}/download/{name}")
            for name, label in (("AuditLogs.csv", "Download CSV"), ("AuditLogs.json", "Download JSON"))
        ],
        "verify_href": address(HERE, **given, verify="1"),
        "is_checked": is_checked,
        "broken": await audit.verify(context) if is_checked else None,
    }
    return View(
        "logs/audit.html",
        "Audit logs",
        model,
        section="Logs",
        copy_as=_copied(context, given),
    )


def _copied(context: Context, given: Mapping[str, str]) -> CopyAs:
    wanted = _filter(context, given)
    words = {name: given[name] for name in ("actor", "activity", "object")}
    return CopyAs(
        command=command_with("lockstep audit", **words, **span_flags(given["range"], given["since"], given["until"])),
        api=api_list(
            "/api/v1/audit",
            *((name, "co", value) for name, value in words.items()),
            *time_terms(wanted.after, wanted.before),
        ),
    )


@pages.get(HERE + "/{number}")
async def show_entry(context: Context, request: Request) -> View:
    number = number_in(request.path_params, "number")
    if number is None:
        raise not_found("The audit log does not have this entry", next_step="Choose one in Audit logs")
    found = await audit.show_entry(context, number)
    entry = audit_json(found)
    before, after = entry["before"], entry["after"]
    old, new = (one if isinstance(one, Mapping) else {} for one in (before, after))
    fields = [(name, _text(old.get(name)), _text(new.get(name))) for name in dict.fromkeys([*old, *new])]
    return View(
        "logs/audit_entry.html",
        f"{entry['activity']}: {entry['object']}" if entry["object"] else entry["activity"],
        {"entry": entry, "at": found.at, "fields": fields},
        section="Logs",
        subtab="Audit logs",
        parents=[Crumb("Audit logs", HERE)],
    )


@pages.get(HERE + "/download/{file}")
async def download(context: Context, request: Request) -> PageAnswer:
    name = request.path_params["file"]
    if name not in ("AuditLogs.csv", "AuditLogs.json"):
        raise not_found(f"There is no download {name}", next_step="Choose one in Audit logs")
    wanted = _filter(context, _given(request.query_params))
    first = await audit.list_entries(
        context, wanted, limit=DOWNLOADED_AT_ONCE
    )  # raise an error now, not in the middle of the file
    is_json = name.endswith(".json")
    body = _json(_pages(context, wanted, first)) if is_json else _csv(_pages(context, wanted, first))
    kind = "application/json" if is_json else "text/csv; charset=utf-8"
    return StreamingResponse(
        body, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Whole-Page": "yes"}
    )


async def _pages(context: Context, wanted: AuditFilter, first: Sequence[AuditRow]) -> AsyncIterator[list[AuditJson]]:
    """Yield all entries. They are read page by page, so that no connection is held and only one page is in memory."""
    page = first
    while page:
        yield [audit_json(entry) for entry in page]
        if len(page) < DOWNLOADED_AT_ONCE:
            return
        page = await audit.list_entries(context, replace(wanted, below_seq=page[-1].seq), limit=DOWNLOADED_AT_ONCE)


async def _json(found: AsyncIterator[list[AuditJson]]) -> AsyncIterator[bytes]:
    lead = b"["
    async for rows in found:
        yield lead + b",\n".join(orjson.dumps(row) for row in rows)
        lead = b",\n"
    yield b"[]" if lead == b"[" else b"]"


async def _csv(found: AsyncIterator[list[AuditJson]]) -> AsyncIterator[bytes]:
    yield _lines([["number", "at", "actor", "activity", "object", "before", "after", "hash"]])
    async for rows in found:
        yield _lines(
            [
                row["number"],
                row["at"],
                row["actor"],
                row["activity"],
                row["object"],
                _text(row["before"]),
                _text(row["after"]),
                row["hash"],
            ]
            for row in rows
        )


def _lines(rows: Iterable[Iterable[object]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows([spreadsheet_text(value) for value in row] for row in rows)
    return file.getvalue().encode()


def _given(query: Mapping[str, str]) -> dict[str, str]:
    given = {name: query.get(name, "").strip() for name in _NAMES}
    return given | days_in(given) | {"range": given["range"] if given["range"] in RANGES else ""}


def _filter(context: Context, given: Mapping[str, str], below: int | None = None) -> AuditFilter:
    length = RANGES[given["range"]][1]
    return AuditFilter(
        actor=given["actor"] or None,
        activity=given["activity"] or None,
        object=given["object"] or None,
        after=day_after(given["since"]) or (context.now() - length if length else None),
        before=day_after(given["until"], days=1),
        below_seq=below,
    )


def _text(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return orjson.dumps(value).decode()
