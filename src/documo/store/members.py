"""SQL of members as administrators manage them. The SQL that SCIM uses on the same rows is in `resources`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from documo.identifiers import read_id
from documo.search_document import search_document
from documo.store import locks
from documo.store.accounts import role_rows
from documo.user_names import key_of
from lockstep.postgres.advisory_locks import lock
from lockstep.postgres.pool import Connection
from lockstep.scim.registry import default_registry

BUMP = "version = version + 1, last_modified = clock_timestamp()"
COUNT = (
    "insert into resource_counts values (%s, 'User', %s) on conflict (tenant_id, kind)"
    " do update set total = resource_counts.total + excluded.total"
)

roles = role_rows
FIRST = "00000000-0000-0000-0000-000000000000"  # comes before every id
CURRENT, KEPT = "deleted_at is null", "deleted_at is not null and is_kept"
DELETED = "deleted_at is not null and not is_kept"
SHOWN_NAME = "coalesce(document->>'displayName', concat_ws(' ', document->'name'->>'givenName', document->'name'->>'familyName'))"


async def insert_local(
    connection: Connection, tenant_id: int, member_id: str, document: dict[str, Any], role: str, *, kind: str = "User"
) -> None:
    """Insert a member. A member of the kind Operator is treated like a User inside Documo, but hidden from SCIM."""
    name = key_of(str(document["userName"]))
    await connection.execute(
        "insert into resources (tenant_id, id, kind, unique_name, role, source, document)"
        " values (%s, %s, %s, %s, %s, 'local', %s)",
        (tenant_id, member_id, kind, name, role, Jsonb(document)),
    )
    if kind != "User":
        return
    await write_search(connection, tenant_id, member_id, document)
    await connection.execute(COUNT, (tenant_id, 1))


async def member_rows(
    connection: Connection, tenant_id: int, *, deleted: bool, after: str, most: int
) -> list[dict[str, Any]]:
    """Return at most *most* members in order of their ids, beginning with the first id that is greater than *after*. If *after* is "",
    begin with the lowest id.
    """
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(*listing(tenant_id, deleted=deleted, after=after, most=most))
    return await cursor.fetchall()


def listing(tenant_id: int, *, deleted: bool, after: str, most: int) -> tuple[str, dict[str, object]]:
    """Return the SQL statement of `member_rows`, and the values of its placeholders. Current, kept and deleted members of each kind are
    read separately, so that each part can use a partial index.
    """
    parts = " union all ".join(
        f"(select * from resources where tenant_id = %(tenant)s and kind = '{kind}' and {state} and id > %(after)s"  # noqa: S608 -- constants
        " order by id limit %(most)s)"
        for kind in ("User", "Operator")
        for state in ((DELETED,) if deleted else (CURRENT, KEPT))
    )
    return (
        "select id::text, document->>'userName' as user_name, role, active and deleted_at is null as active, source,"  # noqa: S608 -- constants
        " case when not is_kept then deleted_at::text end as deleted_at,"
        f" {SHOWN_NAME} as name"
        f" from ({parts}) r order by id limit %(most)s",
        {"tenant": tenant_id, "after": after or FIRST, "most": most},
    )


async def member_row(connection: Connection, tenant_id: int, member_id: str) -> dict[str, Any]:
    """Return one member, even a deleted one, with the member's groups and the number of the member's valid keys. Returns {} for an unknown
    id.
    """
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(
        "select r.id::text, r.document->>'userName' as user_name, r.external_id,"
        " coalesce(r.document->>'displayName', nullif(concat_ws(' ', r.document->'name'->>'givenName',"
        " r.document->'name'->>'familyName'), '')) as name, r.role,"
        " (select coalesce(array_agg(e.item->>'value'), '{}') from jsonb_array_elements(r.document->'roles') as e(item))"
        " as given_roles, r.active and r.deleted_at is null as active, r.deleted_at, r.source, r.created_at, r.last_modified, r.version,"
        " (select coalesce(array_agg(g.document->>'displayName' order by g.id), '{}') from group_members m join resources g"
        " on g.tenant_id = m.tenant_id and g.id = m.group_id where m.tenant_id = r.tenant_id and m.member_id = r.id) as groups,"
        " (select count(*) from api_keys k where k.tenant_id = r.tenant_id and k.member_id = r.id and k.revoked_at is null"
        " and k.kind <> 'token' and (k.expires_at is null or k.expires_at > now())) as keys, l.at as last_sign_in,"
        " l.address as last_address, exists(select from member_second_factors f where f.tenant_id = r.tenant_id"
        " and f.member_id = r.id and f.confirmed_at is not null) as has_second_factor,"
        " r.password_hash is not null as has_password"
        " from resources r left join member_last_sign_ins l on l.tenant_id = r.tenant_id and l.member_id = r.id"
        " where r.tenant_id = %s and r.id = %s",
        (tenant_id, member_id),
    )
    row = await cursor.fetchone()
    return row or {}


async def active_admins(connection: Connection, tenant_id: int, admin: str, default_role: str) -> list[str]:
    """Return the ids of at most two active Admins. Concurrent calls wait until this transaction ends."""
    await lock(connection, locks.admins_of(tenant_id))
    cursor = await connection.execute(
        "select id::text from resources where tenant_id = %s and (role = %s or (role is null and %s))"
        " and kind in ('User', 'Operator') and active and deleted_at is null limit 2",
        (tenant_id, admin, default_role == admin),
    )
    return [str(row[0]) for row in await cursor.fetchall()]


async def seats(connection: Connection, tenant_id: int) -> tuple[int | None, int]:
    """Return the account's seats (None for no limit), and how many are taken. Concurrent calls wait until this transaction ends."""
    await lock(connection, locks.seats_of(tenant_id))
    cursor = await connection.execute(
        "select a.seats, (select count(*) from resources r where r.tenant_id = a.id and r.kind = 'User' and r.active"
        " and r.deleted_at is null) from accounts a where a.id = %s",
        (tenant_id,),
    )
    row = await cursor.fetchone()
    return (row[0], int(row[1])) if row else (None, 0)


async def find_member(connection: Connection, tenant_id: int, who: str) -> str | None:
    """Return the id of the member with this id or user name. Deleted members are not found. A current member takes precedence over one
    who is kept as deactivated.
    """
    cursor = await connection.execute(*finding(tenant_id, who))
    row = await cursor.fetchone()
    return str(row[0]) if row else None


# An id never finds another member who has it as user name, even if the member with this id is deleted.
_NO_OTHERS_ID = "not exists (select from resources o where o.tenant_id = %(tenant)s and o.id = %(id)s::uuid)"
_BY_ID_OR_NAME = f"(id = %(id)s::uuid or unique_name = %(name)s and {_NO_OTHERS_ID})"


def finding(tenant_id: int, who: str) -> tuple[str, dict[str, Any]]:
    """Return the statement of `find_member` and its values. Each of its conditions has its own partial index."""
    found_id = read_id(who)
    is_free = f" and {_NO_OTHERS_ID}" if found_id else ""
    looked_up = " union all ".join(
        f"select id, deleted_at from resources where tenant_id = %(tenant)s and kind in ('User', 'Operator') and {condition}"  # noqa: S608 -- constants
        for condition in (
            *(("id = %(id)s and (deleted_at is null or is_kept)",) if found_id else ()),
            f"unique_name = %(name)s and {CURRENT}{is_free}",
            f"unique_name = %(name)s and {KEPT}{is_free}",
        )
    )
    return (
        f"select id::text from ({looked_up}) r order by deleted_at desc nulls first limit 1",  # noqa: S608 -- constants
        {"tenant": tenant_id, "id": found_id, "name": key_of(who)},
    )


async def find_with_role(connection: Connection, tenant_id: int, role: str) -> str | None:
    """Return the id of the first active member with this role."""
    cursor = await connection.execute(
        "select id::text from resources where tenant_id = %s and kind in ('User', 'Operator') and deleted_at is null and active"
        " and role = %s order by id limit 1",
        (tenant_id, role),
    )
    row = await cursor.fetchone()
    return str(row[0]) if row else None


async def find_deleted(connection: Connection, tenant_id: int, who: str, window_days: int) -> str | None:
    """Return the id of the member with this id or user name that was deleted within the undelete window. If several members match, return
    the one that was deleted last. Members that are kept as deactivated are not found.
    """
    cursor = await connection.execute(
        "select id::text from resources where tenant_id = %(tenant)s and kind in ('User', 'Operator')"  # noqa: S608 -- constants
        " and not is_kept and deleted_at > clock_timestamp() - make_interval(days => %(days)s)"
        f" and {_BY_ID_OR_NAME} order by deleted_at desc limit 1",
        {"tenant": tenant_id, "days": window_days, "name": key_of(who), "id": read_id(who)},
    )
    row = await cursor.fetchone()
    return str(row[0]) if row else None


async def set_role(connection: Connection, tenant_id: int, member_id: str, role: str) -> None:
    cursor = await connection.execute(
        f"update resources set role = %s, document = document || %s, {BUMP} where tenant_id = %s and id = %s"  # noqa: S608 -- a constant
        " returning document",
        (role, Jsonb({"roles": [{"value": role, "primary": True}]}), tenant_id, member_id),
    )
    row = await cursor.fetchone()
    if row is not None:
        await write_search(connection, tenant_id, member_id, row[0])
    await _tell(connection, tenant_id)


async def set_active(connection: Connection, tenant_id: int, member_id: str, *, active: bool) -> None:
    if active and await is_kept(connection, tenant_id, member_id):
        await undelete(connection, tenant_id, member_id)
    await connection.execute(
        f"update resources set active = %s, document = document || %s, {BUMP} where tenant_id = %s and id = %s",  # noqa: S608 -- a constant
        (active, Jsonb({"active": active}), tenant_id, member_id),
    )


async def end_keys(connection: Connection, tenant_id: int, member_ids: Sequence[str]) -> int:
    """Revoke the keys of members. Returns how many were revoked."""
    cursor = await connection.execute(
        "update api_keys set revoked_at = now()"
        " where tenant_id = %s and member_id = any(%s::uuid[]) and revoked_at is null",
        (tenant_id, list(member_ids)),
    )
    return cursor.rowcount


async def undelete(connection: Connection, tenant_id: int, member_id: str) -> None:
    cursor = await connection.execute(
        f"update resources set deleted_at = null, is_kept = false, {BUMP} where tenant_id = %s and id = %s returning kind",  # noqa: S608 -- a constant
        (tenant_id, member_id),
    )
    row = await cursor.fetchone()
    if row is not None and row[0] == "User":
        await connection.execute(COUNT, (tenant_id, 1))


async def is_kept(connection: Connection, tenant_id: int, member_id: str) -> bool:
    """Whether a directory has deleted the member and the account keeps the member as deactivated. Locks the member."""
    cursor = await connection.execute(
        "select is_kept from resources where tenant_id = %s and id = %s for no key update", (tenant_id, member_id)
    )
    row = await cursor.fetchone()
    return bool(row and row[0])


async def write_search(connection: Connection, tenant_id: int, member_id: str, document: dict[str, Any]) -> None:
    """Write the search document of a User. Filters are compared with this document."""
    search = search_document(document, default_registry().resource("User"))
    await connection.execute(
        "insert into resource_search (tenant_id, id, kind, document) values (%s, %s, 'User', %s)"
        " on conflict (tenant_id, id) do update set document = excluded.document",
        (tenant_id, member_id, Jsonb(search)),
    )


async def _tell(connection: Connection, tenant_id: int) -> None:
    await connection.execute("select pg_notify('documo_changed', %s)", (str(tenant_id),))


async def admins_with_password(connection: Connection, tenant_id: int) -> list[tuple[str, str]]:
    """Return id and user name of the active Admins who can sign in with a password, in order of user name."""
    cursor = await connection.execute(
        "select id::text, document->>'userName' from resources where tenant_id = %s and role = 'Admin' and active"
        " and deleted_at is null and password_hash is not null and kind in ('User', 'Operator') order by 2",
        (tenant_id,),
    )
    return [(str(member), str(name)) for member, name in await cursor.fetchall()]
