"""Administrators of Lockstep: invite, list, change roles, disable, remove. At least one Global administrator always stays enabled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lockstep.actions.access import needs, open_to_all
from lockstep.actions.context import Context
from lockstep.actions.email_addresses import checked_email
from lockstep.actions.lockout import succeeded
from lockstep.actions.lookup import find_application
from lockstep.actions.permissions import ROLE_NAMES, Permission, Role
from lockstep.credentials.issued_secrets import hash_of, new_secret
from lockstep.errors import conflict, invalid, not_found
from lockstep.postgres.pool import Connection
from lockstep.storage import administrator_sessions as sessions
from lockstep.storage import administrators as store
from lockstep.storage import applications, audit_log, one_time_links, second_factors
from lockstep.storage.administrators import AdministratorRow, RoleGrant
from lockstep.storage.locks import lock_administrators
from lockstep.wording import did_you_mean

LINK_VALID = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class AdministratorView:
    """An administrator with roles. *owns* has the names of the applications that an Application owner may manage. If *is_federated* is
    true, the administrator signs in through an identity provider, and the provider's claims determine the roles.
    """

    email: str
    display_name: str
    roles: tuple[Role, ...]
    owns: tuple[str, ...]
    is_enabled: bool
    has_accepted: bool
    is_federated: bool
    has_second_factor: bool
    created_at: datetime
    created_by: str
    last_sign_in_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewLink:
    """A one-time link. The path contains the secret of the link, which is stored nowhere else."""

    email: str
    expires_at: datetime
    path: str = field(repr=False)


@needs(Permission.ADMINISTRATORS_WRITE)
async def first_link(context: Context) -> str | None:
    """Create a one-time link for the first administrator and return its path. An earlier link stops working. Returns None if there is an
    administrator already.
    """
    async with context.recording() as connection:
        await lock_administrators(connection)
        if await store.any_administrator(connection):
            return None
        return (await _new_link(context, connection, "first", None)).path


@needs(Permission.ADMINISTRATORS_WRITE)
async def invite(
    context: Context, email: str, roles: Sequence[Role], *, owns: Sequence[str] = (), display_name: str = ""
) -> NewLink:
    """Add an administrator with these roles, who sets a password through the returned link. *owns* names the applications of an Application
    owner.

    Raises LockstepError if the e-mail address is invalid or taken, and if an Application owner would own no application.
    """
    address = checked_email(email).lower()
    if not address:
        raise invalid("The e-mail address is missing")
    async with context.recording() as connection:
        await lock_administrators(connection)
        grants = await _grants(connection, roles, owns)
        if await store.find_administrator(connection, address):
            raise conflict(
                f"{address} is already an administrator",
                next_step=f"Change the roles: lockstep admins set {address} --role ROLE",
            )
        new = await store.insert_administrator(
            connection, address, display_name=display_name.strip(), actor=context.actor.name
        )
        await store.replace_grants(connection, new, grants, actor=context.actor.name)
        link = await _new_link(context, connection, "invitation", new, email=address)
        await _audit(context, connection, "Invite administrator", address, after=_shown(grants))
    return link


@needs(Permission.ADMINISTRATORS_READ)
async def list_administrators(context: Context) -> list[AdministratorView]:
    """Return all administrators, sorted by e-mail address."""
    async with context.recording() as connection:
        rows = await store.list_administrators(connection)
        grants = await store.grants_of(connection, [row.id for row in rows])
        return [_view(row, grants.get(row.id, [])) for row in rows]


@open_to_all
async def own_roles(context: Context) -> tuple[str, ...]:
    """Return the names of the caller's roles, such as `Application owner (documo)`. A service token has no roles."""
    if not context.actor.administrator:
        return ()
    async with context.recording() as connection:
        grants = await store.read_grants(connection, context.actor.administrator)
        names = {one.id: one.name for one in await applications.list_applications(connection)}
    found = [Role(one.role) for one in grants if one.app is None]
    owned = sorted(names[one.app] for one in grants if one.app in names and one.app is not None)
    told = [ROLE_NAMES[role] for role in Role if role in found]
    return (*told, *([f"{ROLE_NAMES[Role.APPLICATION_OWNER]} ({', '.join(owned)})"] if owned else []))


@needs(Permission.ADMINISTRATORS_WRITE)
async def change_roles(
    context: Context, email: str, roles: Sequence[Role], *, owns: Sequence[str] = ()
) -> AdministratorView:
    """Give an administrator exactly these roles, and end their sessions if that changes the roles. Raises LockstepError if no enabled
    Global administrator would be left, or if the roles come from the identity provider.
    """
    async with context.recording() as connection:
        await lock_administrators(connection)
        found = await _find(connection, email)
        _require_local(
            found,
            "The provider sends the roles at each sign-in",
            "Change the roles of the groups: lockstep admins sso set --map GROUP=ROLE",
        )
        before, after = await store.read_grants(connection, found.id), await _grants(connection, roles, owns)
        if _shown(before) != _shown(after):
            await store.replace_grants(connection, found.id, after, actor=context.actor.name)
            await _require_global(connection)
            await sessions.end_sessions(connection, found.id)
            await _audit(context, connection, "Change roles", found.email, before=_shown(before), after=_shown(after))
        return _view(found, await store.read_grants(connection, found.id))


@needs(Permission.ADMINISTRATORS_WRITE)
async def set_enabled(context: Context, email: str, *, is_enabled: bool) -> AdministratorView:
    """Enable or disable an administrator. Disabling ends their sessions; their tokens are refused while they are disabled. Raises
    LockstepError if no enabled Global administrator would be left.
    """
    async with context.recording() as connection:
        await lock_administrators(connection)
        found = await _find(connection, email)
        if found.is_enabled != is_enabled:
            await store.set_enabled(connection, found.id, is_enabled=is_enabled)
            await _require_global(connection)
            if not is_enabled:
                await sessions.end_sessions(connection, found.id)
                await one_time_links.void_links(connection, found.id)
            activity = "Enable administrator" if is_enabled else "Disable administrator"
            await _audit(context, connection, activity, found.email)
        return _view(await _find(connection, email), await store.read_grants(connection, found.id))


@needs(Permission.ADMINISTRATORS_WRITE)
async def remove(context: Context, email: str) -> None:
    """Delete an administrator with their sessions and personal tokens. Raises LockstepError if no enabled Global administrator would be
    left.
    """
    async with context.recording() as connection:
        await lock_administrators(connection)
        found = await _find(connection, email)
        grants = await store.read_grants(connection, found.id)
        await store.delete_administrator(connection, found.id)
        await _require_global(connection)
        await _audit(context, connection, "Remove administrator", found.email, before=_shown(grants))


@needs(Permission.ADMINISTRATORS_WRITE)
async def reset_password(context: Context, email: str, *, second_factor: bool = False) -> NewLink:
    """Invalidate an administrator's password, end their sessions, and return a link that sets a new password. If *second_factor* is true,
    the second factor is removed as well; use this for somebody who lost both the device and the recovery codes.
    """
    async with context.recording() as connection:
        found = await _find(connection, email)
        _require_local(found, "Lockstep has no password for this administrator", "Reset the password at the provider")
        await store.save_password_hash(connection, found.id, None)
        await sessions.end_sessions(connection, found.id)
        await succeeded(connection, found.email)
        if second_factor:
            await second_factors.save_seed(connection, found.id, None)
        purpose = "reset" if found.has_password or found.last_sign_in_at else "invitation"
        link = await _new_link(context, connection, purpose, found.id, email=found.email)
        await _audit(
            context, connection, "Request password reset", found.email, after={"secondFactorRemoved": second_factor}
        )
    return link


@needs(Permission.ADMINISTRATORS_WRITE)
async def sign_out_everywhere(context: Context, email: str) -> int:
    """End all sessions of an administrator; return how many there were."""
    async with context.recording() as connection:
        found = await _find(connection, email)
        ended = await sessions.end_sessions(connection, found.id)
        if ended:
            await _audit(context, connection, "End sessions", found.email, after={"sessions": ended})
    return ended


async def _new_link(
    context: Context, connection: Connection, purpose: str, administrator: str | None, *, email: str = ""
) -> NewLink:
    secret, now = new_secret(), context.now()
    await one_time_links.replace_link(
        connection,
        purpose=purpose,
        administrator=administrator,
        secret_hash=hash_of(secret),
        now=now,
        actor=context.actor.name,
        expires_at=now + LINK_VALID,
    )
    return NewLink(email, now + LINK_VALID, f"/invitations/{secret}")


async def _grants(connection: Connection, roles: Sequence[Role], owns: Sequence[str]) -> list[RoleGrant]:
    if not roles:
        raise invalid("No role was given", next_step="See: lockstep admins roles")
    owner = Role.APPLICATION_OWNER
    if (owner in roles) != bool(owns):
        raise invalid(
            "An Application owner needs an application, and no other role may have one",
            next_step=f"For example: --role {owner} --app documo",
        )
    grants = [RoleGrant(role) for role in dict.fromkeys(roles) if role is not owner]
    for name in dict.fromkeys(owns):
        app = await find_application(connection, name)
        grants.append(RoleGrant(owner, app.id, app.name))
    return grants


async def _find(connection: Connection, email: str) -> AdministratorRow:
    found = await store.find_administrator(connection, email)
    if found is None:
        known = [one.email for one in await store.list_administrators(connection)]
        raise not_found(
            f'Unknown administrator "{email}"',
            next_step=did_you_mean(email, known, otherwise="See: lockstep admins list"),
        )
    return found


def _require_local(found: AdministratorRow, why: str, next_step: str) -> None:
    if found.is_federated:
        raise conflict(f"{found.email} signs in through single sign-on", why=why, next_step=next_step)


async def _require_global(connection: Connection) -> None:
    if not await store.count_enabled(connection, Role.GLOBAL_ADMINISTRATOR):
        name = ROLE_NAMES[Role.GLOBAL_ADMINISTRATOR]
        raise conflict(
            f"This is the last enabled {name} with a password",
            why="Without one, nobody could manage administrators if the single sign-on provider is unavailable",
            next_step=f"First give the role {name} to someone else",
        )


async def _audit(
    context: Context,
    connection: Connection,
    activity: str,
    email: str,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    await audit_log.append(
        connection, actor=context.actor.name, activity=activity, target=email, before=before, after=after
    )


def _shown(grants: Sequence[RoleGrant]) -> dict[str, object]:
    owns = sorted(grant.app_name for grant in grants if grant.app_name is not None)
    return {"roles": sorted({grant.role for grant in grants}), **({"owns": owns} if owns else {})}


def _view(row: AdministratorRow, grants: Sequence[RoleGrant]) -> AdministratorView:
    held = {grant.role for grant in grants}
    return AdministratorView(
        email=row.email,
        display_name=row.display_name,
        roles=tuple(role for role in Role if role in held),
        owns=tuple(grant.app_name for grant in grants if grant.app_name is not None),
        is_enabled=row.is_enabled,
        has_accepted=row.has_password or row.is_federated,
        is_federated=row.is_federated,
        has_second_factor=row.has_second_factor,
        created_at=row.created_at,
        created_by=row.created_by,
        last_sign_in_at=row.last_sign_in_at,
    )
