"""Settings of the installation: version, health, and the private networks that it may connect to."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from lockstep.actions import about, configuration_export, health, organisation, outbound
from lockstep.actions.context import Context
from lockstep.actions.health import HealthFinding, Level
from lockstep.actions.organisation import EnvironmentBadge
from lockstep.actions.permissions import Permission
from lockstep.errors import LockstepError
from lockstep.web.page import CopyAs, PageAnswer, Pages, Redirect, View, on_the_form
from lockstep.web.status_look import StatusLook

pages = Pages()
_LOOKS = {
    Level.OK: StatusLook("In order", "ok", "check-circle"),
    Level.WARN: StatusLook("Warning", "warn", "warning"),
    Level.FAIL: StatusLook("Error", "error", "error"),
}
OUTBOUND = "/settings/outbound"


@pages.get("/settings")
async def show_general(context: Context, request: Request) -> View:
    return await _general(context)


@pages.get("/settings/about")
async def show_about(context: Context, request: Request) -> View:
    model = {"about": await about.show_about(context), "address": str(request.base_url).rstrip("/")}
    return View(
        "settings/about.html",
        "About",
        model,
        section="Settings",
        copy_as=CopyAs(command="lockstep version", api="/api/v1/about"),
    )


@pages.post("/settings/environment")
async def set_environment(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    badge = EnvironmentBadge(str(form.get("name", "")), str(form.get("colour", "")))
    try:
        done = (await organisation.change_organisation(context, badge=badge)).badge
    except LockstepError as refused:
        return await _general(context, badge=badge, wrong_badge=on_the_form(refused).detail)
    return Redirect("/settings", notice=f"The badge now shows {done.name}" if done.name else "The badge was removed")


@pages.post("/settings/organisation")
async def rename_organisation(context: Context, request: Request) -> PageAnswer:
    name = str((await request.form()).get("organisation", ""))
    try:
        done = await organisation.change_organisation(context, name=name)
    except LockstepError as refused:
        return await _general(context, name=name, wrong_name=on_the_form(refused).detail)
    notice = f"The organisation is now called {done.name}" if done.name else "The name was removed"
    return Redirect("/settings", notice=notice)


async def _general(
    context: Context,
    *,
    badge: EnvironmentBadge | None = None,
    name: str = "",
    wrong_badge: str = "",
    wrong_name: str = "",
) -> View:
    stored = await organisation.show_organisation(context)
    findings = await health.examine(context)
    model = {
        "organisation": name if wrong_name else stored.name,
        "badge": badge or stored.badge,
        "colours": [(one, one.capitalize()) for one in organisation.COLOURS],
        "longest": organisation.LONGEST_ENVIRONMENT,
        "longest_name": organisation.LONGEST_ORGANISATION,
        "may_write": context.actor.everywhere(Permission.ORGANISATION_WRITE),
        "wrong": wrong_badge,
        "wrong_name": wrong_name,
        "findings": [(one, look_of_finding(one)) for one in findings],
    }
    return View(
        "settings/general.html",
        "Settings",
        model,
        section="Settings",
        subtab="General",
        copy_as=CopyAs(command="lockstep doctor", api="/api/v1/health"),
        status=400 if wrong_badge or wrong_name else 200,
    )


@pages.get("/settings/configuration.yaml")
async def download_configuration(context: Context, _: Request) -> Response:
    """Download the whole configuration as one file, without secrets. `lockstep apply` reads it."""
    text = await configuration_export.export_everything(context)
    headers = {"Content-Disposition": 'attachment; filename="lockstep.yaml"'}
    return Response(text, media_type="application/yaml", headers=headers)


@pages.get(OUTBOUND)
async def list_places(context: Context, request: Request) -> View:
    return await _outbound(context)


@pages.post(OUTBOUND)
async def add_place(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    entry, reason = str(form.get("entry", "")).strip(), str(form.get("reason", "")).strip()
    try:
        added, is_new = await outbound.add_place(context, entry, reason=reason)
    except LockstepError as refused:
        return await _outbound(context, refused=on_the_form(refused), entry=entry, reason=reason)
    return Redirect(OUTBOUND, notice=f"{added} can now be reached" if is_new else f"{added} is already in the list")


@pages.post(f"{OUTBOUND}/remove")
async def remove_place(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    gone = await outbound.remove_place(context, str(form.get("entry", "")))
    return Redirect(OUTBOUND, notice=f"{gone} can no longer be reached")


def look_of_finding(finding: HealthFinding) -> StatusLook:
    return _LOOKS[finding.level]


async def _outbound(
    context: Context, *, refused: LockstepError | None = None, entry: str = "", reason: str = ""
) -> View:
    model = {
        "places": await outbound.list_places(context),
        "refused": refused,
        "entry": entry,
        "reason": reason,
        "here": OUTBOUND,
    }
    return View(
        "settings/outbound.html",
        "Private networks",
        model,
        section="Settings",
        lead="Lockstep can always reach applications on the public internet, "
        "but it reaches addresses inside your network only if you list them here.",
        copy_as=CopyAs(command="lockstep outbound list", api="/api/v1/outbound"),
        status=400 if refused else 200,
    )
