"""Administrators who sign in through the identity provider. Lockstep adds them at their first sign-in. At every sign-in it gives them the
roles that belong to the groups in the provider's claims.

Only issuer and subject together identify an administrator. An e-mail address does not: a new identity gets no access if it has the address
of a local administrator or of another subject.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lockstep.actions.context import Context
from lockstep.actions.federated_identity import Identity, grants_for, was_left_out
from lockstep.errors import Kind, LockstepError
from lockstep.postgres.pool import Connection
from lockstep.storage import administrator_sessions, administrators, audit_log
from lockstep.storage import identity_providers as store
from lockstep.storage.administrators import AdministratorRow, RoleGrant
from lockstep.storage.identity_providers import ProviderRow
from lockstep.storage.locks import lock_administrators


async def admit_identity(
    context: Context, provider: ProviderRow, identity: Identity, claims: Mapping[str, Any]
) -> AdministratorRow:
    """Return the administrator for *identity*, with the roles that *claims* give now; add the administrator at the first sign-in.

    Raises LockstepError if the claims give no role, if the administrator is disabled, or if a new administrator would have the e-mail
    address of another one. If the claims no longer give any role to an existing administrator, the former roles and all sessions of that
    administrator are removed as well.
    """
    async with context.recording() as connection:
        await lock_administrators(connection)
        grants = grants_for(claims, provider.roles_claim, await store.read_roles(connection))
        found = await administrators.find_identity(connection, identity.issuer, identity.subject)
        if found is not None and not grants:
            await _replace_grants(connection, found, [], provider)
            await administrator_sessions.end_sessions(connection, found.id)
        if found is None and grants:
            found = await _added(connection, provider, identity)
        elif found is not None and grants and found.is_enabled:
            found = await _renamed(connection, found, identity, provider)
        if found is not None and grants and found.is_enabled:
            await _replace_grants(connection, found, grants, provider)
    if not grants:
        raise _no_role(provider, identity, claims)
    if found is None:
        raise _taken(provider, identity)
    if not found.is_enabled:
        raise LockstepError(
            Kind.FORBIDDEN, f"{found.email} is disabled in Lockstep", next_step="Ask a Global administrator"
        )
    return found


async def _added(connection: Connection, provider: ProviderRow, identity: Identity) -> AdministratorRow | None:
    """Add an administrator for *identity* and return the row. Returns None if another administrator has the e-mail address."""
    if await administrators.find_administrator(connection, identity.email) is not None:
        return None
    new = await administrators.insert_federated(
        connection,
        identity.email,
        display_name=identity.display_name,
        issuer=identity.issuer,
        subject=identity.subject,
        actor=_actor(provider),
    )
    await audit_log.append(
        connection,
        actor=_actor(provider),
        activity="Add administrator",
        target=identity.email,
        after={"subject": identity.subject},
    )
    return await administrators.read_administrator(connection, new)


async def _renamed(
    connection: Connection, found: AdministratorRow, identity: Identity, provider: ProviderRow
) -> AdministratorRow | None:
    """Update the row *found* with the present name and the present e-mail address of *identity*. The address is not updated if another
    administrator has it. Returns the row, or None if it no longer exists.
    """
    if found.email != identity.email and await administrators.find_administrator(connection, identity.email) is None:
        await administrators.save_email(connection, found.id, identity.email)
        await audit_log.append(
            connection,
            actor=_actor(provider),
            activity="Change e-mail address",
            target=found.email,
            after={"email": identity.email},
        )
    if identity.display_name and found.display_name != identity.display_name:
        await administrators.save_display_name(connection, found.id, identity.display_name)
    return await administrators.read_administrator(connection, found.id)


async def _replace_grants(
    connection: Connection, found: AdministratorRow, grants: Sequence[RoleGrant], provider: ProviderRow
) -> None:
    before = await administrators.read_grants(connection, found.id)
    if _shown(before) == _shown(grants):
        return
    await administrators.replace_grants(connection, found.id, grants, actor=_actor(provider))
    await administrator_sessions.end_sessions(connection, found.id)
    await audit_log.append(
        connection,
        actor=_actor(provider),
        activity="Change roles",
        target=found.email,
        before={"roles": _shown(before)},
        after={"roles": _shown(grants)},
    )


def _shown(grants: Sequence[RoleGrant]) -> list[str]:
    return sorted(str(one.role) + (f":{one.app_name}" if one.app_name else "") for one in grants)


def _actor(provider: ProviderRow) -> str:
    return f"{provider.name} (single sign-on)"


def _no_role(provider: ProviderRow, identity: Identity, claims: Mapping[str, Any]) -> LockstepError:
    why = f"No value in your claim {provider.roles_claim} is mapped to a role"
    if was_left_out(claims, provider.roles_claim):
        why = (
            f"You are in too many groups for {provider.name} to send. At the provider, send only groups that are assigned to "
            "Lockstep, or use app roles"
        )
    return LockstepError(
        Kind.FORBIDDEN,
        f"{identity.email} has no role in Lockstep",
        why=why,
        next_step="Ask a Global administrator of Lockstep to give a role to one of your groups",
        code="NoRole",
    )


def _taken(provider: ProviderRow, identity: Identity) -> LockstepError:
    return LockstepError(
        Kind.FORBIDDEN,
        f"A different Lockstep administrator already has the e-mail address {identity.email}",
        why="An e-mail address does not prove that this is the same person, so "
        f"{provider.name} cannot be used to sign in to that account",
        next_step="Sign in with your password. Or ask a Global administrator to remove the administrator who has this address, "
        "then sign in here again",
        code="EmailTaken",
    )
