"""SQL of the list of members. It returns one page in the order of names. Members can be filtered by a part of their name, by state, by
role and by source.
"""

from __future__ import annotations

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


async def searched_rows(
    connection: Connection, tenant_id: int, *, search: str, only: str, role: str, default_role: str, source: str,
    after: str, most: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return a page of members in the order of their names. *only* is "", "active", "inactive" or "deleted"; *source* is "", "scim" or
    "local"; *after* is the `key` of the last row of the previous page.
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
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(searching(only), values)
    return await cursor.fetchall()


def searching(only: str) -> str:
    """Return the statement of `searched_rows`.

    Each combination of kind and state has its own partial index. Members are read in the order of the index, and only as many as the page
    needs. A search for a rare part of a name reads all members: an index for such searches would make each SCIM write a tenth slower.
    """
    parts = " union all ".join(
        f"(select * from resources where tenant_id = %(tenant)s and kind = '{kind}' and {state}"  # noqa: S608 -- constants
        " and unique_name >= %(name)s and (unique_name, id) > (%(name)s, %(last)s)"
        f" and (%(search)s = '' or strpos(unique_name, %(folded)s) > 0 or strpos(lower({SHOWN_NAME}), %(folded)s) > 0)"
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
