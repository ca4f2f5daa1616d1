"""Passkeys as the second factor: a challenge is answered once, on our pages, by a passkey of the administrator, and by nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pyotp
import pytest

from lockstep.actions import administrators, audit, passkeys, second_factor, sign_in
from lockstep.actions.audit import AuditFilter
from lockstep.actions.context import NOT_SIGNED_IN, Context
from lockstep.actions.passkey_proofs import PasskeyAnswer, PasskeyQuestion
from lockstep.actions.permissions import Role, StepUpRequired
from lockstep.actions.totp import SecondFactorRequired
from lockstep.errors import Kind, LockstepError
from tests.support.hub import Hub
from tests.support.set_clock import SetClock
from tests.support.soft_passkey import SoftPasskey

EMAIL, PASSWORD = "anna@contoso.test", "correct horse battery"
ORIGIN, HERE = "https://lockstep.contoso.test", PasskeyAnswer("https://lockstep.contoso.test")


@dataclass
class Person:
    """An administrator with an authenticator app and a device."""

    browser: Context
    email: str
    session: str
    recovery_codes: list[str]
    device: SoftPasskey = field(default_factory=SoftPasskey)

    async def add(self, device: SoftPasskey | None = None) -> None:
        question = await passkeys.begin_passkey(self.browser, self.session, HERE)
        answer = (device or self.device).create(question.options, origin=ORIGIN)
        await passkeys.add_passkey(
            self.browser, self.session, replace(HERE, seal=question.seal, answer=answer), name="Laptop"
        )

    async def question(self, origin: str = ORIGIN) -> PasskeyQuestion | None:
        with pytest.raises(SecondFactorRequired) as asked:
            await sign_in.sign_in(self.browser, self.email, PASSWORD, passkey=PasskeyAnswer(origin))
        return asked.value.question

    async def asked(self) -> PasskeyQuestion:
        question = await self.question()
        assert question is not None
        return question

    async def sign_in(self, seal: str, answer: str, *, origin: str = ORIGIN) -> str:
        given = PasskeyAnswer(origin, seal, answer)
        return (await sign_in.sign_in(self.browser, self.email, PASSWORD, passkey=given)).session_secret

    async def is_refused(self, seal: str, answer: str, *, origin: str = ORIGIN) -> bool:
        with pytest.raises(LockstepError) as refused:
            await self.sign_in(seal, answer, origin=origin)
        return refused.value.kind is Kind.UNAUTHORIZED and "is wrong" in str(refused.value)


async def person(hub: Hub, clock: SetClock, email: str) -> Person:
    operator = replace(hub.context, now=clock)
    browser = replace(operator, actor=NOT_SIGNED_IN)
    link = await administrators.invite(operator, email, [Role.GLOBAL_ADMINISTRATOR])
    secret = link.path.removeprefix("/invitations/")
    session = (await sign_in.accept_invitation(browser, secret, "Anna", PASSWORD)).session_secret
    made = await second_factor.begin_second_factor(browser, session)
    code = pyotp.TOTP(made.seed).at(clock.at)
    return Person(browser, email, session, await second_factor.confirm_second_factor(browser, session, code))


@pytest.fixture
async def anna(hub: Hub, clock: SetClock) -> Person:
    made = await person(hub, clock, EMAIL)
    await made.add()
    return made


async def test_a_passkey_signs_in_in_place_of_a_code_and_a_recovery_code_still_does(hub: Hub, anna: Person) -> None:
    question = await anna.asked()

    session = await anna.sign_in(question.seal, anna.device.get(question.options, origin=ORIGIN))

    assert await sign_in.caller_of_session(anna.browser, session) is not None
    [row] = await passkeys.list_passkeys(anna.browser, session)
    assert (row.name, row.host, row.last_used_at) == ("Laptop", "lockstep.contoso.test", anna.browser.now())
    await sign_in.sign_in(anna.browser, EMAIL, PASSWORD, anna.recovery_codes[0])
    activities = [one.activity for one in await audit.list_entries(hub.context, AuditFilter())]
    assert activities.count("Sign in") == 2 and "Add passkey" in activities


async def test_an_answer_works_once_and_for_five_minutes(anna: Person, clock: SetClock) -> None:
    anna.device.counts = False
    question = await anna.asked()
    answer = anna.device.get(question.options, origin=ORIGIN)
    await anna.sign_in(question.seal, answer)
    assert await anna.is_refused(question.seal, answer)

    late = await anna.asked()
    clock.go(minutes=5)
    assert await anna.is_refused(late.seal, anna.device.get(late.options, origin=ORIGIN))


async def test_what_another_page_obtained_is_refused(anna: Person) -> None:
    for origin, host in (("https://evil.test", ""), (ORIGIN, "evil.test"), ("http://lockstep.contoso.test", "")):
        question = await anna.asked()
        assert await anna.is_refused(question.seal, anna.device.get(question.options, origin=origin, host=host)), origin


async def test_passkeys_of_another_host_are_not_asked_for(anna: Person) -> None:
    assert await anna.question("https://other.contoso.test") is None
    for host in ("other.contoso.test", "lockstep.contoso.test"):
        question = await anna.asked()
        answer = anna.device.get(question.options, origin="https://other.contoso.test", host=host)
        assert await anna.is_refused(question.seal, answer, origin="https://other.contoso.test")


async def test_the_device_or_the_question_of_somebody_else_is_refused(hub: Hub, anna: Person, clock: SetClock) -> None:
    ben = await person(hub, clock, "ben@contoso.test")
    await ben.add()
    of_anna, of_ben = await anna.asked(), await ben.asked()

    assert await anna.is_refused(of_anna.seal, ben.device.get(of_anna.options, origin=ORIGIN))
    assert await anna.is_refused(of_ben.seal, anna.device.get(of_ben.options, origin=ORIGIN))
    assert await anna.is_refused(of_ben.seal, ben.device.get(of_ben.options, origin=ORIGIN))


async def test_a_cloned_device_and_one_that_nobody_touched_are_refused(anna: Person) -> None:
    question = await anna.asked()
    await anna.sign_in(question.seal, anna.device.get(question.options, origin=ORIGIN))
    anna.device.uses = 0
    again = await anna.asked()
    assert await anna.is_refused(again.seal, anna.device.get(again.options, origin=ORIGIN))

    anna.device.uses = 10
    untouched = await anna.asked()
    assert await anna.is_refused(untouched.seal, anna.device.get(untouched.options, origin=ORIGIN, flags=0))


@pytest.mark.parametrize("answer", ["x", "{}", "[]", '{"id": 1}', "null", "x" * 30_000])
async def test_an_answer_that_is_none_is_refused_like_a_wrong_password(anna: Person, answer: str) -> None:
    question = await anna.asked()

    assert await anna.is_refused(question.seal, answer)
    assert await anna.is_refused("00", answer)


async def test_a_wrong_password_is_told_apart_by_no_question(anna: Person) -> None:
    with pytest.raises(LockstepError) as refused:
        await sign_in.sign_in(anna.browser, EMAIL, "wrong horse battery", passkey=HERE)

    assert not isinstance(refused.value, SecondFactorRequired)


async def test_adding_needs_the_password_again_an_app_and_an_answer_for_this_page(
    hub: Hub, anna: Person, clock: SetClock
) -> None:
    question = await passkeys.begin_passkey(anna.browser, anna.session, HERE)
    foreign = SoftPasskey().create(question.options, origin="https://evil.test")
    with pytest.raises(LockstepError, match="is not a passkey for this page"):
        await passkeys.add_passkey(
            anna.browser, anna.session, replace(HERE, seal=question.seal, answer=foreign), name=""
        )
    with pytest.raises(LockstepError, match="is already stored"):
        await anna.add()
    clock.go(minutes=10)
    with pytest.raises(StepUpRequired):
        await passkeys.begin_passkey(anna.browser, anna.session, HERE)
    operator = replace(hub.context, now=clock)
    link = await administrators.invite(operator, "ben@contoso.test", [Role.AUDITOR])
    ben = await sign_in.accept_invitation(anna.browser, link.path.removeprefix("/invitations/"), "Ben", PASSWORD)
    with pytest.raises(LockstepError, match="only to an account with an authenticator app"):
        await passkeys.begin_passkey(anna.browser, ben.session_secret, HERE)


async def test_a_removed_passkey_and_those_of_a_removed_second_factor_open_nothing(
    anna: Person, clock: SetClock
) -> None:
    other = SoftPasskey()
    clock.go(minutes=1)
    await anna.add(other)
    first, _ = await passkeys.list_passkeys(anna.browser, anna.session)
    question = await anna.asked()
    await passkeys.remove_passkey(anna.browser, anna.session, first.id)
    assert await anna.is_refused(question.seal, anna.device.get(question.options, origin=ORIGIN))

    await second_factor.remove_second_factor(anna.browser, anna.session)

    assert await passkeys.list_passkeys(anna.browser, anna.session) == []
    await sign_in.sign_in(anna.browser, EMAIL, PASSWORD)
