"""Admins, and the daily reading of metadata, that change single sign-on at the same moment lose nothing of each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from documo.access.sso import providers
from documo.access.sso.refreshing import MetadataReader
from documo.store import members as members_table
from documo.store import single_sign_on
from documo.store.single_sign_on import AccountProviderRow
from lockstep.http.outbound import OutboundRules
from lockstep.postgres.pool import Connection
from tests.documo.sso_world import ADA, URL, World
from tests.support.saml_provider import Provider, key_named


async def kept(world: World) -> AccountProviderRow:
    return (await providers.provider_of(world.store, world.one.id)).row


def before_the_first(call: Callable[..., Any], work: Callable[[], Awaitable[object]]) -> Callable[..., Any]:
    """*call*, whose first use waits for *work* of somebody else."""
    waiting = [work]

    async def called(*arguments: Any, **more: Any) -> Any:
        if waiting:
            await waiting.pop()()
        return await call(*arguments, **more)

    return called


async def test_setup_that_is_saved_while_another_admin_enforces_does_not_end_that(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def enforce() -> None:
        await providers.enforce(world.store, world.one.id, break_glass=ADA)

    monkeypatch.setattr(single_sign_on, "save_provider", before_the_first(single_sign_on.save_provider, enforce))
    await world.set_up(world.one, logout_url="https://new.example/logout")

    row = await kept(world)
    assert (row.is_enforced, row.break_glass is not None, row.logout_url) == (True, True, "https://new.example/logout")


async def test_enforcing_keeps_what_is_saved_at_the_same_moment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def set_up() -> None:
        await world.set_up(world.one, logout_url="https://new.example/logout")

    monkeypatch.setattr(members_table, "find_member", before_the_first(members_table.find_member, set_up))
    await providers.enforce(world.store, world.one.id, break_glass=ADA)

    assert ((await kept(world)).is_enforced, (await kept(world)).logout_url) == (True, "https://new.example/logout")


async def test_nobody_changes_the_provider_between_comparing_and_saving_its_metadata(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.set_up(world.one, metadata_url="https://idp.example/metadata")
    save, locked = single_sign_on.save_provider, list[bool]()

    async def looked_at(connection: Connection, tenant_id: int, row: AccountProviderRow) -> None:
        async with world.store.tenant(tenant_id) as other:
            cursor = await other.execute("select 1 from single_sign_on for update skip locked")
            locked.append(await cursor.fetchone() is None)
        await save(connection, tenant_id, row)

    class Read(MetadataReader):
        async def fetch(self, url: str) -> bytes:
            return Provider(URL, key=key_named("next")).metadata()

    monkeypatch.setattr(single_sign_on, "save_provider", looked_at)
    await Read(world.store, OutboundRules()).refresh(world.one.id, now=datetime.now(UTC))

    assert locked == [True]
    assert (await kept(world)).certificates == key_named("next").certificate.pem
