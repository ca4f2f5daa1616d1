"""Mail over the API: the server is set up, the password never comes back, messages are listed page by page and sent again."""

from __future__ import annotations

from lockstep.storage.outgoing_mail import NewMail, note_failure, write
from tests.api.conftest import Client
from tests.api.test_identity_providers_api import session_headers
from tests.support.mail_sink import mail_sink

HERE = "/api/v1/mail-server"


async def test_mail_server_is_set_up_tested_and_removed_and_its_password_never_comes_back(client: Client) -> None:
    headers = await session_headers(client)
    await client.hub.fetch("update administrator_session set stepped_up_at = now()")
    async with mail_sink() as sink:
        body = {
            "host": "127.0.0.1", "port": sink.port, "security": "none", "sender": "l@contoso.test", "user": "ada",
            "password": "top secret",
        }  # fmt: skip
        missing = await client.get(HERE)
        async with client.http.put(client.origin + HERE, json=body, headers=headers) as answer:
            made = answer.status, await answer.text()
        found = await client.get(HERE)
        again = await client.call("PUT", HERE, body | {"password": None, "host": "localhost"})
        tested = await client.post("mail-server/test", {"address": "it@contoso.test"})
    gone = await client.call("DELETE", HERE)

    assert (missing.status, made[0], again.status, gone.status) == (404, 200, 400, 204)
    assert "top secret" not in made[1] + str(found.body)
    assert found.body == {k: v for k, v in body.items() if k != "password"} | {"hasPassword": True}
    assert tested.body[-1]["result"] != "passed"  # private networks are not listed here, so nothing was sent
    assert sink.messages == []


async def test_webhook_is_set_up_tested_and_removed_and_its_address_never_comes_back(client: Client) -> None:
    await session_headers(client)
    await client.hub.fetch("update administrator_session set stepped_up_at = now()")
    body = {"url": "https://hooks.contoso.com/T0-very-secret", "secret": "a secret of more than sixteen bytes"}

    missing = await client.get("webhook")
    made = await client.call("PUT", "/api/v1/webhook", body)
    found = await client.get("webhook")
    refused = await client.call("PUT", "/api/v1/webhook", {"url": "https://10.0.0.1/x"})
    gone = await client.call("DELETE", "/api/v1/webhook")

    assert (missing.status, made.status, refused.status, gone.status) == (404, 200, 400, 204)
    assert made.body == found.body == {"origin": "https://hooks.contoso.com:443", "isSigned": True}
    assert "10.0.0.1" in refused.body["detail"]


async def test_delivery_of_notifications_is_changed_and_shown(client: Client) -> None:
    await client.post("applications", {"template": "documo"})
    path = "applications/documo/settings"

    before = await client.get(path)
    changed = await client.call("PATCH", path, {"notificationDelivery": "digest"})
    refused = await client.call("PATCH", path, {"notificationDelivery": "weekly"})

    assert before.body["notificationDelivery"] == "immediate"
    assert (changed.status, changed.body["result"]["notificationDelivery"]) == (200, "digest")
    assert refused.status == 400 and "Unknown notification delivery" in refused.body["detail"]
    assert (await client.get(path)).body["notificationDelivery"] == "digest"


async def test_messages_are_paged_filtered_and_sent_again(client: Client) -> None:
    async with client.hub.pool.connection() as connection:
        for number in range(5):
            await write(
                connection,
                NewMail(
                    kind="held", event=str(number), recipient="it@contoso.test", subject=f"mail {number}", text="t",
                    html="h", facts={},
                ),
            )  # fmt: skip
        cursor = await connection.execute("select id::text from outgoing_mail where event = '2'")
        row = await cursor.fetchone()
        assert row is not None
        await note_failure(connection, row[0], attempt=0, problem="No such user", remedy="Look", again_after=None)

    first = await client.get("mail?limit=3")
    second = await client.get(f"mail?limit=3&cursor={first.body['nextCursor']}")
    failed = await client.get('mail?filter=state eq "failed"')
    again = await client.post(f"mail/{row[0]}/retry", {})

    assert [one["subject"] for one in first.body["items"] + second.body["items"]] == [
        f"mail {n}" for n in (4, 3, 2, 1, 0)
    ]
    assert [(one["subject"], one["problem"]) for one in failed.body["items"]] == [("mail 2", "No such user")]
    assert (again.status, again.body["state"]) == (200, "waiting")
    assert (await client.post("mail/nothing/retry", {})).status == 404
