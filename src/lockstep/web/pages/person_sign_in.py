"""The sign-in of one person: the link that sets a password, the sessions, the second factor. Also the setting for all people."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request

from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.actions.person_sign_in import ldap_setup, passwords, person_passkeys, person_totp, sessions, setting
from lockstep.actions.person_sign_in.ldap_setup import USUAL_ATTRIBUTE, LdapChange
from lockstep.actions.person_sign_in.setting import SignInSetting
from lockstep.actions.sign_in_logs import SignInFilter, list_sign_ins
from lockstep.errors import LockstepError
from lockstep.kit.cookies import origin_of
from lockstep.vault import Secret
from lockstep.web.page import CopyAs, Crumb, PageAnswer, Pages, Redirect, View, on_the_form
from lockstep.web.pages.people import person_of
from lockstep.web.sign_in_form import METHODS, SignInLine
from lockstep.wording import counted

pages = Pages()
SETTING = "/settings/people-sign-in"
_LDAP_FIELDS = ("url", "base_dn", "bind_dn", "attribute", "login_attribute", "ca")
_LATEST = 10


@pages.get("/users/{person}/sign-in")
async def show_sign_in(context: Context, request: Request) -> View:
    person = (await person_of(context, request)).person
    may_change = context.actor.may(Permission.PEOPLE_SIGN_IN) and person.deleted_at is None
    rows = await list_sign_ins(context, SignInFilter(person=person.id), limit=_LATEST)
    is_stepped_up = context.actor.is_stepped_up
    model = {
        "person": person,
        "here": f"/users/{person.id}/sign-in",
        "may_change": may_change,
        "sessions": await sessions.list_person_sessions(context, person.id) if may_change and is_stepped_up else None,
        "factors": await person_passkeys.show_person_factors(context, person.id),
        "methods": METHODS,
        "lines": [SignInLine(row) for row in rows],
    }
    return View(
        "people/sign_in.html",
        f"Sign-in of {person.display}",
        model,
        section="People",
        parents=[Crumb("People", "/users"), Crumb(person.display, f"/users/{person.id}")],
        copy_as=CopyAs(
            command=f"lockstep logs sign-ins --user {person.id}", api=f"/api/v1/people/{person.id}/sessions"
        ),
    )


@pages.post("/users/{person}/sign-in/link")
async def new_link(context: Context, request: Request) -> PageAnswer:
    """Show a new link. No other page ever shows it."""
    link = await passwords.new_sign_in_link(context, request.path_params["person"])
    here = f"/users/{request.path_params['person']}"
    model = {
        "link": {"email": link.user_principal_name, "expires_at": link.expires_at},
        "address": link.url or origin_of(request) + link.path,
        "text": "Send this link to the person",
        "back": f"{here}/sign-in",
    }
    parents = [Crumb("People", "/users"), Crumb(link.user_principal_name, here)]
    return View("settings/link.html", "One-time link", model, section="People", parents=parents)


@pages.post("/users/{person}/sign-in/revoke")
async def revoke(context: Context, request: Request) -> PageAnswer:
    person, form = request.path_params["person"], await request.form()
    ended = await sessions.end_person_sessions(context, person, str(form.get("session", "")))
    return Redirect(f"/users/{person}/sign-in", notice=f"{counted(ended, 'session')} ended")


@pages.post("/users/{person}/sign-in/remove-factor")
async def remove_factor(context: Context, request: Request) -> PageAnswer:
    person = request.path_params["person"]
    await person_totp.remove_person_factor(context, person)
    return Redirect(f"/users/{person}/sign-in", notice="The second factor was removed, and all sessions ended")


@pages.get(SETTING)
async def show_setting(context: Context, request: Request) -> View:
    return await _setting(context, await setting.show_sign_in_setting(context))


@pages.post(SETTING)
async def change_setting(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    wanted = SignInSetting(
        "password" in form,
        "provider" in form,
        "second_factor" in form,
        str(form.get("contact", "")).strip(),
        "ldap" in form,
    )
    try:
        await setting.change_sign_in_setting(
            context,
            has_password=wanted.has_password,
            has_provider=wanted.has_provider,
            needs_second_factor=wanted.needs_second_factor,
            contact=wanted.contact,
            has_ldap=wanted.has_ldap,
        )
    except LockstepError as refused:
        return await _setting(context, wanted, on_the_form(refused))
    return Redirect(SETTING, notice="Saved")


@pages.post(f"{SETTING}/ldap")
async def set_ldap(context: Context, request: Request) -> PageAnswer:
    form = await request.form()
    typed = {name: str(form.get(name, "")).strip() for name in _LDAP_FIELDS}
    password, starts_tls = str(form.get("ldap_password", "")), "starts_tls" in form
    try:
        change = LdapChange(**typed, password=Secret(password) if password else None, starts_tls=starts_tls)
        await ldap_setup.set_ldap(context, change, seen=str(form.get("version", "")))
    except LockstepError as refused:
        shown = await setting.show_sign_in_setting(context)
        return await _setting(context, shown, typed={**typed, "starts_tls": starts_tls}, not_set=on_the_form(refused))
    return Redirect(SETTING, notice="The LDAP directory responded. The settings were saved")


@pages.post(f"{SETTING}/ldap/remove")
async def remove_ldap(context: Context, request: Request) -> PageAnswer:
    await ldap_setup.remove_ldap(context)
    return Redirect(SETTING, notice="The LDAP directory and its password were removed")


async def _setting(
    context: Context,
    shown: SignInSetting,
    refused: LockstepError | None = None,
    *,
    typed: Mapping[str, object] | None = None,
    not_set: LockstepError | None = None,
) -> View:
    row = await ldap_setup.show_ldap(context)
    names = (*_LDAP_FIELDS, "starts_tls")
    usual = {"attribute": USUAL_ATTRIBUTE, "starts_tls": False}
    model = {
        "has_ldap": row is not None,
        "ldap": typed or {name: getattr(row, name) if row else usual.get(name, "") for name in names},
        "ldap_version": row.version if row else "",
        "not_set": not_set,
        "setting": shown,
        "refused": refused,
        "may_write": context.actor.everywhere(Permission.ORGANISATION_WRITE),
        "here": SETTING,
    }
    return View(
        "settings/people_sign_in.html",
        "People's sign-in",
        model,
        section="Settings",
        lead="How people sign in to My Apps",
        copy_as=CopyAs(command="lockstep people sign-in set", api="/api/v1/settings/people-sign-in"),
        status=400 if refused or not_set else 200,
    )
