"""The check of `lockstep doctor` for the LDAP directory: its password, its response, and its certificate."""

from __future__ import annotations

from datetime import timedelta

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.health import HealthFinding, Level
from lockstep.actions.permissions import Permission
from lockstep.actions.person_sign_in.ldap_setup import find_entry, server_of
from lockstep.credentials.issued_secrets import new_secret
from lockstep.errors import LockstepError
from lockstep.ldap.client import certificate_end
from lockstep.storage import ldap_directory, person_credentials

_SOON = timedelta(days=30)
_NAME = "LDAP directory"


@needs(Permission.DIRECTORY_READ)
async def examine_ldap(context: Context) -> list[HealthFinding]:
    """Query the directory as a sign-in does, and check when its certificate expires. Returns no finding if no directory is set up. A failed
    query counts as an error if people sign in with the directory, otherwise as a warning.
    """
    async with context.reading() as connection:
        row = await ldap_directory.read_directory(connection)
        is_used = (await person_credentials.read_setting(connection)).has_ldap
    if row is None:
        return []
    failed = Level.FAIL if is_used else Level.WARN
    try:
        await find_entry(context, row, row.attribute, new_secret())
        end = await certificate_end(server_of(context, row))
    except LockstepError as wrong:
        return [HealthFinding(_NAME, failed, f"{wrong.detail}. {wrong.why}", wrong.next_step)]
    if end is not None and end - context.now() < _SOON:
        text = f"the certificate of {row.url} expires on {end:%Y-%m-%d}"
        return [HealthFinding(_NAME, Level.WARN, text, "Renew it; after that date nobody can sign in")]
    used = "people sign in with it" if is_used else "people do not sign in with it"
    valid = f"; its certificate is valid until {end:%Y-%m-%d}" if end is not None else ""
    return [HealthFinding(_NAME, Level.OK, f"{row.url} answers{valid}; {used}")]
