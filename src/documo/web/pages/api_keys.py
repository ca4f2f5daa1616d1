"""API keys: create, reveal once, replace with an overlap, revoke."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from documo.access import api_keys
from documo.access.api_access import require_api
from documo.access.confirming import CONFIRMED
from documo.access.scopes import DEFAULT_SCOPES, SCOPES
from documo.accounts import TenantAccount
from documo.permissions import MemberPermission
from documo.request_log import client_guess
from documo.web.context import DocumoPages, PageContext
from lockstep.errors import LockstepError, conflict
from lockstep.kit.page_errors import STATUSES
from lockstep.kit.pages import PageAnswer, PageView, Redirect, on_the_form

pages = DocumoPages()
HERE = "/settings/api-keys"
LENGTHS: Mapping[str, str] = {"": "Never", "90": "90 days", "180": "180 days", "365": "One year"}
OVERLAPS: Mapping[str, str] = {"0": "At once", "1": "In one hour", "24": "In one day", "168": "In seven days"}
WARNED = timedelta(days=14)


@pages.get(HERE, needs=MemberPermission.API_KEYS)
async def list_keys(context: PageContext, _: Request) -> PageAnswer:
    return await _list(context, await context.account())


@pages.post(HERE, needs=MemberPermission.API_KEYS, confirmed=CONFIRMED)
async def create_key(context: PageContext, request: Request) -> PageAnswer:
    account, form = await context.account(), await request.form()
    days = str(form.get("days", ""))
    try:
        require_api(account)
        made = await api_keys.create_key(
            context.store,
            account.id,
            name=str(form.get("name", "")).strip(),
            member=context.member().member_id,
            scopes=[str(scope) for scope in form.getlist("scope")],
            expires_in=timedelta(days=int(days)) if days in LENGTHS and days else None,
            created_by=context.member().user_name,
        )
    except LockstepError as refused:
        return await _list(context, account, on_the_form(refused), form)
    return await _list(context, account, made=made)


@pages.post(HERE + "/{id}/roll", needs=MemberPermission.API_KEYS, confirmed=CONFIRMED)
async def roll_key(context: PageContext, request: Request) -> PageAnswer:
    account, form = await context.account(), await request.form()
    hours = str(form.get("overlap", "24"))
    try:
        require_api(account)
        made = await api_keys.rotate_key(
            context.store,
            account.id,
            request.path_params["id"],
            overlap=timedelta(hours=int(hours) if hours in OVERLAPS else 24),
            created_by=context.member().user_name,
        )
    except LockstepError as refused:
        return await _list(context, account, on_the_form(refused))
    return await _list(context, account, made=made)


@pages.post(HERE + "/{id}/revoke", needs=MemberPermission.API_KEYS, confirmed=CONFIRMED)
async def revoke_key(context: PageContext, request: Request) -> PageAnswer:
    account, form, which = await context.account(), await request.form(), request.path_params["id"]
    try:
        key = next((one for one in await api_keys.list_keys(context.store, account.id) if one.id == which), None)
        is_used = key is not None and key.last_used_at is not None  # somebody's provisioning may depend on it
        if key is not None and is_used and str(form.get("confirmation", "")).strip() != key.name:
            raise conflict("The name was not typed. Nothing was revoked", next_step=f"Type {key.name}")
        await api_keys.revoke_key(context.store, account.id, which)
    except LockstepError as refused:
        return await _list(context, account, on_the_form(refused))
    return Redirect(HERE, notice="Revoked. Requests with this key are refused from now on")


async def _list(
    context: PageContext, account: TenantAccount, refused: LockstepError | None = None, form: FormData | None = None,
    *, made: api_keys.NewKey | None = None,
) -> PageView:  # fmt: skip
    """Show the list. *form* has the entered values of a new key that was refused. *made* is a new key, which is shown only now."""
    now = datetime.now(UTC)
    keys = await api_keys.list_keys(context.store, account.id)
    current = [key for key in keys if key.revoked_at is None and (key.expires_at is None or key.expires_at > now)]
    model: dict[str, Any] = {
        "keys": current,
        "ended": [key for key in keys if key not in current],
        "ending": [key for key in current if key.expires_at is not None and key.expires_at < now + WARNED],
        "requests": await api_keys.requests_by_key(context.store, account.id),
        "clients": {key.id: _client(key.last_used_agent) for key in keys},
        "scopes": list(SCOPES.items()),
        "chosen": form.getlist("scope") if form is not None else DEFAULT_SCOPES,
        "entered": form or {},
        "lengths": list(LENGTHS.items()),
        "overlaps": list(OVERLAPS.items()),
        "refused": refused,
        "account": account,
        "made": made,
        "here": HERE,
    }
    return PageView(
        "settings/api_keys.html",
        heading="API keys",
        section="Account Settings",
        model=model,
        status=STATUSES[refused.kind] if refused else 200,
    )


def _client(user_agent: str | None) -> str:
    guess = client_guess(user_agent or "")
    return "" if guess == "unknown" else guess
