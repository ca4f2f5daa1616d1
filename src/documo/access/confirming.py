"""Confirm who is at the keyboard before a sensitive change. The member enters the password or, if the identity provider began the session,
signs in at the provider again.

The confirmation is valid for a limited time. A sign-in at the provider confirms only if the provider asked for the credentials again. The
time of authentication in its response (AuthnInstant) shows whether it did.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta

from documo.access.member_sign_in import MemberCaller, MemberSession
from documo.access.own_sign_in import require_password
from documo.access.sso.providers import refuse_password
from documo.store import secrets as secrets_table
from documo.store import sign_ins as table
from documo.store.database import Store
from lockstep.credentials.issued_secrets import hash_of, renewed_secret
from lockstep.errors import Kind, LockstepError

CONFIRMED = timedelta(minutes=10)
FORM_OPEN = timedelta(hours=1)  # for a form that opens only after a confirmation and takes time to fill


class ConfirmationRequired(LockstepError):
    """Raised if the caller must first confirm who they are. The pages then ask for the confirmation."""

    def __init__(self, who: str) -> None:
        super().__init__(
            Kind.FORBIDDEN,
            f"{who} must first confirm who they are",
            why="API keys, single sign-on and roles can be changed only for a short time after the password was entered",
            next_step="Confirm, then repeat the change",
            code="ConfirmationRequired",
        )


def require_confirmed(caller: MemberCaller, *, within: timedelta, now: datetime) -> None:
    """Raise ConfirmationRequired if more than *within* has passed since the caller last proved, in this session, who they are."""
    if now >= caller.confirmed_at + within:
        raise ConfirmationRequired(caller.user_name)


async def seal_opened_form(store: Store, caller: MemberCaller, now: datetime) -> str:
    """Return the value of a hidden field, which proves that the caller opened the form at *now*. Call this only for a confirmed session.

    The value is sealed with a key that never leaves the server. A value derived from the session's secret would not be enough, because the
    person at the keyboard could compute it.
    """
    opened = str(int(now.timestamp()))
    return f"{opened}.{await _seal(store, caller, opened)}"


async def require_opened_form(store: Store, caller: MemberCaller, sealed: str, now: datetime) -> None:
    """Raise ConfirmationRequired unless the session is confirmed, or *sealed* proves that the form was opened in this session within the
    last hour.
    """
    opened, _, seal = sealed.partition(".")
    is_ours = hmac.compare_digest(seal.encode(), (await _seal(store, caller, opened)).encode())
    if not is_ours or now >= datetime.fromtimestamp(int(opened), UTC) + FORM_OPEN:
        require_confirmed(caller, within=CONFIRMED, now=now)


async def _seal(store: Store, caller: MemberCaller, opened: str) -> str:
    async with store.control() as connection:
        key = await secrets_table.secret(connection, "opened forms", 32)
    return hmac.digest(key, f"{caller.session} {opened}".encode(), "sha256").hex()


async def confirm(store: Store, caller: MemberCaller, password: str) -> MemberSession:
    """Confirm the caller's session with the password. The session gets a new secret, which replaces the old one in the cookie.

    Raises LockstepError if the password is wrong, if the member may not sign in with a password, or if the identity provider began this
    session. A wrong password counts as a failed sign-in.
    """
    if caller.is_federated:
        raise LockstepError(
            Kind.FORBIDDEN,
            "You signed in through your company's identity provider, so a password does not confirm who you are",
            next_step="Sign in again with SSO",
            code="SessionOfTheProvider",
        )
    async with store.tenant(caller.tenant_id) as connection:
        await refuse_password(connection, caller.tenant_id, caller.member_id)
    await require_password(store, caller, password)
    made = MemberSession(renewed_secret(caller.csrf_secret), caller.expires_at)
    async with store.tenant(caller.tenant_id) as connection:
        await table.confirm_session(connection, caller.session, hash_of(made.secret), datetime.now(UTC))
    return made
