"""The caller's own account, administrators, and access tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import Request
from pydantic import Field
from typing_extensions import TypedDict

from lockstep import __version__
from lockstep.actions import access_tokens, administrators
from lockstep.actions.access_tokens import USUAL_LENGTH, NewToken, TokenRow
from lockstep.actions.administrators import AdministratorView, NewLink
from lockstep.actions.context import Context
from lockstep.actions.permissions import Role
from lockstep.actions.rows.times import iso, iso_time
from lockstep.api.conditions import Unchanged, tagged
from lockstep.api.door import Asked, FrontRoute, Who, router_of
from lockstep.api.paging import Asking, Page, page_of_rows
from lockstep.api.problems import ApiError
from lockstep.api.shapes import Body, Name, Text
from lockstep.errors import Kind, LockstepError, invalid, not_found

router = router_of("Administration")
front = router_of("Administration", route_class=FrontRoute)


class CallerJson(TypedDict):
    """The caller. *permissions* apply everywhere. *ownPermissions* apply only to the applications that the caller owns, whose ids are in
    *ownApplications*. *version* is the version of the server.
    """

    name: str
    email: str
    displayName: str
    roles: list[str]
    permissions: list[str]
    ownPermissions: list[str]
    ownApplications: list[str]
    expiresAt: str
    version: str


class AdministratorJson(TypedDict):
    """An administrator. If *isFederated* is true, the administrator signs in through single sign-on, which determines the roles."""

    email: str
    displayName: str
    roles: list[str]
    owns: list[str]
    isEnabled: bool
    hasAccepted: bool
    isFederated: bool
    hasSecondFactor: bool
    createdAt: str
    createdBy: str
    lastSignInAt: str | None


class LinkToPasswordJson(TypedDict):
    """A link for setting a password. *path* is an address on this server; it works once and is not shown again."""

    email: str
    path: str
    expiresAt: str


class TokenJson(TypedDict):
    id: str
    name: str
    kind: str
    owner: str
    scopes: list[str]
    expiresAt: str


class NewTokenJson(TypedDict):
    """A new token. *token* is not shown again."""

    id: str
    name: str
    scopes: list[str]
    expiresAt: str
    token: str


class Invitation(Body):
    email: Name = Field(examples=["ada@contoso.test"])
    roles: list[Role] = Field(max_length=10, examples=[["operator"]])
    owns: Annotated[list[Name], Field(max_length=200)] = Field(default_factory=list)
    display_name: Text = ""


class AdministratorChange(Body):
    """The changes to make to an administrator. *roles* and *owns* replace the present ones."""

    roles: list[Role] | None = None
    owns: Annotated[list[Name], Field(max_length=200)] = Field(default_factory=list)
    is_enabled: bool | None = None


class NewTokenBody(Body):
    """The token to create. A personal token acts for you. A service token acts for itself, in every application."""

    name: Name = Field(examples=["terraform"])
    scopes: Annotated[list[Name], Field(max_length=50)] = Field(examples=[["applications.read", "logs.read"]])
    days: Annotated[int, Field(ge=1, le=366)] = USUAL_LENGTH.days
    service: bool = False


class SignInBody(Body):
    email: Name = Field(examples=["ada@contoso.test"])
    password: Annotated[str, Field(min_length=1, max_length=1000)]
    code: Annotated[str, Field(max_length=100)] = ""
    name: Name = Field("command line", examples=["ada's laptop"])
    scopes: Annotated[list[Name], Field(max_length=50)] = Field(default_factory=list)
    days: Annotated[int, Field(ge=1, le=366)] = USUAL_LENGTH.days


@router.get("/me")
async def who_am_i(context: Asked, who: Who) -> CallerJson:
    actor = who.actor
    return {
        "name": actor.name,
        "email": who.email,
        "displayName": who.display_name,
        "roles": list(await administrators.own_roles(context)),
        "permissions": sorted(actor.permissions),
        "ownPermissions": sorted(actor.own_permissions),
        "ownApplications": sorted(actor.own_applications),
        "expiresAt": iso_time(who.expires_at),
        "version": __version__,
    }


@front.post("/sign-in", status_code=201)
async def sign_in(context: Asked, request: Request, body: SignInBody) -> NewTokenJson:
    """Create a personal token with your e-mail address and password, as `lockstep login` does. Send `code` if you use an authenticator
    app. Without *scopes*, the token gets all permissions that your tokens can have. No session stays open.
    """
    try:
        new = await access_tokens.sign_in_for_token(
            context, body.email, body.password, body.code, name=body.name, scopes=body.scopes,
            expires_in=timedelta(days=body.days), address=request.client.host if request.client else "",
        )  # fmt: skip
    except LockstepError as wrong:
        if wrong.kind is not Kind.UNAUTHORIZED:
            raise
        raise ApiError(
            wrong.kind, wrong.detail, why=wrong.why, next_step=wrong.next_step, code=wrong.code, slug="sign-in-refused"
        ) from None
    return _new(new)


@router.delete("/me/token")
async def revoke_this_token(context: Asked, who: Who, request: Request) -> TokenJson:
    """Revoke the token that authenticates this request, as `lockstep logout` does."""
    _, _, token = request.headers.get("authorization", "").partition(" ")
    if who.session or not token:
        raise invalid(
            "This request is not made with a token", next_step="Revoke a token by its id: DELETE /tokens/{id}"
        )
    return _token(await access_tokens.revoke_this_token(context, token.strip()))


@router.get("/administrators")
async def list_administrators(context: Asked, query: Asking) -> Page[AdministratorJson]:
    rows = [_administrator(one) for one in await administrators.list_administrators(context)]
    return page_of_rows(query, rows, key="email")


@router.get("/administrators/{email}")
async def show_administrator(context: Asked, request: Request, email: str) -> AdministratorJson:
    found = await _found(context, email)
    return tagged(request, found, state=_lasting(found))


@router.post("/administrators", status_code=201)
async def invite(context: Asked, body: Invitation) -> LinkToPasswordJson:
    """Invite an administrator, who sets the password through the link."""
    return _link(
        await administrators.invite(context, body.email, body.roles, owns=body.owns, display_name=body.display_name)
    )


@router.patch("/administrators/{email}")
async def change_administrator(
    context: Asked, unchanged: Unchanged, email: str, body: AdministratorChange
) -> list[AdministratorJson]:
    """Change the roles of an administrator, or enable or disable the administrator. The result shows the administrator after each
    change.
    """

    async def work(inner: Context) -> list[AdministratorJson]:
        done = []
        async with inner.together() as one:
            if body.roles is not None:
                done.append(await administrators.change_roles(one, email, body.roles, owns=body.owns))
            if body.is_enabled is not None:
                done.append(await administrators.set_enabled(one, email, is_enabled=body.is_enabled))
        return [_administrator(one) for one in done]

    return await unchanged.matched(lambda inner: _state(inner, email), work)(context)


@router.delete("/administrators/{email}", status_code=204)
async def remove_administrator(context: Asked, unchanged: Unchanged, email: str) -> None:
    await unchanged.matched(lambda inner: _state(inner, email), lambda inner: administrators.remove(inner, email))(
        context
    )


@router.post("/administrators/{email}/reset-password")
async def reset_password(context: Asked, email: str) -> LinkToPasswordJson:
    """Invalidate the password, end the sessions, and return a link for setting a new password."""
    return _link(await administrators.reset_password(context, email))


@router.get("/tokens")
async def list_tokens(context: Asked, query: Asking) -> Page[TokenJson]:
    return page_of_rows(query, [_token(row) for row in await access_tokens.list_tokens(context)], key="id")


@router.post("/tokens", status_code=201)
async def create_token(context: Asked, body: NewTokenBody) -> NewTokenJson:
    """Create a token. Tokens cannot create tokens, so this request needs a session."""
    make = access_tokens.create_service_token if body.service else access_tokens.create_personal_token
    new = await make(context, body.name, body.scopes, expires_in=timedelta(days=body.days))
    return _new(new)


@router.delete("/tokens/{token}")
async def revoke_token(context: Asked, token: str) -> TokenJson:
    return _token(await access_tokens.revoke_token(context, token))


async def _found(context: Context, email: str) -> AdministratorJson:
    found = [one for one in await administrators.list_administrators(context) if one.email == email.strip().lower()]
    if not found:
        raise not_found(f"There is no administrator {email}", next_step="See them: GET /api/v1/administrators")
    return _administrator(found[0])


async def _state(context: Context, email: str) -> dict[str, Any]:
    return _lasting(await _found(context, email))


def _lasting(found: AdministratorJson) -> dict[str, Any]:
    """Return the members that the ETag covers: all except the time of the last sign-in."""
    return {name: value for name, value in found.items() if name != "lastSignInAt"}


def _administrator(one: AdministratorView) -> AdministratorJson:
    return {
        "email": one.email,
        "displayName": one.display_name,
        "roles": [role.value for role in one.roles],
        "owns": list(one.owns),
        "isEnabled": one.is_enabled,
        "hasAccepted": one.has_accepted,
        "isFederated": one.is_federated,
        "hasSecondFactor": one.has_second_factor,
        "createdAt": iso_time(one.created_at),
        "createdBy": one.created_by,
        "lastSignInAt": iso(one.last_sign_in_at),
    }


def _token(row: TokenRow) -> TokenJson:
    return {
        "id": row.id,
        "name": row.name,
        "kind": row.kind,
        "owner": row.owner_email or "",
        "scopes": list(row.scopes),
        "expiresAt": iso_time(row.expires_at),
    }


def _new(token: NewToken) -> NewTokenJson:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": list(token.scopes),
        "expiresAt": iso_time(token.expires_at),
        "token": token.secret,
    }


def _link(link: NewLink) -> LinkToPasswordJson:
    return {"email": link.email, "path": link.path, "expiresAt": iso_time(link.expires_at)}
