"""Changes that a guard holds until somebody decides: approve or reject them one by one, chosen ones, or all with the number typed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from starlette.datastructures import FormData
from starlette.requests import Request

from lockstep.actions import applications, held, provisioning
from lockstep.actions.context import Context
from lockstep.actions.held import HeldWrite
from lockstep.actions.permissions import Permission
from lockstep.errors import Kind, LockstepError
from lockstep.web.page import Answer, Chip, CopyAs, Pages, Redirect, View, address, on_the_form
from lockstep.web.pages.app_overview import place_of
from lockstep.wording import counted

pages = Pages()
SIZE = 100
_HERE = "/apps/{app}/provisioning/held"


@pages.get(_HERE)
async def show(context: Context, request: Request) -> View:
    return await _page(context, request)


@pages.post(_HERE)
async def decide(context: Context, request: Request) -> Answer:
    """One change, those that are ticked, or all that the filter shows once their number was typed."""
    form = await request.form()
    name = request.path_params["app"]
    is_rejected = request.query_params.get("show") == "rejected"
    try:
        verb, ids = await _chosen(context, request, form)
    except LockstepError as refused:
        return await _page(context, request, refused=on_the_form(refused))
    if not ids:
        done = 0
    elif verb == "reject":
        done = (await provisioning.reject_deletes(context, name, ids)).count
    elif is_rejected:
        done = (await provisioning.approve_rejected(context, name, ids)).count
    else:
        done = (await provisioning.approve_deletes(context, name, ids)).count
    what = f"{counted(done, 'change')} {'approved' if verb == 'approve' else 'rejected'}"
    return Redirect(_back(request), notice=what if done else "Nothing was decided")


async def _chosen(context: Context, request: Request, form: FormData) -> tuple[str, list[str]]:
    """Approve or reject, and the ids."""
    for verb in ("approve", "reject"):
        if one := form.get(verb):
            return verb, [str(one)]
    decision = str(form.get("decision", ""))
    verb, _, which = decision.partition("-")
    if verb not in ("approve", "reject"):
        raise LockstepError(Kind.INVALID, "Nothing was chosen", next_step="Use the buttons of the page")
    if which == "chosen":
        return verb, [str(one) for one in form.getlist("id")]
    found = _filtered(await _read(context, request), request)
    if str(form.get("confirmation", "")).strip().replace(",", "") != str(len(found)):
        raise LockstepError(
            Kind.INVALID,
            f"The number was not typed, or has changed: {counted(len(found), 'change')} would be decided now",
            next_step=f"Look at the list again, and type {len(found)}",
        )
    return verb, [one.id for one in found]


async def _read(context: Context, request: Request) -> list[HeldWrite]:
    is_rejected = request.query_params.get("show") == "rejected"
    return await held.list_held(context, request.path_params["app"], rejected=is_rejected)


def _filtered(found: Sequence[HeldWrite], request: Request) -> list[HeldWrite]:
    reason = request.query_params.get("reason", "")
    search = request.query_params.get("search", "").strip().casefold()
    return [one for one in found if reason in ("", one.reason) and search in one.name.casefold()]


def _back(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


async def _page(context: Context, request: Request, *, refused: LockstepError | None = None) -> View:
    app = await applications.show_application(context, request.path_params["app"])
    place, query = place_of(app), request.query_params
    here = f"{place.href}/provisioning/held"
    show, reason, search = query.get("show", ""), query.get("reason", ""), query.get("search", "").strip()
    found = await _read(context, request)
    rows = _filtered(found, request)
    ids = [one.id for one in rows]
    start = ids.index(query["after"]) + 1 if query.get("after") in ids else 0
    shown = rows[start : start + SIZE]
    is_more = start + SIZE < len(rows)
    counts = Counter(one.reason for one in found)
    chips = [Chip("All", address(here, show=show, search=search), not reason, len(found))] + [
        Chip(one.capitalize(), address(here, show=show, reason=one, search=search), one == reason, number)
        for one, number in counts.most_common()
    ]
    model = {
        "rows": shown,
        "total": len(found),
        "matching": len(rows),
        "lines": held.summary(found),
        "chips": chips,
        "search": search,
        "reason": reason,
        "is_rejected": show == "rejected",
        "here": here,
        "action": _back(request),
        "next": address(here, show=show, reason=reason, search=search, after=shown[-1].id) if is_more else None,
        "first": address(here, show=show, reason=reason, search=search) if start else None,
        "shown": f"{start + 1:,}-{start + len(shown):,} of {counted(len(rows), 'change')}" if shown else "",
        "refused": refused,
        "may_decide": context.actor.may(Permission.APPROVALS_DECIDE, app.application.id),
    }
    return View(
        "provisioning/held.html",
        "Rejected changes" if show == "rejected" else "Waiting for your approval",
        model,
        app=place,
        tab="Provisioning",
        subtab="Held changes",
        lead="Changes that would take many accounts away, grant privileges, rename or empty values. None of them has been sent.",
        copy_as=CopyAs(command=f"lockstep deletes list {place.name}", api=f"/api/v1/applications/{place.name}/held"),
        live="status progress",
        status=400 if refused else 200,
    )
