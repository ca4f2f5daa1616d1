"""Single sign-on of applications over the REST API."""

from __future__ import annotations

from tests.api.conftest import Client

HERE = "applications/documo/single-sign-on"


async def test_a_program_sets_single_sign_on_up_and_rolls_the_certificate(client: Client) -> None:
    before = await client.get(HERE)
    made = await client.call("PATCH", HERE, {"singleSignOn": {"mode": "saml", "nameId": {"format": "persistent"}}})
    wrong = await client.call("PATCH", HERE, {"singleSignOn": {"replyUrls": ["http://docs.test/acs"]}})
    added = await client.call("POST", "applications/documo/signing-certificates", {})
    [first, second] = [one["thumbprint"] for one in added.body["certificates"]]
    active = await client.call("POST", f"applications/documo/signing-certificates/{second}/activate")
    removed = await client.call("DELETE", f"applications/documo/signing-certificates/{first}")

    assert before.body["singleSignOn"]["mode"] == "disabled"
    assert made.body["singleSignOn"]["nameId"] == {"format": "persistent"}
    assert (wrong.status, "replyUrls" in wrong.body["detail"]) == (422, True) or wrong.status == 400
    assert active.body["certificates"][0]["thumbprint"] == second
    assert [one["isActive"] for one in removed.body["certificates"]] == [True]
    assert "PRIVATE" not in str(removed.body)


async def test_change_to_what_somebody_else_has_changed_is_refused(client: Client) -> None:
    read = await client.get(HERE)
    own, others = {"singleSignOn": {"relayState": "mine"}}, {"singleSignOn": {"relayState": "theirs"}}
    first = await client.call("PATCH", HERE, others, headers={"If-Match": read.headers["etag"]})
    late = await client.call("PATCH", HERE, own, headers={"If-Match": read.headers["etag"]})
    now = await client.get(HERE)

    assert (first.status, late.status) == (200, 412)
    assert now.body["singleSignOn"]["relayState"] == "theirs"
    assert now.headers["etag"] != read.headers["etag"]
    assert (await client.call("PATCH", HERE, own, headers={"If-Match": now.headers["etag"]})).status == 200


async def test_a_trial_says_what_an_assertion_would_say(client: Client) -> None:
    await client.call("PATCH", HERE, {"singleSignOn": {"mode": "saml"}})
    await client.call("POST", "applications/documo/assignments", {"users": ["anna@contoso.test"], "role": "Editor"})

    trial = await client.get(f"{HERE}/trial", user="anna@contoso.test")

    assert trial.body["wouldSignIn"] is True
    assert trial.body["nameId"] == "anna@contoso.test"
    assert trial.body["attributes"]["http://schemas.microsoft.com/ws/2008/06/identity/claims/role"] == ["Editor"]


async def test_metadata_needs_one_place(client: Client) -> None:
    for body in ({}, {"xml": "<x/>", "url": "https://docs.test/metadata"}, {"xml": "<x/>"}):
        assert (await client.call("POST", f"{HERE}/metadata", body)).status in (400, 422)


async def test_a_program_sets_openid_connect_up_and_rolls_a_client_secret(client: Client) -> None:
    openid = {"redirectUris": ["https://docs.test/callback"]}
    set_up = await client.call("PATCH", HERE, {"singleSignOn": {"mode": "oidc", "openIdConnect": openid}})
    first = await client.call("POST", "applications/documo/client-secrets", {"description": "Rome"})
    second = await client.call("POST", "applications/documo/client-secrets", {"days": 90})
    listed = await client.get("applications/documo/client-secrets", sort="description")
    left = await client.call("DELETE", f"applications/documo/client-secrets/{first.body['id']}")
    unknown = await client.call("DELETE", f"applications/documo/client-secrets/{first.body['id']}")

    assert first.body["clientId"] == set_up.body["clientId"]
    assert (first.status, len(first.body["secret"]) > 30) == (201, True)
    assert [one["description"] for one in listed.body["items"]] == ["", "Rome"]
    assert "secret" not in listed.body["items"][0]
    assert [one["id"] for one in left.body["items"]] == [second.body["id"]]
    assert unknown.status == 404


async def test_a_program_reads_the_signing_keys_and_cannot_roll_them_before_applications_know_the_next_one(
    client: Client,
) -> None:
    await client.call(
        "PATCH", HERE, {"singleSignOn": {"mode": "oidc", "openIdConnect": {"redirectUris": ["https://docs.test/cb"]}}}
    )
    before = (await client.get("signing-keys", sort="state")).body["items"]

    early = await client.call("POST", "signing-keys/roll", {})
    at_once = await client.call("POST", "signing-keys/roll", {"isCompromised": True})

    assert [one["state"] for one in before] == ["active", "next"]
    assert (early.status, "less than an hour ago" in early.body["detail"]) == (409, True)
    assert [one["state"] for one in at_once.body["items"]] == ["active", "next"]
    assert at_once.body["items"][0]["kid"] == before[1]["kid"]


async def test_a_trial_says_what_an_id_token_would_say(client: Client) -> None:
    openid = {"redirectUris": ["https://docs.test/callback"]}
    set_up = await client.call("PATCH", HERE, {"singleSignOn": {"mode": "oidc", "openIdConnect": openid}})
    await client.call("POST", "applications/documo/assignments", {"users": ["anna@contoso.test"], "role": "Editor"})

    trial = (await client.get(f"{HERE}/trial", user="anna@contoso.test")).body

    assert (trial["method"], trial["audience"]) == ("oidc", set_up.body["clientId"])
    assert trial["recipient"] == "https://docs.test/callback"
    assert trial["attributes"]["roles"] == ["Editor"]
    assert [one["condition"] for one in trial["conditions"] if not one["holds"]] == [
        "Documo has a client secret that has not expired"
    ]
