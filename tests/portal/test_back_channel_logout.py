"""Back-channel logout: an application with its own server is notified exactly once that a person was signed out, whatever happens in
between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet

from lockstep.actions import people, sign_in_logs
from lockstep.actions.openid_sign_in.back_channel import MOST_ATTEMPTS, tell_due
from lockstep.actions.single_sign_on import settings
from tests.portal.test_openid_sign_in import CALLBACK, App, documo_as_client
from tests.portal.test_saml_sign_in import signed_in
from tests.support.admin_centre import Centre, serving_centre
from tests.support.hub import Hub, upn

EVENT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass
class Receiver:
    """The application's server. *status*: what it answers; while *hangs*, it does not."""

    origin: str = ""
    status: int = 200
    hangs: bool = False
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    tokens: list[str] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/x-www-form-urlencoded"
        self.tokens.append(parse_qs(await request.text())["logout_token"][0])
        self.arrived.set()
        if self.hangs:
            await asyncio.Event().wait()
        return web.Response(status=self.status)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    running = Receiver()
    server = web.Application()
    server.router.add_post("/out", running.take)
    runner = web.AppRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    running.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield running
    await runner.cleanup()


@pytest.fixture
async def centre(directory: Hub, receiver: Receiver) -> AsyncIterator[Centre]:
    async with serving_centre(directory, allow=[receiver.origin]) as running:
        yield running


@pytest.fixture
async def app(centre: Centre, receiver: Receiver) -> App:
    return await told_application(centre, receiver)


async def told_application(centre: Centre, receiver: Receiver) -> App:
    app = await documo_as_client(centre)
    openid = {"redirectUris": [CALLBACK], "backChannelLogoutUrl": f"{receiver.origin}/out"}
    await settings.change_sign_on(centre.context, "documo", {"openIdConnect": openid})
    return app


async def signed_out(app: App) -> dict[str, Any]:
    """Anna signs in to the application and out of My Apps; the claims of her ID token."""
    browser = await signed_in(app.centre)
    claims = await app.claims((await app.tokens(browser, "openid"))["id_token"])
    await browser.get("/myapps")
    await browser.post("/myapps/sign-out")
    return claims


async def verified(app: App, token: str) -> dict[str, Any]:
    """The claims of a logout token after the checks of Back-Channel Logout, section 2.6."""
    keys = KeySet.import_key_set(await app.json("/oauth2/keys"))  # type: ignore[arg-type]
    read = jwt.decode(token, keys, algorithms=["RS256"])
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": app.centre.origin}, aud={"essential": True, "value": app.id},
        iat={"essential": True}, exp={"essential": True}, jti={"essential": True}, sub={"essential": True},
    ).validate(read.claims)  # fmt: skip
    assert read.header["typ"] == "logout+jwt"
    assert read.claims["events"] == {EVENT: {}}
    assert "nonce" not in read.claims
    return dict(read.claims)


async def waiting(app: App) -> list[tuple[object, ...]]:
    return await app.centre.hub.fetch("select attempts, due_at > now() from openid_logout")


async def pass_time(app: App) -> None:
    await app.centre.hub.fetch("update openid_logout set due_at = now() - interval '1 second'")


async def test_application_is_told_once_that_a_person_signed_out(app: App, receiver: Receiver) -> None:
    claims = await signed_out(app)

    await tell_due(app.centre.context)
    await tell_due(app.centre.context)

    [token] = receiver.tokens
    told = await verified(app, token)
    assert (told["sub"], told["sid"]) == (claims["sub"], claims["sid"])
    assert await waiting(app) == []


async def test_application_is_told_that_a_person_was_disabled(app: App, receiver: Receiver) -> None:
    claims = await app.claims((await app.tokens(await signed_in(app.centre)))["id_token"])

    await people.set_enabled(app.centre.context, [upn("anna")], is_enabled=False)
    while await tell_due(app.centre.context):
        pass

    told = [await verified(app, token) for token in receiver.tokens]
    assert {one["sub"] for one in told} == {claims["sub"]}
    assert any("sid" not in one for one in told)  # all sessions of the person, for the offline access
    assert await waiting(app) == []


async def test_person_who_did_not_use_the_application_is_not_mentioned_to_it(app: App, receiver: Receiver) -> None:
    browser = await signed_in(app.centre)
    await browser.get("/myapps")
    await browser.post("/myapps/sign-out")

    assert await tell_due(app.centre.context) == 0
    assert receiver.tokens == []


async def test_process_that_dies_while_it_tells_leaves_it_to_the_next_one(app: App, receiver: Receiver) -> None:
    await signed_out(app)
    receiver.hangs = True
    dying = asyncio.create_task(tell_due(app.centre.context))
    await receiver.arrived.wait()
    dying.cancel()  # nothing of it is recorded, as after kill -9
    with suppress(asyncio.CancelledError):
        await dying
    receiver.hangs = False

    assert await tell_due(app.centre.context) == 0  # another process does not send it at the same time
    await pass_time(app)
    await tell_due(app.centre.context)

    assert len(receiver.tokens) == 2
    assert await waiting(app) == []


async def test_failures_are_followed_by_growing_pauses_and_in_the_end_by_an_entry_in_the_log(
    app: App, receiver: Receiver
) -> None:
    await signed_out(app)
    receiver.status = 500
    pauses = []
    for _ in range(MOST_ATTEMPTS):
        await pass_time(app)
        await tell_due(app.centre.context)
        pauses += await app.centre.hub.fetch("select round(extract(epoch from due_at - now()))::int from openid_logout")

    assert [pause for (pause,) in pauses[:4]] == [10, 20, 40, 80]
    assert pauses[-1] == (3600,)
    assert (len(receiver.tokens), await waiting(app)) == (MOST_ATTEMPTS, [])
    [row] = await sign_in_logs.list_sign_ins(app.centre.context, limit=1)
    assert (row.code, row.app_display, "HTTP 500" in row.detail) == ("LogoutNotDelivered", "Documo", True)


@pytest.mark.parametrize("status", [302, 400])
async def test_answer_that_is_no_success_is_a_failure(app: App, receiver: Receiver, status: int) -> None:
    await signed_out(app)
    receiver.status = status

    await tell_due(app.centre.context)

    assert await waiting(app) == [(1, True)]


async def test_address_in_a_private_network_that_is_not_allowed_is_not_connected_to(
    directory: Hub, receiver: Receiver
) -> None:
    async with serving_centre(directory, allow=()) as centre:
        app = await told_application(centre, receiver)
        await signed_out(app)

        await tell_due(centre.context)

        assert receiver.tokens == []
        assert await waiting(app) == [(1, True)]


async def test_application_that_wants_to_know_nothing_is_forgotten(app: App, receiver: Receiver) -> None:
    await signed_out(app)
    await settings.change_sign_on(app.centre.context, "documo", {"openIdConnect": {"redirectUris": [CALLBACK]}})

    await tell_due(app.centre.context)

    assert (receiver.tokens, await waiting(app)) == ([], [])
