"""SQL of single sign-on: the provider of an account, and the results of sign-ins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection

KEPT_ATTEMPTS = 200  # attempts kept for each account
KEPT_FORGED = 50  # attempts kept without a provider's signature


@dataclass(frozen=True, slots=True)
class AccountProviderRow:
    """The identity provider of an account. *certificates* are one or several certificates in PEM. *break_glass* is the id of the one
    Admin who may sign in with a password while single sign-on is enforced.
    """

    entity_id: str
    sign_in_url: str
    certificates: str
    logout_url: str = ""
    email_domain: str = ""
    identity_attribute: str = ""
    requests_signed: bool = False
    requests_by_post: bool = False
    metadata_url: str = ""
    metadata_read_at: datetime | None = None
    metadata_problem: str = ""
    is_enforced: bool = False
    break_glass: str | None = None
    allows_unsolicited: bool = True
    allows_sha1: bool = False
    allows_rsa15: bool = False
    creates_members: bool = False
    default_role: str = ""


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """The result of a sign-in. *result* is "" for a success. *response* is the XML of the response in a test."""

    id: str
    at: datetime
    number: str
    result: str
    detail: str
    expected: str
    received: str
    person: str
    is_test: bool
    response: str
    address: str


_NAMES = tuple(column.name for column in fields(AccountProviderRow))
_ENFORCEMENT = ("is_enforced", "break_glass")
_SHOWN = ", ".join("break_glass::text" if name == "break_glass" else name for name in _NAMES)
_CHANGED = ", ".join(f"{name} = excluded.{name}" for name in _NAMES if name not in _ENFORCEMENT)
_SAVE = (
    f"insert into single_sign_on (tenant_id, {', '.join(_NAMES)}) values (%(tenant_id)s,"  # noqa: S608 -- constants
    f" {', '.join(f'%({name})s' for name in _NAMES)}) on conflict (tenant_id) do update set"
    f" {_CHANGED}, changed_at = statement_timestamp(), domain_claimed_at ="
    " case when single_sign_on.email_domain = excluded.email_domain then single_sign_on.domain_claimed_at"
    " else statement_timestamp() end"
)
_ATTEMPT = "id::text, at, number, result, detail, expected, received, person, is_test, response, address"


async def read_provider(connection: Connection, tenant_id: int, *, locks: bool = False) -> AccountProviderRow | None:
    """Return the account's provider, or None. With *locks*, nobody can change it until the transaction ends."""
    cursor = connection.cursor(row_factory=class_row(AccountProviderRow))
    query = f"select {_SHOWN} from single_sign_on where tenant_id = %s{' for update' if locks else ''}"  # noqa: S608 -- constants
    await cursor.execute(query, (tenant_id,))
    return await cursor.fetchone()


async def save_provider(connection: Connection, tenant_id: int, row: AccountProviderRow) -> None:
    """Insert the account's provider, or change its settings. A change leaves the enforcement as it is, because an Admin may have enforced
    single sign-on in the meantime.
    """
    await connection.execute(_SAVE, {"tenant_id": tenant_id, **{name: getattr(row, name) for name in _NAMES}})


async def save_enforcement(connection: Connection, tenant_id: int, break_glass: str | None) -> None:
    """Enforce single sign-on for everyone but the member *break_glass*, or for nobody if it is None."""
    await connection.execute(
        "update single_sign_on set is_enforced = %(kept)s::uuid is not null, break_glass = %(kept)s::uuid,"
        " changed_at = statement_timestamp() where tenant_id = %(tenant)s",
        {"kept": break_glass, "tenant": tenant_id},
    )


async def remove_provider(connection: Connection, tenant_id: int) -> None:
    await connection.execute("delete from single_sign_on where tenant_id = %s", (tenant_id,))


async def tenant_of_domain(connection: Connection, domain: str) -> int | None:
    """Return the account whose people have e-mail addresses in *domain*.

    This is the account that verified the domain. If no account has verified it, it is the first account that named it. Works outside a
    tenant's transaction.
    """
    cursor = await connection.execute(
        "select s.tenant_id from single_sign_on s left join domains d on d.host = s.email_domain and d.kind = 'email'"
        " and d.verified_at is not null where s.email_domain = %s and (d.host is null or d.tenant_id = s.tenant_id)"
        " order by s.domain_claimed_at, s.tenant_id limit 1",
        (domain,),
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else None


async def tenants_of_issuer(connection: Connection, entity_id: str, *, most: int) -> list[int]:
    """Return the accounts that use this provider. Works outside a tenant's transaction."""
    cursor = await connection.execute(
        "select tenant_id from single_sign_on where entity_id = %s order by tenant_id limit %s", (entity_id, most)
    )
    return [int(row[0]) for row in await cursor.fetchall()]


async def tenants_to_leave(connection: Connection, entity_id: str, name_id: str, *, most: int) -> list[int]:
    """Return up to *most* accounts that use this provider. Accounts with a session that the provider began for *name_id* come first. Works
    outside a tenant's transaction.
    """
    cursor = await connection.execute(
        "select tenant_id from single_sign_on s where entity_id = %s order by exists (select from member_sessions m"
        " where m.tenant_id = s.tenant_id and m.name_id = %s) desc, tenant_id limit %s",
        (entity_id, name_id, most),
    )
    return [int(row[0]) for row in await cursor.fetchall()]


async def due_for_refresh(connection: Connection, before: datetime) -> list[int]:
    """Return the accounts whose provider has a metadata address, and whose metadata was never read or was last read before the time
    *before*. Works outside a tenant's transaction.
    """
    cursor = await connection.execute(
        "select tenant_id from single_sign_on where metadata_url <> '' and coalesce(metadata_read_at, '-infinity') < %s"
        " order by tenant_id",
        (before,),
    )
    return [int(row[0]) for row in await cursor.fetchall()]


async def note_attempt(
    connection: Connection,
    tenant_id: int,
    *,
    at: datetime,
    number: str,
    result: str = "",
    detail: str = "",
    expected: str = "",
    received: str = "",
    person: str = "",
    is_test: bool = False,
    response: str = "",
    address: str = "",
    is_genuine: bool = True,
) -> str:
    """Store the result of a sign-in, and remove the oldest results beyond the limit. Returns the id of the stored result.

    Attempts without a provider's signature have a separate limit.
    """
    cursor = await connection.execute(
        "insert into sso_attempts (tenant_id, at, number, result, detail, expected, received, person, is_test, response,"
        " address, is_genuine) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning id::text",
        (tenant_id, at, number, result, detail, expected, received, person, is_test, response, address, is_genuine),
    )
    row = await cursor.fetchone()
    await connection.execute(
        "delete from sso_attempts where tenant_id = %s and is_genuine = %s and at < (select at from sso_attempts"
        " where tenant_id = %s and is_genuine = %s order by at desc offset %s limit 1)",
        (tenant_id, is_genuine, tenant_id, is_genuine, KEPT_ATTEMPTS if is_genuine else KEPT_FORGED),
    )
    return str(row[0]) if row else ""


async def domain_owner(connection: Connection, domain: str) -> int | None:
    """Return the account that verified the email domain. Works outside a tenant's transaction."""
    cursor = await connection.execute(
        "select tenant_id from domains where host = %s and kind = 'email' and verified_at is not null", (domain,)
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else None


async def attempts(connection: Connection, tenant_id: int, *, most: int) -> Sequence[AttemptRow]:
    """Return the most recent attempts, newest first."""
    cursor = connection.cursor(row_factory=class_row(AttemptRow))
    await cursor.execute(
        f"select {_ATTEMPT} from sso_attempts where tenant_id = %s order by at desc limit %s",  # noqa: S608 -- constants
        (tenant_id, most),
    )
    return await cursor.fetchall()


async def attempt(connection: Connection, tenant_id: int, attempt_id: str) -> AttemptRow | None:
    cursor = connection.cursor(row_factory=class_row(AttemptRow))
    await cursor.execute(
        f"select {_ATTEMPT} from sso_attempts where tenant_id = %s and id::text = %s",  # noqa: S608 -- constants
        (tenant_id, attempt_id),
    )
    return await cursor.fetchone()
