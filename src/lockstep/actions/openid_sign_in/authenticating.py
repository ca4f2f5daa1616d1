"""Determine which application sends a request to the token endpoint, and check its client secret.

Wrong client secrets lead to growing delays. Failures are counted for each network address, and for each client at each network address.
Failures at other addresses therefore cannot lock a client out.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from lockstep.actions.context import Context
from lockstep.actions.openid_sign_in.client import OpenIdApplication, application_of
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.credentials import lockout
from lockstep.credentials.attempts import network_of, too_many_failures
from lockstep.credentials.failed_attempts import locked_until
from lockstep.credentials.issued_secrets import hash_of
from lockstep.errors import LockstepError
from lockstep.openid.clients import PresentedClient, presented_client, require_genuine, unknown_client
from lockstep.openid.faults import OAuthFault, RefusalReason
from lockstep.postgres.pool import Connection
from lockstep.storage import client_secrets


async def authenticated(
    context: Context, authorization: str, form: Mapping[str, str], *, visitor: Visitor, origin: str
) -> OpenIdApplication:
    """Return the application that sent *form*. Raises OAuthFault if the application is unknown or its client secret is wrong. Raises
    LockstepError while requests are delayed because of earlier failures.
    """
    presented = presented_client(authorization, form)
    subject = f"client {presented.id} {network_of(visitor.address)}"
    now = context.now()
    try:
        async with context.recording() as connection:
            keys = [one.key for one in lockout.subjects_of(subject, visitor.address)]
            until = await locked_until(connection, keys)
            if until is not None and until > now:
                raise too_many_failures(until - now)
            return await _genuine(replace(context, within=connection), connection, presented, origin=origin)
    except OAuthFault:
        with suppress(LockstepError):  # the request is refused anyway
            await lockout.admit(context.recording, subject, address=visitor.address, now=now)
        raise


async def _genuine(
    context: Context, connection: Connection, presented: PresentedClient, *, origin: str
) -> OpenIdApplication:
    app = await application_of(context, presented.id, origin=origin)
    if app is None:
        raise unknown_client(RefusalReason.UNKNOWN_CLIENT)
    has_matching = False
    if presented.secret and not app.openid.is_public:
        has_matching = await client_secrets.use_secret(connection, app.id, hash_of(presented.secret), context.now())
    require_genuine(presented, is_public=app.openid.is_public, has_matching_secret=has_matching)
    return app
