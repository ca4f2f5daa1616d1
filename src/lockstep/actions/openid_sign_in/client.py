"""The application with a given client id, and its entries in the sign-in log."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from lockstep.actions.context import Context
from lockstep.actions.person_sign_in.outcomes import SignInCode, Visitor, note_application_sign_in
from lockstep.actions.single_sign_on.address import stored_address
from lockstep.actions.single_sign_on.claims import AssertionClaims, require_usable
from lockstep.actions.single_sign_on.issuing import claims_by
from lockstep.actions.single_sign_on.settings import settings_in
from lockstep.configuration.openid_connect import OpenIdSettings
from lockstep.configuration.single_sign_on import SignOnMode, SignOnSettings
from lockstep.openid.faults import OAuthFault, RefusalReason
from lockstep.openid.requests import ClientRules
from lockstep.postgres.pool import Connection, pipeline
from lockstep.storage import application_sso, applications

PROTOCOL = "oidc"


@dataclass(frozen=True, slots=True)
class OpenIdApplication:
    """An application that uses OpenID Connect. *id* is its client id. *issuer* is Lockstep's issuer identifier for this application."""

    id: str
    name: str
    display_name: str
    settings: SignOnSettings
    issuer: str
    salt: bytes = field(repr=False)

    @property
    def openid(self) -> OpenIdSettings:
        return self.settings.openid

    async def claims_about(self, context: Context, connection: Connection, person: str) -> AssertionClaims:
        """Return the present claims about the person with this id. Raises LockstepError if the person cannot sign in."""
        claims = await claims_by(context, connection, self.id, self.settings, person, salt=self.salt)
        require_usable(claims, self.name)
        return claims

    @property
    def rules(self) -> ClientRules:
        return ClientRules(self.openid.redirect_uris, self.openid.is_public, self.openid.needs_pkce)

    def sid_of(self, session: str) -> str:
        """Return the id of a session for this application. Each application gets a different id, so that two applications cannot find out
        that they share a session.
        """
        return hashlib.sha256(self.salt + b"session " + session.encode()).hexdigest()[:32]


async def issuer_of(context: Context, origin: str) -> str:
    """Return Lockstep's issuer identifier: the stored public address or, if none is stored, the *origin* at which the caller reaches
    Lockstep.
    """
    async with context.recording() as connection:
        return await stored_address(connection) or origin


async def application_of(context: Context, client_id: str, *, origin: str) -> OpenIdApplication | None:
    """Return the application with this client id, or None if there is none or its method is not OpenID Connect.

    The application may be switched off. It can then still revoke tokens and sign people out, but nobody can sign in to it.
    """
    try:
        wanted = str(UUID(client_id))
    except ValueError:
        return None
    if wanted != client_id:
        return None
    async with context.recording() as connection:
        async with pipeline(connection):  # all queries in one round trip
            row, found, address = await asyncio.gather(
                application_sso.read_sign_on(connection, wanted),
                applications.find_application(connection, wanted),
                stored_address(connection),
            )
        if row is None or found is None:
            return None
        settings = await settings_in(context, connection, found, row)
    if settings.mode is not SignOnMode.OIDC:
        return None
    return OpenIdApplication(found.id, found.name, found.display_name, settings, address or origin, row.pairwise_salt)


async def note(
    context: Context, visitor: Visitor, app: OpenIdApplication | None, *, person: str | None = None, person_display: str = "",
    code: SignInCode | RefusalReason | None = None, detail: str = "", methods: Sequence[str] = (), id: str | None = None,
) -> None:  # fmt: skip
    """Write one record to the sign-in log. A record without a *code* says that the sign-in succeeded. *id* is the id of the record, or None
    for a new one.
    """
    await note_application_sign_in(
        context, visitor, protocol=PROTOCOL, app=app.id if app else None, app_display=app.display_name if app else "",
        person=person, person_display=person_display, code=code, detail=detail, methods=methods, id=id,
    )  # fmt: skip


async def note_fault(
    context: Context, visitor: Visitor, app: OpenIdApplication | None, fault: OAuthFault, *, person: str | None = None,
    person_display: str = "",
) -> None:  # fmt: skip
    """Write to the sign-in log why a request was refused."""
    await note(
        context, visitor, app, person=person, person_display=person_display, code=fault.reason, detail=fault.detail
    )  # fmt: skip
