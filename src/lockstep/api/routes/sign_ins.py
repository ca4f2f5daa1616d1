"""Sign-ins of people: the log, sessions, links for setting a password, and how people may sign in."""

from __future__ import annotations

from typing import Annotated

from fastapi import Request
from pydantic import Field
from typing_extensions import TypedDict

from lockstep.actions import sign_in_logs
from lockstep.actions.context import Context
from lockstep.actions.person_sign_in import ldap_setup, passwords, person_passkeys, person_totp, sessions, setting
from lockstep.actions.person_sign_in.ldap_setup import USUAL_ATTRIBUTE, LdapChange
from lockstep.actions.rows.ldap import LdapJson, ldap_json
from lockstep.actions.rows.sign_ins import (
    PersonFactorsJson,
    PersonSessionJson,
    SignInJson,
    SignInLinkJson,
    SignInSettingJson,
    person_factors_json,
    person_session_json,
    sign_in_json,
    sign_in_link_json,
    sign_in_setting_json,
)
from lockstep.actions.sign_in_logs import SignInFilter
from lockstep.api.conditions import Unchanged, tagged
from lockstep.api.door import Asked, router_of
from lockstep.api.filtering import Selects, selected, time, words
from lockstep.api.paging import Asking, Page, page
from lockstep.api.shapes import Body, Name, Text
from lockstep.errors import not_found
from lockstep.vault import Secret

router = router_of("Sign-ins")
_SIGN_INS = (
    Selects("application", "eq", "app"),
    Selects("user", "eq", "user"),
    Selects("result", "eq", "result", words("success", "failure", "interrupted")),
    Selects("code", "eq", "code"),
    Selects("time", "ge", "after", time),
    Selects("time", "lt", "before", time),
)


class SignedOutJson(TypedDict):
    sessions: int


class SignInSettingChange(Body):
    """Changes to the ways in which people may sign in. Omitted fields keep their values."""

    password: bool | None = None
    provider: bool | None = None
    second_factor: bool | None = None
    contact: Text | None = None
    ldap: bool | None = None


class LdapChangeBody(Body):
    """Settings for checking passwords against the LDAP directory. Without *password*, the stored one is kept if neither the address nor the
    bind DN changes.
    """

    url: Text = Field(examples=["ldaps://dc1.contoso.com"])
    base_dn: Text = Field(examples=["dc=contoso,dc=com"])
    bind_dn: Text = Field(examples=["cn=lockstep,ou=services,dc=contoso,dc=com"])
    attribute: Text = Field(USUAL_ATTRIBUTE, description="The entry's attribute with the user principal name")
    ca: Annotated[str, Field(max_length=16_384)] = Field(
        "", description="PEM of the certificate authority that signed the server's certificate"
    )
    password: Text | None = None
    start_tls: bool = Field(False, description="With ldap://: encrypt the connection with StartTLS")
    login_attribute: Text = Field(
        "",
        description="The attribute whose value people may enter in place of their user principal name",
        examples=["sAMAccountName"],
    )


class SoughtPerson(Body):
    user: Name = Field(examples=["kim.berg@contoso.test"])


class LdapEntryJson(TypedDict):
    """*dn* is the distinguished name of the person's entry."""

    user: str
    dn: str


@router.get("/sign-ins")
async def list_sign_ins(context: Asked, query: Asking) -> Page[SignInJson]:
    """List the sign-in log, newest first. The filter supports `application eq`, `user eq` (a part of the name, or an id), `result eq`,
    `code eq`, `time ge` and `time lt`.
    """
    query.refuse_sort("-time")
    chosen = selected(query.filter, _SIGN_INS)
    app = chosen.pop("app", "")
    wanted = SignInFilter(below_seq=query.after(int), **chosen)
    found = await sign_in_logs.list_sign_ins(context, wanted, app=app, limit=query.limit + 1)
    return page(query, [sign_in_json(row) for row in found], lambda last: last["number"])


@router.get("/settings/people-sign-in")
async def show_setting(context: Asked, request: Request) -> SignInSettingJson:
    """Show how people may sign in to My Apps."""
    return tagged(request, await _setting(context))


@router.patch("/settings/people-sign-in")
async def change_setting(context: Asked, unchanged: Unchanged, body: SignInSettingChange) -> SignInSettingJson:
    """Change how people may sign in. Existing sessions continue."""

    async def work(inner: Context) -> SignInSettingJson:
        changed = await setting.change_sign_in_setting(
            inner, has_password=body.password, has_provider=body.provider, needs_second_factor=body.second_factor,
            contact=body.contact, has_ldap=body.ldap,
        )  # fmt: skip
        return sign_in_setting_json(changed)

    return await unchanged.matched(_setting, work)(context)


@router.get("/settings/people-sign-in/ldap")
async def show_ldap(context: Asked, request: Request) -> LdapJson:
    """Show the LDAP directory that checks people's passwords. The password with which Lockstep binds to it is not returned."""
    found = await ldap_setup.show_ldap(context)
    if found is None:
        raise not_found("No LDAP directory is set up")
    return tagged(request, ldap_json(found))


@router.put("/settings/people-sign-in/ldap")
async def set_ldap(context: Asked, unchanged: Unchanged, body: LdapChangeBody) -> LdapJson:
    """Set up the LDAP directory. Lockstep connects to it once; if that fails, the settings are refused."""
    seen = await ldap_setup.show_ldap(context)
    await unchanged.require(context, _ldap)
    secret = Secret(body.password) if body.password is not None else None
    change = LdapChange(
        body.url, body.base_dn, body.bind_dn, body.attribute, body.ca, secret, body.start_tls, body.login_attribute
    )
    return ldap_json(await ldap_setup.set_ldap(context, change, seen=seen.version if seen else ""))


@router.delete("/settings/people-sign-in/ldap", status_code=204)
async def remove_ldap(context: Asked, unchanged: Unchanged) -> None:
    """Remove the LDAP directory. Its passwords no longer work for signing in."""
    await unchanged.matched(_ldap, ldap_setup.remove_ldap)(context)


@router.post("/settings/people-sign-in/ldap/test")
async def find_in_ldap(context: Asked, body: SoughtPerson) -> LdapEntryJson:
    """Search for the entry of a person in the LDAP directory."""
    return {"user": body.user, "dn": await ldap_setup.find_in_ldap(context, body.user)}


@router.post("/people/{person}/sign-in-link", status_code=201)
async def new_link(context: Asked, person: str) -> SignInLinkJson:
    """Create a link with which the person can set a password once. Earlier links of the person stop working."""
    return sign_in_link_json(await passwords.new_sign_in_link(context, person))


@router.get("/people/{person}/sessions")
async def list_sessions(context: Asked, person: str) -> list[PersonSessionJson]:
    """List the sessions of the person, most recently used first."""
    return [person_session_json(row) for row in await sessions.list_person_sessions(context, person)]


@router.delete("/people/{person}/sessions")
async def sign_out(context: Asked, person: str) -> SignedOutJson:
    """End all sessions of the person."""
    return {"sessions": await sessions.end_person_sessions(context, person)}


@router.delete("/people/{person}/sessions/{session}")
async def end_session(context: Asked, person: str, session: str) -> SignedOutJson:
    return {"sessions": await sessions.end_person_sessions(context, person, session)}


@router.get("/people/{person}/second-factor")
async def show_factors(context: Asked, person: str) -> PersonFactorsJson:
    """Show the second factors of the person: an authenticator app, and passkeys."""
    return person_factors_json(await person_passkeys.show_person_factors(context, person))


@router.delete("/people/{person}/second-factor", status_code=204)
async def remove_factor(context: Asked, person: str) -> None:
    """Remove the authenticator app and the passkeys of a person who lost the device, and end the person's sessions."""
    await person_totp.remove_person_factor(context, person)


async def _ldap(context: Context) -> LdapJson | None:
    found = await ldap_setup.show_ldap(context)
    return ldap_json(found) if found is not None else None


async def _setting(context: Context) -> SignInSettingJson:
    return sign_in_setting_json(await setting.show_sign_in_setting(context))
