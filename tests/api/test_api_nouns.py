"""The routes call the same actions as the command line and answer with the same JSON."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from lockstep.actions import access_tokens, applications, sources
from lockstep.actions.permissions import Role
from lockstep.actions.sign_in import LONGEST
from lockstep.api.app import api_app
from lockstep.api.door import DoorRoute
from lockstep.credentials.issued_secrets import derived, hash_of, new_secret
from lockstep.kit import csrf
from lockstep.postgres.pool import transaction
from lockstep.storage import administrator_sessions, administrators
from lockstep.storage.administrators import RoleGrant
from lockstep.sync.cycle.frame import begin_initial
from tests.api.conftest import Client
from tests.support.hub import person, upn, write_csv

SALES = [{"title": "Sales", "all": [{"attribute": "department", "operator": "EQUALS", "value": "Sales"}]}]


async def test_application_from_the_gallery_to_its_first_cycle(client: Client) -> None:
    added = await client.post("applications", {"template": "documo", "name": "documo-2"})
    again = await client.post("applications", {"template": "documo", "name": "documo-2"})
    early = await client.post("applications/documo-2/cycles", {})
    stored = await client.call("PUT", "applications/documo-2/credentials", {"secretToken": "dk_live_0123456789abcdef"})
    await client.post("applications/documo-2/assignments", {"users": [upn("anna")], "role": "Member"})
    started = await client.post("applications/documo-2/start", {})
    ran = await client.post("applications/documo-2/cycles", {})
    operation = await client.get(f"{client.origin}{ran.headers['location']}")
    cycle = await client.get(f"{client.origin}{operation.body['resource']}")
    status = await client.get("applications/documo-2/status")

    assert (added.status, again.status, early.status) == (201, 409, 409)
    assert added.headers["location"] == "/api/v1/applications/documo-2"
    assert stored.body["secretToken"] == "********cdef"
    assert (started.body["status"], ran.status, ran.headers["retry-after"]) == ("on", 202, "1")
    assert ran.headers["location"] == f"/api/v1/operations/{operation.body['id']}"
    assert (operation.body["state"], operation.headers["retry-after"]) == ("running", "1")
    assert cycle.body["id"] == ran.body["id"] == status.body["runningCycle"]["id"]


async def test_secret_token_is_in_no_answer(client: Client) -> None:
    secret = "dk_live_0123456789abcdef"
    answers = [await client.call("PUT", "applications/documo/credentials", {"secretToken": secret})]
    answers += [
        await client.get(path)
        for path in ("applications/documo", "applications/documo/credentials", "audit", "configuration")
    ]

    assert all(one.status == 200 for one in answers)
    assert not any(secret in orjson.dumps(one.body).decode() for one in answers)


async def test_roles_and_manifest(client: Client) -> None:
    await client.post("applications/documo/roles", {"value": "auditor", "position": 1})
    listed = (await client.get("applications/documo/roles")).body["items"]
    moved = await client.call("PATCH", "applications/documo/roles/auditor", {"position": 2, "isEnabled": False})
    manifest = await client.get("applications/documo/manifest")
    replaced = await client.call(
        "PUT", "applications/documo/manifest", {"appRoles": manifest.body["appRoles"]}, headers={"If-Match": manifest.headers["etag"]}
    )  # fmt: skip
    removed = await client.call("DELETE", "applications/documo/roles/auditor")

    assert [one["value"] for one in listed][:2] == ["auditor", "Admin"]
    assert [(one["value"], one["isEnabled"]) for one in moved.body["result"]][1] == ("auditor", False)
    assert (replaced.status, removed.status) == (200, 200)


async def test_mapping_scope_and_expression(client: Client) -> None:
    mapped = await client.call("PATCH", "applications/documo/mappings", {"source": "jobTitle"}, target="title")
    values = await client.get("applications/documo/mappings/values", user=upn("anna"))
    counted = await client.post("applications/documo/scope/count", {"scopingFilters": SALES, "scope": "all"})
    tested = await client.post(
        "applications/documo/scope/test", {"name": upn("anna"), "scopingFilters": SALES, "scope": "all"}
    )
    evaluated = await client.post(
        "expressions/evaluate", {"expression": 'Join(" ", [givenName], [surname])', "user": upn("anna")}
    )
    wrong = await client.post("expressions/evaluate", {"expression": "Left([mail])"})

    assert {"target": "title", "source": "jobTitle"} in mapped.body["result"]
    assert {"target": "userName", "value": upn("anna"), "note": ""} in values.body
    assert counted.body["inScope"] == 5
    assert tested.body["clauses"] == [{"clause": "Sales.department EQUALS 'Sales'", "passed": True}]
    assert (evaluated.body["value"], len(evaluated.body["parts"])) == ("Anna Test", 3)
    assert (wrong.status, "at least 2" in wrong.body["detail"] or "2 arguments" in wrong.body["detail"]) == (400, True)


async def test_people_and_groups(client: Client) -> None:
    group = await client.post("groups", {"displayName": "sales", "membershipRule": SALES})
    members = await client.post("groups/all-sales/members", {"add": [upn("anna"), upn("bo")]})
    changed = await client.call("PATCH", f"people/{upn('anna')}", {"attributes": {"department": "Legal"}})
    shown = await client.get(f"people/{upn('anna')}")
    disabled = await client.post("people/disable", {"users": [upn("bo")]})
    deleted = await client.post("people/delete", {"users": [upn("bo")]})
    recycled = await client.get("people", filter="deleted eq true")
    details = await client.get("groups/all-sales")

    assert (group.status, group.body["membershipType"]) == (201, "dynamic")
    assert members.body["result"] == {"group": "all-sales", "added": 2, "removed": 0}
    assert changed.body["result"]["department"] == shown.body["department"] == "Legal"
    assert disabled.body["result"]["people"][0]["accountEnabled"] is False
    assert [one["userPrincipalName"] for one in recycled.body["items"]] == [upn("bo")]
    assert deleted.status == 200
    assert details.body["members"][0] == {
        "id": shown.body["id"],
        "kind": "User",
        "name": upn("anna"),
        "isDeleted": False,
    }


async def test_explanation_and_preview_say_why(client: Client) -> None:
    why = await client.get(f"applications/documo/explanations/{upn('anna')}")
    plan = await client.post("applications/documo/preview", {"users": [upn("anna")]})

    assert why.body["verdict"] == "NOT PROVISIONED"
    assert plan.body[0]["reasonCode"] == "NotEffectivelyEntitled"


async def test_configuration_is_planned_and_applied_as_yaml(client: Client) -> None:
    exported = (await client.get("configuration", application="documo")).body
    wanted = exported.replace("scope: assigned", "scope: all")
    plan = await client.post("configuration/plan", {"yaml": wanted})
    stale = await client.post("configuration/apply", {"yaml": wanted, "expected": []})
    done = await client.post("configuration/apply", {"yaml": wanted, "expected": plan.body["changes"]})

    assert [one["new"] for one in plan.body["changes"]] == ["all"]
    assert (stale.status, done.status) == (400, 200)
    assert (await client.get("applications/documo/settings")).body["scope"] == "all"
    assert [one["version"] for one in (await client.get("applications/documo/versions")).body["items"]] == [2, 1]


async def test_audit_log_names_the_token_and_verifies(client: Client) -> None:
    await client.post("groups", {"displayName": "made by a token"})

    [entry] = (await client.get("audit", filter='object co "made by"')).body["items"]

    assert entry["actor"] == "tests (service token)"
    assert (await client.get(f"audit/{entry['number']}")).body == entry
    assert (await client.get("audit/verification")).body == {"intact": True, "brokenAt": None, "why": ""}


async def test_organisation_is_named_and_gets_a_badge(client: Client) -> None:
    before = await client.get("organisation")
    named = await client.call(
        "PATCH", "organisation", {"name": "Contoso"}, headers={"If-Match": before.headers["etag"]}
    )
    late = await client.call("PATCH", "organisation", {"name": "Other"}, headers={"If-Match": before.headers["etag"]})
    badge = await client.call("PATCH", "organisation", {"environment": {"name": "Test", "colour": "green"}})
    wrong = await client.call(
        "PATCH", "organisation", {"name": "Other", "environment": {"name": "x", "colour": "pink"}}
    )
    gone = await client.call("PATCH", "organisation", {"environment": {"name": ""}})
    entries = (await client.get("audit")).body["items"]

    assert before.body == {"name": "", "environment": None}
    assert named.body == {"name": "Contoso", "environment": None} and late.status == 412
    assert badge.body == {"name": "Contoso", "environment": {"name": "Test", "colour": "green"}}
    assert wrong.status == 400 and gone.body == named.body, "a refused request changes nothing"
    assert [one["activity"] for one in entries[:3]] == ["Set environment", "Set environment", "Rename organisation"]


async def test_outbound_list_and_sources(client: Client) -> None:
    added = await client.post("outbound", {"entry": "https://app.internal:8443"})
    listed = await client.get("outbound")
    removed = await client.call("DELETE", "outbound", entry="https://app.internal:8443")
    rehearsed = await client.finished("sources/hr/import", dryRun=True)

    assert (added.body["changed"], listed.body["items"][0]["entry"], removed.status) == (
        True,
        "https://app.internal:8443",
        200,
    )
    assert rehearsed.body["kind"] == "dryRun" and rehearsed.body["state"] == "failed"


async def test_who_am_i(client: Client) -> None:
    me = (await client.get("me")).body

    assert me["name"] == "tests (service token)"
    assert "administrators.write" not in me["permissions"]


async def test_event_of_a_change_arrives_and_is_resumed(client: Client) -> None:
    headers = {"Authorization": f"Bearer {client.token}"}
    async with client.http.get(f"{client.origin}/api/v1/events", headers=headers) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        await _until(stream, "connected")
        await client.post("groups", {"displayName": "seen"})
        first = await _until(stream, '{"name":"seen"}')
    await client.post("groups", {"displayName": "missed"})
    last = next(line.removeprefix("id: ") for line in first if line.startswith("id: "))

    async with client.http.get(f"{client.origin}/api/v1/events", headers=headers | {"Last-Event-ID": last}) as stream:
        missed = await _until(stream, '{"name":"missed"}')
    async with client.http.get(
        f"{client.origin}/api/v1/events", headers=headers | {"Last-Event-ID": "old-1"}
    ) as stream:
        await _until(stream, "event: reset")

    assert "event: change" in missed
    assert len(client.live) == 0 or await _ends(client)


async def _until(stream: Any, text: str) -> list[str]:
    lines: list[str] = []
    async with asyncio.timeout(10):
        async for raw in stream.content:
            lines.append(raw.decode().rstrip("\n"))
            if text in lines[-1]:
                return lines
    raise AssertionError(lines)


async def _ends(client: Client) -> bool:
    async with asyncio.timeout(10):
        while len(client.live):
            await asyncio.sleep(0.01)
    return True


async def test_events_of_other_applications_do_not_reach_an_owner(client: Client) -> None:
    small = await access_tokens.create_service_token(client.hub.context, "reader", ["logs.read"])
    async with client.http.get(
        f"{client.origin}/api/v1/events", headers={"Authorization": f"Bearer {small.secret}"}
    ) as stream:
        await _until(stream, "connected")
        await client.post("groups", {"displayName": "hidden"})
        client.live.publish("reset")
        lines = await _until(stream, "event: reset")

    assert not any("hidden" in line for line in lines)


async def test_description_is_complete_and_the_page_loads_nothing_from_elsewhere(client: Client) -> None:
    described = (await client.get("/api/openapi.json")).body
    page = (await client.get("/api/docs")).body

    assert described["openapi"].startswith("3.1")
    operations = [one for path in described["paths"].values() for one in path.values() if isinstance(one, dict)]
    assert len({one["operationId"] for one in operations}) == len(operations) > 90
    assert all(f'id="{one["operationId"]}"' in page for one in operations)
    assert "http://" not in page and "https://cdn" not in page and "<script" not in page


def test_description_names_no_object_without_its_members() -> None:
    schemas = api_app(lambda _: None).openapi()["components"]["schemas"]  # type: ignore[arg-type, return-value]

    assert {"StatusJson", "CycleJson", "Problem", "PersonDetailsJson"} <= set(schemas)
    assert all(one.get("properties") or one.get("enum") or one.get("type") != "object" for one in schemas.values())


def test_routes_are_complete_as_they_are_declared_and_not_made_with_the_first_request() -> None:
    first, second = (api_app(lambda _: None) for _ in range(2))  # type: ignore[arg-type, return-value]

    assert all(isinstance(route, DoorRoute) for route in first.routes)
    assert first.routes == second.routes


async def test_what_a_source_holds_is_confirmed_only_by_somebody_who_saw_it(client: Client, tmp_path: Path) -> None:
    for kept in (60, 5):
        file = write_csv(tmp_path / "staff.csv", [person(f"s{number}") for number in range(kept)])
        await sources.import_file(client.hub.context, "staff", {"files": [{"path": str(file)}]}, is_kept=True)
    seen = (await client.get("sources/staff")).body["shown"]

    blind = await client.post("sources/staff/confirm", confirm=True)
    unseen = [await client.post("sources/staff/confirm", {"shown": one}, confirm=True) for one in ("", "1/1/55")]
    still = (await client.get("sources/staff")).body["people"]
    done = await client.post("sources/staff/confirm", {"shown": seen}, confirm=True)

    assert (blind.status, [one.status for one in unseen], still) == (400, [409, 409], 60)
    assert (done.status, done.body["result"]["left"]) == (200, 55)


async def _begun(client: Client, job: str) -> int:
    async with transaction(client.hub.pool) as connection:
        return (await begin_initial(connection, job)).id


async def _owner_of(client: Client, app: str) -> dict[str, str]:
    """The headers of somebody who owns the application with the id *app* and may do nothing elsewhere."""
    async with transaction(client.hub.pool) as connection:
        who = await administrators.insert_administrator(connection, upn("owner"), display_name="", actor="")
        await administrators.replace_grants(connection, who, [RoleGrant(Role.APPLICATION_OWNER, app)], actor="")
    made = await access_tokens.create_personal_token(
        client.hub.context, "own", ["applications.read"], owner=upn("owner")
    )
    return {"Authorization": f"Bearer {made.secret}"}


async def test_operation_of_somebody_elses_application_does_not_exist(client: Client) -> None:
    hidden = await applications.add_application(client.hub.context, "documo", name="hidden")
    mine = await applications.show_application(client.hub.context, "documo")
    cycles = {app.name: await _begun(client, app.job) for app in (hidden, mine.application)}
    owner = await _owner_of(client, mine.application.id)

    own = await client.call("GET", f"operations/cycle-{cycles['documo']}", headers=owner)
    others = await client.call("GET", f"operations/cycle-{cycles['hidden']}", headers=owner)

    assert (own.status, own.body["application"], others.status) == (200, "documo", 404)
    for unknown in ("cycle-0", "cycle-x", "cycle-²", "cycle-99999999999999999999", "import-1", "x"):
        assert (await client.get(f"operations/{unknown}")).status == 404


async def test_link_names_the_attribute_that_its_account_was_matched_by(client: Client) -> None:
    app = (await applications.show_application(client.hub.context, "documo")).application
    statement = (
        "insert into link (job, kind, source_id, target_id, state, display{}) "
        "values (%s, 'User', gen_random_uuid(), %s, 'live', %s{})"
    )
    await client.hub.fetch(statement.format("", ""), app.job, "u_1", "anna")
    await client.hub.fetch(statement.format(", matched_by", ", 'userName'"), app.job, "u_2", "bo")

    listed = (await client.get("applications/documo/links")).body["items"]

    assert [(one["account"], one["matchedBy"]) for one in listed] == [("u_1", ""), ("u_2", "userName")]


@pytest.mark.parametrize("reset", ["Full", "ConnectorDataStore", "ForceDeletes"])
async def test_restart_that_forgets_links_or_approves_writes_needs_to_be_confirmed(client: Client, reset: str) -> None:
    answer = await client.post("applications/documo/restart", {"reset": [reset]})

    assert (answer.status, "confirm: true" in answer.body["nextAction"]["text"]) == (400, True)


async def test_administrator_is_changed_completely_or_not_at_all(client: Client) -> None:
    """The last Global administrator gets another role, and then cannot be disabled."""
    headers = await _session_of_the_only_administrator(client)
    before = await client.call("GET", "administrators", headers=headers)

    change = {"roles": ["globalAdministrator", "auditor"], "isEnabled": False}
    refused = await client.call("PATCH", f"administrators/{upn('ada')}", change, headers=headers)
    after = await client.call("GET", "administrators", headers=headers)

    assert (before.status, refused.status, after.status) == (200, 409, 200)
    assert after.body == before.body


async def _session_of_the_only_administrator(client: Client) -> dict[str, str]:
    secret, now = new_secret(), datetime.now(UTC)
    async with transaction(client.hub.pool) as connection:
        who = await administrators.insert_administrator(connection, upn("ada"), display_name="", actor="")
        await administrators.replace_grants(connection, who, [RoleGrant(Role.GLOBAL_ADMINISTRATOR, None)], actor="")
        await administrator_sessions.insert_session(
            connection, who, hash_of(secret), device="", now=now, expires_at=now + LONGEST
        )
    token = csrf.masked(derived(secret, "csrf"))
    return {"Authorization": "", "Cookie": f"lockstep_session={secret}", "Origin": client.origin, csrf.HEADER: token}


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("actions/people.show_person", {}, "needs name"),
        ("actions/people.show_person", {"arguments": {"nme": "anna"}}, 'has no argument "nme"'),
        ("actions/people.show_person/stream", {"arguments": {"name": "anna"}}, "returns a single result"),
    ],
)
async def test_action_that_is_called_in_a_wrong_way_says_what_it_takes(
    client: Client, path: str, body: dict[str, Any], said: str
) -> None:
    answer = await client.post(path, body)

    assert (answer.status, said in answer.body["detail"]) == (400, True)
