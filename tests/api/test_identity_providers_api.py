"""Single sign-on over the API: a session of a Global administrator sets it up, tokens can only read it, and the secret never comes back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from lockstep.actions.permissions import Role
from lockstep.actions.sign_in import LONGEST
from lockstep.api.door import SESSION_COOKIE
from lockstep.credentials.issued_secrets import derived, hash_of, new_secret
from lockstep.kit import csrf
from lockstep.storage import administrator_sessions, administrators
from lockstep.storage.administrators import RoleGrant
from tests.api.conftest import Client
from tests.support.oidc_provider import OidcProvider, running_oidc_provider

HERE = "/api/v1/single-sign-on"


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with running_oidc_provider() as running:
        yield running


@pytest.fixture
def allowed(provider: OidcProvider) -> tuple[str, ...]:
    return (provider.issuer,)


async def session_headers(client: Client) -> dict[str, str]:
    """The requests that a page of a Global administrator sends."""
    secret, now = new_secret(), datetime.now(UTC)
    async with client.hub.pool.connection() as connection:
        who = await administrators.insert_administrator(
            connection, "ada@contoso.test", display_name="Ada", actor="test"
        )
        await administrators.replace_grants(connection, who, [RoleGrant(Role.GLOBAL_ADMINISTRATOR)], actor="test")
        await administrator_sessions.insert_session(
            connection, who, hash_of(secret), device="test", now=now, expires_at=now + LONGEST
        )
    token = csrf.masked(derived(secret, "csrf"))
    return {"Cookie": f"{SESSION_COOKIE}={secret}", "Origin": client.origin, csrf.HEADER: token}


async def test_single_sign_on_is_set_up_read_and_removed(client: Client, provider: OidcProvider) -> None:
    body = {
        "name": "Contoso ID", "issuer": provider.issuer, "clientId": "lockstep", "clientSecret": "top secret",
        "roles": [{"value": "ops", "role": "operator"}, {"value": "team", "role": "applicationOwner", "app": "documo"}],
    }  # fmt: skip
    headers = await session_headers(client)

    missing = await client.get(HERE)
    by_token = await client.call("PUT", HERE, body)
    async with client.http.put(client.origin + HERE, json=body, headers=headers) as answer:
        made = answer.status, await answer.text()
    found = await client.get(HERE)
    elsewhere = {**body, "issuer": provider.issuer + "/elsewhere"}
    async with client.http.put(client.origin + HERE, json=elsewhere, headers=headers) as answer:
        wrong = answer.status
    async with client.http.delete(client.origin + HERE, headers=headers) as answer:
        gone = answer.status

    assert (missing.status, by_token.status, made[0], wrong, gone) == (404, 403, 200, 503, 204)
    assert "top secret" not in made[1] and "top secret" not in str(found.body)
    assert found.body["hasSecret"] and found.body["redirectPath"] == "/sign-in/sso/callback"
    assert found.body["roles"] == [
        {"value": "ops", "role": "operator", "app": ""},
        {"value": "team", "role": "applicationOwner", "app": "documo"},
    ]
