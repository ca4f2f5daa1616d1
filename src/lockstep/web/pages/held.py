"""Changes that a guard holds until somebody decides: approve or reject one, several, or all (after typing their number)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from starlette.datastructures import FormData
from starlette.requests import Request

from lockstep.actions import applications, held, provisioning
from lockstep.actions.context import Context
from lockstep.actions.held import HeldGroup
from lockstep.actions.permissions import Permission
from lockstep.errors import Kind, LockstepError
from lockstep.web.copied import api_list, command_with
from lockstep.web.page import Chip, CopyAs, PageAnswer, Pages, Redirect, View, address, on_the_form
from lockstep.web.pages.app_overview import place_of
from lockstep.wording import counted

pages = Pages()
SIZE = 100
_HERE = "/apps/{app}/provisioning/held"


@pages.get(_HERE)
async def show(context: Context, request: Request) -> View:
    return await _page(context, request)


@pages.post(_HERE)
async def decide(context: Context, request: Request) -> PageAnswer:
    """Approve or reject one held change, the selected ones, or all that match the filter. To approve or reject all, their number must be
    typed.
    """
    form = await request.form()
    name = request.path_params["app"]
    is_rejected = _is_rejected(request)
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
    """Return the decision ("approve" or "reject") and the ids of the held changes that it concerns. Raises LockstepError if nothing was
    selected, or if all listed changes are to be decided and the typed number is not their number now.
    """
    for verb in ("approve", "reject"):
        if one := form.get(verb):
            return verb, [str(one)]
    decision = str(form.get("decision", ""))
    verb, _, which = decision.partition("-")
    if verb not in ("approve", "reject"):
        raise LockstepError(Kind.INVALID, "Nothing was selected", next_step="Use the buttons on the page")
    if which == "chosen":
        return verb, [str(one) for one in form.getlist("id")]
    reasons, search = _filter(request)
    found = await held.held_ids(
        context, request.path_params["app"], reasons=reasons, search=search, rejected=_is_rejected(request)
    )
    if str(form.get("confirmation", "")).strip().replace(",", "") != str(len(found)):
        raise LockstepError(
            Kind.INVALID,
            f"The number that you typed does not match: {counted(len(found), 'change')} would be decided now",
            next_step=f"Review the list again, and type {len(found)}",
        )
    return verb, found


def _is_rejected(request: Request) -> bool:
    return request.query_params.get("show") == "rejected"


def _filter(request: Request) -> tuple[list[str], str]:
    """Return the filter in the address: the reasons, and a part of the name."""
    reason = request.query_params.get("reason", "")
    return [reason] if reason else [], request.query_params.get("search", "").strip()


def _copied(app: str, reason: str, search: str, *, is_rejected: bool) -> CopyAs:
    command = command_with(f"lockstep deletes list {app}", reason=reason, rejected=is_rejected)
    api = api_list(f"/api/v1/applications/{app}/held", ("name", "co", search), ("reason", "eq", reason))
    rejected = ("&" if "?" in api else "?") + "rejected=true" if is_rejected else ""
    return CopyAs(command="" if search else command, api=api + rejected)


def _back(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


async def _page(context: Context, request: Request, *, refused: LockstepError | None = None) -> View:
    app = await applications.show_application(context, request.path_params["app"])
    place, query = place_of(app), request.query_params
    here = f"{place.href}/provisioning/held"
    show, reason, search = query.get("show", ""), query.get("reason", ""), query.get("search", "").strip()
    reasons, after, is_rejected = [reason] if reason else [], query.get("after", ""), _is_rejected(request)
    groups = await held.count_held(context, place.name, rejected=is_rejected)
    matching = groups if not search else await held.count_held(context, place.name, search=search, rejected=is_rejected)
    rows = await held.list_held(
        context, place.name, reasons=reasons, search=search, rejected=is_rejected, after=after, limit=SIZE + 1
    )
    shown = rows[:SIZE]
    total, number_matching = _number(groups), _number([one for one in matching if reason in ("", one.reason)])
    chips = _chips(groups, here, show=show, reason=reason, search=search)
    model = {
        "rows": shown,
        "total": total,
        "matching": number_matching,
        "lines": held.summary(groups),
        "chips": chips,
        "search": search,
        "reason": reason,
        "is_rejected": is_rejected,
        "here": here,
        "action": _back(request),
        "next": address(here, show=show, reason=reason, search=search, after=shown[-1].id)
        if len(rows) > SIZE
        else None,
        "first": address(here, show=show, reason=reason, search=search) if after else None,
        "shown": f"{len(shown):,} of {counted(number_matching, 'change')}" if shown else "",
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
        lead="Changes that would remove many accounts, grant privileges, rename people or empty values. None of them has been sent.",
        copy_as=_copied(place.name, reason, search, is_rejected=is_rejected),
        live="status progress",
        status=400 if refused else 200,
    )


def _number(groups: Sequence[HeldGroup]) -> int:
    return sum(one.count for one in groups)


def _chips(groups: Sequence[HeldGroup], here: str, *, show: str, reason: str, search: str) -> list[Chip]:
    """Return one chip that selects all reasons, then one chip for each reason. The most frequent reason comes first."""
    counts: Counter[str] = Counter()
    for one in groups:
        counts[one.reason] += one.count
    return [Chip("All", address(here, show=show, search=search), not reason, counts.total())] + [
        Chip(word.capitalize(), address(here, show=show, reason=word, search=search), word == reason, number)
        for word, number in counts.most_common()
    ]
