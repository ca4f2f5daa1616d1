"""Settings: the webhook that notifications are sent to, and the test notification."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request

from lockstep.actions import webhook
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.errors import LockstepError, invalid
from lockstep.ports import Probe
from lockstep.vault import Secret
from lockstep.web.page import CopyAs, PageAnswer, Pages, Redirect, View, on_the_form

pages = Pages()
HERE = "/settings/webhook"


@pages.get(HERE)
async def show_webhook(context: Context, request: Request) -> View:
    return await _page(context)


@pages.post(HERE)
async def save_webhook(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    url, secret = str(form.get("url", "")).strip(), str(form.get("secret", "")).strip()
    is_unsigned = form.get("unsigned") == "on"
    try:
        saved = await webhook.set_webhook(
            context, url=Secret(url) if url else None,
            secret=Secret("") if is_unsigned and not secret else Secret(secret) if secret else None,
        )  # fmt: skip
    except LockstepError as refused:
        return await _page(context, refused=on_the_form(refused))
    return Redirect(HERE, notice=f"Notifications are sent to {saved.origin}")


@pages.post(f"{HERE}/test")
async def test_webhook(context: Context, request: Request) -> View:
    try:
        return await _page(context, probes=await webhook.send_test_webhook(context))
    except LockstepError as refused:
        return await _page(context, refused=on_the_form(refused))


@pages.post(f"{HERE}/remove")
async def remove_webhook(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    if str(form.get("confirmation", "")).strip() != "remove":
        wrong = invalid("The confirmation is missing. Nothing was removed", next_step="Type remove to confirm")
        return await _page(context, refused=wrong)
    await webhook.remove_webhook(context)
    return Redirect(HERE, notice="The webhook was removed")


async def _page(context: Context, *, probes: Sequence[Probe] = (), refused: LockstepError | None = None) -> View:
    present = await webhook.show_webhook(context)
    model = {
        "present": present,
        "probes": probes,
        "failure": next((one for one in probes if one.tried and not one.passed), None),
        "refused": refused,
        "may_write": context.actor.may(Permission.MAIL_WRITE),
        "here": HERE,
    }
    return View(
        "settings/webhook.html",
        "Webhook",
        model,
        section="Settings",
        lead="Lockstep sends every notification as a signed HTTP request to a program of yours, or to a Slack channel.",
        # Without a webhook, both actions would only report that none is set up.
        copy_as=CopyAs(command="lockstep webhook show", api="/api/v1/webhook") if present else None,
        status=400 if refused else 200,
    )
