"""Settings: the retention periods of all kinds of records."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import FormData
from starlette.requests import Request

from lockstep.actions import retention
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.errors import LockstepError, invalid
from lockstep.web.page import CopyAs, PageAnswer, Pages, Redirect, View, on_the_form

pages = Pages()
HERE = "/settings/retention"


@pages.get(HERE)
async def show_retention(context: Context, request: Request) -> View:
    return await _page(context)


@pages.post(HERE)
async def set_retention(context: Context, request: Request) -> PageAnswer:
    """Save the retention periods. If records would be removed, the first click shows their number, and the second one saves if that number
    was typed.
    """
    form = await request.form()
    typed = {one.key: str(form.get(one.key, "")) for one in retention.LIMITS if one.key in form}
    gone: Mapping[str, int] = {}
    try:
        days = _days(form)
        gone = await retention.foresee_retention(context, days)
        number = sum(gone.values())
        confirmed = str(form.get("confirmation", "")).replace(",", "").strip()
        if number and form.get("step") != "confirm":
            return await _page(context, typed=typed, gone=gone)
        if number and confirmed != str(number):
            raise invalid("Nothing was changed", next_step=f"Type {number} to confirm")
        await retention.set_retention(context, days)
    except LockstepError as refused:
        return await _page(context, typed=typed, gone=gone, refused=on_the_form(refused))
    return Redirect(HERE, notice="Saved. Older records are removed within an hour" if number else "Saved")


def _days(form: FormData) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in retention.LIMITS:
        text = str(form.get(one.key, "")).replace(",", "").strip()
        if one.key in form:
            if not text.isascii() or not text.isdecimal() or len(text) > 6:
                raise invalid(f"{one.what}: enter a number of days, or 0 to keep them forever")
            found[one.key] = int(text)
    return found


async def _page(
    context: Context,
    *,
    typed: Mapping[str, str] | None = None,
    gone: Mapping[str, int] | None = None,
    refused: LockstepError | None = None,
) -> View:
    rows = await retention.show_retention(context)
    names = {one.key: one.what for one in rows}
    model = {
        "changeable": [(one, (typed or {}).get(one.key, str(one.days))) for one in rows if one.key],
        "fixed": [one for one in rows if not one.key],
        "may_write": context.actor.everywhere(Permission.ORGANISATION_WRITE),
        "gone": [(names[key], number) for key, number in (gone or {}).items()],
        "number": sum((gone or {}).values()),
        "refused": refused,
        "here": HERE,
    }
    return View(
        "settings/retention.html",
        "Retention",
        model,
        section="Settings",
        lead="What Lockstep keeps, for how long, and why.",
        copy_as=CopyAs(command="lockstep retention", api="/api/v1/retention"),
        status=400 if refused else 200,
    )
