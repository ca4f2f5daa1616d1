"""SQL of lists: a condition, an order, a page.

The page is determined by ids alone, and its rows are fetched afterwards. A large offset therefore costs only an index scan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from psycopg.sql import SQL, Composable, Composed, Literal, Placeholder
from psycopg.types.json import Jsonb

from documo.store.resources import COLUMNS_AND_GROUPS
from documo.store.round_trip import Statement

TIMEOUT = "select set_config('statement_timeout', %s, true)"


@dataclass(frozen=True, slots=True)
class ResourcePage:
    """The resources to return, and their order. *condition* refers to `resources r` and `resource_search s`. *bound* has the values of the
    placeholders in *condition*, or is None if the statement has no placeholders.
    """

    tenant_id: int
    kinds: Sequence[str]
    condition: Composable | None
    order: Composable
    sort_value: Composable
    limit: int
    offset: int = 0
    bound: Mapping[str, Any] | None = None


def page(wanted: ResourcePage) -> Statement:
    """Return rows in the order of the page. Each row is the sort value as text, followed by the columns of `ResourceRow`.

    For a page without a filter, planning the statement takes longer than running it. The text of such a statement is therefore the same for
    every position in the list, so that PostgreSQL can reuse the prepared statement. The values of its placeholders are in `wanted.bound`.
    The statement of a page with a filter has no placeholders, because a "%" in the filter's text would be read as one.
    """
    is_bound = wanted.bound is not None
    # Numbering rows costs as much as skipping them. Where the fetched rows contain the sort value, the page is sorted again instead.
    is_numbered = _mentions_search(wanted.order)
    inner = SQL(
        "select r.id, {value} as sort_value{place} {source} order by {order} limit {limit} offset {offset}"
    ).format(
        value=wanted.sort_value,
        place=SQL(", row_number() over (order by {}) as place").format(wanted.order) if is_numbered else SQL(""),
        order=wanted.order,
        source=_source(wanted.tenant_id, wanted.kinds, wanted.condition, with_search=_needs_search(wanted)),
        limit=Literal(wanted.limit),
        offset=Placeholder("offset") if is_bound else Literal(wanted.offset),
    )
    statement = SQL(
        "select p.sort_value, {columns} from ({inner}) p join resources r on r.tenant_id = {tenant} and r.id = p.id order by {order}"
    ).format(
        columns=SQL(COLUMNS_AND_GROUPS),
        inner=inner,
        tenant=Literal(wanted.tenant_id),
        order=SQL("p.place") if is_numbered else wanted.order,
    )
    return statement, {**(wanted.bound or {}), "offset": wanted.offset} if is_bound else ()


def count(wanted: ResourcePage) -> Statement:
    """Return the number of resources on all pages."""
    source = _source(wanted.tenant_id, wanted.kinds, wanted.condition, with_search=_mentions_search(wanted.condition))
    return SQL("select count(*) {}").format(source), ()


def estimate(wanted: ResourcePage) -> Statement:
    """Return the query for the planner's estimate of the number that `count` returns. Read its result with `estimated`."""
    source = _source(wanted.tenant_id, wanted.kinds, wanted.condition, with_search=_mentions_search(wanted.condition))
    return SQL("explain (format json) select r.id {}").format(source), ()


def estimated(plan: Any) -> int:
    """Return the estimated number of rows. *plan* is the result of `estimate`."""
    document = orjson.loads(plan) if isinstance(plan, str | bytes) else plan
    return int(document[0]["Plan"]["Plan Rows"])


def containing(tenant_id: int, kind: str, held: dict[str, Any], limit: int) -> Statement:
    """Return one row: a list of at most *limit* ids of resources whose search document contains *held*."""
    return (
        "select array(select s.id::text from resource_search s where s.tenant_id = %s and s.kind = %s and s.document @> %s limit %s)",
        (tenant_id, kind, Jsonb(held), limit),
    )


def timeout(milliseconds: int) -> Statement:
    """Limit the time of each following statement in this transaction."""
    return TIMEOUT, (str(milliseconds),)


def _source(tenant_id: int, kinds: Sequence[str], condition: Composable | None, *, with_search: bool) -> Composed:
    join = SQL("left join resource_search s on s.tenant_id = r.tenant_id and s.id = r.id" if with_search else "")
    kind = (
        SQL("r.kind = {}").format(Literal(kinds[0]))
        if len(kinds) == 1
        else SQL("r.kind = any({})").format(Literal(list(kinds)))
    )
    return SQL(
        "from resources r {join} where r.tenant_id = {tenant} and {kind} and r.deleted_at is null{condition}"
    ).format(
        join=join,
        tenant=Literal(tenant_id),
        kind=kind,
        condition=SQL(" and {}").format(condition) if condition is not None else SQL(""),
    )


def _needs_search(wanted: ResourcePage) -> bool:
    return any(_mentions_search(part) for part in (wanted.condition, wanted.order, wanted.sort_value))


def _mentions_search(part: Composable | None) -> bool:
    return part is not None and "s.document" in part.as_string(None)
