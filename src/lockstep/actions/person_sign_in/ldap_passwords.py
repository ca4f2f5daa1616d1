"""The LDAP directory whose passwords people sign in with: set it up, and ask it about one password.

An entry is found by the person's own user principal name and never by what was typed, and its name is what the directory calls it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.lookup import find_person
from lockstep.actions.permissions import Permission
from lockstep.actions.person_sign_in.outcomes import SignInCode
from lockstep.credentials.issued_secrets import new_secret
from lockstep.errors import LockstepError, invalid, not_found
from lockstep.ldap.client import LdapServer, bind, find_names, server_at
from lockstep.ldap.messages import INVALID_CREDENTIALS
from lockstep.storage import audit_log, person_credentials
from lockstep.storage import ldap_directory as store
from lockstep.storage.ldap_directory import LdapDirectory as LdapDirectory
from lockstep.storage.person_credentials import PersonCredential
from lockstep.vault import Secret

USUAL_ATTRIBUTE = "userPrincipalName"
_PURPOSE, _OWNER = "password for LDAP", "directory"
_LONGEST, _LONGEST_PASSWORD = 1_000, 256  # characters
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,100}|\d+(\.\d+)+")  # RFC 4512, section 1.4
_AD_DATA = re.compile(r"\bdata ([0-9a-f]{3,4})\b")
# What Active Directory adds to "invalid credentials".
_AD_REASONS: Mapping[str, str] = {
    "530": "the account may not sign in at this time",
    "531": "the account may not sign in from here",
    "532": "the password has expired",
    "533": "the account is disabled there",
    "701": "the account has expired there",
    "773": "the password must be changed before the first sign-in",
    "775": "the account is locked there",
}


@dataclass(frozen=True, slots=True)
class LdapChange:
    """How the directory is asked. *password* is that of *bind_dn*; None keeps the stored one if the address and the name stay."""

    url: str
    base_dn: str
    bind_dn: str
    attribute: str = USUAL_ATTRIBUTE
    ca: str = ""
    password: Secret | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class LdapVerdict:
    """What the directory says. Without an entry the person may have a local password. *code* and *detail* are for the log."""

    has_entry: bool
    is_right: bool = False
    code: SignInCode = SignInCode.WRONG_PASSWORD
    detail: str = ""


NO_ENTRY = LdapVerdict(has_entry=False)


@needs(Permission.DIRECTORY_READ)
async def show_ldap(context: Context) -> LdapDirectory | None:
    """The directory, with its password sealed; None if none is set up."""
    async with context.reading() as connection:
        return await store.read_directory(connection)


@needs(Permission.ORGANISATION_WRITE)
async def set_ldap(context: Context, change: LdapChange) -> LdapDirectory:
    """Set the directory up, after asking it once. Raises LockstepError if it does not answer, or refuses the name and password."""
    _check(change)
    server = server_at(change.url, change.ca)
    async with context.reading() as connection:
        before = await store.read_directory(connection)
    password = change.password
    if password is None:
        is_kept = before is not None and (before.url, before.bind_dn) == (change.url, change.bind_dn)
        if before is None or not is_kept:  # a password must not be sent to a server that it was not entered for
            raise invalid(f"The password of {change.bind_dn} is missing", next_step="Enter it")
        password = _opened(context, before)
    await find_names(
        server, bind_dn=change.bind_dn, password=password.reveal(), base=change.base_dn, attribute=change.attribute, value=new_secret()
    )  # fmt: skip
    row = LdapDirectory(
        change.url, change.base_dn, change.attribute, change.bind_dn,
        context.vault.seal(password, purpose=_PURPOSE, name=_OWNER), change.ca,
    )  # fmt: skip
    async with context.recording() as connection:
        await store.save_directory(connection, row, actor=context.actor.name)
        await audit_log.append(
            connection, actor=context.actor.name, activity="Set LDAP directory", target="People",
            before=_shown(before), after=_shown(row),
        )  # fmt: skip
    return row


@needs(Permission.ORGANISATION_WRITE)
async def remove_ldap(context: Context) -> None:
    """Forget the directory and its password; people do not sign in with it any more. Raises LockstepError if none is set up."""
    async with context.recording() as connection:
        before = await store.read_directory(connection)
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
            before=_shown(before),
        )


@needs(Permission.ORGANISATION_WRITE)
async def find_in_ldap(context: Context, person: str) -> str:
    """The name of the entry of *person* in the directory. Raises LockstepError if there is none, or several."""
    async with context.reading() as connection:
        found, row = await find_person(connection, person), await store.read_directory(connection)
    if row is None:
        raise not_found("No LDAP directory is set up", next_step="Set it up: lockstep people sign-in ldap set --help")
    names = await _names(context, row, found.user_principal_name)
    if len(names) != 1:
        what = "Several entries have" if names else "No entry has"
        raise not_found(f"{what} the {row.attribute} {found.user_principal_name} below {row.base_dn}")
    return names[0]


async def verify_in_ldap(context: Context, found: PersonCredential | None, password: str) -> LdapVerdict:
    """Whether *password* is that of the person's entry. Each question costs the same, whether or not there is a person and an entry.

    Raises LockstepError if the directory cannot be asked.
    """
    async with context.recording() as connection:
        row = await store.read_directory(connection)
    if row is None or not password or len(password) > _LONGEST_PASSWORD:
        return NO_ENTRY
    names = await _names(context, row, found.user_principal_name if found else new_secret())
    is_one = len(names) == 1 and bool(names[0])
    answer = await bind(_server(row), names[0] if is_one else f"cn={new_secret()},{row.base_dn}", password)
    if not is_one:
        return NO_ENTRY
    if answer.is_right:
        return LdapVerdict(has_entry=True, is_right=True)
    known = _AD_DATA.search(answer.text)
    reason = _AD_REASONS.get(known[1], "") if known else ""
    if answer.code == INVALID_CREDENTIALS and not reason:
        return LdapVerdict(has_entry=True)
    detail = f"The directory refuses {names[0]} (result {answer.code}): {reason or answer.text[:200]}"
    return LdapVerdict(has_entry=True, code=SignInCode.DIRECTORY_REFUSED, detail=detail)


async def _names(context: Context, row: LdapDirectory, user_principal_name: str) -> list[str]:
    return await find_names(
        _server(row), bind_dn=row.bind_dn, password=_opened(context, row).reveal(), base=row.base_dn,
        attribute=row.attribute, value=user_principal_name,
    )  # fmt: skip


def _server(row: LdapDirectory) -> LdapServer:
    return server_at(row.url, row.ca)


def _opened(context: Context, row: LdapDirectory) -> Secret:
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


def _check(change: LdapChange) -> None:
    for what, text in (("base DN", change.base_dn), ("bind DN", change.bind_dn)):
        if not text or len(text) > _LONGEST or not text.isprintable():
            raise invalid(
                f"The {what} is missing, too long, or has a control character",
                next_step="For example: dc=contoso,dc=com",
            )
    if not _ATTRIBUTE.fullmatch(change.attribute):
        raise invalid(
            f'"{change.attribute[:100]}" is no LDAP attribute', next_step=f"For example: {USUAL_ATTRIBUTE}, mail"
        )


def _shown(row: LdapDirectory | None) -> dict[str, str] | None:
    if row is None:
        return None
    return {"url": row.url, "baseDn": row.base_dn, "attribute": row.attribute, "bindDn": row.bind_dn}
