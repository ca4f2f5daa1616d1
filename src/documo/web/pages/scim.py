"""SCIM: the switch and what it does, the last day, and the log of requests with replay."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request

from documo.access import api_keys
from documo.accounts import change_account
from documo.permissions import Permission
from documo.replay import as_curl, replay_request
from documo.store import request_log as table
from documo.web.context import DocumoPages, PageContext
from lockstep.errors import LockstepError, not_found
from lockstep.kit.charts import Series, stacked
from lockstep.kit.page_errors import STATUSES
from lockstep.kit.pages import Answer, Crumb, PageView, Redirect, address, on_the_form
from lockstep.scim.normalize import describe_tolerance

pages = DocumoPages()
HERE = "/settings/scim"
LOGS = HERE + "/logs"
PAGE_SIZE = 50
STATUS_CLASSES: Mapping[str, tuple[str, tuple[int, int]]] = {
    "": ("Any status", (0, 999)),
    "2xx": ("2xx Succeeded", (200, 299)),
    "4xx": ("4xx Refused", (400, 499)),
    "429": ("429 Too many requests", (429, 429)),
    "5xx": ("5xx Failed", (500, 599)),
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
CLIENTS = (
    "Entra", "Okta", "OneLogin", "JumpCloud", "Google", "Lockstep", "test suite", "curl", "unknown",
)  # fmt: skip


@pages.get(HERE, needs=Permission.SCIM)
async def show_scim(context: PageContext, _: Request) -> Answer:
    account = await context.account()
    async with context.store.tenant(account.id) as connection:
        hours = {ago: (fine, refused) for ago, fine, refused in await table.hours(connection, account.id)}
    keys = [key for key in await api_keys.list_keys(context.store, account.id) if key.revoked_at is None]
    ago = range(23, -1, -1)
    fine, refused = ([hours.get(hour, (0, 0))[at] for hour in ago] for at in (0, 1))
    names = [f"{hour} h ago" if hour else "This hour" for hour in ago]
    return PageView(
        "settings/scim.html",
        heading="SCIM",
        section="Account Settings",
        model={
            "account": account,
            "keys": keys,
            "requests": await api_keys.requests_by_key(context.store, account.id),
            "drawn": stacked(names, [Series("Answered", "ok", fine), Series("Refused", "error", refused)]),
            "rate": round(100 * sum(refused) / max(sum(fine) + sum(refused), 1), 1),
            "scim_url": context.scim_url,
            "here": HERE,
        },
    )


@pages.post(HERE + "/enabled", needs=Permission.SCIM)
async def switch(context: PageContext, request: Request) -> Answer:
    account = await context.account()
    is_on = (await request.form()).get("enabled") == "on"
    await change_account(context.store, str(account.id), {"scim_enabled": is_on})
    return Redirect(HERE, notice="SCIM is on" if is_on else "SCIM is off. Requests are refused from now on")


@pages.get(LOGS, needs=Permission.SCIM)
async def list_requests(context: PageContext, request: Request) -> Answer:
    account, query = await context.account(), request.query_params
    keys = [(key.id, key.name) for key in await api_keys.list_keys(context.store, account.id)]
    known = {"status": STATUS_CLASSES, "method": METHODS, "client": CLIENTS, "key": dict(keys)}
    given = {name: query.get(name, "") if query.get(name, "") in among else "" for name, among in known.items()}
    given["text"] = query.get("text", "").strip()
    async with context.store.tenant(account.id) as connection:
        found = await table.page_rows(
            connection, account.id, below=query.get("after", ""), most=PAGE_SIZE + 1,
            statuses=STATUS_CLASSES[given["status"]][1], method=given["method"], client=given["client"],
            key=given["key"], text=given["text"],
        )  # fmt: skip
    return PageView(
        "settings/scim_logs.html",
        heading="SCIM request log",
        section="Account Settings",
        model={
            "entries": found[:PAGE_SIZE],
            "given": given,
            "is_filtered": any(given.values()),
            "statuses": [(value, label) for value, (label, _) in STATUS_CLASSES.items()],
            "methods": [("", "Any method"), *((one, one) for one in METHODS)],
            "clients": [("", "Any client"), *((one, one) for one in CLIENTS)],
            "keys": [("", "Any key"), *keys],
            "next": address(LOGS, **given, after=str(found[PAGE_SIZE - 1]["id"])) if len(found) > PAGE_SIZE else None,
            "first": address(LOGS, **given) if query.get("after") else None,
            "try_it": f'curl -H "Authorization: Bearer $DOCUMO_KEY" {context.scim_url}/Users',
            "here": LOGS,
        },
    )


@pages.get(LOGS + "/{id}", needs=Permission.SCIM)
async def show_request(context: PageContext, request: Request) -> Answer:
    return await _request(context, request.path_params["id"])


@pages.post(LOGS + "/{id}/replay", needs=Permission.SCIM)
async def replay(context: PageContext, request: Request) -> Answer:
    return await _request(context, request.path_params["id"], is_replayed=True)


async def _request(context: PageContext, which: str, *, is_replayed: bool = False) -> PageView:
    account, refused, answer = await context.account(), None, None
    async with context.store.tenant(account.id) as connection:
        entry = await table.entry(connection, account.id, which)
    if entry is None or entry["id"] != which:
        raise not_found("There is no such request in the last seven days", next_step="Choose one in the request log")
    if is_replayed:
        try:
            answer = await replay_request(context.store, account.id, entry)
        except LockstepError as error:
            refused = on_the_form(error)
    return PageView(
        "settings/scim_request.html",
        heading=f"{entry['method']} {entry['path'].partition('?')[0]}"[:200],
        section="Account Settings",
        parents=(Crumb("SCIM request log", LOGS),),
        model={
            "entry": entry,
            "notes": [(name, describe_tolerance(name)) for name in entry["tolerances"]],
            "curl": as_curl(entry),
            "answer": answer,
            "refused": refused,
            "here": f"{LOGS}/{entry['id']}",
        },
        status=STATUSES[refused.kind] if refused else 200,
    )
