"""SQL of the members of groups. Each member is stored in a separate row, never in the group's document.

Adding and removing members writes only the rows that change, whatever the size of the group.
"""

from __future__ import annotations

from collections.abc import Sequence

from documo.store.round_trip import Statement


def known_members(tenant_id: int, ids: Sequence[str]) -> Statement:
    """Return (id, kind) of the users and groups in *ids*, locked so that none of them can be deleted before the transaction ends."""
    return (
        "select id::text, kind from resources where tenant_id = %s and id = any(%s::uuid[]) and deleted_at is null"
        " and kind in ('User', 'Group') order by id for share",
        (tenant_id, sorted(ids)),
    )


def add(tenant_id: int, group_id: str, members: Sequence[tuple[str, str]]) -> Statement:
    """Add members, given as (id, kind) pairs. Returns one row for each member that was added, and none for a member that was already in the
    group.
    """
    return (
        "insert into group_members (tenant_id, group_id, member_id, member_kind)"
        " select %s, %s, m.id, m.kind from unnest(%s::uuid[], %s::text[]) as m(id, kind)"
        " on conflict do nothing returning member_id",
        (tenant_id, group_id, [member for member, _ in members], [kind for _, kind in members]),
    )


def add_known(tenant_id: int, pairs: Sequence[tuple[str, str]]) -> Statement:
    """Add (group id, member id) pairs. Leaves out a pair whose group was not created, or whose member is not a current user or group."""
    return (
        "insert into group_members (tenant_id, group_id, member_id, member_kind)"
        " select m.tenant_id, p.group_id, m.id, m.kind from unnest(%s::uuid[], %s::uuid[]) as p(group_id, member_id)"
        " join resources m on m.tenant_id = %s and m.id = p.member_id and m.deleted_at is null and m.kind in ('User', 'Group')"
        " where exists (select 1 from resources g where g.tenant_id = %s and g.id = p.group_id) on conflict do nothing",
        ([group for group, _ in pairs], [member for _, member in pairs], tenant_id, tenant_id),
    )


def remove(tenant_id: int, group_id: str, ids: Sequence[str]) -> Statement:
    """Remove the members *ids*. Returns one row for each member that was removed."""
    # A single id is compared with "=": without statistics, PostgreSQL before 17 reads the whole group for a list of one id.
    condition, value = ("= %s", ids[0]) if len(ids) == 1 else ("= any(%s::uuid[])", list(ids))
    return (
        f"delete from group_members where tenant_id = %s and group_id = %s and member_id {condition} returning member_id",  # noqa: S608 -- constants
        (tenant_id, group_id, value),
    )


def keep_only(tenant_id: int, group_id: str, ids: Sequence[str]) -> Statement:
    """Remove all members except *ids*. Returns a row for each removed member."""
    return (
        "delete from group_members where tenant_id = %s and group_id = %s and not member_id = any(%s::uuid[])"
        " returning member_id",
        (tenant_id, group_id, list(ids)),
    )


_MEMBER = (
    "'value', m.member_id, '$ref', %s::text || case m.member_kind when 'User' then '/Users/' else '/Groups/' end || m.member_id,"
    " 'type', m.member_kind"
)
_NAME = ", 'display', coalesce(u.document->>'displayName', u.document->>'userName')"


def members_json(tenant_id: int, group_ids: Sequence[str], base_url: str, *, with_names: bool) -> Statement:
    """Return (group id, JSON list of members) for groups that have members."""
    join = "join resources u on u.tenant_id = m.tenant_id and u.id = m.member_id" if with_names else ""
    return (
        f"select m.group_id::text, json_agg(json_build_object({_MEMBER}{_NAME if with_names else ''}) order by m.member_id)::text"  # noqa: S608 -- constants
        f" from group_members m {join} where m.tenant_id = %s and m.group_id = any(%s::uuid[]) group by m.group_id",
        (base_url, tenant_id, list(group_ids)),
    )


def present(tenant_id: int, pairs: Sequence[tuple[str, str]]) -> Statement:
    """Return those (group id, member id) pairs in *pairs* in which the member belongs to the group."""
    # A subquery for each pair: with a join, the planner would read whole groups until it has statistics.
    return (
        "select p.group_id::text, p.member_id::text from unnest(%s::uuid[], %s::uuid[]) as p(group_id, member_id)"
        " where (select true from group_members m where m.tenant_id = %s and m.group_id = p.group_id and m.member_id = p.member_id)",
        ([group for group, _ in pairs], [member for _, member in pairs], tenant_id),
    )


def sizes(tenant_id: int, group_ids: Sequence[str]) -> Statement:
    """Return (group id, number of members) for groups that have members."""
    return (
        "select group_id::text, count(*) from group_members where tenant_id = %s and group_id = any(%s::uuid[]) group by 1",
        (tenant_id, list(group_ids)),
    )


def few_members(tenant_id: int, group_id: str, limit: int) -> Statement:
    """Return one row: a JSON list of [id, kind] if the group has at most *limit* members, null if it has more."""
    return (
        "select case when count(*) <= %s then coalesce(json_agg(json_build_array(member_id, member_kind)), '[]') end"
        " from (select member_id, member_kind from group_members where tenant_id = %s and group_id = %s limit %s) as few",
        (limit, tenant_id, group_id, limit + 1),
    )


def groups_of(tenant_id: int, member_ids: Sequence[str]) -> Statement:
    """Return rows of (member id, group id, group name, direct). *direct* is false if the member is in the group only through another
    group.
    """
    return (
        "with recursive held as ("
        " select m.member_id as who, m.group_id, true as direct from group_members m"
        " where m.tenant_id = %s and m.member_id = any(%s::uuid[])"
        " union select h.who, m.group_id, false from held h join group_members m"
        " on m.tenant_id = %s and m.member_id = h.group_id)"
        " select h.who::text, h.group_id::text, g.document->>'displayName', bool_or(h.direct) from held h"
        " join resources g on g.tenant_id = %s and g.id = h.group_id and g.deleted_at is null"
        " group by 1, 2, 3 order by 1, 2",
        (tenant_id, list(member_ids), tenant_id, tenant_id),
    )
