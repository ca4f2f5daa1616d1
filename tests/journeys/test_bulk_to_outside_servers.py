"""Creates that share requests work with SCIM servers of others, whether they offer bulk requests or not."""

from __future__ import annotations

import pytest

from lockstep.engine.records import ObjectKind
from lockstep.ports import NewAccount, Verdict
from lockstep.targets.scim_target import ScimTarget
from lockstep.vault import Secret
from tests.journeys.third_party import SERVERS, Outside
from tests.support.target_servers import allowing, settings_for

pytestmark = pytest.mark.full
USER = ObjectKind.USER
WITHOUT_BULK = {"django-scim2"}


@pytest.mark.parametrize("server", SERVERS, ids=lambda one: one.name)
async def test_each_create_has_its_own_result_whatever_the_server_offers(server: Outside) -> None:
    names = [f"person-{number}@example.com" for number in range(20)]
    async with server.start() as wire:
        client = allowing(wire.upstream)
        settings = settings_for(wire.upstream, tenant_url=wire.upstream + wire.path, secret=Secret(wire.token))
        target = ScimTarget(settings, client)

        taken = await target.create(USER, {"userName": names[7], "active": "True"}, operation_id="op-before")
        answers = await target.create_many(
            USER, [NewAccount(f"op-{name}", {"userName": name, "active": "True"}) for name in names]
        )

        assert taken.verdict is Verdict.DONE
        assert [one.verdict for one in answers] == [
            Verdict.CONFLICT if name == names[7] else Verdict.DONE for name in names
        ]
        for name, answer in zip(names, answers, strict=True):
            found = await target.find(USER, "userName", name)
            made = answer.account or taken.account
            assert made is not None
            assert [one.id for one in found] == [made.id]
        ways = {one.exchanges[-1].url.rpartition("/")[2] for one in answers}
        assert ways == ({"Users"} if server.name in WITHOUT_BULK else {"Bulk"})
        await client.close()
