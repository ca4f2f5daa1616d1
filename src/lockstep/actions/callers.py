"""Who is calling: an administrator with a session or a token, and what the roles of this administrator permit at present."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lockstep.actions.context import Actor
from lockstep.actions.permissions import IN_ONE_APPLICATION, Role, permissions_of
from lockstep.storage.administrators import AdministratorRow, RoleGrant


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who has proved who they are. *actor* is what actions are called with.

    *session* and *token* are ids. With a token, *session* and *csrf_secret* are "", and *email* is that of the owner, or "" for a service
    token.
    *stepped_up_at* is when the password was last entered. Who *is_federated* has none here and proves that to the provider.
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
        """What tells this caller from others: the session or the token."""
        return self.session or self.token


def actor_of(
    administrator: AdministratorRow, grants: Sequence[RoleGrant], *, name: str = "", is_stepped_up: bool = True
) -> Actor:
    """The actor for an administrator with these roles."""
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
    """*actor* with no other permissions than the *scopes* of a token."""
    allowed = frozenset(scopes)
    return Actor(
        actor.name,
        permissions=actor.permissions & allowed,
        own_permissions=actor.own_permissions & allowed,
        own_applications=actor.own_applications,
        administrator=actor.administrator,
    )
