"""How people of the directory prove who they are: password, second factor, identity at a provider, one-time links; and the setting."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class SignInSetting:
    """How people may sign in. *contact*: who helps them."""

    has_password: bool = True
    has_provider: bool = False
    needs_second_factor: bool = False
    contact: str = ""
    has_ldap: bool = False


@dataclass(frozen=True, slots=True)
class PersonCredential:
    """A person, with what is stored to recognise them. *is_live*: enabled, and not in the recycle bin."""

    person: str
    user_principal_name: str
    is_live: bool
    password_hash: str | None = field(repr=False)
    has_second_factor: bool
    issuer: str | None
    subject: str | None


_SELECT = """select person.id::text as person, person.user_principal_name, person.account_enabled and person.deleted_at is null as is_live,
    password_hash, coalesce(second_factor_confirmed, false) as has_second_factor, issuer, subject
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
    """The person with that user principal name, ignoring case, who is not in the recycle bin."""
    return await _one(connection, "where lower(user_principal_name) = lower(%s) and deleted_at is null", name)


async def credential_with_mail(connection: Connection, mail: str) -> PersonCredential | None:
    """The only person with that mail address who is not in the recycle bin; None if several have it."""
    async with connection.cursor(row_factory=class_row(PersonCredential)) as cursor:
        await cursor.execute(
            _SELECT + "where lower(attributes ->> 'mail') = lower(%s) and deleted_at is null limit 2", (mail,)
        )
        found = await cursor.fetchall()
    return found[0] if len(found) == 1 else None


async def credential_at(connection: Connection, issuer: str, subject: str) -> PersonCredential | None:
    """The person for whom the provider vouched under *subject* before."""
    return await _one(connection, "where issuer = %s and subject = %s", issuer, subject)


async def _one(connection: Connection, condition: str, *given: object) -> PersonCredential | None:
    async with connection.cursor(row_factory=class_row(PersonCredential)) as cursor:
        await cursor.execute(_SELECT + condition, given)
        return await cursor.fetchone()


async def has_password(connection: Connection, person: str, digest: str | None) -> bool:
    """Whether the password is still this one. It stays so to the end of the transaction: a change waits, and then ends the session that
    begins here.
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
    """Note under which *subject* a provider knows the person, or forget it with None."""
    await connection.execute(
        """insert into person_credential (person, issuer, subject) values (%s, %s, %s)
        on conflict (person) do update set issuer = excluded.issuer, subject = excluded.subject""",
        (person, issuer, subject),
    )


async def sealed_seed(connection: Connection, person: str) -> bytes | None:
    """The envelope of the seed of the second factor; None without one."""
    cursor = await connection.execute("select second_factor from person_credential where person = %s", (person,))
    row = await cursor.fetchone()
    return bytes(row[0]) if row and row[0] is not None else None


async def add_seed(connection: Connection, person: str, sealed: bytes) -> bool:
    """Store a seed that counts once it is confirmed; return False if there is a confirmed one, which stays."""
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
    """Let the second factor count from now on."""
    await connection.execute("update person_credential set second_factor_confirmed = true where person = %s", (person,))


async def use_step(connection: Connection, person: str, step: int) -> bool:
    """Note that the code of this time step was used; return False if it, or a newer one, was used before."""
    cursor = await connection.execute(
        "update person_credential set last_step = %(step)s where person = %(person)s and last_step < %(step)s",
        {"step": step, "person": person},
    )
    return cursor.rowcount == 1


async def save_link(
    connection: Connection, person: str, secret_hash: bytes, *, created_by: str, expires_at: datetime
) -> None:
    """Store a link in place of the one that the person had."""
    await connection.execute(
        """insert into person_link (person, secret_hash, created_by, expires_at) values (%s, %s, %s, %s)
        on conflict (person) do update set secret_hash = excluded.secret_hash, created_by = excluded.created_by,
            expires_at = excluded.expires_at""",
        (person, secret_hash, created_by, expires_at),
    )


async def link_owner(connection: Connection, secret_hash: bytes, now: datetime) -> PersonCredential | None:
    """Whose link it is, if it still works."""
    return await _one(
        connection,
        "join person_link as link on link.person = person.id where link.secret_hash = %s and link.expires_at > %s",
        secret_hash,
        now,
    )


async def use_link(connection: Connection, secret_hash: bytes) -> bool:
    """Delete the link; return False if somebody else was quicker."""
    cursor = await connection.execute("delete from person_link where secret_hash = %s", (secret_hash,))
    return cursor.rowcount == 1
