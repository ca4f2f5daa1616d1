"""The caller of an action: an administrator with a session or a token, with the permissions that the caller's roles give now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lockstep.actions.context import Actor
from lockstep.actions.permissions import IN_ONE_APPLICATION, Role, permissions_of
from lockstep.storage.administrators import AdministratorRow, RoleGrant


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller. *actor* has the permissions with which actions are called. *session* and *token* are ids.

    For a token, *session* and *csrf_secret* are "", and *email* is the address of the token's owner ("" for a service token).
    *stepped_up_at* is the time at which the caller last entered credentials. If *is_federated* is true, the caller has no password in
    Lockstep, and enters the credentials at the identity provider.
    """

    actor: Actor
    email: str
    display_name: str
    signed_in_at: datetime
    stepped_up_at: datetime
    expires_at: datetime
    session: str = ""
    token: str = ""
    csrf_secret: str = field(default="", repr=False)
    is_federated: bool = False

    @property
    def key(self) -> str:
        """Return the id of the session or of the token that identifies this caller."""
        return self.session or self.token


def actor_of(
    administrator: AdministratorRow, grants: Sequence[RoleGrant], *, name: str = "", is_stepped_up: bool = True
) -> Actor:
    """Return the actor for *administrator* with the roles in *grants*."""
    everywhere = permissions_of(Role(grant.role) for grant in grants if grant.app is None)
    owned = frozenset(grant.app for grant in grants if grant.app is not None)
    of_owners = permissions_of([Role.APPLICATION_OWNER]) if owned else frozenset()
    return Actor(
        name or administrator.email,
        permissions=everywhere | (of_owners - IN_ONE_APPLICATION),
        own_permissions=of_owners & IN_ONE_APPLICATION,
        own_applications=owned,
        administrator=administrator.id,
        is_stepped_up=is_stepped_up,
    )


def limited(actor: Actor, scopes: Collection[str]) -> Actor:
    """Return *actor* with its permissions limited to *scopes*, the scopes of a token."""
    allowed = frozenset(scopes)
    return Actor(
        actor.name,
        permissions=actor.permissions & allowed,
        own_permissions=actor.own_permissions & allowed,
        own_applications=actor.own_applications,
        administrator=actor.administrator,
    )
