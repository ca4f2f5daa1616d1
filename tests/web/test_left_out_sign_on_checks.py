"""Every check in the code for administrators' sign-ins through a provider is covered: at least one case ends differently without it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import pytest

from lockstep.actions import administrators, federated_administrators, federated_sign_in, identity_providers
from lockstep.actions.context import Context
from lockstep.actions.identity_providers import ProviderChange
from lockstep.actions.permissions import Role
from lockstep.actions.sign_in import caller_of_session
from lockstep.errors import LockstepError
from lockstep.vault import Secret
from tests.support.admin_centre import Centre, serving_centre
from tests.support.hub import Hub
from tests.support.left_out_checks import Check, checks_of, unheld_checks
from tests.support.rogue_provider import CLIENT_ID, RogueProvider, running_rogue_provider

pytestmark = pytest.mark.full

BACK = "https://lockstep.test/sign-in/sso/callback"
DELETED = ("administrator", "sign_in_attempt", "used_answer", "audit_log")
ROLES = [("lockstep-operators", Role.OPERATOR, ""), ("lockstep-auditors", Role.AUDITOR, "")]
LONG_AGO = 1_700_000_000


@dataclass
class World:
    """An administrator signs in at a provider whose answers a case chooses."""

    centre: Centre
    rogue: RogueProvider

    @property
    def context(self) -> Context:
        return self.centre.context

    async def come(self, session: str = "", *, confirms: str = "", **claims: Any) -> federated_sign_in.CompletedSignIn:
        """Sign in, in a browser with *session*, or confirm the session *confirms* there."""
        self.rogue.claims = claims
        begun = await federated_sign_in.begin(
            self.context, redirect_uri=BACK, next_page="/apps", session_secret=confirms
        )
        answer = dict(parse_qsl(self.rogue.answer(begun.url)))
        return await federated_sign_in.finish(
            self.context, begun.cookie, answer, session_secret=session, address="192.0.2.7"
        )

    async def session(self, **claims: Any) -> str:
        return (await self.come(**claims)).signed_in.session_secret


Case = Callable[[World], Awaitable[object]]


def just_now() -> float:
    return datetime.now(UTC).timestamp()


async def confirmed(world: World, **claims: Any) -> object:
    """The administrator signed in an hour ago, says the provider, and confirms now."""
    secret = await world.session(auth_time=just_now() - 3_600)
    return await world.come(secret, confirms=secret, **{"auth_time": just_now(), **claims})


async def confirmed_for_another_session(world: World) -> object:
    first, second = await world.session(), await world.session()
    return await world.come(first, confirms=second, auth_time=just_now())


async def confirmed_by_another(world: World) -> object:
    await world.session(sub="ben", email="ben@contoso.test")
    return await confirmed(world, sub="ben", email="ben@contoso.test")


async def confirmed_without_an_address(world: World) -> object:
    """The ID token does not have all that a sign-in needs, which a confirmation does not ask for."""
    world.rogue.user_info = {"sub": "ben"}
    return await confirmed(world, email=None)


async def known(world: World, **claims: Any) -> object:
    await world.come()
    return await world.come(**claims)


async def known_with_the_address_of_another(world: World) -> object:
    await world.centre.new_session(email="ben@contoso.test")
    return await known(world, email="ben@contoso.test")


async def disabled(world: World) -> object:
    await world.centre.new_session(email="root@contoso.test")  # without one, nobody can be disabled
    await world.come()
    await administrators.set_enabled(world.context, "anna@contoso.test", is_enabled=False)
    return await world.come()


async def with_address_of_a_local_administrator(world: World) -> object:
    await world.centre.new_session(email="anna@contoso.test")
    return await world.come()


async def sessions_after(world: World, **claims: Any) -> object:
    """Whether an earlier session goes on after a sign-in with other claims."""
    secret = await world.session()
    ended = await shown(world, world.come(**claims))
    return ended, await caller_of_session(world.context, secret) is not None


async def at_an_odd_time(world: World, seconds: float) -> object:
    return await world.come(auth_time=just_now() + seconds)


CASES: dict[str, Case] = {
    "usual": lambda w: w.come(),
    "just proved": lambda w: w.come(auth_time=just_now()),
    "proved long ago": lambda w: w.come(auth_time=LONG_AGO),
    "proved in the future": lambda w: at_an_odd_time(w, 3_600),
    "confirmed": confirmed,
    "confirmed with an answer that is too old": lambda w: confirmed(w, auth_time=LONG_AGO),
    "confirmed with an answer without time": lambda w: confirmed(w, auth_time=None),
    "confirmed by a stranger": lambda w: confirmed(w, sub="zoe"),
    "confirmed by another administrator": confirmed_by_another,
    "confirmed for another session": confirmed_for_another_session,
    "confirmed for a session that ended": lambda w: w.come(confirms="ended"),
    "confirmed without an address": confirmed_without_an_address,
    "known": known,
    "known, with another name": lambda w: known(w, name="Anna Able"),
    "known, with another address": lambda w: known(w, email="able@contoso.test"),
    "known, with the address of another": known_with_the_address_of_another,
    "known, with another role": lambda w: sessions_after(w, groups=["lockstep-auditors"]),
    "known, with the same role": lambda w: sessions_after(w),
    "known, without a role": lambda w: sessions_after(w, groups=[]),
    "no role": lambda w: w.come(groups=["others"]),
    "too many groups": lambda w: w.come(groups=None, _claim_names={"groups": "src1"}),
    "disabled": disabled,
    "address of a local administrator": with_address_of_a_local_administrator,
    "address that is not verified": lambda w: w.come(email_verified=False),
}
CHECKS: list[Check] = [
    *checks_of(federated_sign_in, "begin", "finish", "_sign_in", "_prove_again", parts=True),
    *[one for one in checks_of(federated_sign_in, "claims_of_answer", parts=True) if one.part == "begun.session"],
    *checks_of(federated_administrators, parts=True),
]


@pytest.fixture
async def world(hub: Hub) -> AsyncIterator[World]:
    async with running_rogue_provider() as rogue, serving_centre(hub, allow=[rogue.issuer]) as centre:
        change = ProviderChange("Rogue", rogue.issuer, CLIENT_ID, Secret("a client's secret"), roles=ROLES)
        await identity_providers.set_identity_provider(centre.context, change)
        yield World(centre, rogue)


async def outcome(case: Case, world: World) -> str:
    """How *case* ends, and what is in the audit log."""
    world.rogue.claims, world.rogue.user_info = {}, {}
    async with world.context.recording() as connection:
        for table in DELETED:
            await connection.execute(f"delete from {table}")
    ended = await shown(world, case(world))
    entries = await world.centre.hub.fetch("select activity, object, after from audit_log order by seq")
    return f"{ended} {entries}"


async def shown(world: World, work: Awaitable[object]) -> str:
    try:
        found = await work
    except LockstepError as refused:
        return f"{refused.code} {refused.detail} {refused.why}"
    except Exception as crash:  # only without one of the checks
        return f"crashed with {type(crash).__name__}"
    if not isinstance(found, federated_sign_in.CompletedSignIn):
        return str(found)
    caller = await caller_of_session(world.context, found.signed_in.session_secret)
    if caller is None:  # only without one of the checks
        return "no session"
    stepped_up = caller.actor.is_stepped_up, caller.stepped_up_at > datetime.now(UTC) + timedelta(minutes=1)
    return f"{found.next_page} {caller.email} {caller.display_name} {stepped_up} {sorted(caller.actor.permissions)}"


async def test_no_check_of_a_sign_in_of_administrators_can_be_left_out(world: World) -> None:
    bound = {name: partial(outcome, case, world) for name, case in CASES.items()}

    assert len(CHECKS) >= 16
    assert await unheld_checks(bound, CHECKS) == ""
