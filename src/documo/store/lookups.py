"""Small queries that responses need."""

from __future__ import annotations

from collections.abc import Sequence

from documo.identifiers import read_id
from documo.store.round_trip import Statement


def display_names(tenant_id: int, ids: Sequence[str]) -> Statement:
    """Return (id, name) of the users among *ids*. An id may be any text that a client sent."""
    return (
        "select id::text, coalesce(document->>'displayName', document->>'userName') from resources"
        " where tenant_id = %s and id = any(%s::uuid[]) and kind = 'User' and deleted_at is null",
        (tenant_id, [found for given in ids if (found := read_id(given))]),
    )


def totals(tenant_id: int, kinds: Sequence[str]) -> Statement:
    """Return the number of current (not deleted) resources of *kinds*."""
    return (
        "select coalesce(sum(total), 0)::bigint from resource_counts where tenant_id = %s and kind = any(%s)",
        (tenant_id, list(kinds)),
    )
