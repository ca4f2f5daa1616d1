"""Links between people and accounts: list links and accounts without a link; choose, remove and restore links."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request

from lockstep.actions import applications, links
from lockstep.actions.applications import ApplicationView
from lockstep.actions.context import Context
from lockstep.actions.links import LinkRow, Orphan
from lockstep.actions.permissions import Permission
from lockstep.errors import Kind, LockstepError
from lockstep.web.copied import api_list, command_with
from lockstep.web.page import Chip, CopyAs, Crumb, PageAnswer, Pages, Redirect, View, address, on_the_form
from lockstep.web.pages.app_overview import place_of
from lockstep.web.status_look import StatusLook
from lockstep.wording import counted

pages = Pages()
SIZE = 50
_HERE = "/apps/{app}/provisioning/links"
STATES: Sequence[tuple[str, StatusLook]] = (
    ("live", StatusLook("Active", "ok", "check-circle")),
    ("disabled", StatusLook("Disabled", "neutral", "pause")),
    ("released", StatusLook("No longer managed", "neutral", "circle")),
    ("lost", StatusLook("Account no longer exists", "warn", "warning")),
    ("sought", StatusLook("Being looked for", "info", "search")),
    ("tombstone", StatusLook("Deleted", "neutral", "trash")),
)


@pages.get(_HERE)
async def show(context: Context, request: Request) -> View:
    return await _page(context, request)


@pages.get(f"{_HERE}/orphans")
async def show_orphans(context: Context, request: Request) -> View:
    """Show accounts without a link. This is a separate page because it reads all accounts of the application."""
    app = await applications.show_application(context, request.path_params["app"])
    kind, _, account = request.query_params.get("after", "").partition(":")
    found: Sequence[Orphan] = ()
    refused: LockstepError | None = None
    try:
        found = await links.list_orphans(context, app.application.name, limit=SIZE + 1, after=(kind, account))
    except LockstepError as error:
        refused = on_the_form(error)
    place = place_of(app)
    here = f"{place.href}/provisioning/links"
    shown = found[:SIZE]
    orphans = f"{here}/orphans"
    model = {
        "found": shown,
        "made": sum(one.made is not None for one in shown),
        "first": orphans if account else "",
        "next": address(orphans, after=f"{shown[-1].kind}:{shown[-1].target_id}") if len(found) > SIZE else "",
        "refused": refused,
        "here": here,
        "name": place.display_name,
        "chips": _chips(here, "orphans", ""),
        "may_link": _may_link(context, app),
    }
    return View(
        "provisioning/orphans.html",
        "Accounts without a link",
        model,
        app=place,
        tab="Provisioning",
        subtab="Links",
        parents=[Crumb("Links", here)],
        copy_as=CopyAs(
            command=f"lockstep links {place.name} --orphans", api=f"/api/v1/applications/{place.name}/orphans"
        ),
    )


@pages.post(f"{_HERE}/choose")
async def choose(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    name = request.path_params["app"]
    user, account = str(form.get("user", "")).strip(), str(form.get("account", "")).strip()
    try:
        if not user or not account:
            raise LockstepError(Kind.INVALID, "Enter a person and an account", next_step="Enter both")
        row = await links.choose_link(context, name, user, account)
    except LockstepError as refused:
        return await _page(context, request, refused=on_the_form(refused), user=user, account=account)
    return Redirect(f"/apps/{name}/provisioning/links", notice=f"{row.display} is linked to {row.target_id}")


@pages.post(f"{_HERE}/forget")
async def forget(context: Context, request: Request) -> PageAnswer:
    name = request.path_params["app"]
    row = await links.forget_link(context, name, str((await request.form()).get("user", "")))
    notice = f"The link of {row.display} was removed. The account {row.target_id} stays"
    return Redirect(f"/apps/{name}/provisioning/links", notice=notice)


@pages.post(f"{_HERE}/settle")
async def settle(context: Context, request: Request) -> PageAnswer:
    name = request.path_params["app"]
    done = await links.settle_orphans(context, name)
    notice = (
        f"{counted(len(done), 'account')} queued. Accounts that still exist are linked to the people they were created for"
        if done
        else ""
    )
    return Redirect(f"/apps/{name}/provisioning/links", notice=notice or "No accounts needed linking")


def _may_link(context: Context, app: ApplicationView) -> bool:
    return context.actor.may(Permission.LINKS_WRITE, app.application.id)


def _chips(here: str, current: str, search: str) -> list[Chip]:
    return [
        Chip("All", address(here, search=search), current == ""),
        *(Chip(look.label, address(here, state=state, search=search), current == state) for state, look in STATES),
        Chip("Accounts without a link", f"{here}/orphans", current == "orphans"),
    ]


def _place(row: LinkRow) -> str:
    return f"{row.kind}:{row.source_id}:{row.display}"


async def _page(
    context: Context, request: Request, *, refused: LockstepError | None = None, user: str = "", account: str = ""
) -> View:
    app = await applications.show_application(context, request.path_params["app"])
    place, query = place_of(app), request.query_params
    here = f"{place.href}/provisioning/links"
    search, state, after = query.get("search", "").strip(), query.get("state", ""), query.get("after", "")
    kind, identifier, name = [*after.split(":", 2), "", ""][:3]
    found = await links.page_of_links(
        context, place.name, search=search, state=state, after=(kind, name, identifier), limit=SIZE + 1
    )
    shown = found[:SIZE]
    model = {
        "rows": [(row, dict(STATES).get(row.state, StatusLook(row.state, "neutral", "circle"))) for row in shown],
        "chips": _chips(here, state, search),
        "search": search,
        "state": state,
        "is_filtered": bool(search or state),
        "here": here,
        "name": place.display_name,
        "next": address(here, search=search, state=state, after=_place(shown[-1])) if len(found) > SIZE else None,
        "first": address(here, search=search, state=state) if after else None,
        "refused": refused,
        "user": user or query.get("user", ""),
        "account": account or query.get("account", ""),
        "may_link": _may_link(context, app),
    }
    return View(
        "provisioning/links.html",
        "Object links",
        model,
        app=place,
        tab="Provisioning",
        subtab="Links",
        lead="Which account belongs to which person or group. Lockstep creates a link when it matches or creates an account.",
        copy_as=CopyAs()
        if search
        else CopyAs(
            command=command_with(f"lockstep links {place.name}", state=state),
            api=api_list(f"/api/v1/applications/{place.name}/links", ("state", "eq", state)),
        ),
        live="progress change",
        status=400 if refused else 200,
    )
