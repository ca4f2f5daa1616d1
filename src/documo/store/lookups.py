"""Small reads that answers need."""

from __future__ import annotations

from collections.abc import Sequence

from documo.identifiers import read_id
from documo.store.round_trip import Statement


def display_names(tenant_id: int, ids: Sequence[str]) -> Statement:
    """(id, name) of the members among *ids*, which may hold anything that a client sent."""
    return (
        "select id::text, coalesce(document->>'displayName', document->>'userName') from resources"
        " where tenant_id = %s and id = any(%s::uuid[]) and kind = 'User' and deleted_at is null",
        (tenant_id, [found for given in ids if (found := read_id(given))]),
    )


def totals(tenant_id: int, kinds: Sequence[str]) -> Statement:
    """How many resources of *kinds* live."""
    return (
        "select coalesce(sum(total), 0)::bigint from resource_counts where tenant_id = %s and kind = any(%s)",
        (tenant_id, list(kinds)),
    )


def has_few_members(tenant_id: int, group_id: str, limit: int) -> Statement:
    """One row that says whether a group has at most *limit* members."""
    return (
        "select count(*) <= %s from (select 1 from group_members where tenant_id = %s and group_id = %s limit %s) as few",
        (limit, tenant_id, group_id, limit + 1),
    )
