"""Every check in the code for people's sign-ins through a provider is covered: at least one case ends differently without it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from lockstep.actions import federated_sign_in, identity_providers
from lockstep.actions.context import Context
from lockstep.actions.identity_providers import ProviderChange
from lockstep.actions.person_sign_in import setting, upstream
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.errors import LockstepError
from lockstep.oidc import code_flow, id_token, provider
from lockstep.vault import Secret, Vault, VaultKey
from tests.support.admin_centre import Centre, serving_centre
from tests.support.hub import Hub, upn
from tests.support.left_out_checks import Check, checks_of, unheld_checks
from tests.support.rogue_provider import CLIENT_ID, RogueProvider, running_rogue_provider, signed

pytestmark = pytest.mark.full

NOBODY_LISTENS = "http://127.0.0.1:9"
BACK, VISITOR = "https://lockstep.test/myapps/sign-in/sso/callback", Visitor("a browser", "192.0.2.7")
DELETED = ("sign_in_log", "sign_in_attempt", "person_session", "person_credential", "used_answer")


@dataclass
class World:
    """Anna signs in at a provider whose answers a case chooses."""

    context: Context
    rogue: RogueProvider

    async def come(
        self, *, again: bool = False, after: timedelta = timedelta(), at: str = BACK, cookie: str = "", **changes: str | None
    ) -> upstream.PersonArrival:  # fmt: skip
        begun = await upstream.leave_for_provider(self.context, redirect_uri=BACK, next_page="/myapps", again=again)
        answer = dict(parse_qsl(self.rogue.answer(begun.url, **changes)))
        moment = self.context.now() + after
        later = replace(self.context, now=lambda: moment) if after else self.context
        return await upstream.come_back(later, cookie or begun.cookie, answer, redirect_uri=at, visitor=VISITOR)


Case = Callable[[World], Awaitable[object]]


async def twice(world: World) -> object:
    begun = await upstream.leave_for_provider(world.context, redirect_uri=BACK, next_page="/myapps")
    answer = dict(parse_qsl(world.rogue.answer(begun.url)))
    ended = []
    for _ in range(2):
        work = upstream.come_back(world.context, begun.cookie, answer, redirect_uri=BACK, visitor=VISITOR)
        ended.append(await outcome_of(work))
    return ended


async def unknown_code(world: World) -> object:
    begun = await upstream.leave_for_provider(world.context, redirect_uri=BACK, next_page="/myapps")
    answer = dict(parse_qsl(world.rogue.answer(begun.url))) | {"code": "another"}
    return await upstream.come_back(world.context, begun.cookie, answer, redirect_uri=BACK, visitor=VISITOR)


async def with_another_vault(world: World) -> object:
    """The stored secret of the client can no longer be opened, which is a fault of the installation and not of the person."""
    own, other = world.context, replace(world.context, vault=Vault(VaultKey(b"x" * 32, b"y" * 8)))
    begun = federated_sign_in.BegunSignIn(
        "s", world.rogue.issuer, CLIENT_ID, BACK, "/myapps", "", own.now().timestamp()
    )
    sealed = other.vault.seal(
        Secret(orjson.dumps(begun).decode()), purpose=federated_sign_in._PURPOSE, name=federated_sign_in._OWNER
    )
    answer = {"state": begun.attempt().state, "code": "code", "iss": world.rogue.issuer}
    return await upstream.come_back(other, sealed.hex(), answer, redirect_uri=BACK, visitor=VISITOR)


async def without_network(world: World) -> object:
    """A fault of the installation is not put down to the person in the sign-in log."""
    begun = await upstream.leave_for_provider(world.context, redirect_uri=BACK, next_page="/myapps")
    answer = dict(parse_qsl(world.rogue.answer(begun.url)))
    here = replace(world.context, http=None)
    return await upstream.come_back(here, begun.cookie, answer, redirect_uri=BACK, visitor=VISITOR)


async def of_another_cookie(world: World) -> object:
    other = await upstream.leave_for_provider(world.context, redirect_uri=BACK, next_page="/myapps")
    return await world.come(cookie=other.cookie)


async def sealed_by_another(world: World) -> object:
    vault = Vault(VaultKey(b"x" * 32, b"y" * 8))
    other = replace(world.context, vault=vault)
    begun = await upstream.leave_for_provider(other, redirect_uri=BACK, next_page="/myapps")
    answer = dict(parse_qsl(world.rogue.answer(begun.url)))
    return await upstream.come_back(world.context, begun.cookie, answer, redirect_uri=BACK, visitor=VISITOR)


async def switched_off(world: World, *, between: bool) -> object:
    begun = await upstream.leave_for_provider(world.context, redirect_uri=BACK, next_page="/myapps")
    answer = dict(parse_qsl(world.rogue.answer(begun.url)))
    await setting.change_sign_in_setting(world.context, has_provider=False)
    try:
        if not between:
            return await upstream.leave_for_provider(world.context, redirect_uri=BACK, next_page="/myapps")
        return await upstream.come_back(world.context, begun.cookie, answer, redirect_uri=BACK, visitor=VISITOR)
    finally:
        await setting.change_sign_in_setting(world.context, has_provider=True)


async def with_claims(world: World, *, again: bool = False, **claims: Any) -> object:
    world.rogue.claims = claims
    return await world.come(again=again)


async def with_metadata(world: World, **metadata: Any) -> object:
    world.rogue.metadata = metadata
    world.context.providers.forget()
    return await world.come()


async def with_claims_and_user_info(world: World, claims: dict[str, Any], **told: Any) -> object:
    world.rogue.claims, world.rogue.user_info = claims, told
    return await world.come()


async def with_user_info(world: World, **told: Any) -> object:
    world.rogue.claims, world.rogue.user_info = {"email": None, "email_verified": None}, told
    return await world.come()


async def with_answer(world: World, text: str) -> object:
    """The token response as a text."""
    world.rogue.token_text = text
    return await world.come()


async def with_access_token(world: World, *given: object) -> object:
    """A token response with another access token or without one. The user info is about another person, if it is read."""
    world.rogue.claims, world.rogue.user_info = {"groups": None}, {"sub": "ben"}
    begun = await upstream.leave_for_provider(world.context, redirect_uri=BACK, next_page="/myapps")
    answer = dict(parse_qsl(world.rogue.answer(begun.url)))
    token = signed(world.rogue.claims_for("code"), world.rogue.key)
    world.rogue.token_text = json.dumps({"id_token": token, **({"access_token": given[0]} if given else {})})
    return await upstream.come_back(world.context, begun.cookie, answer, redirect_uri=BACK, visitor=VISITOR)


async def known_with_another_address(world: World) -> object:
    """The subject decides after the first sign-in, not the address."""
    await world.come()
    return await with_claims(world, email=upn("ben"))


async def with_another_client(world: World) -> object:
    """The provider's registration changes while the person is there."""
    begun = await upstream.leave_for_provider(world.context, redirect_uri=BACK, next_page="/myapps")
    answer = dict(parse_qsl(world.rogue.answer(begun.url)))
    await _set_provider(world.context, world.rogue, client_id="another")
    try:
        return await upstream.come_back(world.context, begun.cookie, answer, redirect_uri=BACK, visitor=VISITOR)
    finally:
        await _set_provider(world.context, world.rogue)


async def with_provider(world: World, claims: dict[str, Any], **changes: Any) -> object:
    await _set_provider(world.context, world.rogue, **changes)
    try:
        return await with_claims(world, **claims)
    finally:
        await _set_provider(world.context, world.rogue)


async def without_user_info(world: World) -> object:
    """The claims are not complete, and the provider has no place to ask for more."""
    world.rogue.claims = {"groups": None}
    return await with_metadata(world, userinfo_endpoint=None)


async def with_token(world: World, sign: Any) -> object:
    world.rogue.sign = sign
    return await world.come()


def of_another_key(claims: dict[str, Any], key: RSAKey) -> str:
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, RSAKey.generate_key(2048))


def unsigned(claims: dict[str, Any], key: RSAKey) -> str:
    return jwt.encode({"alg": "none"}, claims, key, algorithms=["none"])


NAMED: dict[str, Any] = {"email": "zoe@contoso.test", "preferred_username": upn("anna")}
ANNA = {"email": upn("anna"), "email_verified": True}
CASES: dict[str, Case] = {
    "usual": lambda w: w.come(),
    "twice": twice,
    "another state": lambda w: w.come(state="another"),
    "another cookie": of_another_cookie,
    "cookie that is none": lambda w: w.come(cookie="00"),
    "cookie of another installation": sealed_by_another,
    "late": lambda w: w.come(after=timedelta(minutes=10)),
    "at another address": lambda w: w.come(at=BACK + "/"),
    "switched off": lambda w: switched_off(w, between=False),
    "switched off on the way": lambda w: switched_off(w, between=True),
    "refused": lambda w: w.come(code=None, error="access_denied"),
    "unknown code": unknown_code,
    "process without network": without_network,
    "client secret of another installation": with_another_vault,
    "asked again, and did": lambda w: with_claims(w, again=True, auth_time=4_000_000_000),
    "asked again, and says nothing": lambda w: with_claims(w, again=True),
    "asked again, and did not": lambda w: with_claims(w, again=True, auth_time=1_700_000_000),
    "stranger": lambda w: with_claims(w, email="zoe@contoso.test"),
    "address that is not verified": lambda w: with_claims(w, email_verified=False),
    "another nonce": lambda w: with_claims(w, nonce="another"),
    "another audience": lambda w: with_claims(w, aud="another"),
    "another issuer": lambda w: with_claims(w, iss="https://evil.test"),
    "token of another key": lambda w: with_token(w, of_another_key),
    "token without signature": lambda w: with_token(w, unsigned),
    "token that is none": lambda w: with_token(w, lambda claims, key: "x"),
    "no token": lambda w: with_token(w, lambda claims, key: None),
    "known, with another address": known_with_another_address,
    "another client on the way": with_another_client,
    "found by a name that is trusted": lambda w: with_provider(w, NAMED, trusts_email=True),
    "name that is not trusted": lambda w: with_claims(w, **NAMED),
    "name that is no text": lambda w: with_provider(w, NAMED | {"preferred_username": 7}, trusts_email=True),
    "name with a NUL": lambda w: with_provider(w, NAMED | {"preferred_username": "anna\0"}, trusts_email=True),
    "user info that is not needed": lambda w: with_claims_and_user_info(w, {}, sub="ben"),
    "user info that says more": lambda w: with_claims_and_user_info(w, {"groups": None}, email=upn("ben")),
    "no access token": with_access_token,
    "access token that is no text": lambda w: with_access_token(w, 7),
    "token response that is no JSON": lambda w: with_answer(w, "no JSON"),
    "token response that is a list": lambda w: with_answer(w, "[]"),
    "secret in the form": lambda w: with_metadata(w, token_endpoint_auth_methods_supported=["client_secret_post"]),
    "secret in the header or the form": lambda w: with_metadata(
        w, token_endpoint_auth_methods_supported=["client_secret_post", "client_secret_basic"]
    ),
    "no secret": lambda w: with_provider(w, {}, secret=Secret("")),
    "token endpoint that is empty": lambda w: with_metadata(w, token_endpoint=""),
    "provider that is gone": lambda w: with_metadata(w, token_endpoint=NOBODY_LISTENS),
    "address from user info": lambda w: with_user_info(w, **ANNA),
    "user info of another": lambda w: with_user_info(w, **ANNA, sub="ben"),
    "no user info": without_user_info,
    "another issuer in the document": lambda w: with_metadata(w, issuer="https://evil.test"),
    "no token endpoint": lambda w: with_metadata(w, token_endpoint=None),
    "token endpoint that is no text": lambda w: with_metadata(w, token_endpoint=7),
    "token endpoint in a private network": lambda w: with_metadata(w, token_endpoint="http://10.0.0.1/token"),
    "token endpoint that fails": lambda w: with_metadata(w, token_endpoint=f"{w.rogue.issuer}/nothing"),
    "keys that are none": lambda w: with_metadata(w, jwks_uri=f"{w.rogue.issuer}/me"),
    "keys that are missing": lambda w: with_metadata(w, jwks_uri=f"{w.rogue.issuer}/nothing"),
}
CHECKS: list[Check] = [
    *checks_of(upstream, "come_back", "leave_for_provider", "_found", parts=True),
    # A session is confirmed by administrators alone: tests/web/test_left_out_sign_on_checks.py.
    *[
        one
        for one in checks_of(federated_sign_in, "begun_with", "claims_of_answer", parts=True)
        if one.part != "begun.session"
    ],
    *checks_of(code_flow, "redeem", "user_info", "_client_auth", parts=True),
    *checks_of(provider, "discover", "_require_place", "get_json", "json_of", "send", parts=True),
    *checks_of(id_token, "checked_claims", "_keys", parts=True),
]


@pytest.fixture
async def world(directory: Hub) -> AsyncIterator[World]:
    async with (
        running_rogue_provider() as rogue,
        serving_centre(directory, allow=[rogue.issuer, NOBODY_LISTENS]) as centre,
    ):
        yield await _world(centre, rogue)


async def _world(centre: Centre, rogue: RogueProvider) -> World:
    await _set_provider(centre.context, rogue)
    await setting.change_sign_in_setting(centre.context, has_provider=True)
    return World(centre.context, rogue)


async def _set_provider(context: Context, rogue: RogueProvider, **changes: Any) -> None:
    usual = {"name": "Rogue", "issuer": rogue.issuer, "client_id": CLIENT_ID, "secret": Secret("a client's secret")}
    await identity_providers.set_identity_provider(context, ProviderChange(**{**usual, **changes}))


async def outcome(case: Case, world: World) -> str:
    """How *case* ends, and the reason in the sign-in log, which the person does not see."""
    rogue = world.rogue
    rogue.claims, rogue.metadata, rogue.user_info, rogue.sign = {}, {}, {}, signed
    rogue.token_text, rogue.proofs = "", []
    world.context.providers.forget()
    async with world.context.recording() as connection:
        for table in DELETED:
            await connection.execute(f"delete from {table}")
    ended = await outcome_of(case(world))
    async with world.context.recording() as connection:
        cursor = await connection.execute(
            "select code, detail, methods, person_display from sign_in_log order by seq desc limit 1"
        )
        return f"{ended} {await cursor.fetchone()} {rogue.proofs}".replace(rogue.issuer, "ISSUER")


async def outcome_of(work: Awaitable[object]) -> str:
    try:
        found = await work
    except LockstepError as refused:
        return f"{refused.code} {refused.detail} {refused.why}"
    except Exception as crash:  # only without one of the checks
        return f"crashed with {type(crash).__name__}"
    return json.dumps(found) if isinstance(found, list) else type(found).__name__


async def test_no_check_of_a_sign_in_through_a_provider_can_be_left_out(world: World) -> None:
    bound = {name: partial(outcome, case, world) for name, case in CASES.items()}

    assert len(CHECKS) >= 40
    assert await unheld_checks(bound, CHECKS) == ""
