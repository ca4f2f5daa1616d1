"""SCIM request log: filters, live updates, runs of similar requests as one row, and one request with its replay."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from starlette.requests import Request

from documo.access import api_keys
from documo.permissions import MemberPermission
from documo.readable_paths import readable_path
from documo.replay import as_curl, compare_answers, replay_request
from documo.request_log import CLIENTS
from documo.store import request_log as table
from documo.store.request_log import RequestLogFilter
from documo.web.context import DocumoPages, PageContext
from documo.web.live import TOPIC
from lockstep.errors import LockstepError, not_found
from lockstep.kit.page_errors import STATUSES
from lockstep.kit.pages import Crumb, PageAnswer, PageView, address, on_the_form
from lockstep.kit.templating import pretty_json
from lockstep.scim.normalize import describe_tolerance

pages = DocumoPages()
HERE = "/settings/scim/logs"
PAGE_SIZE = 50  # rows; a row may stand for a run of similar requests
LOOKED_AT = 1_000  # entries read for a page
MOST_OF_RUN = 100  # the most entries that an opened run shows
STATUS_CLASSES: Mapping[str, tuple[str, tuple[int, int]]] = {
    "": ("Any status", (0, 999)),
    "2xx": ("2xx Succeeded", (200, 299)),
    "4xx": ("4xx Refused", (400, 499)),
    "429": ("429 Too many requests", (429, 429)),
    "5xx": ("5xx Failed", (500, 599)),
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PAUSED = "paused"


@pages.get(HERE, needs=MemberPermission.SCIM)
async def list_requests(context: PageContext, request: Request) -> PageAnswer:
    account, query = await context.account(), request.query_params
    keys = [(key.id, key.name) for key in await api_keys.list_keys(context.store, account.id)]
    given = _given(query, keys)
    wanted = RequestLogFilter(
        STATUS_CLASSES[given["status"]][1], given["method"], given["client"], given["key"], given["text"]
    )
    below, is_paused = query.get("after", ""), query.get("tail") == PAUSED
    tail = PAUSED if is_paused else ""
    async with context.store.tenant(account.id) as connection:
        latest = await table.newest(connection, account.id)
        found = await table.runs(connection, account.id, wanted, below=below, most=PAGE_SIZE + 1, looked_at=LOOKED_AT)
        shown = found[:PAGE_SIZE]
        opened = next((run for run in shown if run.count > 1 and run.first_id == query.get("run")), None)
        inside = await table.entries_of_run(connection, account.id, wanted, opened, most=MOST_OF_RUN) if opened else []
    looked_at_all = sum(run.count for run in found) < LOOKED_AT and len(found) <= PAGE_SIZE
    here = {**given, "tail": tail}
    return PageView(
        "settings/scim_logs.html",
        heading="SCIM request log",
        section="Account Settings",
        live="" if below or is_paused else TOPIC,
        model={
            "runs": [
                (run, address(HERE, **here, after=below, run="" if run is opened else run.first_id)) for run in shown
            ],
            "opened": opened,
            "inside": inside,
            "given": given,
            "tail": tail,
            "is_filtered": any(given.values()),
            "statuses": [(value, label) for value, (label, _) in STATUS_CLASSES.items()],
            "methods": [("", "Any method"), *((one, one) for one in METHODS)],
            "clients": [("", "Any client"), *((one, one) for one in CLIENTS)],
            "keys": [("", "Any key"), *keys],
            "next": None if looked_at_all or not shown else address(HERE, **here, after=shown[-1].first_id),
            "first": address(HERE, **here) if below else None,
            "switch": None if below else address(HERE, **given, tail="" if is_paused else PAUSED),
            "is_paused": is_paused,
            "latest_event": latest,
            "try_it": f'curl -H "Authorization: Bearer $DOCUMO_KEY" {context.scim_url}/Users',
            "here": HERE,
            "readable": readable_path,
        },
    )


@pages.get(HERE + "/{id}", needs=MemberPermission.SCIM)
async def show_request(context: PageContext, request: Request) -> PageAnswer:
    return await _request(context, request.path_params["id"])


@pages.post(HERE + "/{id}/replay", needs=MemberPermission.SCIM)
async def replay(context: PageContext, request: Request) -> PageAnswer:
    return await _request(context, request.path_params["id"], is_replayed=True)


async def _request(context: PageContext, which: str, *, is_replayed: bool = False) -> PageView:
    account, refused, answer = await context.account(), None, None
    async with context.store.tenant(account.id) as connection:
        entry = await table.entry(connection, account.id, which)
    if entry is None or entry["id"] != which:
        raise not_found(
            "This request is not in the log of the last seven days", next_step="Choose one in the request log"
        )
    if is_replayed:
        try:
            answer = await replay_request(context.store, account.id, entry, base_url=context.scim_url)
        except LockstepError as error:
            refused = on_the_form(error)
    return PageView(
        "settings/scim_request.html",
        heading=f"{entry['method']} {entry['path'].partition('?')[0]}"[:200],
        section="Account Settings",
        parents=(Crumb("SCIM request log", HERE),),
        model={
            "entry": entry,
            "request_body": _indented(entry["request_body"]),
            "response_body": _indented(entry["response_body"]),
            "notes": [(name, describe_tolerance(name)) for name in entry["tolerances"]],
            "curl": as_curl(entry),
            "answer": answer,
            "answer_body": _indented(answer["body"]) if answer else "",
            "comparison": compare_answers(entry, answer) if answer else None,
            "refused": refused,
            "here": f"{HERE}/{entry['id']}",
            "path": readable_path(entry["path"]),
        },
        status=STATUSES[refused.kind] if refused else 200,
    )


def _indented(body: str | None) -> str:
    """Return a body with indentation. Text that is not complete JSON, such as a truncated body, is returned unchanged."""
    try:
        return pretty_json(orjson.loads(body)) if body else ""
    except orjson.JSONDecodeError:
        return body or ""


def _given(query: Mapping[str, str], keys: list[tuple[str, str]]) -> dict[str, str]:
    """Return the filters in the address. Unknown values of a choice are ignored."""
    known = {"status": STATUS_CLASSES, "method": METHODS, "client": CLIENTS, "key": dict(keys)}
    given = {name: query.get(name, "") if query.get(name, "") in among else "" for name, among in known.items()}
    given["text"] = query.get("text", "").strip()
    return given
