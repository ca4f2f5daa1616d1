"""Determine the effect of a change of single sign-on before it is made: how many people it would interrupt, and what would no longer work.

The sign-in log shows how many people signed in lately, but not through which redirect URI. The number of people who use a particular
redirect URI is therefore unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.lookup import find_application
from lockstep.actions.permissions import Permission
from lockstep.actions.single_sign_on.settings import changed_settings, read_settings
from lockstep.configuration.openid_connect import OpenIdSettings
from lockstep.configuration.single_sign_on import SignOnMode, SignOnSettings
from lockstep.storage import client_secrets, openid_grants, sign_in_log
from lockstep.wording import counted

LATELY = timedelta(days=30)
_METHOD = {SignOnMode.SAML: "SAML", SignOnMode.OIDC: "OpenID Connect"}


@dataclass(frozen=True, slots=True)
class Interruption:
    """The interruption that a change would cause. *sentences* is empty if nobody would notice the change, because nobody signed in lately
    or everything continues to work.
    """

    sentences: tuple[str, ...] = ()
    people: int = 0

    @property
    def who(self) -> str:
        return f"{counted(self.people, 'person')} signed in during the last {LATELY.days} days."


@needs(Permission.SIGN_ON_WRITE, app="app")
async def foresee_interruption(context: Context, app: str, changes: Mapping[str, Any]) -> Interruption:
    """Return the interruption that *changes* of the section `singleSignOn` would cause. Changes nothing. Raises LockstepError for a
    mistake, as the change itself would.
    """
    async with context.reading() as connection:
        found = await find_application(connection, app)
        before = await read_settings(context, connection, found)
        after = changed_settings(before, changes)
        if before.mode not in _METHOD:
            return Interruption()
        since = context.now() - LATELY
        people = await sign_in_log.people_signed_in(connection, found.id, protocol=before.mode.value, since=since)
        if not people:
            return Interruption()
        secrets = await client_secrets.read_secrets(connection, found.id)
        signed_in = await openid_grants.people_signed_in(connection, found.id)
    valid = sum(one.expires_at > context.now() for one in secrets)
    return Interruption(tuple(_sentences(found.display_name, before, after, valid=valid, signed_in=signed_in)), people)


def _sentences(
    name: str, before: SignOnSettings, after: SignOnSettings, *, valid: int, signed_in: int
) -> list[str]:  # fmt: skip
    if after.mode is not before.mode:
        found = [f"Nobody can sign in to {name} by {_METHOD[before.mode]} any longer."]
        if before.mode is SignOnMode.OIDC and signed_in:
            found.append(f"The tokens that {name} has for {counted(signed_in, 'person')} are refused.")
        return found
    if before.mode is not SignOnMode.OIDC:
        return []
    return _of_openid(name, before.openid, after.openid, valid=valid)


def _of_openid(name: str, before: OpenIdSettings, after: OpenIdSettings, *, valid: int) -> list[str]:
    found = [
        f"A sign-in with the redirect URI {uri} is refused, because it is no longer registered."
        for uri in before.redirect_uris
        if uri not in after.redirect_uris
    ]
    found += [
        f"Signing out with {uri} ends on an error page, because this post-logout redirect URI is no longer registered."
        for uri in before.post_logout_uris
        if uri not in after.post_logout_uris
    ]
    if before.back_channel_logout_url and not after.back_channel_logout_url:
        found.append(f"{name} is no longer notified when somebody signs out or is disabled.")
    if after.is_public and not before.is_public and valid:
        found.append(f"{counted(valid, 'client secret')} of {name} stop working, because a public client has none.")
    if before.is_public and not after.is_public and not valid:
        found.append(f"{name} gets no tokens until it has a client secret.")
    if (after.is_public or after.needs_pkce) and not (before.is_public or before.needs_pkce):
        found.append("Requests without PKCE are refused.")
    return found
