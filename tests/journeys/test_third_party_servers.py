"""Fifty people, their groups, roles and managers are provisioned into servers that others wrote, and stay in step with the directory."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import pytest

from lockstep.actions import people
from lockstep.targets.opener import ScimTargets
from lockstep.vault import Secret
from tests.journeys.company import NAMES, Company, guid, upn
from tests.journeys.third_party import SERVERS, Outside
from tests.journeys.two_applications import stage_with
from tests.support.target_servers import allowing, settings_for

APP = "outside"
# Requests: a create and a manager each. Where PATCH is missing a PATCH in two forms, a GET and a PUT, and a look at what was not kept.
MOST_OF_A_START = 7 * len(NAMES)

pytestmark = pytest.mark.full


@pytest.fixture(params=SERVERS, ids=lambda one: one.name)
async def server(request: pytest.FixtureRequest) -> Outside:
    chosen: Outside = request.param
    return chosen


@pytest.fixture
async def company(server: Outside) -> AsyncIterator[Company]:
    async with server.start() as wire, stage_with({APP: wire}) as stage:
        made = Company(stage, APP)
        await made.begin()
        yield made


async def in_step(company: Company, server: Outside, *, most: int, full: bool = False) -> int:
    """A cycle, after which the application shows what it should, with at most *most* requests; returns the number of writes."""
    company.stage.forget_requests()
    cycle = await company.stage.cycle(APP, full=full)

    sent = company.wire.sent
    refused = sum(bool(account.get("manager")) for account in company.expected(lacks=frozenset()).values())
    shown, expected = await company.shown(lacks=server.lacks), company.expected(lacks=server.lacks)
    assert {name: one for name, one in shown.items() if one != expected.get(name)} == {
        name: one for name, one in expected.items() if one != shown.get(name)
    }
    members, wanted = await company.shown_members(), company.expected_members()
    assert {team: one ^ wanted[team] for team, one in members.items()} == {team: set() for team in wanted}
    assert cycle.counts.get("failed", 0) <= (refused if server.refuses else 0), dict(cycle.counts)
    assert len(sent) <= most + (2 * refused if server.refuses else 0), Counter(one[0] for one in sent)
    return len(company.wire.writes)


async def test_directory_and_application_agree_after_every_step(company: Company, server: Outside) -> None:
    await in_step(company, server, most=MOST_OF_A_START)
    first = {name: one["id"] for name, one in (await company.wire.listed()).items()}
    await in_step(company, server, most=0)

    await company.change({"p07": {"userPrincipalName": upn("seven"), "surname": "Seven", "displayName": "P07 Seven"}})
    await company.change({"p08": {"jobTitle": "Head"}, "p09": {"jobTitle": "", "department": "", "manager": ""}})
    await company.change({"p10": {"accountEnabled": "False"}, "p12": {"manager": guid("p11")}})
    await company.move("p13", out_of="Sales", into="Support")
    await in_step(company, server, most=30)
    assert (await company.wire.listed())[upn("seven")]["id"] == first[upn("p07")]

    await company.change({"p10": {"accountEnabled": "True"}, "p09": {"jobTitle": "Back", "manager": guid("p01")}})
    await company.move("p14", out_of="Sales")
    company.left.add("p14")
    await in_step(company, server, most=20)

    await company.move("p14", into="Support")
    company.left.clear()
    await people.delete(company.stage.context, [upn("p20"), upn("p21")])
    company.left |= {"p20", "p21"}
    await in_step(company, server, most=20)

    await people.purge(company.stage.context, [upn("p20")])
    gone = company.rows.pop("p20")
    company.left.discard("p20")
    company.teams["Sales"].discard("p20")
    await in_step(company, server, most=20)
    assert gone["userPrincipalName"] not in await company.wire.listed()


async def test_deep_test_names_what_a_server_lacks_and_leaves_nothing_behind(server: Outside) -> None:
    async with server.start() as wire:
        targets = ScimTargets(client=allowing(wire.upstream))
        at = settings_for(wire.upstream, tenant_url=wire.upstream + wire.path, secret=Secret(wire.token))
        probes = await targets.test_deeply(at)
        await targets.close()

        assert {probe.name for probe in probes if probe.tried and not probe.passed} == server.fails
        assert all(probe.remedy for probe in probes if probe.tried and not probe.passed)
        assert (await wire.listed(), await wire.listed("Groups")) == ({}, {})
