"""Passkeys of people: a second factor that is added and used after entering the password. A challenge is answered once, on our pages, by a
passkey of the person.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from html import unescape

import pyotp
import pytest

from lockstep.actions import administrators as administrator_actions
from lockstep.actions import audit, passkeys, people, second_factor, sign_in_logs
from lockstep.actions import sign_in as administrator_sign_in
from lockstep.actions.audit import AuditFilter
from lockstep.actions.context import NOT_SIGNED_IN, Context
from lockstep.actions.openid_sign_in.redeeming import _amr
from lockstep.actions.passkey_proofs import PasskeyAnswer, PasskeyQuestion
from lockstep.actions.permissions import Role
from lockstep.actions.person_sign_in import passwords, person_passkeys, person_totp, sessions, setting
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.actions.saml_sign_in.contexts import MULTI_FACTOR, class_for
from lockstep.actions.totp import SecondFactorRequired
from lockstep.errors import Kind, LockstepError
from tests.portal.conftest import PASSWORD, with_password
from tests.support.admin_centre import Centre, Page
from tests.support.hub import Hub, upn
from tests.support.set_clock import SetClock
from tests.support.soft_passkey import SoftPasskey

ORIGIN, HERE = "https://lockstep.contoso.test", PasskeyAnswer("https://lockstep.contoso.test")
VISITOR = Visitor("a browser", "192.0.2.7")


@dataclass
class Person:
    """A person with a password, a session and a device."""

    context: Context
    name: str
    session: str
    device: SoftPasskey = field(default_factory=SoftPasskey)

    async def add(self, device: SoftPasskey | None = None, *, name: str = "Laptop") -> None:
        question = await person_passkeys.begin_own_passkey(self.context, self.session, PASSWORD, HERE, visitor=VISITOR)
        answer = (device or self.device).create(question.options, origin=ORIGIN)
        given = replace(HERE, seal=question.seal, answer=answer)
        self.session = (await person_passkeys.add_own_passkey(self.context, self.session, given, name=name)).secret

    async def question(self, origin: str = ORIGIN) -> PasskeyQuestion | None:
        with pytest.raises(SecondFactorRequired) as asked:
            await passwords.sign_person_in(
                self.context, self.name, PASSWORD, passkey=PasskeyAnswer(origin), visitor=VISITOR
            )
        return asked.value.question

    async def asked(self) -> PasskeyQuestion:
        question = await self.question()
        assert question is not None
        return question

    async def sign_in(self, seal: str, answer: str, *, origin: str = ORIGIN) -> str:
        given = PasskeyAnswer(origin, seal, answer)
        return (
            await passwords.sign_person_in(self.context, self.name, PASSWORD, passkey=given, visitor=VISITOR)
        ).secret

    async def is_refused(self, seal: str, answer: str, *, origin: str = ORIGIN) -> bool:
        with pytest.raises(LockstepError) as refused:
            await self.sign_in(seal, answer, origin=origin)
        [latest, *_] = await sign_in_logs.list_sign_ins(self.context)
        return refused.value.code == "SignInRefused" and latest.code == "WrongPasskey"


async def person(context: Context, name: str) -> Person:
    link = await passwords.new_sign_in_link(context, upn(name))
    secret = link.path.removeprefix("/myapps/link/")
    await passwords.accept_link(context, secret, PASSWORD, visitor=VISITOR)
    signed_in = await passwords.sign_person_in(context, upn(name), PASSWORD, visitor=VISITOR)
    return Person(context, upn(name), signed_in.secret)


def asked_of(page: Page) -> tuple[str, str]:
    """Return the seal and the options of the question in *page*."""
    seal, options = re.search(r'name="seal" value="(\w+)"', page.html), re.search(r'data-options="([^"]+)"', page.html)
    assert seal is not None and options is not None
    return seal[1], unescape(options[1])


@pytest.fixture
def context(directory: Hub, clock: SetClock) -> Context:
    return replace(directory.context, now=clock)


@pytest.fixture
async def anna(context: Context) -> AsyncIterator[Person]:
    made = await person(context, "anna")
    await made.add()
    yield made


async def test_passkey_signs_in_after_the_password_and_the_log_names_it(anna: Person) -> None:
    question = await anna.asked()

    session = await anna.sign_in(question.seal, anna.device.get(question.options, origin=ORIGIN))

    caller = await sessions.person_or_refusal(anna.context, session)
    assert list(caller.methods) == ["password", "passkey"]
    [latest, interrupted, *_] = await sign_in_logs.list_sign_ins(anna.context)
    assert (latest.result, list(latest.methods)) == ("success", ["password", "passkey"])
    assert (interrupted.result, interrupted.code) == ("interrupted", "SecondFactorNeeded")
    [row] = await person_passkeys.list_own_passkeys(anna.context, session)
    assert (row.name, row.host, row.last_used_at) == ("Laptop", "lockstep.contoso.test", anna.context.now())


async def test_password_alone_signs_nobody_in_who_has_a_passkey(anna: Person) -> None:
    with pytest.raises(SecondFactorRequired, match="Use your passkey"):
        await passwords.sign_person_in(anna.context, anna.name, PASSWORD, passkey=HERE, visitor=VISITOR)
    with pytest.raises(LockstepError) as refused:
        await passwords.sign_person_in(anna.context, anna.name, PASSWORD, "123456", visitor=VISITOR)
    assert refused.value.code == "SignInRefused"


async def test_wrong_password_gets_no_question(anna: Person) -> None:
    with pytest.raises(LockstepError) as refused:
        await passwords.sign_person_in(anna.context, anna.name, "another sentence", passkey=HERE, visitor=VISITOR)
    assert refused.value.code == "SignInRefused"


async def test_answer_works_once_and_for_five_minutes(anna: Person, clock: SetClock) -> None:
    anna.device.counts = False
    question = await anna.asked()
    answer = anna.device.get(question.options, origin=ORIGIN)
    await anna.sign_in(question.seal, answer)
    assert await anna.is_refused(question.seal, answer)

    late = await anna.asked()
    clock.go(minutes=5)
    assert await anna.is_refused(late.seal, anna.device.get(late.options, origin=ORIGIN))


async def test_refused_answer_uses_up_its_challenge(anna: Person) -> None:
    question = await anna.asked()
    assert await anna.is_refused(question.seal, anna.device.get(question.options, origin="https://evil.test"))
    assert await anna.is_refused(question.seal, anna.device.get(question.options, origin=ORIGIN))


@pytest.mark.parametrize(
    ("origin", "host"), [("https://evil.test", ""), (ORIGIN, "evil.test"), ("http://lockstep.contoso.test", "")]
)
async def test_what_another_page_obtained_is_refused(anna: Person, origin: str, host: str) -> None:
    question = await anna.asked()
    assert await anna.is_refused(question.seal, anna.device.get(question.options, origin=origin, host=host))


async def test_passkey_of_another_host_is_not_asked_for_and_the_refusal_names_its_host(anna: Person) -> None:
    other = PasskeyAnswer("https://other.contoso.test")
    with pytest.raises(SecondFactorRequired, match="works only at lockstep") as asked:
        await passwords.sign_person_in(anna.context, anna.name, PASSWORD, passkey=other, visitor=VISITOR)
    assert asked.value.question is None
    [latest, *_] = await sign_in_logs.list_sign_ins(anna.context)
    assert (latest.code, latest.detail) == ("SecondFactorNeeded", "Your passkey works only at lockstep.contoso.test")
    question = await anna.asked()
    answer = anna.device.get(question.options, origin=other.origin, host="lockstep.contoso.test")
    assert await anna.is_refused(question.seal, answer, origin=other.origin)


async def test_device_or_question_of_another_person_or_administrator_is_refused(anna: Person, clock: SetClock) -> None:
    ben = await person(anna.context, "ben")
    await ben.add()
    of_anna, of_ben = await anna.asked(), await ben.asked()
    assert await anna.is_refused(of_anna.seal, ben.device.get(of_anna.options, origin=ORIGIN))
    assert await anna.is_refused(of_ben.seal, anna.device.get(of_ben.options, origin=ORIGIN))
    assert await anna.is_refused(of_ben.seal, ben.device.get(of_ben.options, origin=ORIGIN))

    browser = replace(anna.context, actor=NOT_SIGNED_IN)
    link = await administrator_actions.invite(anna.context, "boss@contoso.test", [Role.AUDITOR])
    secret = link.path.removeprefix("/invitations/")
    session = (await administrator_sign_in.accept_invitation(browser, secret, "Boss", PASSWORD)).session_secret
    made = await second_factor.begin_second_factor(browser, session)
    await second_factor.confirm_second_factor(browser, session, pyotp.TOTP(made.seed).at(clock.at))
    device, new = SoftPasskey(), await passkeys.begin_passkey(browser, session, HERE)
    given = replace(HERE, seal=new.seal, answer=device.create(new.options, origin=ORIGIN))
    await passkeys.add_passkey(browser, session, given, name="")
    question = await anna.asked()
    assert await anna.is_refused(question.seal, device.get(question.options, origin=ORIGIN))


async def test_cloned_device_and_one_that_nobody_touched_are_refused(anna: Person) -> None:
    question = await anna.asked()
    await anna.sign_in(question.seal, anna.device.get(question.options, origin=ORIGIN))
    anna.device.uses = 0
    again = await anna.asked()
    assert await anna.is_refused(again.seal, anna.device.get(again.options, origin=ORIGIN))

    anna.device.uses = 10
    untouched = await anna.asked()
    assert await anna.is_refused(untouched.seal, anna.device.get(untouched.options, origin=ORIGIN, flags=0))


@pytest.mark.parametrize("answer", ["x", "{}", "[]", '{"id": 1}', "null", "x" * 30_000])
async def test_answer_that_is_none_is_refused_like_a_wrong_password(anna: Person, answer: str) -> None:
    question = await anna.asked()

    assert await anna.is_refused(question.seal, answer)
    assert await anna.is_refused("00", answer)


async def test_adding_needs_the_password_and_an_answer_to_the_question_for_a_new_passkey(anna: Person) -> None:
    with pytest.raises(LockstepError, match="The password is wrong"):
        await person_passkeys.begin_own_passkey(anna.context, anna.session, "another sentence", HERE, visitor=VISITOR)
    to_sign_in = await anna.asked()
    new = await person_passkeys.begin_own_passkey(anna.context, anna.session, PASSWORD, HERE, visitor=VISITOR)
    options = {"elsewhere": "https://evil.test", "to sign in": ORIGIN}
    for case, origin in options.items():
        seal = to_sign_in.seal if case == "to sign in" else new.seal
        given = replace(HERE, seal=seal, answer=SoftPasskey().create(new.options, origin=origin))
        with pytest.raises(LockstepError) as refused:
            await person_passkeys.add_own_passkey(anna.context, anna.session, given, name="")
        assert refused.value.kind is Kind.INVALID, case
    ben = await person(anna.context, "ben")
    for_anna = await person_passkeys.begin_own_passkey(anna.context, anna.session, PASSWORD, HERE, visitor=VISITOR)
    given = replace(HERE, seal=for_anna.seal, answer=SoftPasskey().create(for_anna.options, origin=ORIGIN))
    with pytest.raises(LockstepError, match="was not added"):
        await person_passkeys.add_own_passkey(ben.context, ben.session, given, name="")
    assert len(await person_passkeys.list_own_passkeys(anna.context, anna.session)) == 1


async def test_wrong_passwords_for_a_new_passkey_delay_further_attempts(anna: Person) -> None:
    with pytest.raises(LockstepError) as refused:
        for _ in range(7):
            await person_passkeys.begin_own_passkey(
                anna.context, anna.session, "another sentence", HERE, visitor=VISITOR
            )
    while refused.value.kind is not Kind.THROTTLED:
        with pytest.raises(LockstepError) as refused:
            await person_passkeys.begin_own_passkey(
                anna.context, anna.session, "another sentence", HERE, visitor=VISITOR
            )


async def test_first_passkey_ends_sessions_without_it_and_satisfies_a_required_second_factor(context: Context) -> None:
    anna = await person(context, "anna")
    other = (await passwords.sign_person_in(context, anna.name, PASSWORD, visitor=VISITOR)).secret
    await setting.change_sign_in_setting(context, needs_second_factor=True)
    before = anna.session
    await anna.add()

    caller = await sessions.caller_of_person(context, anna.session)
    assert caller is not None and not caller.lacks_factor
    assert await sessions.caller_of_person(context, other) is None
    assert await sessions.caller_of_person(context, before) is None
    with pytest.raises(LockstepError, match="your only second factor"):
        [row] = await person_passkeys.list_own_passkeys(context, anna.session)
        await person_passkeys.remove_own_passkey(context, anna.session, row.id, PASSWORD, visitor=VISITOR)


async def test_person_renames_and_removes_their_own_passkeys_and_nobody_elses(anna: Person) -> None:
    ben = await person(anna.context, "ben")
    await ben.add(name="Phone")
    [own] = await person_passkeys.list_own_passkeys(anna.context, anna.session)
    await person_passkeys.rename_own_passkey(anna.context, anna.session, own.id, "Office laptop")
    for refused in (
        person_passkeys.rename_own_passkey(ben.context, ben.session, own.id, "Mine"),
        person_passkeys.remove_own_passkey(ben.context, ben.session, own.id, PASSWORD, visitor=VISITOR),
    ):
        with pytest.raises(LockstepError, match="does not exist"):
            await refused
    with pytest.raises(LockstepError, match="The password is wrong"):
        await person_passkeys.remove_own_passkey(anna.context, anna.session, own.id, "another", visitor=VISITOR)
    [kept] = await person_passkeys.list_own_passkeys(anna.context, anna.session)
    assert kept.name == "Office laptop"

    await person_passkeys.remove_own_passkey(anna.context, anna.session, own.id, PASSWORD, visitor=VISITOR)

    assert await person_passkeys.list_own_passkeys(anna.context, anna.session) == []
    await passwords.sign_person_in(anna.context, anna.name, PASSWORD, visitor=VISITOR)
    activities = [one.activity for one in await audit.list_entries(anna.context, AuditFilter())]
    assert "Add passkey" in activities and "Remove passkey" in activities


async def test_administrator_sees_and_removes_them_and_the_sessions_end(anna: Person) -> None:
    shown = await person_passkeys.show_person_factors(anna.context, anna.name)
    assert (shown.has_app, [one.name for one in shown.passkeys]) == (False, ["Laptop"])
    question = await anna.asked()

    await person_totp.remove_person_factor(anna.context, anna.name)

    assert await sessions.caller_of_person(anna.context, anna.session) is None
    signed_in = await passwords.sign_person_in(
        anna.context, anna.name, PASSWORD,
        passkey=replace(HERE, seal=question.seal, answer=anna.device.get(question.options, origin=ORIGIN)), visitor=VISITOR,
    )  # fmt: skip
    caller = await sessions.person_or_refusal(anna.context, signed_in.secret)
    assert list(caller.methods) == ["password"]
    with pytest.raises(LockstepError, match="has no second factor"):
        await person_totp.remove_person_factor(anna.context, anna.name)


async def test_page_offers_other_ways_to_somebody_whose_passkey_belongs_to_another_host(
    anna: Person, centre: Centre
) -> None:
    browser = centre.browser()
    await browser.get("/myapps/sign-in")

    page = await browser.post("/myapps/sign-in", {"name": anna.name, "password": PASSWORD, "next": "/myapps/sessions"})

    assert page.status == 401
    assert "works only at lockstep.contoso.test" in page.text and "remove your second factor" in page.text
    assert 'name="password"' not in page.html
    assert "/myapps/sign-in?next=%2Fmyapps%2Fsessions" in page.links


async def test_app_and_passkey_are_each_enough(anna: Person, clock: SetClock) -> None:
    made = await person_totp.begin_factor(anna.context, anna.session, PASSWORD, visitor=VISITOR)
    code = pyotp.TOTP(made.seed).at(clock.at)
    await person_totp.confirm_factor(anna.context, anna.session, code)
    with pytest.raises(SecondFactorRequired, match="Enter the code") as asked:
        await passwords.sign_person_in(anna.context, anna.name, PASSWORD, passkey=HERE, visitor=VISITOR)
    assert asked.value.question is not None

    clock.go(minutes=1)
    code = pyotp.TOTP(made.seed).at(clock.at)
    await passwords.sign_person_in(anna.context, anna.name, PASSWORD, code, visitor=VISITOR)
    answer = anna.device.get(asked.value.question.options, origin=ORIGIN)
    await anna.sign_in(asked.value.question.seal, answer)


async def test_disabled_person_signs_in_with_no_passkey(anna: Person) -> None:
    question = await anna.asked()
    await people.set_enabled(anna.context, [anna.name], is_enabled=False)
    with pytest.raises(LockstepError) as refused:
        await anna.sign_in(question.seal, anna.device.get(question.options, origin=ORIGIN))
    assert refused.value.code == "SignInRefused"


def test_applications_learn_that_a_passkey_was_used() -> None:
    assert _amr(["password", "passkey"]) == ["pwd", "pop", "mfa"]
    assert class_for(["password", "passkey"], [], "exact") == MULTI_FACTOR
    assert class_for(["password", "passkey"], [MULTI_FACTOR], "exact") == MULTI_FACTOR
    assert class_for(["password"], [MULTI_FACTOR], "exact") is None


async def test_pages_add_a_passkey_sign_in_with_it_rename_and_remove_it(centre: Centre) -> None:
    await with_password(centre, "anna")
    browser, device = centre.browser(), SoftPasskey()
    form = {"name": upn("anna"), "password": PASSWORD, "next": "/myapps"}
    await browser.get("/myapps/sign-in")
    await browser.post("/myapps/sign-in", form)
    page = "/myapps/second-factor"
    await browser.get(page)
    wrong = await browser.post(f"{page}/passkeys", {"password": "another sentence"})
    assert (wrong.status, "The password is wrong" in wrong.text) == (401, True)
    asked = await browser.post(f"{page}/passkeys", {"password": PASSWORD})
    given = {
        "seal": asked_of(asked)[0],
        "passkey": device.create(asked_of(asked)[1], origin=centre.origin),
        "name": "<b>",
    }
    added = await browser.post(f"{page}/passkeys/add", given)
    assert (added.status, added.location) == (303, page)
    assert "&lt;b&gt;" in (await browser.get(page)).html

    other = centre.browser()
    await other.get("/myapps/sign-in")
    question = await other.post("/myapps/sign-in", form)
    assert "Use your passkey" in question.text
    answer = {"seal": asked_of(question)[0], "passkey": device.get(asked_of(question)[1], origin=centre.origin)}
    done = await other.post("/myapps/sign-in", {**form, **answer})
    assert (done.status, done.location) == (303, "/myapps")

    [row] = (await person_passkeys.show_person_factors(centre.context, upn("anna"))).passkeys
    assert 'value="&lt;b&gt;"' in (await browser.get(f"{page}/passkeys?passkey={row.id}")).html
    renamed = await browser.post(f"{page}/passkeys/rename", {"passkey": row.id, "name": "Laptop"})
    assert renamed.status == 303
    assert "Laptop" in (await browser.get(page)).text
    removed = await browser.post(f"{page}/passkeys/remove", {"passkey": row.id, "password": PASSWORD})
    assert (removed.status, removed.location) == (303, page)
    assert "Laptop" not in (await browser.get(page)).text
