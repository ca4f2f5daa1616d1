"""Plan and store the section `ldapSignIn` of configuration files: the LDAP directory against which people's passwords are checked.

The stored password belongs to one address and one bind DN. A file with a different address or bind DN must refer to a password of its
own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.configuration_application import Resolve
from lockstep.actions.configuration_plan import DocumentPlan
from lockstep.actions.context import Context
from lockstep.actions.credentials import MASK
from lockstep.actions.permissions import Permission
from lockstep.actions.person_sign_in.ldap_setup import (
    LdapChange,
    check_change,
    find_entry,
    ldap_row,
    opened_password,
    save_ldap,
)
from lockstep.actions.person_sign_in.setting import change_sign_in_setting
from lockstep.actions.rows.ldap import ldap_json
from lockstep.configuration.document.strict_json import Json, Part
from lockstep.configuration.files.change import ConfigChange, Sign
from lockstep.configuration.files.file import ConfigDocument
from lockstep.configuration.files.ldap_sign_in import PASSWORD, SECTION, ldap_sign_in_from_json
from lockstep.credentials.issued_secrets import new_secret
from lockstep.errors import LockstepError, conflict, invalid
from lockstep.postgres.pool import Connection
from lockstep.storage import ldap_directory as store
from lockstep.storage import person_credentials
from lockstep.storage.ldap_directory import LdapDirectory
from lockstep.vault import Secret

EXPORTED_REFERENCE = "env:LDAP_BIND_PASSWORD"


async def ldap_spec(connection: Connection) -> Json:
    """Return the stored settings as sections of a tenant's spec, without the reference to the password. Empty if no directory is set up."""
    row = await store.read_directory(connection)
    return {SECTION: await _spec_of(connection, row)} if row is not None else {}


async def plan_ldap(
    context: Context, connection: Connection, document: ConfigDocument, resolve: Resolve
) -> tuple[list[ConfigChange], list[str]]:
    """Return two lists: the change of the password, and the notes. Neither contains a password. Raises LockstepError with the place in the
    file if the section cannot be applied.
    """
    section = document.spec.get(SECTION)
    if section is None:
        return [], []
    context.actor.require(Permission.DIRECTORY_READ)
    before = await store.read_directory(connection)
    try:
        check_change(context, _change(section, None))
    except LockstepError as refused:
        raise document.wrong(f"spec.{SECTION}", refused) from None
    reference, is_kept = section.get(PASSWORD), _belongs(before, section)
    password = resolve(reference) if reference else None
    if reference is None and not is_kept:
        raise _missing(document)
    if password is None:
        then = "the stored password is kept" if is_kept else "apply would be refused"
        notes = [f"{reference} is not set in this environment: {then}."] if reference else []
        return ([] if is_kept else [_password_change(document, before)]), notes
    if is_kept:
        context.actor.require(Permission.ORGANISATION_WRITE)
        if _is_stored(context, before, password):
            return [], []
    return [_password_change(document, before)], []


async def ask_ldap(context: Context, documents: Sequence[ConfigDocument], resolve: Resolve) -> None:
    """Send one test request to the LDAP directory that *documents* describe. Sends nothing in three cases: people will not sign in with
    this directory, neither its settings nor its password change, or the context is a rehearsal.

    Raises LockstepError if the directory does not respond or refuses the request. Call this before the transaction that makes the changes,
    because the directory may take seconds to respond.
    """
    section, document = next(((one.spec[SECTION], one) for one in documents if SECTION in one.spec), (None, None))
    if section is None or document is None or not section["enabled"] or context.rehearsal is not None:
        return
    context.actor.require(Permission.ORGANISATION_WRITE)
    async with context.reading() as connection:
        before = await store.read_directory(connection)
        stored = await _spec_of(connection, before) if before else None
    password = _given(document, resolve, before)
    if stored == _shown(section) and (password is None or _is_stored(context, before, password)):
        return
    try:
        row = ldap_row(context, _change(section, password), before)
        await find_entry(context, row, row.attribute, new_secret())
    except LockstepError as refused:
        refused.why = "; ".join(part for part in (refused.why, "Nothing was changed") if part)
        raise document.wrong(f"spec.{SECTION}", refused) from None


@needs(Permission.ORGANISATION_WRITE)
async def apply_ldap(context: Context, plan: DocumentPlan, resolve: Resolve) -> None:
    """Store the settings of the LDAP directory, including whether people sign in with it. Raises LockstepError if somebody has changed the
    settings since the plan was made.
    """
    changed = {one.place for one in plan.changes if one.place.partition(".")[0] == SECTION}
    if not changed:
        return
    section = plan.document.spec[SECTION]
    async with context.recording() as connection:
        before = await store.lock_directory(connection)
        if (await _spec_of(connection, before) if before else None) != plan.current.get(SECTION):
            raise conflict(
                "The LDAP directory has changed since this plan was created",
                next_step="Review the changes again: lockstep plan FILES",
                code="StalePlan",
            )
        if changed != {f"{SECTION}.enabled"}:
            row = ldap_row(context, _change(section, _given(plan.document, resolve, before)), before)
            await save_ldap(context, connection, row, before)
        await change_sign_in_setting(context, has_ldap=section["enabled"])


async def _spec_of(connection: Connection, row: LdapDirectory) -> Json:
    setting = await person_credentials.read_setting(connection)
    return ldap_sign_in_from_json(Part({**ldap_json(row), "enabled": setting.has_ldap}, SECTION))


def _change(section: Mapping[str, Any], password: Secret | None) -> LdapChange:
    return LdapChange(
        section["url"], section["baseDn"], section["bindDn"], section["attribute"], section.get("ca", ""), password,
        section.get("startTls", False), section.get("loginAttribute", ""),
    )  # fmt: skip


def _given(document: ConfigDocument, resolve: Resolve, before: LdapDirectory | None) -> Secret | None:
    """Return the password that the file refers to, or None if the stored password is kept. Raises LockstepError if the file gives no
    password and the stored password was entered for another server or bind DN.
    """
    reference = document.spec[SECTION].get(PASSWORD)
    password = resolve(reference) if reference else None
    if password is None and not _belongs(before, document.spec[SECTION]):
        if reference is None:
            raise _missing(document)
        error = invalid(
            f"{reference} is not set or empty",
            next_step="Set it, or enter the password: lockstep people sign-in ldap set --help",
        )
        raise document.wrong(f"spec.{SECTION}.{PASSWORD}", error)
    return password


def _missing(document: ConfigDocument) -> LockstepError:
    error = invalid(
        f"The password of {document.spec[SECTION]['bindDn']} is missing",
        next_step=f"Refer to it: {PASSWORD}: {EXPORTED_REFERENCE}",
    )
    return document.wrong(f"spec.{SECTION}", error)


def _belongs(before: LdapDirectory | None, section: Mapping[str, Any]) -> bool:
    """Whether the stored password was entered for the server and the bind DN of *section*."""
    return before is not None and (before.url, before.bind_dn) == (section["url"], section["bindDn"])


def _is_stored(context: Context, before: LdapDirectory | None, password: Secret) -> bool:
    try:
        return before is not None and opened_password(context, before) == password
    except LockstepError:  # it cannot be decrypted, so it is replaced
        return False


def _password_change(document: ConfigDocument, before: LdapDirectory | None) -> ConfigChange:
    sign, old = (Sign.CHANGE, MASK) if before else (Sign.ADD, None)
    place = f"{SECTION}.{PASSWORD}"
    return ConfigChange(sign, document.title, place, old=old, new=document.spec[SECTION][PASSWORD])


def _shown(section: Mapping[str, Any]) -> Json:
    return {key: value for key, value in section.items() if key != PASSWORD}
