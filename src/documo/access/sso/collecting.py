"""The browser that began a sign-in exchanges its ticket for a session, or for the result of a test."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime

from documo.access.member_sign_in import MemberSession, begin_session, inactive
from documo.store import sign_ins as members_table
from documo.store import sso_requests as table
from documo.store.database import SET_TENANT, Store
from lockstep.credentials.issued_secrets import hash_of
from lockstep.errors import Kind, LockstepError, not_found


@dataclass(frozen=True, slots=True)
class Collected:
    """The page to open next. *session* is None after a test."""

    next: str
    session: MemberSession | None


async def collect(store: Store, ticket: str, browser_secret: str, *, device: str, address: str) -> Collected:
    """Use the ticket up. Raises LockstepError if it is over, or if another browser began the sign-in."""
    now = datetime.now(UTC)
    async with store.control() as connection:
        row = await table.use_ticket(connection, hash_of(ticket), now)
        if row is None:
            raise not_found("This sign-in is over", next_step="Sign in again")
        if row.browser_hash is not None and not hmac.compare_digest(row.browser_hash, hash_of(browser_secret)):
            raise _another_browser()
        if row.member_id is None:
            return Collected(row.next, None)
        await connection.execute(SET_TENANT, (str(row.tenant_id),))
        if not await members_table.may_still_sign_in(connection, row.tenant_id, row.member_id):
            raise inactive()
        session = await begin_session(
            connection, row.tenant_id, row.member_id, device=device, address=address, now=now, ends_at=row.session_ends_at,
            name_id=row.name_id, session_index=row.session_index,
        )  # fmt: skip
    return Collected(row.next, session)


def _another_browser() -> LockstepError:
    return LockstepError(
        Kind.FORBIDDEN,
        "Another browser began this sign-in",
        next_step="Sign in again in this browser",
        code="AnotherBrowser",
    )
