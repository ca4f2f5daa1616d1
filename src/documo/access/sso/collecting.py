"""Exchange a ticket for a session, or for the result of a test, in the browser that began the sign-in."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime

from documo.access.member_sign_in import MemberCaller, MemberSession, begin_session, inactive
from documo.access.sso.requests import request_key
from documo.store import accounts as accounts_table
from documo.store import sign_ins as members_table
from documo.store import sso_requests as table
from documo.store.database import SET_TENANT, Store
from documo.store.sso_requests import TicketRow
from lockstep.credentials.issued_secrets import hash_of
from lockstep.errors import Kind, LockstepError, not_found


@dataclass(frozen=True, slots=True)
class SignInResult:
    """The result of a sign-in. After a test, *session* is None and *attempt* is the id of the test's result.

    *began_here* is true if this browser began the sign-in. *known* is a value that the browser stores, so that the person is not asked
    about the same member again.
    """

    session: MemberSession | None
    attempt: str = ""
    began_here: bool = True
    known: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Stranger:
    """The member of a sign-in that the provider began, in a browser that the member has not used before. The person must confirm the member
    before the ticket of the sign-in is used.
    """

    user_name: str
    account: str


async def stranger_of(store: Store, ticket: str, known: str) -> Stranger | None:
    """Return the member who must be confirmed before the ticket is used. Return None if the sign-in began at Documo, or if *known* belongs
    to the member. Does not use the ticket up.

    Raises LockstepError if the ticket has expired or was used.
    """
    key = await request_key(store)
    async with store.control() as connection:
        row = await table.read_ticket(connection, hash_of(ticket), datetime.now(UTC))
        if row is None:
            raise _over()
        if row.browser_hash is not None or row.member_id is None:
            return None
        if hmac.compare_digest(known.encode(), _known(key, row).encode()):
            return None
        await connection.execute(SET_TENANT, (str(row.tenant_id),))
        member = await members_table.read_member(connection, row.tenant_id, row.member_id)
        account = await accounts_table.account_with_id(connection, row.tenant_id)
    if member is None or account is None:
        raise _over()
    return Stranger(member.user_name, str(account["name"]))


async def collect(
    store: Store, ticket: str, browser_secret: str, *, device: str, address: str, renews: MemberCaller | None = None
) -> SignInResult:
    """Use up the ticket. *renews* is the caller of the session that this browser had before. If the same member signs in again, forms that
    are open in other tabs can still be sent.

    Raises LockstepError if the ticket has expired or was used, if another browser began the sign-in, or if the member is inactive.
    """
    now, key = datetime.now(UTC), await request_key(store)
    async with store.control() as connection:
        row = await table.use_ticket(connection, hash_of(ticket), now)
        if row is None:
            raise _over()
        if row.browser_hash is not None and not hmac.compare_digest(row.browser_hash, hash_of(browser_secret)):
            raise _another_browser()
        if row.member_id is None:
            return SignInResult(None, row.attempt_id or "")
        await connection.execute(SET_TENANT, (str(row.tenant_id),))
        if not await members_table.may_still_sign_in(connection, row.tenant_id, row.member_id):
            raise inactive()
        session = await begin_session(
            connection, row.tenant_id, row.member_id, device=device, address=address, now=now, ends_at=row.session_ends_at,
            name_id=row.name_id, session_index=row.session_index, authenticated_at=row.authenticated_at, renews=renews,
        )  # fmt: skip
    return SignInResult(session, began_here=row.browser_hash is not None, known=_known(key, row))


def _known(key: bytes, row: TicketRow) -> str:
    return hmac.digest(key, f"known {row.tenant_id} {row.member_id}".encode(), "sha256").hex()


def _over() -> LockstepError:
    return not_found("This sign-in has ended", next_step="Sign in again")


def _another_browser() -> LockstepError:
    return LockstepError(
        Kind.FORBIDDEN,
        "This sign-in was started in another browser",
        next_step="Sign in again in this browser",
        code="AnotherBrowser",
    )
