"""Set up the LDAP directory that checks people's passwords. The LDAP server receives the passwords, so its address must satisfy the same
rules as the addresses of applications.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.lookup import find_person
from lockstep.actions.permissions import Permission
from lockstep.actions.rows.ldap import ldap_json
from lockstep.configuration.files.ldap_sign_in import USUAL_ATTRIBUTE as USUAL_ATTRIBUTE
from lockstep.credentials.issued_secrets import new_secret
from lockstep.errors import LockstepError, conflict, invalid, not_found
from lockstep.http.outbound import OutboundRules
from lockstep.ldap.client import LdapEntry, LdapServer, find_entries, server_at
from lockstep.postgres.pool import Connection
from lockstep.storage import audit_log, person_credentials
from lockstep.storage import ldap_directory as store
from lockstep.storage.ldap_directory import LdapDirectory as LdapDirectory
from lockstep.vault import Secret

_PURPOSE, _OWNER = "password for LDAP", "directory"
_LONGEST = 1_000  # characters
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,100}|\d+(\.\d+)+")  # RFC 4512, section 1.4


@dataclass(frozen=True, slots=True)
class LdapChange:
    """The settings of an LDAP directory. *password* is the password of *bind_dn*. If it is None, the stored password is kept, provided that
    the address and *bind_dn* do not change.
    """

    url: str
    base_dn: str
    bind_dn: str
    attribute: str = USUAL_ATTRIBUTE
    ca: str = ""
    password: Secret | None = field(default=None, repr=False)
    starts_tls: bool = False
    login_attribute: str = ""


@needs(Permission.DIRECTORY_READ)
async def show_ldap(context: Context) -> LdapDirectory | None:
    """Return the settings without the password, or None if no directory is set up."""
    async with context.reading() as connection:
        found = await store.read_directory(connection)
    return _without_password(found) if found is not None else None


@needs(Permission.ORGANISATION_WRITE)
async def set_ldap(context: Context, change: LdapChange, *, seen: str = "") -> LdapDirectory:
    """Store the settings after one test request to the directory, and return them without the password. *seen* is the version that the
    caller has read; "" stands for the version that is stored when this call begins.

    Raises LockstepError if the directory does not respond, if it refuses the bind DN or the password, or if somebody has changed the
    settings since that version.
    """
    async with context.reading() as connection:
        before = await store.read_directory(connection)
    row = ldap_row(context, change, before)
    await find_entry(context, row, row.attribute, new_secret())
    async with context.recording() as connection:
        current = await store.lock_directory(connection)
        _refuse_change_since(current, seen or (before.version if before else ""))
        await save_ldap(context, connection, row, current)
        return _without_password(await store.read_directory(connection) or row)


def ldap_row(context: Context, change: LdapChange, before: LdapDirectory | None) -> LdapDirectory:
    """Return the row that *change* describes, with the password sealed.

    Raises LockstepError for invalid settings. Also raises it if the stored password would be used with a server or bind DN for which it was
    not entered.
    """
    check_change(context, change)
    password = change.password
    if password is None:
        is_kept = before is not None and (before.url, before.bind_dn) == (change.url, change.bind_dn)
        if before is None or not is_kept:
            raise invalid(f"The password of {change.bind_dn} is missing", next_step="Enter it")
        password = opened_password(context, before)
    sealed = context.vault.seal(password, purpose=_PURPOSE, name=_OWNER)
    return LdapDirectory(
        change.url, change.base_dn, change.attribute, change.bind_dn, sealed, change.ca, change.starts_tls,
        change.login_attribute,
    )  # fmt: skip


def check_change(context: Context, change: LdapChange) -> None:
    """Raise LockstepError if *change* has an error that can be detected without contacting the LDAP server."""
    _check(change)
    server_at(change.url, change.ca, admit=_admit(context, change.url), starts_tls=change.starts_tls)


async def save_ldap(context: Context, connection: Connection, row: LdapDirectory, before: LdapDirectory | None) -> None:
    await store.save_directory(connection, row, actor=context.actor.name)
    await audit_log.append(
        connection, actor=context.actor.name, activity="Set LDAP directory", target="People",
        before=ldap_json(before) if before else None, after=ldap_json(row),
    )  # fmt: skip


@needs(Permission.ORGANISATION_WRITE)
async def remove_ldap(context: Context) -> None:
    """Delete the settings and the password of the directory. People can then no longer sign in with it. Raises LockstepError if none is
    set up.
    """
    async with context.recording() as connection:
        before = await store.lock_directory(connection)
        if before is None:
            raise not_found("No LDAP directory is set up")
        await store.delete_directory(connection)
        setting = await person_credentials.read_setting(connection)
        off = replace(setting, has_ldap=False)
        await person_credentials.save_setting(connection, off, now=context.now(), actor=context.actor.name)
        await audit_log.append(
            connection,
            actor=context.actor.name,
            activity="Remove LDAP directory",
            target="People",
            before=ldap_json(before),
        )


@needs(Permission.ORGANISATION_WRITE)
async def find_in_ldap(context: Context, person: str) -> str:
    """Return the name of the directory's entry for *person*. Raises LockstepError if there is none, or if there are several."""
    async with context.reading() as connection:
        found, row = await find_person(connection, person), await store.read_directory(connection)
    if row is None:
        raise not_found("No LDAP directory is set up", next_step="Set it up: lockstep people sign-in ldap set --help")
    entries = await find_entry(context, row, row.attribute, found.user_principal_name)
    if len(entries) != 1:
        what = "Several entries have" if entries else "No entry has"
        raise not_found(f"{what} the {row.attribute} {found.user_principal_name} below {row.base_dn}")
    return entries[0].dn


async def find_entry(
    context: Context, row: LdapDirectory, attribute: str, value: str, *, wanted: str = ""
) -> list[LdapEntry]:
    """Return up to two entries whose *attribute* is *value*. Raises LockstepError if the directory cannot be queried."""
    return await find_entries(
        server_of(context, row), bind_dn=row.bind_dn, password=opened_password(context, row).reveal(), base=row.base_dn,
        attribute=attribute, value=value, wanted=wanted,
    )  # fmt: skip


def server_of(context: Context, row: LdapDirectory) -> LdapServer:
    return server_at(row.url, row.ca, admit=_admit(context, row.url), starts_tls=row.starts_tls)


def _admit(context: Context, url: str) -> Callable[..., None]:
    rules = context.http().rules if context.http is not None else OutboundRules()
    return partial(rules.check_address, scheme=url.partition("://")[0], what="directory")


def opened_password(context: Context, row: LdapDirectory) -> Secret:
    """Return the password of the bind DN. Raises LockstepError if the vault cannot decrypt it."""
    try:
        return context.vault.open(row.secret, purpose=_PURPOSE, name=_OWNER)
    except LockstepError as unreadable:
        raise LockstepError(
            unreadable.kind,
            "The password for the LDAP directory cannot be decrypted",
            why=unreadable.why,
            next_step="Enter it again: lockstep people sign-in ldap set --help",
            code="DirectoryUnreachable",
        ) from None


def _without_password(row: LdapDirectory) -> LdapDirectory:
    return replace(row, secret=b"")


def _refuse_change_since(current: LdapDirectory | None, seen: str) -> None:
    if seen and current is not None and current.version != seen:
        raise conflict(
            f"{current.changed_by} changed the LDAP directory in the meantime",
            why="This change was made after you opened the settings. Your changes are not saved",
            next_step="Review the current settings. To replace them, save again",
            code="ChangedInTheMeantime",
        )


def _check(change: LdapChange) -> None:
    for what, text in (("base DN", change.base_dn), ("bind DN", change.bind_dn)):
        if not text or len(text) > _LONGEST or not text.isprintable():
            raise invalid(
                f"The {what} is missing, too long, or has a control character",
                next_step="For example: dc=contoso,dc=com",
            )
    for attribute in (change.attribute, *([change.login_attribute] if change.login_attribute else ())):
        if not _ATTRIBUTE.fullmatch(attribute):
            raise invalid(
                f'"{attribute[:100]}" is not a valid LDAP attribute name',
                next_step=f"For example: {USUAL_ATTRIBUTE}, mail",
            )
