"""Decide who may reset the sign-in of a person who is also an administrator.

A caller who creates a sign-in link for a person, or removes the second factor, can then act as that person in every application. For people
who are not administrators, the help desk may do both.
"""

from __future__ import annotations

from collections.abc import Iterable

from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission, roles_with
from lockstep.errors import Kind, LockstepError
from lockstep.postgres.pool import Connection
from lockstep.storage import administrators
from lockstep.storage.people import PersonRow


async def refuse_for_administrators(context: Context, connection: Connection, person: PersonRow) -> None:
    """Raise LockstepError if *person* has the name or an address of an administrator and the caller may not change administrators."""
    if context.actor.everywhere(Permission.ADMINISTRATORS_WRITE):
        return
    if await administrators.any_of(connection, list(_addresses(person))):
        raise LockstepError(
            Kind.FORBIDDEN,
            f"{context.actor.name} is not allowed to do this for {person.user_principal_name}",
            why=f"{person.display} is an administrator of Lockstep, so this could be used to gain an administrator's rights",
            next_step=f"Ask a {' or '.join(roles_with(Permission.ADMINISTRATORS_WRITE))}",
            code="PersonIsAdministrator",
        )


def _addresses(person: PersonRow) -> Iterable[str]:
    yield person.user_principal_name.lower()
    for name in ("mail", "otherMails", "proxyAddresses"):
        value = person.attributes.get(name) or ()
        for one in (value,) if isinstance(value, str) else value:
            yield str(one).lower().removeprefix("smtp:")
