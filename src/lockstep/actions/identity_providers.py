"""Single sign-on of administrators through an identity provider. The administrator's roles come from the values of one claim: for example,
the group `lockstep-operators` can give the role Operator. A value without a role gives no access.

To change the provider, an administrator must enter the password again. The change ends all sessions that began through the previous
provider. Local administrators, who sign in with a password, are not affected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from lockstep.actions.access import needs, open_to_all
from lockstep.actions.context import Context
from lockstep.actions.lookup import find_application
from lockstep.actions.permissions import Permission, Role
from lockstep.errors import Kind, LockstepError, invalid, not_found
from lockstep.oidc.provider import ClientRegistration, Metadata, discover, with_query
from lockstep.postgres.pool import Connection
from lockstep.storage import administrator_sessions, administrators, audit_log
from lockstep.storage import identity_providers as store
from lockstep.storage.identity_providers import ClaimRole as ClaimRole
from lockstep.storage.identity_providers import ProviderRow
from lockstep.storage.locks import lock_administrators
from lockstep.vault import Secret

if TYPE_CHECKING:
    from lockstep.http.client import HttpClient

PURPOSE, OWNER = "client secret", "single sign-on"  # of the sealed secret
CALLBACK = "/sign-in/sso/callback"  # on the admin centre; registered with the provider
SCOPES = ("openid", "profile", "email")
ROLES_CLAIM = "groups"
_MOST_ROLES, _LONGEST = 200, 300


@dataclass(frozen=True, slots=True)
class IdentityProvider:
    """An identity provider through which administrators sign in. *roles* says which role each value of the claim *roles_claim* gives."""

    name: str
    issuer: str
    client_id: str
    has_secret: bool
    scopes: tuple[str, ...]
    roles_claim: str
    trusts_email: bool
    roles: tuple[ClaimRole, ...]
    changed_at: datetime
    changed_by: str


@dataclass(frozen=True, slots=True)
class ProviderChange:
    """The identity provider to store. If *secret* is None, the stored secret is kept, but it is never sent to another issuer. If *secret*
    is "", Lockstep becomes a public client, which has no secret. Each entry of *roles* consists of a value of the claim, a role and, for an
    Application owner, the name of the application.
    """

    name: str
    issuer: str
    client_id: str
    secret: Secret | None = None
    scopes: Sequence[str] = SCOPES
    roles_claim: str = ROLES_CLAIM
    trusts_email: bool = False
    roles: Sequence[tuple[str, Role, str]] = ()


@open_to_all
async def provider_name(context: Context) -> str:
    """Return the name of the provider, for the button "Sign in with NAME"; "" if single sign-on is not configured."""
    async with context.recording() as connection:
        row = await store.read_provider(connection)
    return row.name if row else ""


@needs(Permission.ADMINISTRATORS_READ)
async def show_identity_provider(context: Context) -> IdentityProvider | None:
    """Return the configuration of single sign-on; None if single sign-on is not configured."""
    async with context.recording() as connection:
        row = await store.read_provider(connection)
        return _view(row, await store.read_roles(connection)) if row else None


def change_of(view: IdentityProvider) -> ProviderChange:
    """Return a ProviderChange that contains the present settings of *view*, so that storing it would change nothing."""
    return ProviderChange(
        view.name,
        view.issuer,
        view.client_id,
        scopes=view.scopes,
        roles_claim=view.roles_claim,
        trusts_email=view.trusts_email,
        roles=[(one.value, Role(one.role), one.app_name or "") for one in view.roles],
    )


@needs(Permission.ADMINISTRATORS_WRITE)
async def set_identity_provider(context: Context, change: ProviderChange) -> IdentityProvider:
    """Store the provider and its roles. Raises LockstepError if a value is invalid, if the provider cannot be reached, and if the provider
    reports another issuer than the one given.
    """
    name, client_id = _checked(change.name, "name"), _checked(change.client_id, "client id")
    issuer, claim = _checked(change.issuer, "issuer"), _checked(change.roles_claim, "claim")
    scopes = tuple(dict.fromkeys(("openid", *change.scopes)))
    context.providers.forget()
    await discover(http_of(context), issuer)
    async with context.recording() as connection:
        await lock_administrators(connection)
        before = await store.read_provider(connection)
        roles_before = await store.read_roles(connection)
        roles = await _roles(connection, change.roles)
        secret = await _secret(context, connection, change, before)
        is_same = before is not None and (before.issuer, before.client_id) == (issuer, client_id)
        await store.save_provider(
            connection, name=name, issuer=issuer, client_id=client_id, secret=secret, scopes=scopes, roles_claim=claim,
            trusts_email=change.trusts_email, now=context.now(), actor=context.actor.name,
        )  # fmt: skip
        await store.replace_roles(connection, roles)
        if not is_same:
            await _end_sessions(connection)
        stored = await store.read_provider(connection)
        assert stored is not None  # noqa: S101  # the statement above wrote it
        view = _view(stored, await store.read_roles(connection))
        await audit_log.append(
            connection,
            actor=context.actor.name,
            activity="Change single sign-on",
            target=name,
            before=_shown(_view(before, roles_before)) if before else None,
            after=_shown(view) | ({"secret": "replaced"} if change.secret is not None else {}),
        )
    return view


@needs(Permission.ADMINISTRATORS_WRITE)
async def remove_identity_provider(context: Context) -> IdentityProvider:
    """Remove the provider. Administrators who signed in through it are signed out and cannot sign in again; local administrators are not
    affected. Raises LockstepError if there is no provider.
    """
    async with context.recording() as connection:
        await lock_administrators(connection)
        row = await store.read_provider(connection)
        if row is None:
            raise _none()
        view = _view(row, await store.read_roles(connection))
        await store.delete_provider(connection)
        await _end_sessions(connection)
        await audit_log.append(
            connection, actor=context.actor.name, activity="Remove single sign-on", target=row.name, before=_shown(view)
        )
    return view


@needs(Permission.ADMINISTRATORS_READ)
async def test_provider(context: Context) -> Metadata:
    """Read the provider's discovery document. Raises LockstepError if the provider does not answer or the stored secret cannot be
    decrypted.
    """
    client, _ = await read_client(context)
    context.providers.forget()
    return await discover(http_of(context), client.issuer)


@open_to_all
async def sign_out_address(context: Context) -> str:
    """Return the address at the provider that ends the browser's session there (RP-Initiated Logout 1.0). Returns "" if the provider has no
    such address or cannot be reached.
    """
    try:
        client, _ = await read_client(context)
        metadata = await context.providers.find(http_of(context), client.issuer)
    except LockstepError:
        return ""
    return with_query(metadata.end_session_endpoint, client_id=client.id) if metadata.end_session_endpoint else ""


async def read_client(context: Context) -> tuple[ClientRegistration, ProviderRow]:
    """Return the registration of Lockstep as a client of the provider, and the stored row of the provider. Raises LockstepError if single
    sign-on is not configured or the secret cannot be decrypted.
    """
    async with context.recording() as connection:
        row = await store.read_provider(connection)
        sealed = await store.sealed_secret(connection)
    if row is None:
        raise _none()
    return ClientRegistration(row.name, row.issuer, row.client_id, _opened(context, sealed), tuple(row.scopes)), row


def http_of(context: Context) -> HttpClient:
    """Return the HTTP client of this process. Raises LockstepError if this context has none."""
    if context.http is None:
        raise LockstepError(Kind.INTERNAL, "This process cannot connect to providers")
    return context.http()


def _opened(context: Context, sealed: bytes | None) -> str:
    if sealed is None:
        return ""
    try:
        return context.vault.open(sealed, purpose=PURPOSE, name=OWNER).reveal()
    except LockstepError as unreadable:
        raise LockstepError(
            Kind.FORBIDDEN,
            "The client secret of single sign-on cannot be decrypted",
            why=unreadable.why,
            next_step="Enter it again: lockstep admins sso set --client-secret-stdin",
            code=unreadable.code,
        ) from None


async def _secret(
    context: Context, connection: Connection, change: ProviderChange, before: ProviderRow | None
) -> bytes | None:
    if change.secret is None:
        # A secret must be sent only to the server that it was created for.
        is_kept = before is not None and (before.issuer, before.client_id) == (change.issuer, change.client_id)
        return await store.sealed_secret(connection) if is_kept else None
    return context.vault.seal(change.secret, purpose=PURPOSE, name=OWNER) if change.secret else None


async def _roles(connection: Connection, roles: Sequence[tuple[str, Role, str]]) -> list[ClaimRole]:
    if len(roles) > _MOST_ROLES:
        raise invalid(f"More than {_MOST_ROLES} values have a role", next_step="Use fewer, larger groups")
    found: list[ClaimRole] = []
    for value, role, app in roles:
        checked = _checked(value, "value of the claim")
        if (role is Role.APPLICATION_OWNER) != bool(app):
            raise invalid(
                f'"{checked}": the role Application owner needs an application, and no other role can have one',
                next_step=f"For example: --map {checked}={Role.APPLICATION_OWNER}:documo",
            )
        row = await find_application(connection, app) if app else None
        found.append(ClaimRole(checked, role, row.id if row else None, row.name if row else None))
    return found


async def _end_sessions(connection: Connection) -> None:
    for administrator in await administrators.federated_administrators(connection):
        await administrator_sessions.end_sessions(connection, administrator)


def _checked(text: str, what: str) -> str:
    plain = text.strip()
    if not plain:
        raise invalid(f"The {what} is missing", next_step="See: lockstep admins sso set --help")
    if len(plain) > _LONGEST or not plain.isprintable():
        raise invalid(f"The {what} is longer than {_LONGEST} characters, or contains a control character")
    return plain


def _view(row: ProviderRow, roles: Sequence[ClaimRole]) -> IdentityProvider:
    return IdentityProvider(
        row.name, row.issuer, row.client_id, row.has_secret, tuple(row.scopes), row.roles_claim, row.trusts_email,
        tuple(roles), row.changed_at, row.changed_by,
    )  # fmt: skip


def _shown(view: IdentityProvider) -> dict[str, object]:
    return {
        "issuer": view.issuer,
        "clientId": view.client_id,
        "scopes": list(view.scopes),
        "rolesClaim": view.roles_claim,
        "trustsEmail": view.trusts_email,
        "roles": [one.value + "=" + one.role + (f":{one.app_name}" if one.app_name else "") for one in view.roles],
    }


def _none() -> LockstepError:
    return not_found("Single sign-on is not set up", next_step="Set it up: lockstep admins sso set --help")
