"""Back-channel logout (OpenID Connect Back-Channel Logout 1.0): notify applications that a session has ended.

The transaction that ends the session stores which applications to notify. A worker sends the notifications, and tries again if an
application does not respond. After the last attempt, the failure is written to the sign-in log.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from urllib.parse import urlencode
from uuid import uuid4

import structlog

from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context
from lockstep.actions.identity_providers import http_of
from lockstep.actions.openid_sign_in.client import application_of, note
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.actions.single_sign_on.openid_keys import signing_key
from lockstep.errors import LockstepError
from lockstep.http.deadline import end_of_request
from lockstep.http.trouble import WireError
from lockstep.openid.faults import RefusalReason
from lockstep.openid.tokens import logout_token
from lockstep.storage import openid_logouts
from lockstep.storage.openid_logouts import LogoutRow

_SECONDS, _MOST = 10.0, 20
_FIRST_DELAY, _LONGEST_DELAY, MOST_ATTEMPTS = timedelta(seconds=10), timedelta(hours=1), 20

log = structlog.get_logger("lockstep.actions.back_channel")


@open_to_all
async def tell_due(context: Context) -> int:
    """Notify the applications for which a notification is due. Returns the number of notifications that were attempted."""
    now = context.now()
    async with context.recording() as connection:
        due = await openid_logouts.claim_due(connection, now, again_at=now + timedelta(minutes=1), most=_MOST)
    # At the same time: an application that does not answer must not delay the others.
    await asyncio.gather(*(_take_turn(context, row) for row in due))
    return len(due)


async def _take_turn(context: Context, row: LogoutRow) -> None:
    wrong = await _tell(context, row)
    is_last = row.attempts >= MOST_ATTEMPTS
    delay = min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(row.attempts - 1, 20))
    async with context.recording() as connection:
        if not wrong or is_last:
            await openid_logouts.delete_logout(connection, row.id)
        else:
            await openid_logouts.put_off(connection, row.id, context.now() + delay)
    if wrong:
        log.warning("back_channel_logout_failed", application=row.app, attempt=row.attempts, reason=wrong)
    if wrong and is_last:
        app = await application_of(context, row.app, origin=row.issuer)
        detail = f"After {MOST_ATTEMPTS} attempts: {wrong}"
        await note(context, Visitor(), app, code=RefusalReason.LOGOUT_NOT_DELIVERED, detail=detail)


async def _tell(context: Context, row: LogoutRow) -> str:
    """Notify one application. Returns the error, or "" if the application was notified or has no logout address."""
    app = await application_of(context, row.app, origin=row.issuer)
    if app is None or not app.openid.back_channel_logout_url:
        return ""
    try:
        token = logout_token(
            await signing_key(context), issuer=row.issuer, subject=row.subject, client=app.id, sid=row.sid,
            token_id=str(uuid4()), now=context.now(),
        )  # fmt: skip
        answer = await http_of(context).send(
            "POST", app.openid.back_channel_logout_url, headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode({"logout_token": token}).encode(), deadline=end_of_request(_SECONDS),
        )  # fmt: skip
    except WireError as failed:
        return failed.sentence
    except LockstepError as failed:
        return failed.detail
    return "" if answer.status in (200, 204) else f"HTTP {answer.status}"
