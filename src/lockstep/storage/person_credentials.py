"""Credentials of people in the directory: password, second factor, identity at a provider, one-time link. Also stores which ways of signing
in are allowed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class SignInSetting:
    """The ways in which people may sign in. *contact* tells people where to get help."""

    has_password: bool = True
    has_provider: bool = False
    needs_second_factor: bool = False
    contact: str = ""
    has_ldap: bool = False


@dataclass(frozen=True, slots=True)
class PersonCredential:
    """A person and their stored credentials. *is_live* is true if the person is enabled and not in the recycle bin. *has_app* is true if
    codes of an authenticator app are a second factor of the person.
    """

    person: str
    user_principal_name: str
    is_live: bool
    password_hash: str | None = field(repr=False)
    has_app: bool
    issuer: str | None
    subject: str | None
    has_passkey: bool = False

    @property
    def has_second_factor(self) -> bool:
        return self.has_app or self.has_passkey


_SELECT = """select person.id::text as person, person.user_principal_name, person.account_enabled and person.deleted_at is null as is_live,
    password_hash, coalesce(second_factor_confirmed, false) as has_app, issuer, subject,
    exists (select from passkey where passkey.person = person.id) as has_passkey
from person left join person_credential as credential on credential.person = person.id """


async def read_setting(connection: Connection) -> SignInSetting:
    async with connection.cursor(row_factory=class_row(SignInSetting)) as cursor:
        await cursor.execute(
            "select has_password, has_provider, needs_second_factor, contact, has_ldap from person_sign_in_setting"
        )
        return await cursor.fetchone() or SignInSetting()


async def save_setting(connection: Connection, setting: SignInSetting, *, now: datetime, actor: str) -> None:
    await connection.execute(
        """update person_sign_in_setting set has_password = %s, has_provider = %s, needs_second_factor = %s, contact = %s, has_ldap = %s,
            changed_at = %s, changed_by = %s""",
        (
            setting.has_password,
            setting.has_provider,
            setting.needs_second_factor,
            setting.contact,
            setting.has_ldap,
            now,
            actor,
        ),
    )


async def credential_of(connection: Connection, person: str) -> PersonCredential | None:
    return await _one(connection, "where person.id = %s", person)


async def credential_named(connection: Connection, name: str) -> PersonCredential | None:
    """Find the person outside the recycle bin with this user principal name, ignoring case."""
    return await _one(connection, "where lower(user_principal_name) = lower(%s) and deleted_at is null", name)


async def credential_with_mail(connection: Connection, mail: str) -> PersonCredential | None:
    """Find the person outside the recycle bin with this mail address. Returns None if several people have the address."""
    async with connection.cursor(row_factory=class_row(PersonCredential)) as cursor:
        await cursor.execute(
            _SELECT + "where lower(attributes ->> 'mail') = lower(%s) and deleted_at is null limit 2", (mail,)
        )
        found = await cursor.fetchall()
    return found[0] if len(found) == 1 else None


async def credential_at(connection: Connection, issuer: str, subject: str) -> PersonCredential | None:
    """Find the person whose stored identity at the provider *issuer* is *subject*."""
    return await _one(connection, "where issuer = %s and subject = %s", issuer, subject)


async def _one(connection: Connection, condition: str, *given: object) -> PersonCredential | None:
    async with connection.cursor(row_factory=class_row(PersonCredential)) as cursor:
        await cursor.execute(_SELECT + condition, given)
        return await cursor.fetchone()


async def has_password(connection: Connection, person: str, digest: str | None) -> bool:
    """Whether *digest* is still the hash of the person's password. If so, the password cannot change until this transaction ends.

    A concurrent password change waits for this transaction. That change then also ends the session that this transaction begins.
    """
    cursor = await connection.execute(
        "select from person_credential where person = %s and password_hash = %s for share", (person, digest)
    )
    return cursor.rowcount == 1


async def save_password(connection: Connection, person: str, digest: str) -> None:
    await connection.execute(
        """insert into person_credential (person, password_hash) values (%s, %s)
        on conflict (person) do update set password_hash = excluded.password_hash""",
        (person, digest),
    )


async def save_identity(connection: Connection, person: str, issuer: str | None, subject: str | None) -> None:
    """Store the person's *subject* at the provider *issuer*, or remove it if both are None."""
    await connection.execute(
        """insert into person_credential (person, issuer, subject) values (%s, %s, %s)
        on conflict (person) do update set issuer = excluded.issuer, subject = excluded.subject""",
        (person, issuer, subject),
    )


async def sealed_seed(connection: Connection, person: str) -> bytes | None:
    """Return the envelope of the second factor's seed, or None if the person has none."""
    cursor = await connection.execute("select second_factor from person_credential where person = %s", (person,))
    row = await cursor.fetchone()
    return bytes(row[0]) if row and row[0] is not None else None


async def add_seed(connection: Connection, person: str, sealed: bytes) -> bool:
    """Store a seed, which takes effect when it is confirmed. Returns False, and changes nothing, if the person has a confirmed seed."""
    cursor = await connection.execute(
        """insert into person_credential as present (person, second_factor) values (%s, %s) on conflict (person) do update
        set second_factor = excluded.second_factor, last_step = 0 where not present.second_factor_confirmed""",
        (person, sealed),
    )
    return cursor.rowcount == 1


async def remove_seed(connection: Connection, person: str) -> None:
    """Remove the second factor."""
    await connection.execute(
        """update person_credential set second_factor = null, second_factor_confirmed = false, last_step = 0
        where person = %s""",
        (person,),
    )


async def confirm_seed(connection: Connection, person: str) -> None:
    """Enable the second factor."""
    await connection.execute("update person_credential set second_factor_confirmed = true where person = %s", (person,))


async def use_step(connection: Connection, person: str, step: int) -> bool:
    """Record that the code of this time step was used. Returns False if this code or a newer one has already been used."""
    cursor = await connection.execute(
        "update person_credential set last_step = %(step)s where person = %(person)s and last_step < %(step)s",
        {"step": step, "person": person},
    )
    return cursor.rowcount == 1


async def save_link(
    connection: Connection, person: str, secret_hash: bytes, *, created_by: str, expires_at: datetime
) -> None:
    """Store a one-time link. It replaces the person's previous one."""
    await connection.execute(
        """insert into person_link (person, secret_hash, created_by, expires_at) values (%s, %s, %s, %s)
        on conflict (person) do update set secret_hash = excluded.secret_hash, created_by = excluded.created_by,
            expires_at = excluded.expires_at""",
        (person, secret_hash, created_by, expires_at),
    )


async def link_owner(connection: Connection, secret_hash: bytes, now: datetime) -> PersonCredential | None:
    """Return the person to whom a valid link belongs, or None."""
    return await _one(
        connection,
        "join person_link as link on link.person = person.id where link.secret_hash = %s and link.expires_at > %s",
        secret_hash,
        now,
    )


async def use_link(connection: Connection, secret_hash: bytes) -> bool:
    """Delete the link. Returns False if another request has already deleted it."""
    cursor = await connection.execute("delete from person_link where secret_hash = %s", (secret_hash,))
    return cursor.rowcount == 1
