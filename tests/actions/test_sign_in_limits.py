"""Failed sign-ins by the client's address: delays grow, reveal nothing, end, and apply in addition to those of the e-mail address."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from lockstep.actions import administrators, audit, sign_in
from lockstep.actions.audit import AuditFilter
from lockstep.actions.context import NOT_SIGNED_IN, Context
from lockstep.actions.lockout import admit
from lockstep.credentials.attempts import OF_ADDRESS, network_of
from lockstep.errors import Kind, LockstepError
from tests.support.hub import Hub
from tests.support.set_clock import SetClock

EMAIL, PASSWORD = "anna@contoso.test", "correct horse battery"
OFFICE, HOME = "203.0.113.7", "198.51.100.1"


class Attempts:
    """Sign-ins at a time that the test sets."""

    def __init__(self, hub: Hub, clock: SetClock) -> None:
        self.clock = clock
        self.operator = replace(hub.context, now=clock)
        self.browser: Context = replace(self.operator, actor=NOT_SIGNED_IN)

    async def first_administrator(self) -> None:
        path = await administrators.first_link(self.operator)
        assert path is not None
        await sign_in.accept_invitation(self.browser, path.removeprefix("/invitations/"), "Anna", PASSWORD, email=EMAIL)

    async def spray(self, count: int, *, address: str = OFFICE) -> list[Kind]:
        """Return the messages about *count* attempts with different e-mail addresses. They fail in any case, so no password is hashed."""
        return list(await asyncio.gather(*(self.guess(number, address) for number in range(count))))

    async def guess(self, number: int, address: str = OFFICE) -> Kind:
        try:
            await admit(self.browser, f"guess{number}@contoso.test", address=address)
        except LockstepError as refused:
            return refused.kind
        return Kind.UNAUTHORIZED

    async def outcome(self, email: str = EMAIL, password: str = "wrong", *, address: str = OFFICE) -> Kind:
        """How the attempt is refused; `Kind.HELD` stands for a session."""
        try:
            await sign_in.sign_in(self.browser, email, password, address=address)
        except LockstepError as refused:
            return refused.kind
        return Kind.HELD


@pytest.fixture
async def attempts(hub: Hub, clock: SetClock) -> Attempts:
    made = Attempts(hub, clock)
    await made.first_administrator()
    return made


async def test_one_password_on_many_addresses_is_delayed_for_its_client_and_nobody_else(attempts: Attempts) -> None:
    kinds = await attempts.spray(OF_ADDRESS.free + 1)

    assert sorted(kinds) == [Kind.THROTTLED] + [Kind.UNAUTHORIZED] * OF_ADDRESS.free
    assert await attempts.outcome(password=PASSWORD) is Kind.THROTTLED
    assert await attempts.outcome(password=PASSWORD, address=HOME) is Kind.HELD


async def test_the_refusal_is_the_same_for_an_address_and_for_an_email_that_wait(attempts: Attempts) -> None:
    await attempts.spray(OF_ADDRESS.free)
    for _ in range(5):
        await attempts.outcome(address=HOME)

    texts = set()
    for email, address in ((EMAIL, "192.0.2.1"), ("nobody@contoso.test", OFFICE)):
        with pytest.raises(LockstepError) as refused:
            await sign_in.sign_in(attempts.browser, email, "wrong", address=address)
        texts.add((str(refused.value), refused.value.next_step, refused.value.code))

    assert texts == {("Too many failed sign-ins", "Wait 30 seconds, then try again", "SignInLocked")}


async def test_what_an_address_tries_while_it_waits_does_not_lock_an_administrator(attempts: Attempts) -> None:
    await attempts.spray(OF_ADDRESS.free)
    for _ in range(6):
        assert await attempts.outcome() is Kind.THROTTLED

    assert await attempts.outcome(password=PASSWORD, address=HOME) is Kind.HELD


async def test_signing_in_in_between_does_not_forgive_other_failures_of_the_address(attempts: Attempts) -> None:
    await attempts.spray(OF_ADDRESS.free - 1)

    assert await attempts.outcome(password=PASSWORD) is Kind.HELD
    assert sorted(await attempts.spray(2)) == [Kind.THROTTLED, Kind.UNAUTHORIZED]


async def test_delays_of_an_address_double_and_its_failures_fade(attempts: Attempts) -> None:
    await attempts.spray(OF_ADDRESS.free)
    attempts.clock.at += timedelta(seconds=30)
    assert sorted(await attempts.spray(2)) == [Kind.THROTTLED, Kind.UNAUTHORIZED]
    attempts.clock.at += timedelta(seconds=59)
    assert await attempts.spray(1) == [Kind.THROTTLED]

    assert OF_ADDRESS.fades is not None
    attempts.clock.at += OF_ADDRESS.fades * 4
    assert sorted(await attempts.spray(4)) == [Kind.THROTTLED] + [Kind.UNAUTHORIZED] * 3


async def test_attempts_at_the_same_moment_are_no_way_around_the_limit(attempts: Attempts) -> None:
    kinds = await attempts.spray(2 * OF_ADDRESS.free)

    assert kinds.count(Kind.UNAUTHORIZED) == OF_ADDRESS.free


async def test_the_audit_log_names_the_address_that_waits(attempts: Attempts) -> None:
    await attempts.spray(OF_ADDRESS.free - 1)
    await attempts.outcome("nobody@contoso.test")

    locked, failed, *_ = await audit.list_entries(attempts.operator, AuditFilter())
    assert (locked.activity, locked.object) == ("Lock sign-in", OFFICE)
    assert (failed.activity, failed.object, failed.after) == (
        "Sign-in failed", "An unknown address", {"clientAddress": OFFICE},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
    ],
)
def test_one_ipv6_site_counts_as_one_client(address: str, network: str) -> None:
    assert network_of(address) == network
