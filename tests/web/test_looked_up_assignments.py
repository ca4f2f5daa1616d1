"""While people are assigned, the page says how many would be added and who already has an account in the application."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiohttp import web

from lockstep.actions import applications, assignment_forecast, assignments, credentials, groups, sources
from lockstep.actions.permissions import Role
from lockstep.errors import LockstepError
from lockstep.targets.opener import ScimTargets
from lockstep.vault import Secret
from tests.support.admin_centre import Browser, serving_centre
from tests.support.documo_client import USER
from tests.support.hub import Hub, guid, person, upn, write_csv
from tests.support.target_servers import LIST_URN, Server, serving

HERE = "/apps/documo/users-groups/add"
NAMES = ("anna", "bo", "cy")


@dataclass
class Place:
    hub: Hub
    admin: Browser
    auditor: Browser
    server: Server

    async def assigned(self) -> int:
        return len(await assignments.list_assignments(self.hub.context, "documo"))


async def has_bo(request: web.Request) -> web.Response:
    """An application in which Bo has an account."""
    asked = re.search(r'"([^"]*)"', request.query.get("filter", ""))
    found = [{"schemas": [USER], "id": "u_2", "userName": upn("bo")}] if asked and asked[1] == upn("bo") else []
    return web.json_response({"schemas": [LIST_URN], "totalResults": len(found), "Resources": found})


@pytest.fixture
async def place(hub: Hub, tmp_path: Path) -> AsyncIterator[Place]:
    """Three people in a group, of whom nobody is assigned to an application that can be asked."""
    file = write_csv(tmp_path / "people.csv", [person(name) for name in NAMES])
    hub.context = replace(hub.context, opener=ScimTargets(()))
    await sources.import_file(hub.context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)
    await applications.add_application(hub.context, "documo")
    await groups.create_group(hub.context, "crew")
    await groups.change_members(hub.context, "crew", add=[upn(name) for name in NAMES])
    async with serving(has_bo) as server:
        await credentials.set_credentials(
            hub.context, "documo", tenant_url=f"{server.origin}/scim/v2", secret_token=Secret("a-secret")
        )
        async with serving_centre(hub, allow=(server.origin,)) as centre:
            yield Place(hub, await centre.signed_in(), await centre.signed_in(Role.AUDITOR), server)


async def picked(hub: Hub) -> dict[str, str]:
    return {"principal": f"Group:{(await groups.show_group(hub.context, 'crew')).group.id}", "role": "Member"}


async def test_the_page_says_who_already_exists_in_the_application_and_writes_nothing(place: Place) -> None:
    form = await picked(place.hub)

    review = await place.admin.post(HERE, form)
    asked_before = len(place.server.requests)
    looked = await place.admin.post(HERE, {**form, "step": "look"})
    part = await place.admin.post(f"{HERE}/look-up", form)

    assert "Will add 3 people to Documo" in review.text and "They were not looked up in Documo" in review.text
    assert "Look up in Documo" in review.text and asked_before == 0
    for page in (looked, part):
        assert "Will add 3 people, 1 already exists in Documo." in page.text
        assert "u_2</span>, found by" in page.html and "Look up in Documo" not in page.text
    assert {one.method for one in place.server.requests} == {"GET"} and await place.assigned() == 0


async def test_nobody_is_looked_up_by_somebody_who_may_not_assign(place: Place) -> None:
    refused = await place.auditor.post(f"{HERE}/look-up", await picked(place.hub))

    assert refused.status == 403 and place.server.requests == []


async def test_people_who_are_assigned_or_out_of_scope_are_not_counted(place: Place) -> None:
    await assignments.assign(place.hub.context, "documo", users=[upn("anna")], role="Member")
    await place.hub.fetch("update person set account_enabled = false where id = %s", guid("cy"))

    page = await place.admin.post(HERE, {**await picked(place.hub), "step": "look"})

    assert "Will add 1 person, 1 already exists in Documo." in page.text


async def test_an_account_that_lockstep_knows_is_not_looked_up(place: Place) -> None:
    app = (await applications.show_application(place.hub.context, "documo")).application
    await place.hub.fetch(
        """insert into link (job, kind, source_id, target_id, state, base, display)
        values (%s, 'User', %s, 'u_1', 'disabled', '{"active": false}', 'Anna')""",
        app.job, guid("anna"),
    )  # fmt: skip

    found = await assignment_forecast.forecast_assignment(
        place.hub.context, "documo", users=[upn("anna")], role="Member", looks_up=False
    )

    assert [(one.account, one.attribute) for one in found.found] == [("u_1", "")]
    assert (found.total, found.looked_up, found.limits) == (1, 1, "")


async def test_an_application_that_cannot_be_asked_is_said_with_what_to_do(place: Place) -> None:
    await credentials.set_credentials(
        place.hub.context, "documo", tenant_url=place.server.origin.replace("127.0.0.1", "127.0.0.2") + "/scim/v2",
        secret_token=Secret("other"),
    )  # fmt: skip

    page = await place.admin.post(HERE, {**await picked(place.hub), "step": "look"})

    assert page.status == 200 and "Will add 3 people to Documo. They were not looked up in Documo: " in page.text
    assert 'value="assign"' in page.html, "it can be assigned nevertheless"


async def test_a_part_of_many_people_is_looked_up_and_the_page_says_how_many(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assignment_forecast, "MOST_LOOKED_UP", 2)

    page = await place.admin.post(HERE, {**await picked(place.hub), "step": "look"})

    assert "Only 2 of them were looked up in Documo: at most 2 people are looked up at once." in page.text


async def test_an_unknown_role_is_refused(place: Place) -> None:
    with pytest.raises(LockstepError, match="role"):
        await assignment_forecast.forecast_assignment(place.hub.context, "documo", users=[upn("anna")], role="King")
