"""Signing in: what begins and ends a session, and refusals that do not reveal what was wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from lockstep.actions import administrators, audit, own_password, sessions, sign_in
from lockstep.actions.audit import AuditFilter
from lockstep.actions.context import NOT_SIGNED_IN, Context
from lockstep.actions.permissions import Permission, Role, StepUpRequired
from lockstep.credentials import passwords
from lockstep.errors import Kind, LockstepError
from tests.support.hub import Hub
from tests.support.set_clock import SetClock

PASSWORD = "correct horse battery"
EMAIL = "anna@contoso.test"


@pytest.fixture
def operator(hub: Hub, clock: SetClock) -> Context:
    """The context of the command line."""
    return replace(hub.context, now=clock)


@pytest.fixture
def browser(operator: Context) -> Context:
    """The context of somebody who is not signed in yet."""
    return replace(operator, actor=NOT_SIGNED_IN)


async def first_administrator(operator: Context, browser: Context) -> str:
    path = await administrators.first_link(operator)
    assert path is not None
    signed_in = await sign_in.accept_invitation(
        browser, path.removeprefix("/invitations/"), "Anna", PASSWORD, email=EMAIL.upper()
    )
    return signed_in.session_secret


async def refusal(work: Awaitable[object]) -> LockstepError:
    with pytest.raises(LockstepError) as refused:
        await work
    return refused.value


async def activities(operator: Context) -> list[str]:
    return [one.activity for one in reversed(await audit.list_entries(operator, AuditFilter()))]


async def test_the_first_link_makes_one_global_administrator_and_then_no_more(
    operator: Context, browser: Context
) -> None:
    voided = await administrators.first_link(operator)
    secret = await first_administrator(operator, browser)

    caller = await sign_in.caller_of_session(browser, secret)
    assert caller is not None
    assert (caller.email, caller.display_name) == (EMAIL, "Anna")
    assert caller.actor.may(Permission.ADMINISTRATORS_WRITE)
    assert await administrators.first_link(operator) is None
    assert voided is not None
    again = await refusal(sign_in.read_invitation(browser, voided.removeprefix("/invitations/")))
    assert again.kind is Kind.UNAUTHORIZED


async def test_an_invitation_works_once_and_for_a_day(operator: Context, browser: Context, clock: SetClock) -> None:
    await first_administrator(operator, browser)
    link = await administrators.invite(operator, "Ben@contoso.test", [Role.AUDITOR])
    secret = link.path.removeprefix("/invitations/")
    too_short = await refusal(sign_in.accept_invitation(browser, secret, "Ben", "short"))
    assert too_short.kind is Kind.INVALID

    await sign_in.accept_invitation(browser, secret, "Ben", PASSWORD)

    assert (await refusal(sign_in.accept_invitation(browser, secret, "Ben", PASSWORD))).kind is Kind.UNAUTHORIZED
    late = await administrators.invite(operator, "cleo@contoso.test", [Role.AUDITOR])
    clock.go(hours=24)
    assert (
        await refusal(sign_in.read_invitation(browser, late.path.removeprefix("/invitations/")))
    ).kind is Kind.UNAUTHORIZED


@pytest.mark.parametrize(("email", "password"), [(EMAIL, "wrong horse battery"), ("nobody@contoso.test", PASSWORD)])
async def test_unknown_address_and_wrong_password_are_refused_alike(
    operator: Context, browser: Context, email: str, password: str
) -> None:
    await first_administrator(operator, browser)

    texts = [str(await refusal(sign_in.sign_in(browser, email, password))) for _ in range(5)] + [
        str(await refusal(sign_in.sign_in(browser, email, password)))
    ]

    assert texts == ["The e-mail address, the password or the code is wrong"] * 5 + ["Too many failed sign-ins"]


async def test_delays_grow_and_end_with_a_sign_in(operator: Context, browser: Context, clock: SetClock) -> None:
    await first_administrator(operator, browser)
    for _ in range(5):
        await refusal(sign_in.sign_in(browser, EMAIL, "wrong horse battery"))
    locked = await refusal(sign_in.sign_in(browser, EMAIL, PASSWORD))
    assert (locked.kind, locked.next_step) == (Kind.THROTTLED, "Wait 30 seconds, then try again")

    clock.go(seconds=30)
    await refusal(sign_in.sign_in(browser, EMAIL, "wrong horse battery"))
    clock.go(seconds=59)
    assert (await refusal(sign_in.sign_in(browser, EMAIL, PASSWORD))).kind is Kind.THROTTLED
    clock.go(seconds=1)
    await sign_in.sign_in(browser, EMAIL, PASSWORD)

    assert (await refusal(sign_in.sign_in(browser, EMAIL, "wrong horse battery"))).kind is Kind.UNAUTHORIZED
    assert (await activities(operator)).count("Lock sign-in") == 2


async def test_a_session_ends_when_idle_and_at_its_end(operator: Context, browser: Context, clock: SetClock) -> None:
    secret = await first_administrator(operator, browser)
    for _ in range(23):
        clock.go(hours=7.3)
        assert await sign_in.caller_of_session(browser, secret) is not None
    clock.go(hours=0.2)
    assert await sign_in.caller_of_session(browser, secret) is None

    idle = (await sign_in.sign_in(browser, EMAIL, PASSWORD)).session_secret
    clock.go(hours=8)
    assert await sign_in.caller_of_session(browser, idle) is None


async def test_entering_the_password_again_gives_the_session_a_new_secret(
    operator: Context, browser: Context, clock: SetClock
) -> None:
    secret = await first_administrator(operator, browser)
    clock.go(minutes=10)
    caller = await sign_in.caller_of_session(browser, secret)
    assert caller is not None
    with pytest.raises(StepUpRequired):
        await administrators.invite(replace(operator, actor=caller.actor), "ben@contoso.test", [Role.AUDITOR])

    wrong = await refusal(sign_in.step_up(browser, secret, "wrong horse battery"))
    stepped_up = await sign_in.step_up(browser, secret, PASSWORD)

    assert wrong.kind is Kind.UNAUTHORIZED
    assert await sign_in.caller_of_session(browser, secret) is None
    caller = await sign_in.caller_of_session(browser, stepped_up.session_secret)
    assert caller is not None
    await administrators.invite(replace(operator, actor=caller.actor), "ben@contoso.test", [Role.AUDITOR])


async def invited(operator: Context, browser: Context, email: str, *roles: Role) -> str:
    link = await administrators.invite(operator, email, roles)
    signed_in = await sign_in.accept_invitation(browser, link.path.removeprefix("/invitations/"), "Ben", PASSWORD)
    return signed_in.session_secret


ENDINGS: dict[str, Callable[[Context, str], Awaitable[object]]] = {
    "disabled": lambda operator, email: administrators.set_enabled(operator, email, is_enabled=False),
    "removed": administrators.remove,
    "demoted": lambda operator, email: administrators.change_roles(operator, email, [Role.AUDITOR]),
    "password reset": administrators.reset_password,
    "signed out": administrators.sign_out_everywhere,
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
async def test_sessions_end_with_what_they_were_based_on(
    operator: Context, browser: Context, ending: Callable[[Context, str], Awaitable[object]]
) -> None:
    await first_administrator(operator, browser)
    secret = await invited(operator, browser, "ben@contoso.test", Role.OPERATOR)

    await ending(operator, "ben@contoso.test")

    assert await sign_in.caller_of_session(browser, secret) is None


@pytest.mark.parametrize("ending", ["disabled", "removed", "demoted"])
async def test_the_last_global_administrator_stays(operator: Context, browser: Context, ending: str) -> None:
    await first_administrator(operator, browser)
    disabled = await invited(operator, browser, "ben@contoso.test", Role.GLOBAL_ADMINISTRATOR)
    await administrators.set_enabled(operator, "ben@contoso.test", is_enabled=False)

    refused = await refusal(ENDINGS[ending](operator, EMAIL))

    assert disabled
    assert refused.kind is Kind.CONFLICT
    [anna, _] = await administrators.list_administrators(operator)
    assert (anna.is_enabled, anna.roles) == (True, (Role.GLOBAL_ADMINISTRATOR,))


async def test_what_happens_at_the_door_is_audited_without_secrets(operator: Context, browser: Context) -> None:
    secret = await first_administrator(operator, browser)
    await refusal(sign_in.sign_in(browser, "hunter2 is my password", "x"))
    await sign_in.sign_out(browser, secret)
    again = (await sign_in.sign_in(browser, EMAIL, PASSWORD)).session_secret

    entries = await audit.list_entries(operator, AuditFilter())

    assert [one.activity for one in reversed(entries)] == ["Accept invitation", "Sign-in failed", "Sign out", "Sign in"]
    text = repr(entries)
    assert not [one for one in (secret, again, PASSWORD, "hunter2") if one in text]


async def test_a_new_password_ends_all_other_sessions(operator: Context, browser: Context) -> None:
    here = await first_administrator(operator, browser)
    elsewhere = (await sign_in.sign_in(browser, EMAIL, PASSWORD)).session_secret
    new = "a different battery"
    for wrong, chosen in (("wrong horse battery", new), (PASSWORD, "short"), (PASSWORD, EMAIL)):
        await refusal(own_password.change_password(browser, here, wrong, chosen))

    changed = await own_password.change_password(browser, here, PASSWORD, new)

    alive = [await sign_in.caller_of_session(browser, one) for one in (here, elsewhere, changed.session_secret)]
    assert [one is not None for one in alive] == [False, False, True]
    assert (await refusal(sign_in.sign_in(browser, EMAIL, PASSWORD))).kind is Kind.UNAUTHORIZED
    await sign_in.sign_in(browser, EMAIL, new)


async def test_administrators_end_their_own_sessions_only(operator: Context, browser: Context) -> None:
    anna = await first_administrator(operator, browser)
    other = (await sign_in.sign_in(browser, EMAIL, PASSWORD, device="Firefox")).session_secret
    ben = await invited(operator, browser, "ben@contoso.test", Role.GLOBAL_ADMINISTRATOR)
    [theirs] = await sessions.list_sessions(browser, ben)

    assert (await refusal(sessions.end_session(browser, anna, theirs.id))).kind is Kind.NOT_FOUND
    [firefox] = [one for one in await sessions.list_sessions(browser, anna) if one.device == "Firefox"]
    await sessions.end_session(browser, anna, firefox.id)

    assert await sign_in.caller_of_session(browser, other) is None
    assert await sign_in.caller_of_session(browser, ben) is not None


async def test_attempts_at_the_same_moment_are_no_way_around_the_delay(operator: Context, browser: Context) -> None:
    await first_administrator(operator, browser)

    tried = [sign_in.sign_in(browser, EMAIL, f"wrong battery {number}") for number in range(12)]
    kinds = [one.kind for one in await asyncio.gather(*tried, return_exceptions=True) if isinstance(one, LockstepError)]

    assert (kinds.count(Kind.UNAUTHORIZED), kinds.count(Kind.THROTTLED)) == (5, 7)


def test_passwords_cost_what_rfc_9106_recommends() -> None:
    """The tests themselves hash with less."""
    assert (passwords.COSTS.memory_cost, passwords.COSTS.time_cost, passwords.COSTS.type.name) == (64 * 1024, 3, "ID")


async def test_signing_in_again_ends_the_session_that_the_browser_had(operator: Context, browser: Context) -> None:
    before = await first_administrator(operator, browser)

    after = (await sign_in.sign_in(browser, EMAIL, PASSWORD, replaces=before)).session_secret

    assert await sign_in.caller_of_session(browser, before) is None
    assert await sign_in.caller_of_session(browser, after) is not None
