"""The resources that all operations share: the store, the collectors that batch concurrent requests, and the key that encrypts cursors."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from documo.scim_service.request.exchange import ResourcePlace
from documo.scim_service.search.gate import SearchGate
from documo.scim_service.tenant.tenants import ScimTenant
from documo.scim_service.writes.change_batch import run_changes
from documo.scim_service.writes.collect import Collector
from documo.scim_service.writes.create_batch import CreatedResource, Creation, run_creates
from documo.scim_service.writes.resource_change import ChangedResource, ResourceChange
from documo.search_limits import SearchLimits
from documo.store import resources
from documo.store.database import Store
from documo.store.resources import ResourceRow
from documo.store.round_trip import one_trip
from documo.store.statistics import Statistics

NAMESAKES = 3  # the most resources with one external id that are read at once


class Service:
    """The parts that all requests of one process share. *forget* clears the process's cache of tenants."""

    def __init__(
        self,
        store: Store,
        cursor_key: bytes,
        forget: Callable[[], None],
        *,
        search_limits: SearchLimits = SearchLimits(),  # noqa: B008 -- frozen
    ) -> None:
        self.store = store
        self.search_limits = search_limits
        self.searches = SearchGate(store.pool.max_size, search_limits)
        self.forget = forget
        self.statistics = Statistics(store)
        self.cursor_key = cursor_key
        self.by_id: Collector[str, ResourceRow | None] = Collector(self._read)
        self.by_name: Collector[str, ResourceRow | None] = Collector(self._read_by_name)
        self.by_external_id: Collector[str, list[ResourceRow]] = Collector(self._read_by_external_id)
        self.creates: Collector[Creation, CreatedResource] = Collector(self._create)
        self.changes: Collector[ResourceChange, ChangedResource] = Collector(
            self._change, weigh=lambda change: change.operations
        )

    def places(self, tenant: ScimTenant) -> dict[str, ResourcePlace]:
        """Return the endpoint of each resource type of the tenant."""
        return {definition.type.name: ResourcePlace(definition) for definition in tenant.registry.definitions()}

    async def _read(self, key: Hashable, ids: Sequence[str]) -> Sequence[ResourceRow | None]:
        tenant_id: Any = key
        (rows,) = await one_trip(self.store, tenant_id, [resources.read(tenant_id, ids)])
        found = {row[0]: ResourceRow(*row) for row in rows}
        return [found.get(resource_id) for resource_id in ids]

    async def _read_by_name(self, key: Hashable, names: Sequence[str]) -> Sequence[ResourceRow | None]:
        place: Any = key
        tenant_id, kind = place
        (rows,) = await one_trip(self.store, tenant_id, [resources.read_by_name(tenant_id, kind, names)])
        found = {row[0]: ResourceRow(*row[1:]) for row in rows}
        return [found.get(name) for name in names]

    async def _read_by_external_id(self, key: Hashable, external_ids: Sequence[str]) -> Sequence[list[ResourceRow]]:
        place: Any = key
        tenant_id, kind = place
        # Each id once: two clients may ask for the same one at the same time.
        statement = resources.read_by_external_id(tenant_id, kind, sorted(set(external_ids)), NAMESAKES)
        (rows,) = await one_trip(self.store, tenant_id, [statement])
        found: dict[str, list[ResourceRow]] = {}
        for row in rows:
            found.setdefault(row[0], []).append(ResourceRow(*row[1:]))
        return [found.get(external_id, []) for external_id in external_ids]

    async def _create(self, key: Hashable, creations: Sequence[Creation]) -> Sequence[CreatedResource | Exception]:
        answers = await run_creates(self.store, creations)
        self.statistics.wrote(sum(1 + len(creation.member_ids) for creation in creations))
        return answers

    async def _change(self, key: Hashable, changes: Sequence[ResourceChange]) -> Sequence[ChangedResource | Exception]:
        answers = await run_changes(self.store, changes)
        self.statistics.wrote(sum(change.new_members for change in changes))
        return answers
