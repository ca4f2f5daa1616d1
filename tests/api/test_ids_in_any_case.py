"""Ids are accepted in upper case by every route, as programs such as PowerShell write them."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lockstep.actions import access_tokens
from lockstep.api.app import api_app
from lockstep.api.door import DoorRoute
from lockstep.postgres.pool import transaction
from lockstep.storage import outgoing_mail, person_sessions
from lockstep.storage.outgoing_mail import NewMail
from tests.api.conftest import Client
from tests.support.hub import guid, upn

# Parameters of addresses that are a name or a number.
NOT_IDS = {
    "action", "cycle", "email", "entry", "kind", "new", "old", "permission", "preview", "role", "run", "source", "version",
}  # fmt: skip
HELD = "applications/documo/held"
SINGLE_SIGN_ON = "applications/documo/single-sign-on"


async def _application(client: Client) -> list[int]:
    app = (await client.get("applications/documo")).body["id"]
    return [(await client.get(f"applications/{app.upper()}")).status]


async def _person(client: Client) -> list[int]:
    person = (await client.get(f"people/{upn('anna')}")).body["id"]
    return [(await client.get(f"people/{person.upper()}")).status]


async def _group(client: Client) -> list[int]:
    group = (await client.get("groups/all-sales")).body["id"]
    return [(await client.get(f"groups/{group.upper()}")).status]


async def _explained(client: Client) -> list[int]:
    person = (await client.get(f"people/{upn('anna')}")).body["id"]
    return [(await client.get(f"applications/documo/explanations/{person.upper()}")).status]


async def _change(client: Client) -> list[int]:
    app = (await client.get("applications/documo")).body["id"]
    await client.hub.fetch(
        """insert into provisioning_log (id, change_id, at, job, app, action, status, kind, record)
        select %s, %s, now(), job.id, job.app, 'create', 'success', 'User', '{}' from job where app = %s""",
        guid("row"), guid("change"), app,
    )  # fmt: skip
    return [(await client.get(f"logs/{guid('change').upper()}")).status]


async def _token(client: Client) -> list[int]:
    made = await access_tokens.create_service_token(client.hub.context, "to revoke", ["directory.read"])
    # A token may not revoke others, so the action is called with the operator's permissions.
    revoked = await access_tokens.revoke_token(client.hub.context, made.id.upper())
    return [200 if revoked.id == made.id else 404]


async def _secret(client: Client) -> list[int]:
    openid = {"redirectUris": ["https://docs.test/callback"]}
    await client.call("PATCH", SINGLE_SIGN_ON, {"singleSignOn": {"mode": "oidc", "openIdConnect": openid}})
    made = await client.post("applications/documo/client-secrets", {"description": "Rome"})
    return [(await client.call("DELETE", f"applications/documo/client-secrets/{made.body['id'].upper()}")).status]


async def _thumbprint(client: Client) -> list[int]:
    await client.call("PATCH", SINGLE_SIGN_ON, {"singleSignOn": {"mode": "saml"}})
    added = await client.post("applications/documo/signing-certificates", {})
    other = next(one["thumbprint"] for one in added.body["certificates"] if not one["isActive"])
    path = "applications/documo/signing-certificates"
    return [(await client.call("DELETE", f"{path}/{changed}")).status for changed in (other.swapcase(),)]


async def _session(client: Client) -> list[int]:
    person, now = (await client.get(f"people/{upn('anna')}")).body["id"], datetime.now(UTC)
    async with transaction(client.hub.pool) as connection:
        await person_sessions.insert_session(
            connection, person, b"s" * 32, methods=["pwd"], device="", address="", now=now,
            expires_at=now + timedelta(hours=1),
        )  # fmt: skip
    [one] = (await client.get(f"people/{upn('anna')}/sessions")).body
    return [(await client.call("DELETE", f"people/{upn('anna')}/sessions/{one['id'].upper()}")).status]


async def _upload(client: Client) -> list[int]:
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "text/csv"}
    url = f"{client.origin}/api/v1/sources/staff/uploads?fileName=staff.csv"
    async with client.http.post(url, data=b"id\n1\n", headers=headers) as response:
        upload = (await response.json())["id"]
    read = await client.get(f"uploads/{upload.upper()}")
    begun = await client.post(f"uploads/{upload.upper()}/rehearse")
    return [read.status, begun.status]


async def _operation(client: Client) -> list[int]:
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": "text/csv"}
    url = f"{client.origin}/api/v1/sources/staff/uploads?fileName=staff.csv"
    async with client.http.post(url, data=b"id\n1\n", headers=headers) as response:
        upload = (await response.json())["id"]
    ended = await client.finished(f"uploads/{upload}/rehearse")
    return [(await client.get(f"operations/{ended.body['id'].upper()}")).status]


async def _message(client: Client) -> list[int]:
    mail = NewMail(kind="held", event="1", recipient="it@contoso.test", subject="held", text="t", html="h", facts={})
    async with client.hub.pool.connection() as connection:
        await outgoing_mail.write(connection, mail)
        cursor = await connection.execute("select id::text from outgoing_mail")
        row = await cursor.fetchone()
        assert row is not None
        await outgoing_mail.note_failure(connection, row[0], attempt=0, problem="No", remedy="", again_after=None)
    return [(await client.post(f"mail/{row[0].upper()}/retry", {})).status]


CASES: dict[str, Callable[[Client], Awaitable[list[int]]]] = {
    "app": _application,
    "change": _change,
    "group": _group,
    "message": _message,
    "operation": _operation,
    "person": _person,
    "secret": _secret,
    "session": _session,
    "thumbprint": _thumbprint,
    "token": _token,
    "upload": _upload,
    "user": _explained,
}


@pytest.mark.parametrize("parameter", CASES)
async def test_id_in_an_address_is_accepted_in_any_case(client: Client, parameter: str) -> None:
    assert all(200 <= status < 300 for status in await CASES[parameter](client))


def test_every_id_in_an_address_has_a_case() -> None:
    routes: list[Any] = api_app(lambda _: None).routes  # type: ignore[arg-type, return-value]
    paths = " ".join(one.path for one in routes if isinstance(one, DoorRoute))

    assert set(re.findall(r"\{(\w+)", paths)) == NOT_IDS | set(CASES)


async def test_held_writes_are_decided_by_ids_in_any_case(client: Client) -> None:
    app = (await client.get("applications/documo")).body["id"]
    for name in ("anna", "bo", "lee"):
        await client.hub.fetch(
            """insert into operation (id, job, kind, source_id, target_id, action, state, error, attempt, planned_at)
            select %s, job.id, 'User', %s, %s, 'disable', 'held', %s, 1, now() from job where app = %s""",
            guid(f"held {name}"), guid(name), f"u_{name}", json.dumps({"guard": "TooManyDeletes"}), app,
        )  # fmt: skip

    approved = await client.post(f"{HELD}/approve", {"ids": [guid("held anna").upper()]})
    rejected = await client.post(f"{HELD}/reject", {"ids": [guid("held bo").upper()]})
    back = await client.post(f"{HELD}/approve", {"ids": [guid("held bo").upper()], "rejected": True})
    unknown = await client.post(f"{HELD}/approve", {"ids": [guid("held lee").upper(), guid("other")]})
    left = await client.get(HELD)

    assert [(one.status, one.body["count"]) for one in (approved, rejected, back)] == [(200, 1)] * 3
    assert unknown.status == 404 and guid("other") in unknown.body["detail"]
    assert [one["id"] for one in left.body["items"]] == [guid("held lee")], "a refused request decides nothing"
