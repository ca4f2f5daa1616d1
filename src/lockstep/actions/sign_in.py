"""Sign in to the admin centre: password, session, one-time links, and step-up (entering the password again before sensitive changes).

A refused sign-in never says whether the e-mail, the password or the account is the reason, and takes the same time in each case.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lockstep.actions.access import open_to_all
from lockstep.actions.callers import Caller, actor_of
from lockstep.actions.context import Context
from lockstep.actions.email_addresses import checked_email
from lockstep.actions.lockout import admit, failed, forgiven, succeeded
from lockstep.actions.passkey_proofs import PasskeyAnswer, ask_passkey, is_passkey
from lockstep.actions.permissions import Role
from lockstep.actions.totp import SecondFactorRequired, is_code
from lockstep.credentials.issued_secrets import hash_of, new_secret, renewed_secret, secret_of_forms
from lockstep.credentials.passwords import OF_ADMINISTRATORS, check_password
from lockstep.errors import LINK_ENDED, Kind, LockstepError, conflict, invalid
from lockstep.postgres.pool import Connection
from lockstep.storage import administrator_sessions as sessions
from lockstep.storage import administrators, audit_log, one_time_links
from lockstep.storage.administrators import AdministratorRow, RoleGrant
from lockstep.storage.locks import lock_administrators
from lockstep.storage.one_time_links import OneTimeLink
from lockstep.storage.passkeys import PasskeyOwner

IDLE = timedelta(hours=8)  # an unused session ends after this time
LONGEST = timedelta(days=7)  # every session ends after this time
# For this long after the password was entered, credentials, roles and tokens may be changed.
STEPPED_UP = timedelta(minutes=10)
_SEEN_AGAIN = timedelta(minutes=1)
_MOST_DEVICE = 200  # characters


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that has just begun or has just got a new secret. The secret is stored nowhere else; a previous secret no longer works."""

    session_secret: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class InvitationLink:
    """The person for whom a one-time link was made. *email* is "" for the first administrator, who enters the address."""

    email: str
    display_name: str
    expires_at: datetime


@open_to_all
async def sign_in(
    context: Context,
    email: str,
    password: str,
    code: str = "",
    *,
    passkey: PasskeyAnswer | None = None,
    device: str = "",
    address: str = "",
    replaces: str = "",
) -> SignedIn:
    """Begin a session. *device* is the User-Agent of the browser, and *address* the network address of the client. *replaces* is the secret
    of the browser's previous session, which ends.

    Raises SecondFactorRequired if the password is right but neither a code nor the answer of a *passkey* is given. Raises LockstepError if
    anything is wrong, without saying what. After too many failures for this e-mail or network address, it also raises LockstepError until a
    delay is over.
    """
    email, now = email.strip().lower(), context.now()
    OF_ADMINISTRATORS.refuse_if_busy()
    await admit(context, email, address=address)
    async with context.recording() as connection:
        found = await administrators.find_administrator(connection, email)
        digest = await administrators.password_hash(connection, found.id) if found else None
    matches = await OF_ADMINISTRATORS.matches(password, digest)
    if found is None or not matches or not found.is_enabled:
        await failed(context, email, who=found.email if found else "", address=address)
        raise _refused()
    has_answered = bool(code.strip() or (passkey and passkey.answer))
    if found.has_second_factor and not has_answered:
        await forgiven(context, email, address=address)
        raise SecondFactorRequired(await ask_passkey(context, PasskeyOwner("administrator", found.id), passkey))
    async with context.recording() as connection:
        is_proved = (
            not found.has_second_factor
            or await is_passkey(context, connection, PasskeyOwner("administrator", found.id), passkey)
            or await is_code(context, connection, found.id, code)
        )
    if not is_proved:
        await failed(context, email, who=found.email, address=address)
        raise _refused()
    async with context.recording() as connection:
        await succeeded(connection, email, address=address)
        signed_in = await begin_session(connection, found, now, device=device, replaces=replaces)
        await audit_log.append(connection, actor=found.email, activity="Sign in", target=found.email)
    return signed_in


@open_to_all
async def caller_of_session(context: Context, secret: str) -> Caller | None:
    """Return the administrator whose session has this secret. Returns None if the session has ended, the administrator is disabled, or
    the identity provider of the session is no longer configured.
    """
    if not secret:
        return None
    now = context.now()
    async with context.recording() as connection:
        session = await sessions.read_session(connection, hash_of(secret))
        if session is None or now >= min(session.expires_at, session.seen_at + IDLE):
            return None
        found = await administrators.read_administrator(connection, session.administrator)
        if found is None or not found.may_sign_in:
            return None
        grants = await administrators.read_grants(connection, found.id)
        if now - session.seen_at >= _SEEN_AGAIN:
            await sessions.note_seen(connection, session.id, now)
    return Caller(
        actor=actor_of(found, grants, is_stepped_up=now < session.stepped_up_at + STEPPED_UP),
        email=found.email,
        display_name=found.display_name,
        signed_in_at=session.signed_in_at,
        stepped_up_at=session.stepped_up_at,
        expires_at=session.expires_at,
        session=session.id,
        csrf_secret=secret_of_forms(secret, "csrf"),
        is_federated=found.is_federated,
    )


@open_to_all
async def step_up(context: Context, secret: str, password: str) -> SignedIn:
    """Check the password of a signed-in administrator again. The session gets a new secret, which replaces the old one in the cookie.

    Raises LockstepError if the session has ended or the password is wrong. A wrong password counts as a failed sign-in.
    """
    caller = await caller_of_session(context, secret)
    if caller is None:
        raise session_ended()
    OF_ADMINISTRATORS.refuse_if_busy()
    await admit(context, caller.email)
    async with context.recording() as connection:
        digest = await administrators.password_hash(connection, caller.actor.administrator)
    if not await OF_ADMINISTRATORS.matches(password, digest):
        await failed(context, caller.email, who=caller.email)
        raise LockstepError(Kind.UNAUTHORIZED, "The password is wrong", next_step="Enter your password again")
    new, now = renewed_secret(caller.csrf_secret), context.now()
    async with context.recording() as connection:
        await succeeded(connection, caller.email)
        await sessions.step_up(connection, caller.session, hash_of(new), now)
        await audit_log.append(connection, actor=caller.email, activity="Confirm password", target=caller.email)
    return SignedIn(new, caller.expires_at)


@open_to_all
async def sign_out(context: Context, secret: str) -> None:
    """End the session with this secret, if it still exists."""
    async with context.recording() as connection:
        session = await sessions.read_session(connection, hash_of(secret))
        if session is None:
            return
        await sessions.end_session(connection, session.id)
        found = await administrators.read_administrator(connection, session.administrator)
        who = found.email if found else "A deleted administrator"
        await audit_log.append(connection, actor=who, activity="Sign out", target=who)


@open_to_all
async def read_invitation(context: Context, link_secret: str) -> InvitationLink:
    """Return the person for whom a one-time link was made. Raises LockstepError if the link is unknown, used or expired."""
    async with context.recording() as connection:
        link, found = await _link(connection, link_secret, context.now())
    return InvitationLink(found.email if found else "", found.display_name if found else "", link.expires_at)


@open_to_all
async def accept_invitation(
    context: Context, link_secret: str, display_name: str, password: str, *, email: str = "", device: str = "",
    replaces: str = "",
) -> SignedIn:  # fmt: skip
    """Use a one-time link: set the password and begin a session. *email* is the address that the first administrator enters; for all other
    links it is ignored. *replaces* is the secret of the browser's previous session, which ends.

    If *display_name* is "", a link that resets a password keeps the administrator's name. Raises LockstepError if the password does not
    meet the rules; the link then still works.
    """
    now, name = context.now(), display_name.strip()
    async with context.recording() as connection:
        _, found = await _link(connection, link_secret, now)
    address = found.email if found else checked_email(email).lower()
    if not address:
        raise invalid("The e-mail address is missing", next_step="Enter your e-mail address: you sign in with it")
    if not name and (found is None or not found.display_name):
        raise invalid("The name is missing", next_step="Enter your name: it is shown to other administrators")
    check_password(password, address)
    digest = await OF_ADMINISTRATORS.hash_password(password)
    async with context.recording() as connection:
        await lock_administrators(connection)
        link, found = await _link(connection, link_secret, now)
        if not await one_time_links.use_link(connection, link.id):
            raise _link_gone()
        if found is None:
            found = await _first(connection, address, name)
        elif name:
            await administrators.save_display_name(connection, found.id, name)
        await administrators.save_password_hash(connection, found.id, digest)
        await sessions.end_sessions(connection, found.id)
        await succeeded(connection, found.email)
        signed_in = await begin_session(connection, found, now, device=device, replaces=replaces)
        activity = "Reset password" if link.purpose == "reset" else "Accept invitation"
        await audit_log.append(connection, actor=found.email, activity=activity, target=found.email)
    return signed_in


async def _first(connection: Connection, email: str, name: str) -> AdministratorRow:
    if await administrators.any_administrator(connection):
        raise conflict(
            "The first administrator already exists", next_step="Ask for an invitation: lockstep admins invite EMAIL"
        )
    new = await administrators.insert_administrator(connection, email, display_name=name, actor=email)
    grant = RoleGrant(Role.GLOBAL_ADMINISTRATOR)
    await administrators.replace_grants(connection, new, [grant], actor=email)
    found = await administrators.read_administrator(connection, new)
    if found is None:
        raise LockstepError(Kind.INTERNAL, f"The administrator {email} was not stored")
    return found


async def begin_session(
    connection: Connection,
    administrator: AdministratorRow,
    now: datetime,
    *,
    device: str,
    replaces: str = "",
    lasts: timedelta = LONGEST,
    stepped_up_at: datetime | None = None,
) -> SignedIn:
    """Begin a session with a new secret. *replaces* is the secret of the browser's previous session, which ends. *stepped_up_at* is the
    time at which the administrator last entered credentials; None means now.
    """
    secret, expires_at = new_secret(), now + lasts
    previous = await sessions.read_session(connection, hash_of(replaces)) if replaces else None
    if previous is not None:
        await sessions.end_session(connection, previous.id)
    await sessions.insert_session(
        connection,
        administrator.id,
        hash_of(secret),
        device=device[:_MOST_DEVICE],
        now=now,
        expires_at=expires_at,
        stepped_up_at=stepped_up_at,
    )
    await administrators.note_sign_in(connection, administrator.id, now)
    return SignedIn(secret, expires_at)


async def _link(connection: Connection, secret: str, now: datetime) -> tuple[OneTimeLink, AdministratorRow | None]:
    link = await one_time_links.find_link(connection, hash_of(secret))
    if link is None or now >= link.expires_at:
        raise _link_gone()
    if link.administrator is None:
        if await administrators.any_administrator(connection):
            raise _link_gone()
        return link, None
    found = await administrators.read_administrator(connection, link.administrator)
    if found is None or not found.is_enabled:
        raise _link_gone()
    return link, found


def session_ended() -> LockstepError:
    return LockstepError(Kind.UNAUTHORIZED, "Your session has ended", next_step="Sign in again")


def _refused() -> LockstepError:
    return LockstepError(
        Kind.UNAUTHORIZED,
        "The e-mail address, the password or the code is wrong",
        next_step="Try again. If you forgot the password, ask an administrator for a new one",
    )


def _link_gone() -> LockstepError:
    return LockstepError(
        Kind.UNAUTHORIZED,
        "This link does not work",
        why="The link was used, has expired, or was replaced by a newer one",
        next_step="Ask an administrator for a new link, or run: lockstep admins invite EMAIL",
        code=LINK_ENDED,
    )
