"""The service's cache of accounts, and changes that arrive while it is being filled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from documo.accounts import change_account, create_account
from documo.scim_service.tenant.tenants import Tenants
from documo.store.database import Store


class Overtaken:
    """A store in which something happens between reading data and using it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    @asynccontextmanager
    async def control(self) -> AsyncIterator[Any]:
        async with self._store.control() as connection:
            yield connection
        await self._happen()

    @asynccontextmanager
    async def tenant(self, tenant_id: int) -> AsyncIterator[Any]:
        async with self._store.tenant(tenant_id) as connection:
            yield connection
        await self._happen()

    async def _happen(self) -> None:
        if self.meanwhile is not None:
            happening, self.meanwhile = self.meanwhile, None
            await happening()


async def test_change_of_domains_while_they_are_read_is_no_error(store: Store) -> None:
    overtaken = Overtaken(store)
    tenants = Tenants(overtaken)  # type: ignore[arg-type]  # has what is used of a store

    async def forget() -> None:
        tenants.forget()

    overtaken.meanwhile = forget

    assert await tenants.domain_owner("evil.example") is None


async def test_settings_that_change_while_they_are_read_hold_from_the_next_request(store: Store) -> None:
    account = await create_account(store, "Contoso", admin="admin@contoso.example", settings={"profile": "lenient"})
    overtaken = Overtaken(store)
    tenants = Tenants(overtaken)  # type: ignore[arg-type]

    async def change() -> None:
        await change_account(store, "Contoso", {"profile": "strict"})
        tenants.forget()

    overtaken.meanwhile = change
    await tenants.tenant(account.id)

    assert (await tenants.tenant(account.id)).profile.name == "strict"
