"""The ways in which people of the directory may sign in, and the contact that the sign-in page shows to people who need help."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from lockstep.actions.access import needs, open_to_all
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.errors import invalid
from lockstep.storage import audit_log, identity_providers, ldap_directory
from lockstep.storage import person_credentials as store
from lockstep.storage.person_credentials import SignInSetting as SignInSetting

_LONGEST_CONTACT = 200


@dataclass(frozen=True, slots=True)
class WaysToSignIn:
    """The ways to sign in that the sign-in page offers. *provider* is the name in "Sign in with NAME", or "" if people cannot sign in
    through a provider.
    """

    has_password: bool
    provider: str
    contact: str


@open_to_all
async def ways_to_sign_in(context: Context) -> WaysToSignIn:
    """Return the ways to sign in that the sign-in page offers."""
    async with context.recording() as connection:
        setting = await store.read_setting(connection)
        row = await identity_providers.read_provider(connection) if setting.has_provider else None
    return WaysToSignIn(setting.has_password or setting.has_ldap, row.name if row else "", setting.contact)


@needs(Permission.DIRECTORY_READ)
async def show_sign_in_setting(context: Context) -> SignInSetting:
    """Return the stored setting that says how people may sign in."""
    async with context.reading() as connection:
        return await store.read_setting(connection)


@needs(Permission.ORGANISATION_WRITE)
async def change_sign_in_setting(
    context: Context,
    *,
    has_password: bool | None = None,
    has_provider: bool | None = None,
    needs_second_factor: bool | None = None,
    contact: str | None = None,
    has_ldap: bool | None = None,
) -> SignInSetting:
    """Change the given settings. Existing sessions continue. Raises LockstepError for an unusable contact. Also raises it if the settings
    allow sign-in through a provider or an LDAP directory that is not set up.
    """
    given: dict[str, Any] = {
        "has_password": has_password,
        "has_provider": has_provider,
        "needs_second_factor": needs_second_factor,
        "contact": contact.strip() if contact is not None else None,
        "has_ldap": has_ldap,
    }
    changed = {name: value for name, value in given.items() if value is not None}
    if contact is not None and (len(contact.strip()) > _LONGEST_CONTACT or not contact.strip().isprintable()):
        raise invalid(f"The contact is longer than {_LONGEST_CONTACT} characters, or contains a control character")
    async with context.recording() as connection:
        before = await store.read_setting(connection)
        after = replace(before, **changed)
        if after.has_provider and await identity_providers.read_provider(connection) is None:
            raise invalid(
                "No identity provider is set up",
                next_step="Set it up: lockstep admins sso set --help",
            )
        if after.has_ldap and await ldap_directory.read_directory(connection) is None:
            raise invalid(
                "No LDAP directory is set up",
                next_step="Set it up: lockstep people sign-in ldap set --help",
            )
        if after != before:
            await store.save_setting(connection, after, now=context.now(), actor=context.actor.name)
            await audit_log.append(
                connection,
                actor=context.actor.name,
                activity="Change sign-in of people",
                target="People",
                before={name: getattr(before, name) for name in changed},
                after=changed,
            )
    return after
