"""The page that explains a person is right for one person at each of the gates, and for each other reason why nothing is sent."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from lockstep.actions import applications, assignments, credentials, groups, people, provisioning, settings, sources
from lockstep.targets.opener import ScimTargets
from lockstep.vault import Secret
from tests.support.admin_centre import Browser, Page, serving_centre
from tests.support.documo_client import USER
from tests.support.hub import Hub, guid, person, upn, write_csv
from tests.support.target_servers import LIST_URN, serving

APP = "documo"
CHECKS = ["In the directory", "Enabled", "Assigned", "Scoping filters", "Matching account", "Account"]


@dataclass
class Place:
    hub: Hub
    admin: Browser
    job: str
    accounts: list[dict[str, str]]  # in the application
    status: int = 200  # of its answers

    async def answer(self, request: web.Request) -> web.Response:
        if self.status != 200:
            return web.json_response({"detail": "slow down"}, status=self.status, headers={"Retry-After": "60"})
        if not request.path.endswith("/Users"):
            wanted = request.path.rpartition("/")[2]
            [one, *_] = [*(one for one in self.accounts if one["id"] == wanted), None]
            return _scim(_resource(one)) if one else _scim({"status": "404"}, status=404)
        asked = re.search(r'"([^"]*)"', request.query.get("filter", ""))
        found = [one for one in self.accounts if asked and one["userName"] == asked[1]]
        body = {"schemas": [LIST_URN], "totalResults": len(found), "Resources": [_resource(one) for one in found]}
        return _scim(body)

    async def assign(self, *, users: Sequence[str] = (), groups: Sequence[str] = ()) -> None:
        await assignments.assign(self.hub.context, APP, users=users, groups=groups, role="Member")

    async def link(self, state: str = "live") -> None:
        await self.hub.fetch(
            """insert into link (job, kind, source_id, target_id, state, base, display)
            values (%s, 'User', %s, 'u_1', %s, %s, 'Anna')""",
            self.job, guid("anna"), state, json.dumps({"userName": upn("anna"), "active": True}),
        )  # fmt: skip

    async def page(self) -> Page:
        return await self.admin.get(f"/users/{guid('anna')}/explain?app={APP}")


def _scim(body: dict[str, object], status: int = 200) -> web.Response:
    return web.json_response(body, status=status, content_type="application/scim+json")


def _resource(account: dict[str, str]) -> dict[str, object]:
    return {"schemas": [USER], "active": True, **account}


@pytest.fixture
async def place(hub: Hub, tmp_path: Path) -> AsyncIterator[Place]:
    """Anna is in the directory. Provisioning of Documo is on, and Documo has no account."""
    hub.context = replace(hub.context, opener=ScimTargets(()))
    file = write_csv(tmp_path / "people.csv", [person(name) for name in ("anna", "bo")])
    await sources.import_file(hub.context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)
    app = await applications.add_application(hub.context, APP)
    found = Place(hub, Browser.__new__(Browser), app.job, [])
    async with serving(found.answer) as server:
        await credentials.set_credentials(
            hub.context, APP, tenant_url=f"{server.origin}/scim/v2", secret_token=Secret("a-secret")
        )
        await hub.fetch("update job set status = 'on', started = true where id = %s", app.job)
        async with serving_centre(hub, allow=(server.origin,)) as centre:
            found.admin = await centre.signed_in()
            yield found


async def not_assigned(place: Place) -> None:
    pass


async def nested_group(place: Place) -> None:
    for name in ("inner", "outer"):
        await groups.create_group(place.hub.context, name)
    await groups.change_members(place.hub.context, "inner", add=[upn("anna")])
    await groups.change_members(place.hub.context, "outer", add=["inner"], groups_too=True)
    await place.assign(groups=["outer"])


async def disabled(place: Place) -> None:
    await place.assign(users=[upn("anna")])
    await people.set_enabled(place.hub.context, [upn("anna")], is_enabled=False)


async def just_deleted(place: Place) -> None:
    await place.assign(users=[upn("anna")])
    await people.delete(place.hub.context, [upn("anna")])


async def two_matches(place: Place) -> None:
    await place.assign(users=[upn("anna")])
    place.accounts += [{"id": one, "userName": upn("anna")} for one in ("u_771", "u_902")]


async def one_match(place: Place) -> None:
    await place.assign(users=[upn("anna")])
    place.accounts.append({"id": "u_1", "userName": upn("anna")})


async def to_be_created(place: Place) -> None:
    await place.assign(users=[upn("anna")])


async def in_step(place: Place) -> None:
    await one_match(place)
    await place.link()


async def throttled(place: Place) -> None:
    await place.assign(users=[upn("anna")])
    place.status = 429


async def paused(place: Place) -> None:
    await in_step(place)
    await place.hub.fetch("update job set status = 'off' where id = %s", place.job)


async def quarantined(place: Place) -> None:
    await in_step(place)
    facts = {
        "reason": "EncounteredQuarantineException",
        "currentBegan": "2026-11-20T08:00:00+00:00",
        "seriesCount": 3,
        "nextAttempt": "2099-01-01T00:00:00+00:00",
        "error": {"code": "Unauthorized", "message": "The key was refused", "nextStep": "Make a new key"},
    }
    await place.hub.fetch("update job set quarantine = %s where id = %s", json.dumps(facts), place.job)


async def filter_fails(place: Place) -> None:
    await to_be_created(place)
    clause = {"attribute": "department", "operator": "EQUALS", "value": "Legal"}
    await settings.set_scope(place.hub.context, APP, [{"title": "Lawyers", "all": [clause]}])


async def no_match_attribute(place: Place) -> None:
    await to_be_created(place)
    await settings.set_mapping(place.hub.context, APP, "userName", {"source": "mobile", "expression": None})


async def required_is_missing(place: Place) -> None:
    await to_be_created(place)

    def changed(config: dict[str, Any]) -> None:
        [mapping] = [one for one in config["mappings"] if one.get("source", "User") == "User"]
        mapping.setdefault("attributeList", []).append({"name": "nickName", "type": "String", "required": True})

    await settings.change_configuration(place.hub.context, APP, changed, activity="Update attribute list")
    await settings.set_mapping(place.hub.context, APP, "nickName", {"source": "mobile"})


async def held(place: Place) -> None:
    await place.link()
    error = {"guard": "TooManyDeletes", "message": "too many", "cause": "unassigned", "why": "no longer assigned"}
    await place.hub.fetch(
        """insert into operation (id, job, kind, source_id, target_id, action, state, error, attempt, planned_at)
        values (gen_random_uuid(), %s, 'User', %s, 'u_1', 'disable', 'held', %s, 1, now())""",
        place.job, guid("anna"), json.dumps(error),
    )  # fmt: skip


async def failing(place: Place) -> None:
    await to_be_created(place)
    await place.hub.fetch(
        """update dirty set failures = 2, first_failed_at = '2026-11-20T08:00:00Z', not_before = '2099-01-01T00:00:00Z', last_error = %s
        where source_id = %s""",
        json.dumps({"code": "DuplicateTargetEntries", "reason": "userName is already taken"}), guid("anna"),
    )  # fmt: skip


async def retried(place: Place) -> None:
    await failing(place)
    assert await provisioning.retry(place.hub.context, APP) == 1


async def given_up(place: Place) -> None:
    await failing(place)
    await place.hub.fetch("update dirty set not_before = 'infinity' where source_id = %s", guid("anna"))


# The person, the check that fails ("" if none does), and what the page says.
CASES: list[tuple[Callable[[Place], Awaitable[None]], str, list[str]]] = [
    (not_assigned, "Assigned", ["Not provisioned", "neither directly nor through a group", "Would be provisioned if assigned"]),
    (nested_group, "Assigned", ["a member of inner, which is nested in the assigned group outer", "Assign inner too"]),
    (disabled, "Enabled", ["Not provisioned", "Would be provisioned if enabled in the directory"]),
    (just_deleted, "Enabled", ["can still be restored", "Would be provisioned if restored"]),
    (filter_fails, "Scoping filters", ['department is "Sales", must EQUAL "Legal"', 'if department were "Legal"']),
    (no_match_attribute, "Matching account", ["Not provisioned", "No value to match by: userName is empty"]),
    (required_is_missing, "Account", ["Cannot be provisioned", "application requires nickName", "Set the attribute for nickName"]),
    (two_matches, "Matching account", ["Cannot be provisioned", "2 accounts match on userName: u_771, u_902", "Choose one"]),
    (one_match, "", ["Provisioned", "has the same userName"]),
    (to_be_created, "", ["To be provisioned", "No matching account was found"]),
    (in_step, "", ["Provisioned", "is linked and read from the application"]),
    (held, "Assigned", ["Held for approval", "Waiting for approval since", "Held changes"]),
    (failing, "", ["To be provisioned", "2 attempts failed since", "userName is already taken. It is retried at"]),
    (retried, "", ["2 attempts failed since", "userName is already taken. The next attempt is due."]),
    (given_up, "", ["userName is already taken. It is not retried automatically."]),
    (throttled, "", ["In scope, account unknown", "Documo asked Lockstep to slow down", "Not reached: Matching account"]),
    (paused, "", ["Provisioning of Documo is paused, so nothing is sent"]),
    (quarantined, "", ["Documo is in quarantine: The key was refused"]),
]  # fmt: skip


@pytest.mark.parametrize(("prepare", "failed", "words"), CASES, ids=[one[0].__name__ for one in CASES])
async def test_the_explanation_of_a_person_names_the_check_that_fails(
    place: Place, prepare: Callable[[Place], Awaitable[None]], failed: str, words: list[str]
) -> None:
    await prepare(place)

    page = await place.page()

    text = page.text.partition("Copy answer")[2]
    assert page.status == 200
    assert [one for one in words if one not in text] == [], text[:900]
    found = [one for one in CHECKS if f"Failed: {one}" in text]
    assert found == ([failed] if failed else [])
    later = CHECKS[CHECKS.index(failed) + 1 :] if failed else []
    assert [one for one in later if f"Not reached: {one}" not in text] == []


async def test_members_of_nested_groups_that_count_are_not_told_to_be_assigned(place: Place) -> None:
    await nested_group(place)
    await settings.change_settings(place.hub.context, APP, nested_groups=True)

    page = await place.page()

    assert "through the group outer" in page.text and "nested in" not in page.text
