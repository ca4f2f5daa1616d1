"""SQL of the list of members: a page in the order of names, of those with a part of a name, a state, a role or a source."""

from __future__ import annotations

import re
from typing import Any

from psycopg.rows import dict_row

from documo.identifiers import read_id
from documo.store.members import CURRENT, DELETED, FIRST, KEPT, SHOWN_NAME
from documo.user_names import key_of
from lockstep.postgres.pool import Connection

_STATES = {
    "": (CURRENT, KEPT),
    "active": (f"{CURRENT} and active",),
    "inactive": (f"{CURRENT} and not active", KEPT),
    "deleted": (DELETED,),
}
# The folded user name and shown name of a User in `resource_search`, with an index for parts of them (migration 0021).
_NAMES = (
    "((s.document->>'userName') || chr(10) || coalesce(s.document->>'displayName',"
    " coalesce(s.document->'name'->>'givenName', '') || ' ' || coalesce(s.document->'name'->>'familyName', '')))"
)
_INDEXED = 3  # characters: shorter texts have no trigram
_FEW = 1_000  # users: a part that more of them have is found after a few rows of the list anyway


async def searched_rows(
    connection: Connection, tenant_id: int, *, search: str, only: str, role: str, default_role: str, source: str,
    after: str, most: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return a page of members in the order of their names. *only* is "", "active", "inactive" or "deleted"; *source* is "", "scim" or
    "local"; *after* is the `key` of the last row of the page before.
    """
    name, _, last = after.rpartition(" ")
    values = {
        "tenant": tenant_id,
        "search": search,
        "folded": key_of(search),
        "name": name,
        "last": read_id(last) or FIRST,
        "most": most,
        "role": role,
        "default_role": default_role,
        "source": source,
    }
    found = await _few_with_part(connection, tenant_id, search)
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(searching(only, by_ids=found is not None), {**values, "found": found})
    return await cursor.fetchall()


async def _few_with_part(connection: Connection, tenant_id: int, search: str) -> list[str] | None:
    """Return the ids of the Users whose names contain *search*. Returns None if they are many, or if the index does not help."""
    if len(search) < _INDEXED:
        return None
    cursor = await connection.execute(*finding_part(tenant_id, search))
    rows = await cursor.fetchall()
    return [str(row[0]) for row in rows] if len(rows) <= _FEW else None


def finding_part(tenant_id: int, search: str) -> tuple[str, tuple[object, ...]]:
    """Return a statement for the ids of Users whose names contain *search*, and its values. It reads no other table, because PostgreSQL
    would not use the index in a join with a table that has a policy.
    """
    patterns = [f"%{escaped_for_like(part)}%" for part in (key_of(search), search.casefold())]
    return (
        "select s.id from resource_search s where s.tenant_id = %s and s.kind = 'User'"  # noqa: S608 -- constants
        f" and ({_NAMES} like %s or {_NAMES} like %s) limit %s",
        (tenant_id, *patterns, _FEW + 1),
    )


def escaped_for_like(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)


def searching(only: str, *, by_ids: bool) -> str:
    """Return the statement of `searched_rows`. Each kind of member in each state is read in the order of its own partial index, and no
    more rows than the page needs. With *by_ids*, only Users with the ids in *found* are read.
    """
    has_part = (
        f"(%(search)s = '' or strpos(unique_name, %(folded)s) > 0 or strpos(lower({SHOWN_NAME}), %(folded)s) > 0)"
    )
    matching = {"User": "id = any(%(found)s::uuid[])" if by_ids else has_part, "Operator": has_part}
    parts = " union all ".join(
        f"(select * from resources where tenant_id = %(tenant)s and kind = '{kind}' and {state}"  # noqa: S608 -- constants
        " and unique_name >= %(name)s and (unique_name, id) > (%(name)s, %(last)s)"
        f" and {matching[kind]}"
        " and (%(role)s = '' or coalesce(role, %(default_role)s) = %(role)s)"
        " and (%(source)s = '' or (source = 'scim' or managed_by is not null) = (%(source)s = 'scim'))"
        " order by unique_name, id limit %(most)s)"
        for kind in ("User", "Operator")
        for state in _STATES.get(only, _STATES[""])
    )
    return (
        f"select id::text, document->>'userName' as user_name, {SHOWN_NAME} as name, role, source, deleted_at,"  # noqa: S608 -- constants
        " active and deleted_at is null as active, unique_name || ' ' || id::text as key, managed_by is not null as has_client,"
        " (select k.name from api_keys k where k.id = r.managed_by) as managing_key,"
        " (select l.at from member_last_sign_ins l where l.tenant_id = r.tenant_id and l.member_id = r.id) as signed_in_at"
        f" from ({parts}) r order by unique_name, r.id limit %(most)s"
    )
