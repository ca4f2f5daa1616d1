"""Overview of an application's provisioning; start, pause and restart it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.requests import Request

from lockstep.actions import provisioning, provisioning_pages, switching_on
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.actions.provisioning import USUAL_RESTART, ResetScope
from lockstep.actions.provisioning_pages import SetupProgress
from lockstep.actions.throughput import show_throughput
from lockstep.errors import Kind, LockstepError
from lockstep.web.copied import command_with
from lockstep.web.cycle_words import CycleRow
from lockstep.web.page import AppPlace, Chip, CopyAs, PageAnswer, Pages, Redirect, View, address, on_the_form
from lockstep.web.provisioning_charts import SPANS, provisioning_charts
from lockstep.web.status_look import look_of
from lockstep.wording import counted

pages = Pages()
TAB = "Provisioning"
LIVE = "status cycle progress change"
# The parts that a restart can clear: value, label, help, and whether the part is cleared by default.
RESETS: Sequence[tuple[ResetScope, str, str]] = (
    (ResetScope.QUARANTINE_STATE, "Quarantine", "End quarantine and forget the application's last responses."),
    (ResetScope.WATERMARK, "Watermark", "Begin again with an initial cycle that evaluates everyone."),
    (ResetScope.ESCROWS, "Escrows", "Retry all failed objects immediately, and reset their failure counts."),
    (
        ResetScope.FORCE_DELETES,
        "Held writes",
        "Approve all held changes, including accounts that would be disabled or deleted.",
    ),
    (
        ResetScope.CONNECTOR_DATA_STORE,
        "Links",
        "Remove all links between people and accounts. People are matched again by the matching attribute.",
    ),
)


@dataclass(frozen=True, slots=True)
class SetupStep:
    """One step in setting up provisioning."""

    label: str
    text: str
    href: str
    is_done: bool


def setup_steps(setup: SetupProgress, place: AppPlace) -> Sequence[SetupStep]:
    """Return the steps Connect, Map, Scope, Preview and Start. Preview may be skipped. The stored data shows which steps are done, so the
    setup can be interrupted and continued.
    """
    attributes = sum(one.attributes for one in setup.mappings if one.is_enabled)
    settings = f"{place.href}/provisioning/settings"
    connected = "Credentials are stored" + (" and tested." if setup.is_tested else ".")
    return (
        SetupStep(
            "Connect",
            connected if setup.is_connected else "Enter Tenant URL and Secret Token, and test the connection.",
            f"{settings}#credentials",
            setup.is_connected,
        ),
        SetupStep(
            "Map",
            f"{attributes} attributes are mapped. Review them." if attributes else "Map at least one attribute.",
            f"{place.href}/provisioning/mappings",
            setup.is_mapped,
        ),
        SetupStep("Scope", _scope_text(setup), f"{place.href}/users-groups", setup.in_scope > 0),
        SetupStep(
            "Preview",
            "A preview was made. Review it."
            if setup.is_previewed
            else "See what would be done to everyone, before anything is written. You can skip this.",
            f"{place.href}/provisioning/preview",
            setup.is_previewed or setup.is_on,
        ),
        SetupStep(
            "Start",
            "Provisioning is on." if setup.is_on else "Set Provisioning Status to On, and save.",
            f"{settings}#status",
            setup.is_on,
        ),
    )


def _scope_text(setup: SetupProgress) -> str:
    if setup.syncs_all:
        return f"All {setup.everybody:,} people are in scope."
    if setup.assigned:
        return f"{setup.assigned:,} of {setup.everybody:,} people are assigned."
    return "Assign the first users or groups. Only assigned people are provisioned."


@pages.get("/apps/{app}/provisioning")
async def show(context: Context, request: Request) -> View:
    return await _overview(context, request.path_params["app"], span=request.query_params.get("span", ""))


@pages.post("/apps/{app}/provisioning/start")
async def start(context: Context, request: Request) -> PageAnswer:
    """Switch provisioning on, or lead to the preview that comes before."""
    name = request.path_params["app"]
    try:
        shown = await switching_on.switch_on(context, name)
    except LockstepError as refused:
        return await _overview(context, name, refused=on_the_form(refused))
    if shown is not None:
        return Redirect(f"{_href(name)}/switch-on")
    return Redirect(_href(name), notice="Provisioning is on")


@pages.post("/apps/{app}/provisioning/pause")
async def pause(context: Context, request: Request) -> PageAnswer:
    name = request.path_params["app"]
    done = "Provisioning is paused. Requests in progress finish; accounts stay as they are"
    return await _control(context, name, lambda: provisioning.pause(context, name), done)


@pages.post("/apps/{app}/provisioning/run")
async def run(context: Context, request: Request) -> PageAnswer:
    name = request.path_params["app"]
    return await _control(context, name, lambda: provisioning.run(context, name), "A cycle has started")


@pages.post("/apps/{app}/provisioning/retry")
async def retry(context: Context, request: Request) -> PageAnswer:
    name = request.path_params["app"]
    code = str((await request.form()).get("code", ""))
    count = await provisioning.retry(context, name, code=code)
    return Redirect(
        _href(name), notice=f"{counted(count, 'object')} retried now" if count else "There was nothing to retry"
    )


@pages.get("/apps/{app}/provisioning/restart")
async def choose_restart(context: Context, request: Request) -> View:
    return await _restart_form(context, request.path_params["app"], USUAL_RESTART)


@pages.post("/apps/{app}/provisioning/restart")
async def restart(context: Context, request: Request) -> PageAnswer:
    """Restart provisioning. If this removes links or approves held writes, the number of accounts must be typed."""
    name = request.path_params["app"]
    form = await request.form()
    scopes = frozenset(scope for scope, _, _ in RESETS if scope.value in form.getlist("scope"))
    found = await provisioning_pages.provisioning_overview(context, name)
    wanted = confirmation_for(scopes, links=sum(found.status.links.values()), held=found.status.held)
    if wanted is not None and str(form.get("confirmation", "")).strip().replace(",", "") != str(wanted):
        refused = LockstepError(
            Kind.INVALID,
            f"{wanted:,} was not typed. Nothing was restarted",
            next_step=f"Type {wanted:,} to confirm, or choose to clear neither links nor held writes",
        )
        return await _restart_form(context, name, scopes, refused=refused)
    try:
        await provisioning.restart(context, name, scopes or {ResetScope.NONE})
    except LockstepError as refused:
        return await _restart_form(context, name, scopes, refused=on_the_form(refused))
    return Redirect(_href(name), notice="Provisioning was restarted")


def confirmation_for(scopes: frozenset[ResetScope], *, links: int, held: int) -> int | None:
    """Return the number that must be typed before the reset: the number of removed links plus the number of approved held writes. Returns
    None if the reset neither removes links nor approves held writes.
    """
    dangerous = {ResetScope.CONNECTOR_DATA_STORE: links, ResetScope.FORCE_DELETES: held}
    numbers = [number for scope, number in dangerous.items() if scope in scopes]
    return sum(numbers) if numbers else None


async def _control(context: Context, name: str, work: Callable[[], Awaitable[object]], done: str) -> PageAnswer:
    try:
        await work()
    except LockstepError as refused:
        return await _overview(context, name, refused=on_the_form(refused))
    return Redirect(_href(name), notice=done)


async def _overview(context: Context, name: str, *, refused: LockstepError | None = None, span: str = "") -> View:
    found = await provisioning_pages.provisioning_overview(context, name)
    chosen = span if span in SPANS else ""
    status = found.status
    place = AppPlace(name, status.display_name)
    steps = setup_steps(found.setup, place)
    shown = status.running or status.last
    is_new = not found.setup.is_started and not found.setup.is_on
    throughput = None if is_new else await show_throughput(context, name, span=SPANS[chosen][1])
    model = {
        "found": found,
        "throughput": throughput,
        "charts": provisioning_charts(throughput, name) if throughput is not None else None,
        "spans": [Chip(label, address(_href(name), span=key), key == chosen) for key, (label, _) in SPANS.items()],
        "status": status,
        "setup": found.setup,
        "look": look_of(status),
        "steps": steps,
        "current": next((number for number, step in enumerate(steps) if not step.is_done), len(steps)),
        "is_new": is_new,
        "cycle": CycleRow(shown) if shown else None,
        "here": _href(name),
        "refused": refused,
        "may_control": context.actor.may(Permission.PROVISIONING_CONTROL, _app_id(status.job)),
    }
    return View(
        "provisioning/overview.html",
        TAB,
        model,
        app=place,
        tab=TAB,
        subtab="Overview",
        copy_as=CopyAs(
            command=f"lockstep status {name}",
            api=f"/api/v1/applications/{name}/status",
            more=[] if is_new else [_charts_copied(name, chosen)],
        ),
        live=LIVE,
        status=400 if refused else 200,
    )


async def _restart_form(
    context: Context, name: str, chosen: frozenset[ResetScope], *, refused: LockstepError | None = None
) -> View:
    found = await provisioning_pages.provisioning_overview(context, name)
    links = sum(found.status.links.values())
    model = {
        "resets": RESETS,
        "chosen": chosen,
        "found": found,
        "links": links,
        "held": found.status.held,
        "here": _href(name),
        "refused": refused,
    }
    return View(
        "provisioning/restart.html",
        "Restart provisioning",
        model,
        app=AppPlace(name, found.status.display_name),
        tab=TAB,
        subtab="Restart",
        lead="Switches provisioning on and starts again. Choose what to clear; links stay unless you select them.",
        copy_as=CopyAs(command=f"lockstep restart {name}"),
        status=400 if refused else 200,
    )


def _href(name: str) -> str:
    return f"/apps/{name}/provisioning"


def _charts_copied(name: str, span: str) -> CopyAs:
    return CopyAs(
        title="Charts",
        command=command_with(f"lockstep activity {name}", span=span),
        api=address(f"/api/v1/applications/{name}/activity", span=span),
    )


def _app_id(job: str) -> str:
    return job.rpartition(".")[2]
