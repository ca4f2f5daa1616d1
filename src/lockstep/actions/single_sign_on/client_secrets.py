"""The client secrets of an application. Each is shown once. Two can be valid at a time, so that an application can change its secret
without interruption.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.lookup import find_application
from lockstep.actions.permissions import Permission
from lockstep.actions.single_sign_on.settings import read_settings
from lockstep.configuration.single_sign_on import SignOnMode
from lockstep.credentials.issued_secrets import hash_of, new_secret
from lockstep.errors import conflict, invalid, not_found
from lockstep.storage import audit_log, client_secrets
from lockstep.storage.client_secrets import ClientSecretRow as ClientSecretRow
from lockstep.storage.locks import lock_sign_on
from lockstep.wording import counted

MOST_SECRETS, USUAL_DAYS, MOST_DAYS = 5, 365, 730
_LONGEST_DESCRIPTION, _HINT = 100, 4  # characters


@dataclass(frozen=True, slots=True)
class NewClientSecret:
    """A client secret that was just created. Its value is available only here."""

    secret: str = field(repr=False)
    row: ClientSecretRow


@needs(Permission.APPLICATIONS_READ, app="app")
async def list_client_secrets(context: Context, app: str) -> list[ClientSecretRow]:
    """Return the client secrets without their values, newest first."""
    async with context.reading() as connection:
        return await client_secrets.read_secrets(connection, (await find_application(connection, app)).id)


@needs(Permission.SIGN_ON_WRITE, app="app")
async def add_client_secret(
    context: Context, app: str, description: str = "", *, days: int = USUAL_DAYS
) -> NewClientSecret:
    """Create a client secret that is valid for *days* days, in addition to the existing ones.

    Raises LockstepError for a public client, or if the application has too many secrets.
    """
    text = description.strip()
    if not 1 <= days <= MOST_DAYS:
        raise invalid(f"A client secret is valid for 1 to {MOST_DAYS} days", next_step="Choose a number in this range")
    if len(text) > _LONGEST_DESCRIPTION or not text.isprintable():
        raise invalid(
            f"The description is longer than {_LONGEST_DESCRIPTION} characters, or contains a control character"
        )
    secret, now = new_secret(), context.now()
    async with context.recording() as connection:
        found = await find_application(connection, app)
        await lock_sign_on(connection, found.id)
        settings = await read_settings(context, connection, found)
        if settings.mode is not SignOnMode.OIDC or settings.openid.is_public:
            raise conflict(
                f"{found.display_name} does not use client secrets",
                why="Its method is not OpenID Connect, or it is a public client",
                next_step=f"See: lockstep sso oidc {found.name} --redirect-uri URL",
            )
        known = await client_secrets.read_secrets(connection, found.id)
        if len(known) >= MOST_SECRETS:
            raise conflict(
                f"{found.display_name} already has {counted(len(known), 'client secret')}, the maximum",
                next_step=f"Remove one: lockstep sso secrets remove {found.name} ID",
            )
        await client_secrets.insert_secret(
            connection, found.id, hash_of(secret), hint=secret[:_HINT], description=text, now=now,
            expires_at=now + timedelta(days=days), actor=context.actor.name,
        )  # fmt: skip
        before = {row.id for row in known}
        row = next(one for one in await client_secrets.read_secrets(connection, found.id) if one.id not in before)
        await audit_log.append(
            connection, actor=context.actor.name, activity="Add client secret", target=found.name,
            after={"id": row.id, "description": text, "expires": row.expires_at.isoformat()},
        )  # fmt: skip
    return NewClientSecret(secret, row)


@needs(Permission.SIGN_ON_WRITE, app="app")
async def remove_client_secret(context: Context, app: str, secret: str) -> list[ClientSecretRow]:
    """Remove a client secret by its id or the beginning of its id. Programs that use the secret are refused at once.

    Raises LockstepError if the secret is unknown.
    """
    async with context.recording() as connection:
        found = await find_application(connection, app)
        known = await client_secrets.read_secrets(connection, found.id)
        begins = secret.strip().lower()
        matching = [one for one in known if begins and one.id.startswith(begins)]
        if len(matching) != 1:
            raise not_found(
                f'{len(matching) or "No"} client secrets of {found.display_name} begin with "{secret[:40]}"',
                next_step=f"See: lockstep sso secrets list {found.name}",
            )
        await client_secrets.delete_secret(connection, found.id, matching[0].id)
        await audit_log.append(
            connection, actor=context.actor.name, activity="Remove client secret", target=found.name,
            before={"id": matching[0].id, "description": matching[0].description},
        )  # fmt: skip
        return await client_secrets.read_secrets(connection, found.id)
