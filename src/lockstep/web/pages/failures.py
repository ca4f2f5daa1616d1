"""Failures: the objects that fail now, one row for each cause, with its remedy and a Retry button."""

from __future__ import annotations

from starlette.requests import Request

from lockstep.actions import failures, provisioning
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.web.page import CopyAs, PageAnswer, Pages, Redirect, View, address
from lockstep.wording import counted

pages = Pages()
HERE = "/logs/provisioning/failures"


@pages.get(HERE)
async def list_failures(context: Context, request: Request) -> View:
    found = await failures.list_failing(context)
    model = {
        "apps": found,
        "may_retry": {one.id: context.actor.may(Permission.PROVISIONING_CONTROL, one.id) for one in found},
        "records_of": lambda app, code: address("/logs/provisioning", app=app.name, status="failure", code=code),
        "retry_href": f"{HERE}/retry",
    }
    return View(
        "logs/failures.html",
        "Failures",
        model,
        section="Logs",
        subtab="Failures",
        lead="Changes that currently fail. Lockstep retries each one automatically, at growing intervals.",
        copy_as=CopyAs(command="lockstep logs --status failure", api="/api/v1/failures"),
        live="status progress",
    )


@pages.post(f"{HERE}/retry")
async def retry(context: Context, request: Request) -> PageAnswer:
    """Retry the failed objects of an application: those that failed with the code in the form or, without a code, all of them."""
    form = await request.form()
    count = await provisioning.retry(context, str(form.get("app", "")), code=str(form.get("code", "")))
    return Redirect(HERE, notice=f"{counted(count, 'object')} retried now" if count else "They no longer fail")
