"""Actions called by name: they need the caller's permissions, and give no more access to the server than the pages do."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from lockstep.actions import access_tokens, applications, assignments
from lockstep.actions.access import CHECKED
from lockstep.actions.permissions import Role
from lockstep.configuration.files.file import read_documents
from lockstep.postgres.pool import transaction
from lockstep.storage import administrators
from lockstep.storage.administrators import RoleGrant
from tests.api.conftest import Answer, Client
from tests.support.hub import upn

SECRET_LINE = "postgres-password-of-the-server"
SOURCE = """
apiVersion: lockstep/v1
kind: Source
metadata: {name: spy}
spec:
  type: csv
  connection: {files: [{path: FILE, kind: people}]}
"""


async def scoped(client: Client, *scopes: str) -> dict[str, str]:
    made = await access_tokens.create_service_token(client.hub.context, " ".join(scopes), list(scopes))
    return {"Authorization": f"Bearer {made.secret}"}


async def owner(client: Client, app: str, *scopes: str) -> dict[str, str]:
    """The headers of somebody who owns the application with the id *app*, and no other."""
    async with transaction(client.hub.pool) as connection:
        who = await administrators.insert_administrator(connection, upn("owner"), display_name="", actor="")
        await administrators.replace_grants(connection, who, [RoleGrant(Role.APPLICATION_OWNER, app)], actor="")
    made = await access_tokens.create_personal_token(client.hub.context, "own", list(scopes), owner=upn("owner"))
    return {"Authorization": f"Bearer {made.secret}"}


async def call(client: Client, action: str, headers: dict[str, str], **given: Any) -> Answer:
    return await client.post(f"actions/{action}", {"arguments": given}, headers=headers)


async def test_a_plan_opens_no_file_of_the_server_for_somebody_who_may_not_add_sources(
    client: Client, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET_LINE + "\n")
    text = SOURCE.replace("FILE", str(file))
    [document] = read_documents(text, "spy.yaml")
    sent = {"kind": "Source", "name": "spy", "spec": dict(document.spec)}
    reader = await scoped(client, "applications.read", "directory.read")

    by_name = [
        await call(client, "configuration.plan_configuration", reader, documents=[sent]),
        await call(
            client,
            "configuration.plan_configuration",
            reader,
            documents=[
                {**sent, "spec": {"type": "csv", "connection": {"files": [{"path": "/none", "kind": "people"}]}}}
            ],
        ),
    ]
    by_noun = await client.post("configuration/plan", {"yaml": text}, headers=reader)

    assert [one.status for one in by_name] == [200, 200]  # whether a file exists is not told either
    assert "sources.write" in str(by_name[0].body)
    assert by_noun.status == 403
    assert SECRET_LINE not in f"{by_name} {by_noun}"


async def test_who_is_assigned_to_somebody_elses_application_is_not_told_by_a_filter(client: Client) -> None:
    await applications.add_application(client.hub.context, "documo", name="hidden")
    await assignments.assign(client.hub.context, "hidden", users=[upn("anna")])
    await assignments.assign(client.hub.context, "documo", users=[upn("bo")])
    mine = (await applications.show_application(client.hub.context, "documo")).application
    headers = await owner(client, mine.id, "directory.read", "applications.read")

    async def named(app: str) -> list[Any]:
        by_noun = await client.call("GET", "people", headers=headers, filter=f'application eq "{app}"', count=True)
        by_name = await call(client, "people.list_people", headers, wanted={"app": app})
        names = [one["userPrincipalName"] for one in by_noun.body["items"]]
        assert names == [one["v"]["user_principal_name"] for one in by_name.body["result"]]
        return [*names, by_noun.body["count"]]

    assert (await named("documo"), await named("hidden"), await named("none")) == ([upn("bo"), 1], [0], [0])


OUTSIDE = (
    "services.opener.",
    "on_demand.push(",
    "rehearsing(context.pool)",
)  # it stays when the transaction is rolled back


def test_every_action_that_works_outside_its_transaction_refuses_to_be_rehearsed() -> None:
    careless = [
        name
        for name, action in CHECKED.items()
        if any(word in (text := inspect.getsource(inspect.unwrap(action))) for word in OUTSIDE)
        and "context.refuse_rehearsal()" not in text
    ]

    assert careless == []


@pytest.mark.parametrize("name", ["provisioning.push", "connection.test_connection", "connection.test_deeply"])
async def test_a_rehearsal_sends_nothing_to_the_application(client: Client, name: str) -> None:
    given = {"users": [upn("anna")]} if name == "provisioning.push" else {}

    tried = await client.post(f"actions/{name}", {"arguments": {"app": "documo", **given}, "rehearse": True})
    done = await client.post(f"actions/{name}", {"arguments": {"app": "documo", **given}})

    # Without credentials it is noticed only by what is done that there are none.
    assert "has no dry run" in tried.body["detail"] and "no credentials" in done.body["detail"]


async def test_a_call_reads_no_more_rows_than_fit_into_memory(client: Client) -> None:
    reader = await scoped(client, "logs.read", "directory.read", "applications.read")
    asked = [
        await call(client, "logs.list_log", reader, limit=1_001),
        await call(client, "groups.list_groups", reader, limit=200_000),
        await call(client, "groups.show_group", reader, name="all-sales", most_members=10**9),
        await call(client, "people.list_people", reader, wanted={"limit": 200_000}),
    ]
    within = await call(client, "logs.list_log", reader, limit=1_000)

    assert ([one.status for one in asked], within.status) == ([400] * 4, 200)


async def test_a_stream_is_answered_with_a_key_against_repetition_too(client: Client) -> None:
    headers = {"Authorization": f"Bearer {client.token}", "Idempotency-Key": "stream-1"}

    for _ in range(2):
        answer = await client.post("actions/logs.pages_of_log/stream", {"arguments": {}}, headers=headers)
        assert (answer.status, "event: end" in answer.body) == (200, True)


async def test_a_secret_that_is_no_text_is_refused(client: Client) -> None:
    headers = await scoped(client, "credentials.write", "applications.read")

    wrong = await call(client, "credentials.set_credentials", headers, app="documo", secret_token=["x"])
    none = await call(
        client,
        "credentials.set_credentials",
        headers,
        app="documo",
        tenant_url="https://x.test/scim",
        secret_token=None,
    )

    assert (wrong.status, none.status) == (400, 200)


async def test_the_password_for_the_ldap_directory_is_sent_and_never_returned(client: Client) -> None:
    headers = await scoped(client, "organisation.write", "directory.read")
    change = {"url": "ldap://127.0.0.1:9", "base_dn": "dc=contoso", "bind_dn": "cn=x", "password": "top secret"}
    await client.hub.fetch(
        """insert into ldap_directory (url, base_dn, attribute, bind_dn, secret, changed_by)
        values ('ldaps://dc1.contoso.test', 'dc=contoso', 'mail', 'cn=x', '\\x736561', 'ada')"""
    )

    unreachable = await call(client, "person_sign_in.ldap_setup.set_ldap", headers, change=change)
    wrong = await call(
        client, "person_sign_in.ldap_setup.set_ldap", headers, change={**change, "password": ["top secret"]}
    )
    shown = await call(client, "person_sign_in.ldap_setup.show_ldap", headers)

    assert "password is missing" not in str(unreachable.body) and unreachable.status >= 400
    assert (wrong.status, "must be text" in wrong.body["detail"]) == (400, True)
    assert shown.body["result"]["v"]["secret"] == {"$": "bytes", "v": ""}
    assert "top secret" not in f"{unreachable} {wrong} {shown}"
