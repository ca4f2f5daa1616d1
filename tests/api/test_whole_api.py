"""What the pages offer beside the lists: the installation, the search, overviews, trials of what is not saved, and new keys of a source."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lockstep import __version__
from lockstep.actions import access_tokens, applications
from lockstep.actions.permissions import Role
from lockstep.postgres.pool import transaction
from lockstep.storage import administrators, provisioning_log
from lockstep.storage.administrators import RoleGrant
from tests.api.conftest import Client
from tests.api.test_every_route_is_safe import send
from tests.api.test_identity_providers_api import session_headers
from tests.support.hub import person, upn, write_csv
from tests.web.test_logs import record

SALES = [{"title": "Sales", "all": [{"attribute": "department", "operator": "EQUALS", "value": "Sales"}]}]
HIDDEN = "hidden"


async def test_about_names_versions_and_packages(client: Client) -> None:
    found = (await client.get("about")).body

    assert found["version"] == __version__
    assert "fastapi" in {one["name"].lower() for one in found["packages"]}


async def test_health_is_what_doctor_finds_in_the_database(client: Client) -> None:
    found = (await client.get("health")).body
    names = {one["name"]: one["level"] for one in found["checks"]}

    assert names["PostgreSQL"] == "ok" and names["app documo"] == "warn" and found["ok"]


async def test_health_of_all_applications_is_refused_to_an_owner_of_one(client: Client) -> None:
    answer = await client.call("GET", "health", headers=await owner_of(client, "documo", "applications.read"))

    assert (answer.status, answer.body["type"]) == (403, "/problems/not-permitted")


@pytest.mark.parametrize("text", ["why is anna not in Documo?", "explain Anna Documo"])
async def test_question_leads_to_its_answer(client: Client, text: str) -> None:
    found = (await client.get("search", text=text)).body
    why = await client.get(f"{client.origin}{found['answer']['explanation']}")

    assert (found["answer"]["user"], found["answer"]["application"]) == (upn("anna"), "documo")
    assert (why.status, why.body["application"]) == (200, "documo")


async def test_search_finds_people_groups_and_applications(client: Client) -> None:
    people, groups, apps = [(await client.get("search", text=text)).body for text in ("kim", "sales", "docum")]

    assert [one["userPrincipalName"] for one in people["people"]] == [upn("kim.berg")]
    assert [one["displayName"] for one in groups["groups"]] == ["all-sales"]
    assert [one["name"] for one in apps["applications"]] == ["documo"] and apps["answer"] is None


async def test_search_shows_no_application_that_the_caller_may_not_read(client: Client) -> None:
    await applications.add_application(client.hub.context, "documo", name=HIDDEN)
    headers = await owner_of(client, "documo", "directory.read", "applications.read")

    assert (await client.call("GET", "search", headers=headers, text=HIDDEN)).body["applications"] == []


@pytest.mark.parametrize(
    ("app", "scopes", "found"),
    [("documo", ["logs.read"], 1), ("documo", [], 0), (HIDDEN, ["logs.read"], 0)],
    ids=["own", "without the scope", "of another application"],
)
async def test_search_shows_log_records_only_to_who_may_read_them(
    client: Client, app: str, scopes: list[str], found: int
) -> None:
    await applications.add_application(client.hub.context, "documo", name=HIDDEN)
    logged = (await applications.show_application(client.hub.context, "documo")).application
    async with transaction(client.hub.pool) as connection:
        await provisioning_log.append(connection, logged.job, logged.id, [record(upn("zed"), "failure", "uniqueness")])
    headers = await owner_of(client, app, "directory.read", "applications.read", *scopes)

    logs = (await client.call("GET", "search", headers=headers, text=upn("zed"))).body["logs"]

    assert len(logs) == found


async def test_overview_says_how_far_the_setup_has_progressed(client: Client) -> None:
    listed = (await client.get("overview")).body["items"]
    shown = (await client.get("applications/documo/overview")).body

    assert [(one["application"], one["state"]) for one in listed] == [("documo", "Not configured")]
    assert (shown["setup"]["isConnected"], shown["setup"]["everybody"], shown["timeLeft"]) == (False, 5, None)


async def test_failures_are_grouped_by_their_error_and_retried_by_its_code(client: Client) -> None:
    app = (await applications.show_application(client.hub.context, "documo")).application
    await client.hub.fetch(
        """insert into dirty (job, kind, source_id, lane, reasons, not_before, failures, last_error)
        select %s, 'User', id, 2, '{}', now() + interval '1 hour', 1,
            '{"code": "DuplicateTargetEntries", "reason": "Two accounts match"}' from person limit 2""",
        app.job,
    )
    [found] = (await client.get("failures")).body["items"]
    [group] = found["groups"]
    retried = await client.post("applications/documo/retry", {"code": group["code"]})

    assert (found["application"], found["count"], group["count"], len(group["names"])) == ("documo", 2, 2, 2)
    assert (group["code"], group["reason"]) == ("DuplicateTargetEntries", "Two accounts match")
    assert retried.body["count"] == 2
    assert (await client.get("applications/documo/overview")).body["failureGroups"] == found["groups"]


async def test_refused_caller_learns_whom_to_ask(client: Client) -> None:
    async with transaction(client.hub.pool) as connection:
        who = await administrators.insert_administrator(connection, upn("ada"), display_name="Ada", actor="")
        await administrators.replace_grants(connection, who, [RoleGrant(Role.GLOBAL_ADMINISTRATOR, None)], actor="")

    await owner_of(client, "documo", "applications.read")

    found = (await client.get("permissions/people.write")).body
    of_one = (await client.get("permissions/links.write", application="documo")).body
    roles = {one["name"]: one for one in (await client.get("roles")).body["items"]}

    assert found["askable"] == [f"Ada ({upn('ada')})"] and found["meaning"]
    assert of_one["askable"] == [upn("owner"), f"Ada ({upn('ada')})"]
    assert "people.write" in roles["globalAdministrator"]["permissions"]
    assert "people.write" not in roles["helpDesk"]["permissions"]


async def test_sessions_of_an_administrator_end_and_no_token_may_do_that(client: Client) -> None:
    headers = await session_headers(client)
    await client.hub.fetch("update administrator_session set stepped_up_at = now()")

    by_token = await client.post("administrators/ada@contoso.test/sign-out")
    ended = await send(client, headers, "POST", "administrators/ada@contoso.test/sign-out", None)
    after = await send(client, headers, "GET", "me", None)

    assert (by_token.status, ended.body, after.status) == (403, {"email": "ada@contoso.test", "sessions": 1}, 401)


async def test_rehearsed_retention_counts_records_and_changes_nothing(client: Client) -> None:
    before = (await client.get("retention")).body
    await client.hub.fetch("update change set at = now() - interval '50 days'")

    counted = await client.post("retention/rehearse", {"directoryChanges": 40})
    wrong = await client.post("retention/rehearse", {"directoryChanges": 1})

    assert counted.body["records"]["directoryChanges"] >= 5 and wrong.status == 400
    assert (await client.get("retention")).body == before


async def test_earlier_version_is_read_and_restored_as_a_new_one(client: Client) -> None:
    await client.call("PATCH", "applications/documo/settings", {"scope": "all"})
    tag = (await client.get("applications/documo/settings")).headers["etag"]
    text = (await client.get("applications/documo/versions/1")).body
    stale = await client.post("applications/documo/versions/1/restore", headers={"If-Match": '"old"'})
    tried = await client.post("applications/documo/versions/1/restore", dryRun=True)
    done = await client.post("applications/documo/versions/1/restore", headers={"If-Match": tag}, confirm=True)
    after = (await client.get("applications/documo/settings")).body

    assert "scope: assigned" in text and (stale.status, tried.body["dryRun"]) == (412, True)
    assert [one["place"].split(".")[-1] for one in done.body["result"]["changes"]] == ["scope"]
    assert (after["scope"], after["version"]) == ("assigned", 3)
    assert (await client.get("applications/documo/versions/9")).status == 404


async def test_comment_on_a_version_is_replaced_and_recorded(client: Client) -> None:
    done = await client.call("PUT", "applications/documo/versions/1/comment", {"comment": "As delivered"})
    again = await client.call("PUT", "applications/documo/versions/1/comment", {"comment": "As delivered"})
    missing = await client.call("PUT", "applications/documo/versions/9/comment", {"comment": "x"})

    [version] = (await client.get("applications/documo/versions")).body["items"]
    entries = (await client.get("audit")).body["items"]
    assert (done.status, again.status, missing.status) == (204, 204, 404)
    assert version["comment"] == "As delivered"
    assert [one["activity"] for one in entries].count("Comment on configuration version") == 1


async def test_people_of_a_source_get_new_keys_and_stay(client: Client, tmp_path: Path) -> None:
    people = [person("new"), person("other")]
    write_csv(tmp_path / "sources" / "staff.csv", people)
    await client.post("sources", {"name": "staff", "files": [{"path": "staff.csv"}]})
    await client.finished("sources/staff/import")

    by_file = await client.post("sources/staff/rekey", {"key": "userPrincipalName"})
    upload = await uploaded(client, "staff", write_csv(tmp_path / "again.csv", people).read_bytes())
    by_upload = await client.post(f"uploads/{upload}/rekey", {"key": "displayName"})
    wrong = await client.post("sources/staff/rekey", {"key": "no such column"})

    assert by_file.body == {"key": "userPrincipalName", "people": 2, "absent": 0}
    assert by_upload.body == {"key": "displayName", "people": 2, "absent": 0}
    assert wrong.status == 400
    assert [one["people"] for one in (await client.get("sources")).body["items"]] == [5, 0, 2]


async def uploaded(client: Client, source: str, content: bytes) -> str:
    async with client.http.post(
        f"{client.origin}/api/v1/sources/{source}/uploads",
        data=content,
        headers={"Authorization": f"Bearer {client.token}", "Content-Type": "text/csv"},
    ) as answer:
        return str((await answer.json())["id"])


async def test_public_address_is_set_and_removed(client: Client) -> None:
    before = await client.get("settings/public-address")
    done = await client.call(
        "PUT", "settings/public-address", {"address": "https://id.contoso.test/"}, headers={"If-Match": before.headers["etag"]}
    )  # fmt: skip
    wrong = await client.call("PUT", "settings/public-address", {"address": "https://id.contoso.test/path"})
    gone = await client.call("PUT", "settings/public-address", {"address": ""})

    assert before.body == {"address": ""} and done.body == {"address": "https://id.contoso.test"}
    assert (wrong.status, gone.body) == (400, {"address": ""})


async def test_mapping_is_switched_off_moved_and_restored(client: Client) -> None:
    first = await client.get("applications/documo/object-mappings/user")
    off = await client.call(
        "PATCH", "applications/documo/object-mappings/user", {"isEnabled": False, "actions": ["update", "create"]},
        headers={"If-Match": first.headers["etag"]}, confirm=True,
    )  # fmt: skip
    moved = await client.post(
        "applications/documo/mappings/move", {"source": "jobTitle"}, target="name.givenName", to="title", confirm=True
    )
    to_itself = await client.post(
        "applications/documo/mappings/move", {"source": "surname"}, target="title", to="Title", confirm=True
    )
    restored = await client.post("applications/documo/object-mappings/user/restore", confirm=True)
    listed = (await client.get("applications/documo/object-mappings")).body

    assert (off.body["result"]["isEnabled"], off.body["result"]["actions"]) == (False, ["create", "update"])
    assert moved.status == 200, moved.body
    assert named(moved.body["result"], "title", "name.givenName") == ("title", "name.givenName")
    assert to_itself.status == 400, "it would remove the mapping"
    assert restored.body["result"] == first.body == next(one for one in listed if one["kind"] == "user")


def named(mapping: Mapping[str, Any], present: str, absent: str) -> tuple[str, str]:
    targets = {one["target"] for one in mapping["attributes"]}
    return (present if present in targets else "", absent if absent not in targets else "")


async def test_mapping_that_is_not_saved_is_tried_and_previewed(client: Client) -> None:
    await client.call("PATCH", "applications/documo/settings", {"scope": "all"}, confirm=True)
    change = {"expression": 'Join("-", [givenName], [surname])'}
    tried = await client.post(
        "applications/documo/mappings/try", {**change, "names": [upn("anna"), upn("bo")]}, target="displayName"
    )
    preview = await client.post("applications/documo/mappings/preview", change, target="displayName")
    wrong = await client.post("applications/documo/mappings/preview", {"expression": "Left("}, target="displayName")

    assert [one["value"] for one in tried.body] == ["Anna-Test", "Bo-Test"]
    [created] = preview.body["actions"]
    assert (preview.body["evaluated"], created["action"], created["count"]) == (5, "create", 5)
    assert {"attribute": "displayName", "old": "", "new": '"Anna-Test"'} in created["objects"][0]["values"]
    assert wrong.status == 400
    assert "Join" not in str((await client.get("applications/documo/mappings")).body)


@pytest.mark.parametrize("change", [{"expression": "Redact([jobTitle])"}, {"constant": "Initial-4f2a"}])
async def test_redacted_values_are_in_no_answer(client: Client, change: dict[str, str]) -> None:
    target = "password" if "constant" in change else "title"
    await client.call("PATCH", f"people/{upn('anna')}", {"attributes": {"jobTitle": "Initial-4f2a"}})
    await client.call("PATCH", "applications/documo/settings", {"scope": "all"}, confirm=True)

    preview = await client.post("applications/documo/mappings/preview", change, target=target)
    tried = await client.post("applications/documo/mappings/try", {**change, "names": [upn("anna")]}, target=target)
    saved = await client.call("PATCH", "applications/documo/mappings", change, target=target, confirm=True)
    values = await client.get("applications/documo/mappings/values", user=upn("anna"))

    assert (preview.status, tried.status, saved.status) == (200, 200, 200), (preview, tried, saved)
    assert {"target": target, "value": "[Redact]", "note": ""} in values.body
    assert tried.body[0]["value"] == "[Redact]"
    assert "Initial-4f2a" not in f"{preview.body} {tried.body} {values.body}"


async def test_configuration_that_is_not_applied_is_previewed(client: Client) -> None:
    text = (await client.get("configuration", application="documo")).body.replace("scope: assigned", "scope: all")
    found = await client.post("applications/documo/configuration/preview", {"yaml": text})

    assert [(one["action"], one["count"]) for one in found.body["actions"]] == [("create", 5)]
    assert (await client.get("applications/documo/settings")).body["scope"] == "assigned"


async def test_schema_of_entra_replaces_the_mappings_that_the_caller_has_read(client: Client) -> None:
    schema = (await client.get("applications/documo/schema")).body
    tag = (await client.get("applications/documo/object-mappings")).headers["etag"]

    blind = await client.call("PUT", "applications/documo/schema", schema, confirm=True)
    done = await client.call("PUT", "applications/documo/schema", schema, headers={"If-Match": tag}, confirm=True)

    assert (blind.status, done.status) == (428, 200)
    assert isinstance(done.body["result"], list)


async def test_filters_and_rules_that_are_not_saved_are_judged(client: Client) -> None:
    odd = [{"title": "x", "all": [{"attribute": "department", "operator": "NOT EQUALS", "value": "Sales"}]}]

    found = await client.post("applications/documo/scope/findings", {"scopingFilters": odd})
    rule = await client.post("groups/rule/test", {"membershipRule": SALES})

    assert "an object without department fails this clause" in found.body[0]["message"]
    assert (rule.body["members"], rule.body["joinersCount"]) == (5, 5)


async def test_members_of_a_group_come_page_by_page(client: Client) -> None:
    await client.post("groups/all-sales/members", {"add": [upn("anna"), upn("bo"), upn("mia")]})

    first = await client.get("groups/all-sales/members", limit=2, count=True)
    second = await client.get("groups/all-sales/members", limit=2, cursor=first.body["nextCursor"])
    some = await client.get("groups/all-sales/members", filter='name co "bo"')

    names = [one["userPrincipalName"] for page in (first, second) for one in page.body["items"]]
    assert (names, first.body["count"], second.body["nextCursor"]) == ([upn("anna"), upn("bo"), upn("mia")], 3, None)
    assert [one["userPrincipalName"] for one in some.body["items"]] == [upn("bo")]


async def test_candidates_are_suggested_with_the_people_that_they_reach(client: Client) -> None:
    await client.post("groups/all-sales/members", {"add": [upn("anna"), upn("bo")]})

    found = (await client.get("applications/documo/candidates", search="sales")).body

    assert [(one["kind"], one["name"], one["reach"]) for one in found] == [("Group", "all-sales", 2)]


async def test_credentials_that_are_not_stored_are_tried_and_forgotten(client: Client) -> None:
    secret = "dk_live_0123456789abcdef"
    tried = await client.post(
        "applications/documo/credentials/try", {"tenantUrl": "https://127.0.0.1:9/scim", "secretToken": secret}
    )

    assert (tried.status, tried.body["items"][0]["passed"], secret in str(tried.body)) == (200, False, False)
    assert (await client.get("applications/documo/credentials")).body["secretToken"] == ""


async def test_change_of_single_sign_on_that_nobody_would_notice(client: Client) -> None:
    found = await client.post("applications/documo/single-sign-on/rehearse", {"singleSignOn": {"mode": "disabled"}})
    wrong = await client.post("applications/documo/single-sign-on/rehearse", {"singleSignOn": {"mode": "x"}})

    assert (found.body, wrong.status) == ({"people": 0, "sentences": []}, 400)


async def test_upload_shows_what_each_column_would_become(client: Client) -> None:
    upload = await uploaded(client, "staff", b"userPrincipalName,Odd\nnew@contoso.test,x\n")

    found = (await client.get(f"uploads/{upload}/shape")).body

    assert (found["isNew"], found["kind"], found["problem"]) == (True, "people", None)
    assert [(one["name"], one["meaning"]) for one in found["columns"]] == [
        ("userPrincipalName", "userPrincipalName"),
        ("Odd", ""),
    ]
    assert found["columns"][1]["samples"] == ["x"]


async def test_assignment_warns_of_a_role_that_the_application_may_not_know(client: Client) -> None:
    await client.post("applications/documo/roles", {"value": "auditor"})

    odd, known = [
        (await client.post("applications/documo/assignments/look-up", {"users": [upn("anna")], "role": role})).body
        for role in ("auditor", "Member")
    ]

    assert "may not know the role auditor" in odd["roleWarning"] and known["roleWarning"] == ""


async def owner_of(client: Client, name: str, *scopes: str) -> dict[str, str]:
    """The headers of somebody who owns this application and no other, with a token of these scopes."""
    app = (await applications.show_application(client.hub.context, name)).application
    async with transaction(client.hub.pool) as connection:
        who = await administrators.insert_administrator(connection, upn("owner"), display_name="", actor="")
        await administrators.replace_grants(connection, who, [RoleGrant(Role.APPLICATION_OWNER, app.id)], actor="")
    made = await access_tokens.create_personal_token(client.hub.context, "own", list(scopes), owner=upn("owner"))
    return {"Authorization": f"Bearer {made.secret}"}
