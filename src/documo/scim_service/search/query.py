"""Lists: filtering, sorting, paging by index and by cursor (RFC 7644, section 3.4.2; RFC 9865).

Filters and sorts run in the database with a time limit, after which the request is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import psycopg
from psycopg.sql import SQL, Composable, Literal

from documo.scim_service.request.exchange import Request, ResourcePlace, ScimAnswer
from documo.scim_service.request.render import rendered
from documo.scim_service.search.cursors import Position, seal, unseal
from documo.scim_service.search.filter_sql import CompiledFilter, FilterCompiler
from documo.scim_service.search.order import order_of
from documo.scim_service.tenant.service import NAMESAKES, Service
from documo.search_document import fold_text
from documo.store import lookups, pages
from documo.store.resources import ResourceRow
from documo.store.round_trip import Statement, one_trip
from documo.tenant_schemas import unique_attribute
from lockstep.scim.errors import ScimError
from lockstep.scim.filters import Comparison, Filter
from lockstep.scim.messages import SearchRequest
from lockstep.scim.normalize import normalize_filter

PAGE_SIZE, MAX_PAGE = 100, 1000
COUNT_MILLISECONDS = 500
FEW = 1000  # the most ids that go from the index of values to the page query
_HEAD = '{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":'


async def list_resources(service: Service, request: Request, places: Sequence[ResourcePlace]) -> ScimAnswer:
    """Answer GET requests for a list."""
    return await search(service, request, places, request.search())


async def search_resources(service: Service, request: Request, places: Sequence[ResourcePlace]) -> ScimAnswer:
    """Answer POST requests to /.search."""
    return await search(service, request, places, request.search_in_body())


async def search(
    service: Service, request: Request, places: Sequence[ResourcePlace], wanted: SearchRequest
) -> ScimAnswer:
    """Return one page of the matching resources at *places*."""
    trees = _filters(request, places, wanted.filter)
    rows = await _at_once(service, request, places, wanted, trees)
    if rows is not None:
        return await _answer(service, request, rows, places, wanted, len(rows))
    query = _Query(service, request, places, wanted)
    try:
        async with service.searches.place(request.tenant.id):
            return await query.run(trees)
    except psycopg.errors.QueryCanceled:
        raise ScimError(
            400,
            "tooMany",
            "The filter has to examine too many resources: also compare an indexed attribute, such as userName, with eq.",
        ) from None


def _filters(request: Request, places: Sequence[ResourcePlace], text: str | None) -> list[Filter | None]:
    if not text:
        return [None] * len(places)
    trees: list[Filter | None] = []
    for place in places:
        tree, applied = normalize_filter(text, request.tenant.profile, place.definition)
        request.tolerances += [name for name in applied if name not in request.tolerances]
        trees.append(tree)
    return trees


async def _at_once(
    service: Service,
    request: Request,
    places: Sequence[ResourcePlace],
    wanted: SearchRequest,
    trees: Sequence[Filter | None],
) -> list[ResourceRow] | None:
    """Return the rows for `userName eq "x"` or `externalId eq "x"`, the most common filters. One query reads the rows for all concurrent
    requests of this form.

    Returns None for any other request. Also returns None if too many resources have the external id: at least NAMESAKES, or more than fit
    on the requested page.
    """
    tree = trees[0]
    if len(places) != 1 or not isinstance(tree, Comparison) or tree.op != "eq" or not isinstance(tree.value, str):
        return None
    if wanted.sort_by or wanted.cursor is not None or wanted.start_index != 1 or wanted.count == 0:
        return None
    definition, key = places[0].definition, (request.tenant.id, places[0].kind)
    target = definition.find(tree.path)
    attribute = target.attribute if target is not None and not target.urn and target.sub is None else None
    if attribute is None:
        return None
    if attribute is unique_attribute(definition):
        row = await service.by_name.ask(key, fold_text(tree.value, attribute))
        return [row] if row is not None else []
    if attribute.name == "externalId":
        rows = await service.by_external_id.ask(key, tree.value)
        return rows if len(rows) < NAMESAKES and (wanted.count is None or len(rows) <= wanted.count) else None
    return None


class _Query:
    """One search in progress."""

    def __init__(
        self, service: Service, request: Request, places: Sequence[ResourcePlace], wanted: SearchRequest
    ) -> None:
        self._service = service
        self._request = request
        self._places = places
        self._wanted = wanted
        self._tenant_id = request.tenant.id
        self._count = min(PAGE_SIZE if wanted.count is None else wanted.count, MAX_PAGE)
        self._order = order_of(wanted.sort_by, [place.definition for place in places], descending=wanted.descending)
        # A "%" in the statement would look like a placeholder.
        self._has_fixed_text = self._order.key is None and not any("%" in place.kind for place in places)

    async def run(self, trees: Sequence[Filter | None]) -> ScimAnswer:
        condition = await self._condition(trees)
        if self._wanted.cursor is not None:
            return await self._by_cursor(condition)
        page = self._page(condition, limit=self._count, offset=self._wanted.start_index - 1)
        if condition is None:
            found, total = await self._unfiltered(page)
        else:
            (_, found) = await self._send(pages.page(page)) if self._count else ([], [])
            total = await self._total(page, found)
        rows = [ResourceRow(*row[1:]) for row in found]
        return await _answer(self._service, self._request, rows, self._places, self._wanted, total)

    async def _condition(self, trees: Sequence[Filter | None]) -> Composable | None:
        if trees[0] is None:
            return None
        conditions = []
        for place, tree in zip(self._places, trees, strict=True):
            if tree is None:
                continue
            compiled = FilterCompiler(
                self._tenant_id, place.definition, lenient=self._request.tenant.profile.allows("quoted_booleans"),
                undefined_is_absent=len(self._places) > 1,
            ).compile(tree)  # fmt: skip
            condition = await self._narrowed(place, compiled)
            if len(self._places) > 1:
                condition = SQL("(r.kind = {} and {})").format(Literal(place.kind), condition)
            conditions.append(condition)
        return SQL("({})").format(SQL(" or ").join(conditions))

    async def _narrowed(self, place: ResourcePlace, compiled: CompiledFilter) -> Composable:
        """Return the condition of *compiled*. If the index of values finds only a few candidates, the condition also requires that the
        resource is one of them.
        """
        if compiled.contains is None:
            return compiled.condition
        statement = pages.containing(self._tenant_id, place.kind, dict(compiled.contains), FEW + 1)
        (_, found) = await self._send(statement)
        ids = found[0][0]
        if len(ids) > FEW:
            return compiled.condition
        return SQL("(r.id = any({}::uuid[]) and {})").format(Literal(ids), compiled.condition)

    def _page(
        self, condition: Composable | None, *, limit: int, offset: int = 0, backwards: bool = False
    ) -> pages.ResourcePage:
        return pages.ResourcePage(
            self._tenant_id,
            [place.kind for place in self._places],
            condition,
            self._order.clause(backwards=backwards),
            self._order.value_text(),
            limit,
            min(offset, 2**31 - 1),
        )

    async def _total(self, page: pages.ResourcePage, found: Sequence[Any]) -> int:
        """Return the total number of matches: exact if counting is quick, otherwise the planner's estimate."""
        if self._count and len(found) < self._count and (found or not page.offset):
            return page.offset + len(found)
        try:
            _, counted = await one_trip(
                self._service.store, self._tenant_id, [pages.timeout(COUNT_MILLISECONDS), pages.count(page)]
            )
            return int(counted[0][0])
        except psycopg.errors.QueryCanceled:
            (rows,) = await one_trip(self._service.store, self._tenant_id, [pages.estimate(page)])
            return max(pages.estimated(rows[0][0]), page.offset + len(found))

    async def _by_cursor(self, condition: Composable | None) -> ScimAnswer:
        binding = self._binding()
        position = unseal(self._wanted.cursor, self._service.cursor_key, binding) if self._wanted.cursor else None
        backwards = position is not None and position.direction == "previous"
        if condition is None:
            found, total = await self._unfiltered(self._place_in_all(position, backwards=backwards))
        else:
            place = condition if position is None else SQL("{} and {}").format(condition, self._order.after(position))
            page = self._page(place, limit=self._count + 1, backwards=backwards)
            (_, found) = await self._send(pages.page(page))
            whole = self._page(condition, limit=self._count)
            total = await self._total(whole, found if position is None else ())
        has_more, found = len(found) > self._count, found[: self._count]
        if backwards:
            found.reverse()
        cursors = self._cursors(
            found, binding, before=position is not None and (not backwards or has_more), after=has_more or backwards
        )
        rows = [ResourceRow(*row[1:]) for row in found]
        return await _answer(self._service, self._request, rows, self._places, self._wanted, total, cursors=cursors)

    def _cursors(self, found: Sequence[Any], binding: str, *, before: bool, after: bool) -> dict[str, str]:
        cursors = {}
        if found and before:
            cursors["previousCursor"] = seal(
                Position("previous", found[0][0], found[0][1]), self._service.cursor_key, binding
            )
        if found and after:
            cursors["nextCursor"] = seal(
                Position("next", found[-1][0], found[-1][1]), self._service.cursor_key, binding
            )
        return cursors

    def _place_in_all(self, position: Position | None, *, backwards: bool) -> pages.ResourcePage:
        """Return the query for the page at *position* of a list without a filter. It asks for one resource more than the page has, to find
        out whether another page follows.
        """
        if position is None:
            return self._page(None, limit=self._count + 1)
        fixed = self._order.after_bound(position) if self._has_fixed_text else None
        if fixed is None:
            return self._page(self._order.after(position), limit=self._count + 1, backwards=backwards)
        condition, values = fixed
        return replace(self._page(condition, limit=self._count + 1, backwards=backwards), bound=values)

    async def _unfiltered(self, page: pages.ResourcePage) -> tuple[list[Any], int]:
        """Return the rows of one page of a list without a filter, and the number of rows on all pages."""
        if page.condition is None and self._has_fixed_text:
            page = replace(page, bound={})
        totals = lookups.totals(self._tenant_id, [place.kind for place in self._places])
        _, counted, found = await one_trip(
            self._service.store, self._tenant_id, [self._timeout(), totals, pages.page(page)]
        )
        return found, int(counted[0][0])

    def _binding(self) -> str:
        wanted, kinds = self._wanted, ",".join(place.kind for place in self._places)
        return orjson.dumps([self._tenant_id, kinds, wanted.filter, wanted.sort_by, wanted.descending]).decode()

    def _timeout(self) -> Statement:
        return pages.timeout(self._service.search_limits.milliseconds)

    async def _send(self, statement: Statement) -> list[Any]:
        return await one_trip(self._service.store, self._tenant_id, [self._timeout(), statement])


async def _answer(
    service: Service,
    request: Request,
    rows: Sequence[ResourceRow],
    places: Sequence[ResourcePlace],
    wanted: SearchRequest,
    total: int,
    *,
    cursors: dict[str, str] | None = None,
) -> ScimAnswer:
    by_kind = {place.kind: place for place in places}
    texts = await rendered(service.store, request, rows, by_kind, wanted) if rows else []
    if cursors is None:
        paging = f',"startIndex":{wanted.start_index}'
    else:
        paging = "".join(f',"{name}":"{value}"' for name, value in cursors.items())
    body = f'{_HEAD}{total},"itemsPerPage":{len(texts)}{paging},"Resources":[{",".join(texts)}]}}'
    return ScimAnswer(200, body.encode())
