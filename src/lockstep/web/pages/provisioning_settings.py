"""The provisioning page that Entra's tutorials describe: mode, credentials, notification, mappings, scope and status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request

from lockstep.actions import applications, connection, credentials, provisioning_pages, settings
from lockstep.actions.applications import ApplicationView
from lockstep.actions.change_preview import ChangePreview, preview_change
from lockstep.actions.context import Context
from lockstep.actions.credentials import Authentication
from lockstep.actions.permissions import Permission
from lockstep.actions.provisioning_pages import SetupProgress
from lockstep.actions.settings_view import SettingsView
from lockstep.actions.setup_announcements import Announcement, announce_settings
from lockstep.actions.tenant_urls import advise_on_url
from lockstep.configuration.unsent_mail import MAIL_IS_NOT_SENT
from lockstep.engine.decisions.digest_time import DIGEST_TIME
from lockstep.errors import Kind, LockstepError
from lockstep.ports import Probe
from lockstep.web.command_pages import STEPS
from lockstep.web.page import AppPlace, CopyAs, Fragment, PageAnswer, Pages, View, on_the_form
from lockstep.web.pages.provisioning import TAB, setup_steps
from lockstep.web.pages.switching_on import save_settings
from lockstep.web.provisioning_form import DELIVERIES, METHODS, SettingsForm

pages = Pages()
HERE = "/apps/{app}/provisioning/settings"
_DO_NOT_WORK = frozenset({Kind.UNAUTHORIZED, Kind.UNREACHABLE})


@dataclass(frozen=True, slots=True)
class ProbeRow:
    """One row of a connection test. *exchange* is available only directly after the test."""

    name: str
    passed: bool
    tried: bool
    sentence: str
    remedy: str
    seconds: float
    exchange: Any = None


@dataclass(frozen=True, slots=True)
class TestResult:
    """A connection test: its rows, or why it could not be run. *is_stored* is true if the stored credentials were tested."""

    rows: Sequence[ProbeRow]
    at: datetime | None
    refused: LockstepError | None = None
    is_stored: bool = True

    @property
    def passed(self) -> bool:
        return bool(self.rows) and all(row.passed for row in self.rows if row.tried)

    @property
    def failure(self) -> ProbeRow | None:
        return next((row for row in self.rows if row.tried and not row.passed), None)

    @property
    def seconds(self) -> float:
        return sum(row.seconds for row in self.rows)


@dataclass(frozen=True, slots=True)
class StoredSettings:
    """The stored data about the application."""

    app: ApplicationView
    view: SettingsView
    setup: SetupProgress

    @property
    def tenant_url(self) -> str:
        return self.app.credential.tenant_url if self.app.credential else ""

    @property
    def authentication(self) -> Authentication:
        return credentials.authentication_of(self.app.credential)

    @property
    def place(self) -> AppPlace:
        return AppPlace(self.app.application.name, self.app.application.display_name)

    @property
    def url_path(self) -> str:
        return self.app.template.tenant_url.path if self.app.template else ""


@pages.get(HERE)
async def show(context: Context, request: Request) -> View:
    stored = await _read(context, request)
    form = SettingsForm.stored(stored.view, stored.setup, stored.tenant_url, stored.authentication)
    return _page(context, stored, form, test=_kept(stored))


@pages.post(HERE)
async def save(context: Context, request: Request) -> PageAnswer:
    """Test the connection, or save the settings. New credentials are tested before they are saved. They are saved without a test if
    step=save-anyway, or if there is no token to test them with. A change that disables or deletes accounts is saved only if the
    administrator has typed the number of these accounts.
    """
    data = await request.form()
    stored, form = await _read(context, request), SettingsForm.of(data)
    step = str(data.get("step", ""))
    if step == "test":
        tested = await _test(context, stored, form)
        if request.headers.get("hx-request"):
            return Fragment("provisioning/probes.html", {"test": tested, "name": stored.place.display_name})
        return _page(context, stored, form, test=tested, is_changed=True)
    test = _kept(stored)
    try:
        changes = form.changes(stored.view) if form.check() else {}
        announced = await announce_settings(context, stored.place.name, changes) if changes else None
        if step == "preview" and not form.errors:
            foreseen = await _preview(context, stored.place.name, changes)
            return _page(context, stored, form, test=test, announced=announced, is_changed=True, foreseen=foreseen)
        if form.errors or _needs_typing(announced, form):
            return _page(context, stored, form, test=test, announced=announced, is_changed=True, status=400)
        await _save_credentials(context, stored, form, is_forced=step == "save-anyway")
        return await save_settings(context, stored.place, changes)
    except LockstepError as refused:
        _put_beside(form, on_the_form(refused))
        return _page(context, await _read(context, request), form, test=test, refused=refused, is_changed=True)


@pages.post(f"{HERE}/url")
async def check_url(context: Context, request: Request) -> Fragment:
    stored = await _read(context, request)
    text = str((await request.form()).get("tenantUrl", ""))
    return Fragment("provisioning/url_advice.html", {"advice": advise_on_url(text, path=stored.url_path)})


@pages.post(f"{HERE}/consequence")
async def foresee_saving(context: Context, request: Request) -> Fragment:
    stored, form = await _read(context, request), SettingsForm.of(await request.form())
    changes = form.changes(stored.view) if form.check() else {}
    announced = None
    try:
        announced = await announce_settings(context, stored.place.name, changes) if changes else None
    except LockstepError as refused:
        on_the_form(refused)
    model = {"announced": announced, "tests": _is_typed(stored, form), "form": form}
    return Fragment("provisioning/consequence.html", model)


async def _preview(context: Context, app: str, changes: Mapping[str, Any]) -> ChangePreview:
    async def work(inner: Context) -> None:
        if changes:
            await settings.change_settings(inner, app, **changes)

    return await preview_change(context, app, work)


async def _read(context: Context, request: Request) -> StoredSettings:
    name = request.path_params["app"]
    return StoredSettings(
        await applications.show_application(context, name),
        await settings.show_settings(context, name),
        await provisioning_pages.show_setup(context, name),
    )


def _is_typed(stored: StoredSettings, form: SettingsForm) -> bool:
    """Whether the form contains credentials that differ from the stored ones."""
    is_other_way = form.authentication != stored.authentication
    return bool(form.token) or form.tenant_url.rstrip("/") != stored.tenant_url or is_other_way


def _needs_typing(announced: Announcement | None, form: SettingsForm) -> bool:
    return announced is not None and announced.confirm > 0 and form.confirmation != str(announced.confirm)


async def _save_credentials(context: Context, stored: StoredSettings, form: SettingsForm, *, is_forced: bool) -> None:
    if not _is_typed(stored, form) or form.mode == "manual":
        return
    url = form.tenant_url if form.tenant_url.rstrip("/") != stored.tenant_url else None
    token = form.token or None
    method = form.authentication if form.authentication != stored.authentication else None
    name = stored.place.name
    if is_forced or (token is None and not stored.setup.is_connected):
        await credentials.set_credentials(context, name, tenant_url=url, secret_token=token, authentication=method)
        return

    def agree(_: Probe) -> None:
        """Do nothing. `set_tested_credentials` requires this function but never calls it: with *must_work*, it refuses credentials that do
        not work.
        """

    await connection.set_tested_credentials(
        context, name, tenant_url=url, secret_token=token, authentication=method, must_work=True, agree=agree
    )


def _put_beside(form: SettingsForm, refused: LockstepError) -> None:
    text = f"{refused.detail}. {STEPS.on_page(refused.next_step)}" if refused.next_step else refused.detail
    if "lient credentials need" in refused.detail or "asic needs" in refused.detail:
        form.errors["authentication"] = refused.detail
    elif refused.kind in _DO_NOT_WORK or "token" in refused.detail or "secret" in refused.detail.lower():
        form.errors["secretToken"] = text
    elif "tenant URL" in refused.detail:
        form.errors["tenantUrl"] = text
    elif "mail" in refused.detail:
        form.errors["notificationEmail"] = text


async def _test(context: Context, stored: StoredSettings, form: SettingsForm) -> TestResult:
    name = stored.place.name
    is_stored = not _is_typed(stored, form)
    try:
        if is_stored:
            probes = await connection.test_connection(context, name)
        else:
            probes = await connection.try_credentials(
                context,
                name,
                tenant_url=form.tenant_url,
                secret_token=form.token or None,
                authentication=form.authentication,
            )
    except LockstepError as refused:
        return TestResult((), None, on_the_form(refused), is_stored)
    rows = [
        ProbeRow(one.name, one.passed, one.tried, one.sentence, one.remedy, one.seconds, one.exchange) for one in probes
    ]
    return TestResult(rows, context.now(), is_stored=is_stored)


def _kept(stored: StoredSettings) -> TestResult | None:
    credential = stored.app.credential
    result: Mapping[str, Any] = (credential.test_result or {}) if credential else {}
    if credential is None or not result.get("probes"):
        return None
    rows = [
        ProbeRow(one["name"], one["passed"], one.get("tried", True), one["sentence"], one["remedy"], one["seconds"])
        for one in result["probes"]
    ]
    return TestResult(rows, credential.tested_at)


def _page(
    context: Context,
    stored: StoredSettings,
    form: SettingsForm,
    *,
    test: TestResult | None,
    announced: Announcement | None = None,
    refused: LockstepError | None = None,
    is_changed: bool = False,
    foreseen: ChangePreview | None = None,
    status: int = 200,
) -> View:
    place, app_id = stored.place, stored.app.application.id
    steps = setup_steps(stored.setup, place)
    model = {
        "app": stored.app,
        "view_settings": stored.view,
        "setup": stored.setup,
        "form": form,
        "methods": METHODS,
        "deliveries": DELIVERIES,
        "digest_time": DIGEST_TIME,
        "test": test,
        "name": place.display_name,
        "announced": announced,
        "foreseen": foreseen,
        "refused": refused,
        "is_changed": is_changed,
        "may_force": refused is not None and refused.kind in _DO_NOT_WORK,
        "tests": _is_typed(stored, form),
        "advice": advise_on_url(form.tenant_url, path=stored.url_path),
        "steps": steps,
        "current": next((number for number, step in enumerate(steps) if not step.is_done), len(steps)),
        "here": f"{place.href}/provisioning/settings",
        "must_confirm": not context.actor.is_stepped_up,
        "may_edit": context.actor.may(Permission.CONFIGURATION_WRITE, app_id),
        "may_test": context.actor.may(Permission.CONNECTION_TEST, app_id),
        "may_test_mail": stored.view.mail_is_sent and context.actor.may(Permission.MAIL_WRITE),
        "no_mail": "" if stored.view.mail_is_sent else MAIL_IS_NOT_SENT,
    }
    return View(
        "provisioning/settings.html",
        TAB,
        model,
        app=place,
        tab=TAB,
        subtab="Settings",
        copy_as=CopyAs(command=f"lockstep settings {place.name}", api=f"/api/v1/applications/{place.name}/settings"),
        status=400 if refused else status,
    )
