"""Every check of a sign-in of people through a provider is held by a case: without it, the case ends differently."""

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
from tests.support.rogue_provider import CLIENT_ID, RogueProvider, running_rogue_provider

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


async def with_user_info(world: World, **told: Any) -> object:
    world.rogue.claims, world.rogue.user_info = {"email": None, "email_verified": None}, told
    return await world.come()


async def with_token(world: World, sign: Any) -> object:
    world.rogue.sign = sign
    return await world.come()


def of_another_key(claims: dict[str, Any], key: RSAKey) -> str:
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, RSAKey.generate_key(2048))


def unsigned(claims: dict[str, Any], key: RSAKey) -> str:
    return jwt.encode({"alg": "none"}, claims, key, algorithms=["none"])


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
    "address from user info": lambda w: with_user_info(w, **ANNA),
    "user info of another": lambda w: with_user_info(w, **ANNA, sub="ben"),
    "no user info": lambda w: with_metadata(w, userinfo_endpoint=None),
    "another issuer in the document": lambda w: with_metadata(w, issuer="https://evil.test"),
    "no token endpoint": lambda w: with_metadata(w, token_endpoint=None),
    "token endpoint that is no text": lambda w: with_metadata(w, token_endpoint=7),
    "token endpoint in a private network": lambda w: with_metadata(w, token_endpoint="http://10.0.0.1/token"),
    "token endpoint that fails": lambda w: with_metadata(w, token_endpoint=f"{w.rogue.issuer}/nothing"),
    "keys that are none": lambda w: with_metadata(w, jwks_uri=f"{w.rogue.issuer}/me"),
    "keys that are missing": lambda w: with_metadata(w, jwks_uri=f"{w.rogue.issuer}/nothing"),
}
CHECKS: list[Check] = [
    *checks_of(upstream, "come_back", "leave_for_provider"),
    *checks_of(federated_sign_in, "begun_with"),
    *checks_of(code_flow, "redeem", "user_info"),
    *checks_of(provider, "discover", "_require_place", "get_json"),
    *checks_of(id_token, "checked_claims", "_keys"),
]


@pytest.fixture
async def world(directory: Hub) -> AsyncIterator[World]:
    async with running_rogue_provider() as rogue, serving_centre(directory, allow=[rogue.issuer]) as centre:
        yield await _world(centre, rogue)


async def _world(centre: Centre, rogue: RogueProvider) -> World:
    change = ProviderChange("Rogue", rogue.issuer, CLIENT_ID, Secret("a client's secret"))
    await identity_providers.set_identity_provider(centre.context, change)
    await setting.change_sign_in_setting(centre.context, has_provider=True)
    return World(centre.context, rogue)


async def outcome(case: Case, world: World) -> str:
    """How *case* ends, and the reason in the sign-in log, which the person does not see."""
    rogue = world.rogue
    rogue.claims, rogue.metadata, rogue.user_info, rogue.sign = {}, {}, {}, type(rogue).sign
    world.context.providers.forget()
    async with world.context.recording() as connection:
        for table in DELETED:
            await connection.execute(f"delete from {table}")
    ended = await outcome_of(case(world))
    async with world.context.recording() as connection:
        cursor = await connection.execute("select code, detail, methods from sign_in_log order by seq desc limit 1")
        return f"{ended} {await cursor.fetchone()}".replace(rogue.issuer, "ISSUER")


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

    assert len(CHECKS) >= 15
    assert await unheld_checks(bound, CHECKS) == ""
