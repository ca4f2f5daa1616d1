"""Sign-in logs: the list with its filters, one record, and the downloads."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator

import orjson
from starlette.requests import Request
from starlette.responses import StreamingResponse

from lockstep.actions import sign_in_logs as actions
from lockstep.actions.applications import list_applications
from lockstep.actions.context import Context
from lockstep.actions.rows.sign_ins import sign_in_json
from lockstep.actions.sign_in_logs import SignInFilter
from lockstep.errors import not_found
from lockstep.web.log_form import RANGES, number_in
from lockstep.web.page import CopyAs, Crumb, PageAnswer, Pages, View, address
from lockstep.web.sign_in_form import RESULTS, SignInLine, SignInQuery, reasons
from lockstep.wording import spreadsheet_text

pages = Pages()
HERE = "/logs/sign-ins"
SIZE = 50
_COLUMNS = (
    "number", "id", "at", "result", "user", "userId", "application", "applicationId", "methods", "protocol", "address", "device", "code",
    "reason", "detail",
)  # fmt: skip
_FILES = {"SignInLogs.csv": "Sign-in logs (CSV)", "SignInLogs.json": "Sign-in logs (JSON)"}


@pages.get(HERE)
async def list_log(context: Context, request: Request) -> View:
    query = SignInQuery.of(request.query_params)
    after = number_in(request.query_params, "after")
    rows = await actions.list_sign_ins(context, query.as_filter(context.now(), after), app=query.app, limit=SIZE + 1)
    given = query.as_query()
    model = {
        "lines": [SignInLine(row) for row in rows[:SIZE]],
        "query": query,
        "is_filtered": bool(given),
        "apps": [("", "All applications"), *((one.name, one.display_name) for one in await list_applications(context))],
        "statuses": [("", "All statuses"), *((key, look.label) for key, look in RESULTS.items())],
        "reasons": reasons(),
        "ranges": [(key, label) for key, (label, _) in RANGES.items()],
        "next": address(HERE, **given, after=str(rows[SIZE - 1].seq)) if len(rows) > SIZE else None,
        "first": address(HERE, **given) if after else None,
        "downloads": [(label, f"{HERE}/download/{name}") for name, label in _FILES.items()],
        "here": HERE,
    }
    return View(
        "logs/sign_ins.html",
        "Sign-in logs",
        model,
        section="Logs",
        copy_as=CopyAs(command=query.as_command(), api=query.as_api(context.now())),
    )


@pages.get(f"{HERE}/{{record}}")
async def show_sign_in(context: Context, request: Request) -> View:
    wanted = SignInFilter(id=request.path_params["record"])
    found = await actions.list_sign_ins(context, wanted, limit=1)
    if not found:
        raise not_found("The log has no such sign-in", next_step="It may have been removed after the retention period")
    line = SignInLine(found[0])
    return View(
        "logs/sign_in.html",
        f"Sign-in of {line.who}",
        {"line": line},
        section="Logs",
        subtab="Sign-in logs",
        parents=[Crumb("Sign-in logs", HERE)],
    )


@pages.get(f"{HERE}/download/{{file}}")
async def download(context: Context, request: Request) -> PageAnswer:
    name, query = request.path_params["file"], SignInQuery.of(request.query_params)
    if name not in _FILES:
        raise not_found(f"There is no download {name}", next_step="Choose one in Sign-in logs")
    wanted = query.as_filter(context.now())
    await actions.list_sign_ins(
        context, wanted, app=query.app, limit=1
    )  # raise an error now, not in the middle of the file
    is_json = name.endswith(".json")
    body = _json(context, wanted, query.app) if is_json else _csv(context, wanted, query.app)
    kind = "application/json" if is_json else "text/csv; charset=utf-8"
    return StreamingResponse(
        body, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"', "X-Whole-Page": "yes"}
    )


async def _json(context: Context, wanted: SignInFilter, app: str) -> AsyncIterator[bytes]:
    lead = b"["
    async for page in actions.pages_of_sign_ins(context, wanted, app=app):
        for row in page:
            yield lead + orjson.dumps(sign_in_json(row))
            lead = b",\n"
    yield b"[]" if lead == b"[" else b"]"


async def _csv(context: Context, wanted: SignInFilter, app: str) -> AsyncIterator[bytes]:
    yield _line([list(_COLUMNS)])
    async for page in actions.pages_of_sign_ins(context, wanted, app=app):
        records = [{**sign_in_json(row), "methods": " ".join(row.methods)} for row in page]
        yield _line([[record[name] for name in _COLUMNS] for record in records])


def _line(rows: list[list[object]]) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows([spreadsheet_text(value) for value in row] for row in rows)
    return file.getvalue().encode()
