"""The page *SCIM*: a switch that turns SCIM on or off, how a user's attributes are used, the requests of the last day, and a self-test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from starlette.requests import Request

from documo import roles
from documo.access import api_keys
from documo.access.api_access import scim_refusal
from documo.access.confirming import CONFIRMED
from documo.accounts import change_settings
from documo.permissions import MemberPermission
from documo.scim_health import MAPPING, read_rhythm
from documo.scim_self_check import SelfTestStep, run_self_test
from documo.store import request_log as table
from documo.web.context import DocumoPages, PageContext
from lockstep.errors import LockstepError
from lockstep.kit.charts import Series, stacked
from lockstep.kit.page_errors import STATUSES
from lockstep.kit.pages import PageAnswer, PageView, Redirect, on_the_form

pages = DocumoPages()
HERE = "/settings/scim"
ACTIONS = (
    ("delete", "Delete", "DELETE deletes the user, who can be restored within the undelete period."),
    (
        "deactivate",
        "Deactivate",
        "DELETE deactivates the user, who stays under Users > Inactive until an Admin decides.",
    ),
)
FORMER: Mapping[str, str] = {
    "restore": "is restored with the same id",
    "conflict": "is refused with 409 until an Admin restores or renames the former one",
    "new": "becomes a new user",
}


@pages.get(HERE, needs=MemberPermission.SCIM)
async def show_scim(context: PageContext, _: Request) -> PageAnswer:
    return await _page(context)


@pages.post(HERE + "/self-test", needs=MemberPermission.SCIM)
async def self_test(context: PageContext, _: Request) -> PageAnswer:
    tested = await run_self_test(context.store, context.member().tenant_id, base_url=context.scim_url)
    return await _page(context, tested)


@pages.post(HERE + "/users", needs=MemberPermission.SCIM, confirmed=CONFIRMED)
async def save_rules(context: PageContext, request: Request) -> PageAnswer:
    """Save the rules for users of the directory: the default role, and the effect of DELETE."""
    account, form = await context.account(), await request.form()
    entered = {key: str(form.get(key, "")) for key in ("default_role", "deprovision_action")}
    try:
        await change_settings(context.store, account, entered)
    except LockstepError as refused:
        return await _page(context, refused=on_the_form(refused), entered=entered)
    return Redirect(HERE, notice="Saved. It applies from the next request")


async def _page(
    context: PageContext,
    tested: Sequence[SelfTestStep] = (),
    refused: LockstepError | None = None,
    entered: Mapping[str, str] | None = None,
) -> PageView:
    account, now = await context.account(), datetime.now(UTC)
    async with context.store.tenant(account.id) as connection:
        hours = {ago: (fine, refused) for ago, fine, refused in await table.hours(connection, account.id)}
    keys = [key for key in await api_keys.list_keys(context.store, account.id) if key.revoked_at is None]
    rhythm = await read_rhythm(context.store, account.id)
    ago = range(23, -1, -1)
    fine, denied = ([hours.get(hour, (0, 0))[at] for hour in ago] for at in (0, 1))
    names = [f"{hour} h ago" if hour else "This hour" for hour in ago]
    return PageView(
        "settings/scim.html",
        heading="SCIM",
        section="Account Settings",
        model={
            "account": account,
            "rhythm": rhythm,
            "silence": rhythm.silence(now) if not scim_refusal(account) else None,
            "mapping": MAPPING,
            "tested": tested,
            "former": FORMER[account.restore_policy],
            "roles": [(one["value"], one["display"]) for one in await roles.list_roles(context.store, account)],
            "entered": entered
            or {"default_role": account.default_role, "deprovision_action": account.deprovision_action},
            "actions": ACTIONS,
            "refused": refused,
            "keys": keys,
            "requests": await api_keys.requests_by_key(context.store, account.id),
            "drawn": stacked(names, [Series("Answered", "ok", fine), Series("Refused", "error", denied)]),
            "rate": _rate(sum(denied), sum(fine) + sum(denied)),
            "scim_url": context.scim_url,
            "here": HERE,
        },
        status=STATUSES[refused.kind] if refused else 200,
    )


@pages.post(HERE + "/enabled", needs=MemberPermission.SCIM)
async def switch(context: PageContext, request: Request) -> PageAnswer:
    account = await context.account()
    is_on = (await request.form()).get("enabled") == "on"
    await change_settings(context.store, account, {"scim_enabled": is_on})
    return Redirect(HERE, notice="SCIM is on" if is_on else "SCIM is off. Requests are refused from now on")


def _rate(part: int, whole: int) -> str:
    """Format a share with one decimal, such as "2.5%". "0%" means none; a share below 0.1% is shown as "less than 0.1%"."""
    if not part:
        return "0%"
    share = 100 * part / whole
    return f"{share:.1f}%" if share >= 0.1 else "less than 0.1%"
