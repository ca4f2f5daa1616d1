"""SQL of SCIM resources. Statements handle many resources at a time, because a batch costs hardly more than a single resource.

Every WHERE names `tenant_id`; row-level security is the second line of defence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from documo.store import locks
from documo.store.round_trip import Statement
from lockstep.postgres.advisory_locks import lock_statement

TIME = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
# Reads include a person's groups, so that a page of people takes one statement.
GROUPS = (
    "case when r.kind = 'User' then (select json_agg(json_build_array(g.id, g.document->>'displayName'))::text"
    " from group_members m join resources g on g.tenant_id = m.tenant_id and g.id = m.group_id and g.deleted_at is null"
    " where m.tenant_id = r.tenant_id and m.member_id = r.id) end"
)
COLUMNS = (
    f"r.id::text, r.kind, r.version, r.document::text, to_char(r.created_at, '{TIME}'),"
    f" to_char(r.last_modified, '{TIME}')"
)
COLUMNS_AND_GROUPS = f"{COLUMNS}, {GROUPS}"


class ResourceRow(NamedTuple):
    """One resource as it is stored. Times are in ISO 8601. *groups* is a JSON list of [id, name] or None."""

    id: str
    kind: str
    version: int
    document: str
    created: str
    modified: str
    groups: str | None = None


class LockedResource(NamedTuple):
    """One resource locked for a change."""

    id: str
    kind: str
    version: int
    document: str
    created: str
    modified: str
    active: bool
    source: str
    role: str | None
    groups: str | None


class ResourceColumns(NamedTuple):
    """The columns derived from a document when it is written."""

    unique_name: str | None
    external_id: str | None
    display_name: str | None
    active: bool
    role: str | None
    search: dict[str, Any] | None


_GIVEN = (
    "given as (select * from json_to_recordset(%(items)s::json) as g(id uuid, unique_name text, external_id text,"
    " display_name text, active boolean, role text, document jsonb, search jsonb, password_hash text, version bigint,"
    " managed_by uuid))"
)
# If the names of two people became equal when the rules for names changed, each keeps the old key until the name is changed.
_KEPT_NAME = (
    "case when r.kind = 'User' and r.unique_name <> g.unique_name and r.document->'userName' = g.document->'userName'"
    " then r.unique_name else g.unique_name end"
)
_CREATE = f"""
with {_GIVEN},
made as (
    insert into resources
        (tenant_id, id, kind, unique_name, external_id, display_name, active, role, document, password_hash, managed_by)
    select %(tenant)s, g.id, %(kind)s, g.unique_name, g.external_id, g.display_name, g.active, g.role, g.document, g.password_hash,
        g.managed_by
    from given g
    where %(hold_days)s::int is null or g.unique_name is null or not exists (
        select 1 from resources d where d.tenant_id = %(tenant)s and d.kind = %(kind)s and d.unique_name = g.unique_name
        and d.deleted_at is not null -- the condition of the index, without which every resource is read
        and (d.is_kept or d.deleted_at > clock_timestamp() - make_interval(days => %(hold_days)s)))
    on conflict do nothing
    returning id, created_at
),
searchable as (
    insert into resource_search (tenant_id, id, kind, document)
    select %(tenant)s, g.id, %(kind)s, g.search from given g join made using (id)
),
counted as (
    insert into resource_counts select %(tenant)s, %(kind)s, count(*) from made having count(*) > 0
    on conflict (tenant_id, kind) do update set total = resource_counts.total + excluded.total
)
select id::text, to_char(created_at, '{TIME}') from made
"""  # noqa: S608 -- constants
_UPDATE = f"""
with {_GIVEN},
changed as (
    update resources r set unique_name = {_KEPT_NAME}, external_id = g.external_id, display_name = g.display_name,
        active = g.active, role = g.role, document = g.document, password_hash = coalesce(g.password_hash, r.password_hash),
        version = g.version, last_modified = clock_timestamp(), deleted_at = null, is_kept = false,
        managed_by = coalesce(r.managed_by, g.managed_by)
    from given g where r.tenant_id = %(tenant)s and r.id = g.id
    returning r.id, r.kind, r.version, r.last_modified
),
searchable as (
    insert into resource_search (tenant_id, id, kind, document)
    select %(tenant)s, g.id, c.kind, g.search from given g join changed c using (id) where g.search is not null
    on conflict (tenant_id, id) do update set document = excluded.document
)
select id::text, version, to_char(last_modified, '{TIME}') from changed
"""  # noqa: S608 -- constants


def item_of(
    resource_id: str,
    document: dict[str, Any],
    columns: ResourceColumns,
    *,
    version: int = 1,
    password_hash: str | None = None,
    key: str | None = None,
) -> dict[str, Any]:
    """Convert one resource to the form that `create` and `update` take. *key* is the API key of the request; it becomes the managing key
    if the resource has none.
    """
    return {
        "id": resource_id,
        "unique_name": columns.unique_name,
        "external_id": columns.external_id,
        "display_name": columns.display_name,
        "active": columns.active,
        "role": columns.role,
        "document": document,
        "search": columns.search,
        "password_hash": password_hash,
        "version": version,
        "managed_by": key,
    }


def create(tenant_id: int, kind: str, items: Sequence[dict[str, Any]], *, hold_days: int | None) -> Statement:
    """Insert all resources that do not conflict, in one statement. Returns rows of (id, created) for those inserted.

    With *hold_days*, the name of a resource that was deleted within that many days counts as taken.
    """
    return _CREATE, {"items": orjson.dumps(items).decode(), "tenant": tenant_id, "kind": kind, "hold_days": hold_days}


def update(tenant_id: int, items: Sequence[dict[str, Any]]) -> Statement:
    """Write changed resources. If the `search` of an item is None, the resource keeps its searchable values. Returns rows of (id, version,
    modified).
    """
    return _UPDATE, {"items": orjson.dumps(items).decode(), "tenant": tenant_id}


def read(tenant_id: int, ids: Sequence[str]) -> Statement:
    """Return `ResourceRow`s of the current (not deleted) resources among *ids*."""
    return (
        f"select {COLUMNS_AND_GROUPS} from resources r where r.tenant_id = %s and r.id = any(%s::uuid[])"  # noqa: S608 -- constants
        " and r.deleted_at is null",
        (tenant_id, list(ids)),
    )


def read_by_name(tenant_id: int, kind: str, names: Sequence[str]) -> Statement:
    """Return the current resources with one of *names*. Each row is the unique name, followed by the columns of `ResourceRow`."""
    return (
        f"select r.unique_name, {COLUMNS_AND_GROUPS} from resources r where r.tenant_id = %s and r.kind = %s"  # noqa: S608 -- constants
        " and r.unique_name = any(%s) and r.deleted_at is null",
        (tenant_id, kind, list(names)),
    )


def read_by_external_id(tenant_id: int, kind: str, external_ids: Sequence[str], limit: int) -> Statement:
    """Return at most *limit* current resources for each external id. Each row is the external id, followed by the columns of
    `ResourceRow`.
    """
    return (
        f"select n.value, {COLUMNS_AND_GROUPS} from unnest(%s::text[]) as n(value) cross join lateral ("  # noqa: S608 -- constants
        "select * from resources e where e.tenant_id = %s and e.kind = %s and e.external_id = n.value and e.deleted_at is null"
        " order by e.id limit %s) r",
        (list(external_ids), tenant_id, kind, limit),
    )


def lock(tenant_id: int, ids: Sequence[str]) -> Statement:
    """Return rows of `LockedResource`, locked in the order of their ids, so that two batches never deadlock."""
    return (
        f"select {COLUMNS}, r.active, r.source, r.role, {GROUPS} from resources r"  # noqa: S608 -- constants
        " where r.tenant_id = %s and r.id = any(%s::uuid[]) and r.deleted_at is null order by r.id for no key update",
        (tenant_id, sorted(ids)),
    )


def lock_namesake(tenant_id: int, kind: str, unique_name: str, window_days: int) -> Statement:
    """Lock and return the resource that has this unique name, as one row (id, deleted, active, source, version, document), or no row.

    A current resource takes precedence. Otherwise, a deleted resource is returned if it was deleted within the undelete window or is kept
    as a deactivated user. If there are several such resources, the one that was deleted last is returned.
    """
    return (
        "select id::text, deleted_at is not null, active, source, version, document::text from resources where tenant_id = %s and kind = %s"
        " and unique_name = %s and (deleted_at is null"
        " or deleted_at is not null and (is_kept or deleted_at > clock_timestamp() - make_interval(days => %s)))"
        " order by deleted_at desc nulls first limit 1 for update",
        (tenant_id, kind, unique_name, window_days),
    )


def count_change(tenant_id: int, kind: str, change: int) -> Statement:
    return (
        "insert into resource_counts values (%s, %s, %s) on conflict (tenant_id, kind)"
        " do update set total = resource_counts.total + excluded.total",
        (tenant_id, kind, change),
    )


def soft_delete(tenant_id: int, resource_id: str, kind: str, *, is_kept: bool = False) -> list[Statement]:
    """Mark one locked resource as deleted, remove its memberships and revoke its keys. The groups that contained it get a new version.

    If *is_kept* is true, Documo's pages still show the user, as deactivated.
    """
    return [
        (
            "update resources set deleted_at = clock_timestamp(), is_kept = %s, version = version + 1"
            " where tenant_id = %s and id = %s",
            (is_kept, tenant_id, resource_id),
        ),
        (
            "with lost as (delete from group_members where tenant_id = %s and member_id = %s returning group_id)"
            " update resources r set version = r.version + 1, last_modified = clock_timestamp() from lost"
            " where r.tenant_id = %s and r.id = lost.group_id",
            (tenant_id, resource_id, tenant_id),
        ),
        ("delete from group_members where tenant_id = %s and group_id = %s", (tenant_id, resource_id)),
        end_keys(tenant_id, [resource_id]),
        count_change(tenant_id, kind, -1),
    ]


def end_keys(tenant_id: int, member_ids: Sequence[str]) -> Statement:
    """Revoke the keys of members who are no longer active."""
    return (
        "update api_keys set revoked_at = now() where tenant_id = %s and member_id = any(%s::uuid[]) and revoked_at is null",
        (tenant_id, list(member_ids)),
    )


def tell_of_owners(tenant_id: int, member_ids: Sequence[str]) -> Statement:
    """Notify every process that the rights of these members' keys have changed. Nothing is sent if they have no keys."""
    return (
        "select pg_notify('documo_changed', %s) from api_keys"
        " where tenant_id = %s and member_id = any(%s::uuid[]) and revoked_at is null limit 1",
        (str(tenant_id), tenant_id, list(member_ids)),
    )


def seats_taken(tenant_id: int) -> list[Statement]:
    """Return the statements that count the active members; the second one returns the count. Concurrent calls wait until this
    transaction ends.
    """
    return [
        lock_statement(locks.seats_of(tenant_id)),
        (
            "select count(*) from resources where tenant_id = %s and kind = 'User' and active and deleted_at is null",
            (tenant_id,),
        ),
    ]


def active_admins(tenant_id: int, admin: str, default_role: str) -> list[Statement]:
    """Return the statements that count the active Admins; the second one returns the count. Concurrent calls wait until this transaction
    ends.
    """
    return [
        lock_statement(locks.admins_of(tenant_id)),
        (
            "select count(*) from resources where tenant_id = %s and (role = %s or (role is null and %s)) and kind in ('User', 'Operator')"
            " and active and deleted_at is null",
            (tenant_id, admin, default_role == admin),
        ),
    ]


def tell(tenant_id: int) -> Statement:
    """Make every process drop its cache of the tenant once the transaction commits."""
    return "select pg_notify('documo_changed', %s)", (str(tenant_id),)
