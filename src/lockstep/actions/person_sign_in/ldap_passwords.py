"""Query the LDAP directory for a person's entry, and check the password.

An entry is found by the person's stored user principal name, never by the typed name. The bind uses the entry's name as the directory
returns it. The typed name is only compared with login names, to find the user principal name of the entry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lockstep.actions.context import Context
from lockstep.actions.person_sign_in.ldap_setup import find_entry, server_of
from lockstep.actions.person_sign_in.outcomes import SignInCode
from lockstep.credentials.issued_secrets import new_secret
from lockstep.ldap.client import bind
from lockstep.ldap.messages import INVALID_CREDENTIALS
from lockstep.storage import ldap_directory as store
from lockstep.storage.person_credentials import PersonCredential

_LONGEST_PASSWORD = 256  # characters
_AD_DATA = re.compile(r"\bdata ([0-9a-f]{3,4})\b")
# Codes that Active Directory adds to the error "invalid credentials".
_AD_REASONS: Mapping[str, str] = {
    "530": "the account may not sign in at this time of day",
    "531": "the account may not sign in from this machine",
    "532": "the password has expired",
    "533": "the account is disabled in the LDAP directory",
    "701": "the account has expired in the LDAP directory",
    "773": "the password must be changed before the first sign-in",
    "775": "the account is locked in the LDAP directory",
}


@dataclass(frozen=True, slots=True)
class LdapVerdict:
    """The response of the directory. A person without an entry may have a local password. *code* and *detail* are for the log."""

    has_entry: bool
    is_right: bool = False
    code: SignInCode = SignInCode.WRONG_PASSWORD
    detail: str = ""


NO_ENTRY = LdapVerdict(has_entry=False)


async def name_in_ldap(context: Context, typed: str) -> str:
    """Return the user principal name of the entry whose login name is *typed*. Returns "" if there is no such entry or more than one, or if
    login names are switched off.

    Raises LockstepError if the directory cannot be queried.
    """
    async with context.recording() as connection:
        row = await store.read_directory(connection)
    if row is None or not row.login_attribute or not typed:
        return ""
    entries = await find_entry(context, row, row.login_attribute, without_domain(typed), wanted=row.attribute)
    values = entries[0].values if len(entries) == 1 else ()
    return values[0] if len(values) == 1 else ""


def without_domain(typed: str) -> str:
    """Return the name without a preceding domain, as in CONTOSO\\anna."""
    return typed.rpartition("\\")[2]


async def verify_in_ldap(context: Context, found: PersonCredential | None, password: str) -> LdapVerdict:
    """Check whether *password* is the password of the person's entry. The queries take the same time, whether or not the person and the
    entry exist.

    Raises LockstepError if the directory cannot be queried.
    """
    async with context.recording() as connection:
        row = await store.read_directory(connection)
    if row is None or not password or len(password) > _LONGEST_PASSWORD:
        return NO_ENTRY
    entries = await find_entry(context, row, row.attribute, found.user_principal_name if found else new_secret())
    is_one = len(entries) == 1 and bool(entries[0].dn)
    name = entries[0].dn if is_one else f"cn={new_secret()},{row.base_dn}"
    answer = await bind(server_of(context, row), name, password)
    if len(entries) > 1:
        # The sign-in fails whatever the password is, even a local one, because the person has entries in the directory.
        detail = f"Several entries have the {row.attribute} {found.user_principal_name if found else ''}"
        return LdapVerdict(has_entry=True, code=SignInCode.DIRECTORY_REFUSED, detail=detail)
    if not is_one:
        return NO_ENTRY
    if answer.is_right:
        return LdapVerdict(has_entry=True, is_right=True)
    known = _AD_DATA.search(answer.text)
    reason = _AD_REASONS.get(known[1], "") if known else ""
    if answer.code == INVALID_CREDENTIALS and not reason:
        return LdapVerdict(has_entry=True)
    detail = f"The directory refuses {name} (result {answer.code}): {reason or answer.text[:200]}"
    return LdapVerdict(has_entry=True, code=SignInCode.DIRECTORY_REFUSED, detail=detail)
