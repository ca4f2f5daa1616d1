"""Sign members in to Documo's pages with user name and password, and with a code if they have a second factor. A success begins a session.

A refusal never reveals whether the name, the password or the account is wrong, and takes the same time in each case. Only somebody who has
entered the right password learns that a member is inactive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from documo.access.member_passwords import OF_MEMBERS
from documo.access.second_factor import CodeRequired, use_code
from documo.access.sso.providers import refuse_password
from documo.store import accounts as accounts_table
from documo.store import audit_log as audit_table
from documo.store import branding as branding_table
from documo.store import second_factors as factors_table
from documo.store import sign_ins as table
from documo.store.branding import BrandRow
from documo.store.database import SET_TENANT, Store
from documo.user_names import key_of
from lockstep.credentials import lockout
from lockstep.credentials.issued_secrets import hash_of, new_secret, renewed_secret, secret_of_forms
from lockstep.errors import Kind, LockstepError
from lockstep.postgres.pool import Connection

IDLE = timedelta(hours=8)  # an unused session ends after this time
LONGEST = timedelta(hours=12)  # every session ends after this time
_SEEN_AGAIN = timedelta(minutes=1)
_MOST_DEVICE = 200  # characters
_NOBODY = (0, "00000000-0000-0000-0000-000000000000")  # a tenant and id that no member has
TRIED = 4  # password verifications of every refused sign-in, however many accounts have the name


@dataclass(frozen=True, slots=True)
class MemberCaller:
    """The member who is signed in. *role* is the effective role. *confirmed_at* is when the member last proved who they are.

    *is_federated* is true if the account's identity provider began the session.
    """

    tenant_id: int
    account: str
    member_id: str
    user_name: str
    display_name: str
    role: str
    session: str
    expires_at: datetime
    confirmed_at: datetime
    is_federated: bool
    brand: BrandRow
    csrf_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MemberSession:
    """A new session. The secret is available only here."""

    secret: str = field(repr=False)
    expires_at: datetime


async def sign_in(
    store: Store, user_name: str, password: str, *, code: str = "", account: str = "", device: str = "",
    address: str = "",
) -> MemberSession:  # fmt: skip
    """Begin a session. *device* is the browser's User-Agent, *address* the client's network address.

    The password is tried in *account*. If *account* is "", it is tried in those accounts in which the name was used most recently. Raises
    CodeRequired if the password is right and the member must enter a code. Raises LockstepError if anything is wrong, and during the delay
    after too many failures of this name or address.
    """
    name, now = key_of(user_name.strip()), datetime.now(UTC)
    OF_MEMBERS.refuse_if_busy()
    await lockout.admit(store.control, name, address=address, now=now)
    named = await _members_named(store, name, account.strip())
    found = await _with_password(store, named, password)
    if found is None:
        await _note_refused(store, named, name, "The password is wrong", device=device, address=address, now=now)
        raise _refused()
    tenant_id, member = found
    if not member.active:
        await _note_refused(
            store, [(tenant_id, member.id)], name, "The member is inactive", device=device, address=address, now=now
        )
        await lockout.forgiven(store.control, name, address=address)
        raise inactive()
    used = await check_code(store, tenant_id, member.id, code, name=name, device=device, address=address, now=now)
    async with store.tenant(tenant_id) as connection:
        await refuse_password(connection, tenant_id, member.id)
        if not await table.may_still_sign_in(connection, tenant_id, member.id, password_hash=member.password_hash):
            raise _refused()  # the password was changed during verification
        is_only = await forget_failures(connection, name, address=address)
        session = await begin_session(
            connection, tenant_id, member.id, device=device, address=address, now=now, code_used=used
        )
    if not is_only:
        await lockout.forgiven(store.control, name, address=address)
    return session


async def check_code(
    store: Store, tenant_id: int, member_id: str, code: str, *, name: str, device: str, address: str, now: datetime
) -> str:
    """Use up *code* and return its kind, or "" if the member needs no code.

    Raises CodeRequired if the code is missing, and LockstepError if it is wrong.
    """
    async with store.tenant(tenant_id) as connection:
        if not await factors_table.is_confirmed(connection, tenant_id, member_id):
            return ""
        used = await use_code(connection, tenant_id, member_id, code, now=now)
    if not code.strip():
        await lockout.forgiven(store.control, name, address=address)
        raise CodeRequired
    if not used:
        await _note_refused(
            store, [(tenant_id, member_id)], name, "The code is wrong", device=device, address=address, now=now
        )
        raise _refused()
    return used


async def _note_refused(
    store: Store, members: Sequence[tuple[int, str]], name: str, why: str, *, device: str, address: str, now: datetime
) -> None:
    """Record the failure, and any lock that it started, in the audit logs of the accounts in *members*.

    If *members* is empty, the same work is done, so that the response time reveals nothing.
    """
    details = {"why": why, "address": address, "device": device[:_MOST_DEVICE]}
    async with store.control() as connection:
        await audit_table.note_refused_sign_in(connection, members, name, details, activity="refuse")
        locked = await lockout.locked_now(connection, name, address="", now=now)
        ends = [str(attempts.locked_until) for _, attempts in locked]
        await audit_table.note_refused_sign_in(
            connection, members if ends else [], name, {**details, "until": "".join(ends)}, activity="lock"
        )


async def caller_of_session(store: Store, secret: str) -> MemberCaller | None:
    """Return the member whose session has this secret. Returns None if the session has ended, or the member is inactive or deleted."""
    if not secret:
        return None
    now = datetime.now(UTC)
    async with store.control() as connection:
        session = await table.read_session(connection, hash_of(secret))
        if session is None or now >= min(session.expires_at, session.seen_at + IDLE):
            return None
        await connection.execute(SET_TENANT, (str(session.tenant_id),))
        member = await table.read_member(connection, session.tenant_id, session.member_id)
        if member is None or not member.active:
            return None
        account = await accounts_table.account_with_id(connection, session.tenant_id)
        brand = await branding_table.read(connection, session.tenant_id)
        if account is None or brand is None:
            return None
        if now - session.seen_at >= _SEEN_AGAIN:
            await table.note_seen(connection, session.id, now)
    return MemberCaller(
        tenant_id=session.tenant_id,
        account=str(account["name"]),
        member_id=member.id,
        user_name=member.user_name,
        display_name=member.name,
        role=member.role or str(account["default_role"]),
        session=session.id,
        expires_at=session.expires_at,
        confirmed_at=session.confirmed_at,
        is_federated=session.name_id != "",
        brand=brand,
        csrf_secret=secret_of_forms(secret, "csrf"),
    )


async def sign_out(store: Store, secret: str) -> None:
    """End the session with this secret, if it still exists."""
    async with store.control() as connection:
        session = await table.read_session(connection, hash_of(secret))
        if session is not None:
            await connection.execute(SET_TENANT, (str(session.tenant_id),))
            await table.end_session(connection, session.id)


async def _members_named(store: Store, name: str, account: str) -> list[tuple[int, str]]:
    async with store.control() as connection:
        return await table.members_named(connection, name, most=TRIED, account=account)


async def _with_password(
    store: Store, named: Sequence[tuple[int, str]], password: str
) -> tuple[int, table.SignInMember] | None:
    """Return the member in *named* who has this password, or None.

    Before it returns None, it always reads the same number of members and verifies the same number of passwords. The response time
    therefore does not reveal how many members have the name.
    """
    for tenant_id, member_id in [*named, *[_NOBODY] * (TRIED - len(named))]:
        async with store.tenant(tenant_id) as connection:
            member = await table.read_member(connection, tenant_id, member_id)
        digest = member.password_hash if member is not None else None
        if await OF_MEMBERS.matches(password, digest) and member is not None:
            return tenant_id, member
    return None


async def forget_failures(connection: Connection, name: str, *, address: str = "") -> bool:
    """Forget the failures of *name* after a success. If members of several accounts have the name, forget nothing and return False.

    An administrator could otherwise guess the password of a member of another account without delays: they could give the same user name to
    a member of their own account, and reset the delays by signing in as that member.
    """
    if len(await table.members_named(connection, name, most=2)) > 1:
        return False
    await lockout.succeeded(connection, name, address=address)
    return True


async def begin_session(
    connection: Connection,
    tenant_id: int,
    member_id: str,
    *,
    device: str,
    address: str,
    now: datetime,
    ends_at: datetime | None = None,
    name_id: str = "",
    session_index: str = "",
    authenticated_at: datetime | None = None,
    code_used: str = "",
    renews: MemberCaller | None = None,
) -> MemberSession:
    """Begin a session of an authenticated member, in the tenant's transaction, and record it in the audit log.

    *ends_at* is the latest end of the session. The identity provider knows the session by *name_id* and *session_index*, and asked for the
    credentials at *authenticated_at*. *code_used* is the kind of second factor that was used. *renews* is the caller of the previous
    session in this browser, if any. If that caller is the same member, forms that are still open in other tabs can be sent in the new
    session.
    """
    is_same = renews is not None and (renews.tenant_id, renews.member_id) == (tenant_id, member_id)
    secret = renewed_secret(renews.csrf_secret) if renews is not None and is_same else new_secret()
    made = MemberSession(secret, min(now + LONGEST, ends_at or now + LONGEST))
    await table.remove_expired(connection, now)
    await table.insert_session(
        connection, tenant_id, member_id, hash_of(made.secret), device=device[:_MOST_DEVICE], address=address,
        now=now, expires_at=made.expires_at, name_id=name_id, session_index=session_index,
        confirmed_at=now if not name_id else min(authenticated_at, now) if authenticated_at else None,
    )  # fmt: skip
    proof = "single sign-on" if name_id else f"password and {code_used}" if code_used else "password"
    details = {"with": proof, "address": address, "device": device[:_MOST_DEVICE]}
    await audit_table.note_sign_in(connection, tenant_id, member_id, details)
    return made


def _refused() -> LockstepError:
    return LockstepError(
        Kind.UNAUTHORIZED,
        "The email or the password is wrong",
        next_step="Try again, or ask an Admin of your account for a link to set a new password. If several accounts have"
        " your email, also enter the account",
        code="SignInRefused",
    )


def inactive() -> LockstepError:
    """Return the error for an authenticated member who is inactive."""
    return LockstepError(
        Kind.FORBIDDEN,
        "Your account is inactive",
        why="An administrator or your company's user provisioning deactivated it",
        next_step="Ask your IT team",
        code="Inactive",
    )
