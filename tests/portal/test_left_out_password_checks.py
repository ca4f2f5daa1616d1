"""Every check in the code for sign-ins with a password and a second factor is covered: at least one case ends differently without it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from types import ModuleType

import pyotp
import pytest

from lockstep.actions import passkey_proofs, passkey_registration, people
from lockstep.actions.context import Context
from lockstep.actions.person_sign_in import attempts, passwords, person_passkeys, person_totp, sessions, setting
from lockstep.actions.person_sign_in.ldap_passwords import LdapVerdict
from lockstep.actions.person_sign_in.sessions import PASSWORD as BY_PASSWORD
from lockstep.actions.person_sign_in.sessions import PROVIDER, begin_session
from lockstep.actions.totp import SecondFactorRequired
from lockstep.credentials.issued_secrets import hash_of
from lockstep.credentials.passwords import OF_PEOPLE
from lockstep.errors import LockstepError
from lockstep.storage import people as stored_people
from lockstep.storage import person_credentials
from lockstep.storage.person_credentials import PersonCredential
from lockstep.vault import Vault, VaultKey
from tests.portal.conftest import PASSWORD
from tests.portal.test_person_passkeys import HERE, ORIGIN, VISITOR, Person, person
from tests.support.hub import Hub, upn
from tests.support.left_out_checks import Check, checks_of, unheld_checks
from tests.support.set_clock import NEW_YEAR, SetClock
from tests.support.soft_passkey import SoftPasskey

DELETED = (
    "passkey",
    "person_link",
    "person_session",
    "person_credential",
    "sign_in_attempt",
    "used_answer",
    "sign_in_log",
)
OTHER = Vault(VaultKey(b"x" * 32, b"y" * 8))


@dataclass
class World:
    """Anna has a password and a session; a case adds what it needs."""

    context: Context
    clock: SetClock
    anna: Person

    async def sign_in(self, password: str = PASSWORD, code: str = "", name: str = upn("anna")) -> object:
        return await passwords.sign_person_in(self.context, name, password, code, visitor=VISITOR)

    async def app(self) -> pyotp.TOTP:
        """Set up an authenticator app, whose code of this minute is used."""
        made = await person_totp.begin_factor(self.context, self.anna.session, PASSWORD, visitor=VISITOR)
        totp = pyotp.TOTP(made.seed)
        confirmed = await person_totp.confirm_factor(self.context, self.anna.session, totp.at(self.clock.at))
        self.anna.session = confirmed.secret
        self.clock.go(minutes=1)
        return totp

    async def session(self, *methods: str) -> str:
        async with self.context.recording() as connection:
            found = await person_credentials.credential_named(connection, upn("anna"))
            assert found is not None
            begun = await begin_session(self.context, connection, found.person, methods, VISITOR, replaces="")
        return begun.secret


Case = Callable[[World], Awaitable[object]]


async def several(*steps: Awaitable[object]) -> list[str]:
    """How each step ends; refused ones do not keep the next from being tried."""
    return [await shown(one) for one in steps]


async def disabled(world: World, step: Callable[[], Awaitable[object]]) -> object:
    await people.set_enabled(world.context, [upn("anna")], is_enabled=False)
    try:
        return await shown(step())
    finally:
        await people.set_enabled(world.context, [upn("anna")], is_enabled=True)


async def switched_off(world: World, step: Callable[[], Awaitable[object]]) -> object:
    await setting.change_sign_in_setting(world.context, has_password=False)
    try:
        return await shown(step())
    finally:
        await setting.change_sign_in_setting(world.context, has_password=True)


async def required(world: World, step: Callable[[], Awaitable[object]]) -> object:
    await setting.change_sign_in_setting(world.context, needs_second_factor=True)
    try:
        return await shown(step())
    finally:
        await setting.change_sign_in_setting(world.context, needs_second_factor=False)


async def changed_meanwhile(world: World) -> object:
    """The password is changed while it is verified."""
    usual = OF_PEOPLE.matches

    async def matches(password: str, digest: str | None) -> bool:
        is_right = await usual(password, digest)
        async with world.context.recording() as connection:
            await connection.execute("update person_credential set password_hash = 'another'")
        return is_right

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OF_PEOPLE, "matches", matches)
        return await world.sign_in()


async def with_entry(_: World, *, is_right: bool, is_live: bool = True) -> object:
    """The person has an entry in the LDAP directory, whose password is the only one that counts."""
    found = PersonCredential("p", "anna", is_live, None, has_app=False, issuer=None, subject=None)
    verdict = LdapVerdict(has_entry=True, is_right=is_right)
    return [attempts._what_is_wrong(found, verdict, is_right=False, is_allowed=True)]


async def codes(world: World) -> object:
    totp = await world.app()
    code = totp.at(world.clock.at)
    return await several(
        world.sign_in(), world.sign_in(code="000000"), world.sign_in(code=f" {code[:3]} {code[3:]}"), world.sign_in(code=code)
    )  # fmt: skip


async def code_of_an_app_that_is_not_confirmed(world: World) -> object:
    made = await person_totp.begin_factor(world.context, world.anna.session, PASSWORD, visitor=VISITOR)
    await world.anna.add()
    return await world.sign_in(code=pyotp.TOTP(made.seed).at(world.clock.at))


async def code_without_an_app(world: World) -> object:
    await world.anna.add()
    return await world.sign_in(code="123456")


async def seed_that_cannot_be_read(world: World) -> object:
    totp = await world.app()
    return await passwords.sign_person_in(
        replace(world.context, vault=OTHER), upn("anna"), PASSWORD, totp.at(world.clock.at), visitor=VISITOR
    )


async def second_app(world: World) -> object:
    await world.app()
    return await person_totp.begin_factor(world.context, world.anna.session, PASSWORD, visitor=VISITOR)


async def confirmed_again(world: World) -> object:
    totp = await world.app()
    return await person_totp.confirm_factor(world.context, world.anna.session, totp.at(world.clock.at))


async def wrong_first_code(world: World) -> object:
    await person_totp.begin_factor(world.context, world.anna.session, PASSWORD, visitor=VISITOR)
    return await person_totp.confirm_factor(world.context, world.anna.session, "000000")


async def factor_in(world: World, *methods: str, has_app: bool = False) -> object:
    if has_app:
        await world.app()
    secret = await world.session(*methods)
    return await several(
        person_totp.begin_factor(world.context, secret, PASSWORD, visitor=VISITOR),
        person_passkeys.begin_own_passkey(world.context, secret, PASSWORD, HERE, visitor=VISITOR),
    )


async def removed_by_the_help_desk(world: World) -> object:
    first = await shown(person_totp.remove_person_factor(world.context, upn("anna")))
    await world.app()
    second = await shown(person_totp.remove_person_factor(world.context, upn("anna")))
    world.anna.session = await world.session(BY_PASSWORD)
    await world.anna.add()
    return first, second, await shown(person_totp.remove_person_factor(world.context, upn("anna")))


async def signed_in(world: World, seal: str, answer: str, *, origin: str = ORIGIN) -> bool:
    return bool(await world.anna.sign_in(seal, answer, origin=origin))


async def answered(
    world: World,
    *,
    origin: str = ORIGIN,
    host: str = "",
    after: float = 0,
    times: int = 1,
    pad: int = 0,
    text: str = "",
) -> object:
    """The answer of a passkey to the question of a sign-in."""
    world.anna.device.counts = False
    await world.anna.add()
    question = await world.anna.asked()
    answer = text or world.anna.device.get(question.options, origin=ORIGIN, host=host) + " " * pad
    world.clock.go(seconds=after)
    return await several(*(signed_in(world, question.seal, answer, origin=origin) for _ in range(times)))


async def answered_at_a_neighbour(world: World) -> object:
    """Browsers let a page below a host use the host's passkeys."""
    await world.anna.add()
    question = await world.anna.asked()
    below = "https://evil.lockstep.contoso.test"
    answer = world.anna.device.get(question.options, origin=below, host="lockstep.contoso.test")
    return await several(signed_in(world, question.seal, answer, origin=below))


async def answered_for_another(world: World) -> object:
    """A device that is not Anna's answers her question."""
    await world.anna.add()
    question = await world.anna.asked()
    return await signed_in(world, question.seal, SoftPasskey().get(question.options, origin=ORIGIN))


async def seal_of_another(world: World) -> object:
    await world.anna.add()
    question = await world.anna.asked()
    return await signed_in(world, "00", world.anna.device.get(question.options, origin=ORIGIN))


async def elsewhere(world: World, *, has_app: bool) -> object:
    """A sign-in at another host than that of the passkey."""
    await world.anna.add()
    if has_app:
        await world.app()
    page = replace(HERE, origin="https://other.contoso.test")
    return await passwords.sign_person_in(world.context, upn("anna"), PASSWORD, passkey=page, visitor=VISITOR)


async def asked_without_a_page(world: World) -> object:
    await world.anna.add()
    return await world.sign_in()


async def passkeys_added(world: World, count: int) -> object:
    for _ in range(count):
        await world.anna.add(SoftPasskey())
    return len(await person_passkeys.list_own_passkeys(world.context, world.anna.session))


async def passkey_added_with(world: World, *, origin: str = ORIGIN, late: float = 0, twice: bool = False) -> object:
    if twice:
        await world.anna.add()
        world.clock.go(minutes=1)
    question = await person_passkeys.begin_own_passkey(
        world.context, world.anna.session, PASSWORD, HERE, visitor=VISITOR
    )
    given = replace(HERE, seal=question.seal, answer=world.anna.device.create(question.options, origin=origin))
    world.clock.go(minutes=late)
    return await several(
        person_passkeys.add_own_passkey(world.context, world.anna.session, given, name="Laptop"),
        person_passkeys.add_own_passkey(world.context, world.anna.session, given, name="Laptop"),
    )


async def removed(world: World, *, passkeys: int = 1, has_app: bool = False, unknown: bool = False) -> object:
    await passkeys_added(world, passkeys)
    if has_app:
        await world.app()
    known = await person_passkeys.list_own_passkeys(world.context, world.anna.session)
    passkey = "00000000-0000-0000-0000-000000000000" if unknown else known[0].id
    return await several(
        person_passkeys.rename_own_passkey(world.context, world.anna.session, passkey, "Phone"),
        person_passkeys.remove_own_passkey(world.context, world.anna.session, passkey, PASSWORD, visitor=VISITOR),
    )


async def link(
    world: World, *, after: timedelta = timedelta(), times: int = 1, password: str = "another sentence"
) -> object:
    made = await passwords.new_sign_in_link(world.context, upn("anna"))
    world.clock.at += after
    secret = made.path.removeprefix("/myapps/link/")

    async def accept() -> object:
        return await passwords.accept_link(world.context, secret, password, visitor=VISITOR)

    return await several(*(accept() for _ in range(times)))


async def link_with_factor(world: World) -> object:
    await world.app()
    return await link(world)


async def link_that_ends(
    world: World, change: Callable[[World, Callable[[], Awaitable[object]]], Awaitable[object]]
) -> object:
    made = await passwords.new_sign_in_link(world.context, upn("anna"))
    secret = made.path.removeprefix("/myapps/link/")
    return await change(world, lambda: passwords.owner_of_link(world.context, secret))


async def link_that_was_left(world: World) -> object:
    """Disabling deletes the links of a person; one is there all the same."""
    async with world.context.recording() as connection:
        found = await person_credentials.credential_named(connection, upn("anna"))
        assert found is not None
        ends = world.clock.at + timedelta(days=1)
        await person_credentials.save_link(connection, found.person, hash_of("left"), created_by="ada", expires_at=ends)
    return await passwords.owner_of_link(world.context, "left")


async def gone_meanwhile(world: World, holder: ModuleType, name: str, found: object) -> object:
    """The person is deleted after the session was read: *found* is what a statement then finds."""

    async def read(*_: object) -> object:
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(holder, name, read)
        return await caller(world)


async def confirmed_as(world: World, person: str) -> object:
    """The session is that of another person."""
    found = await sessions.person_or_refusal(world.context, world.anna.session)
    await attempts.confirm_password(world.context, replace(found, person=person), PASSWORD, VISITOR)
    return ["confirmed"]


async def too_many(world: World) -> object:
    work = partial(person_totp.begin_factor, world.context, world.anna.session, "wrong", visitor=VISITOR)
    return await several(*(work() for _ in range(12)))


async def code_and_then_the_passkey(world: World) -> object:
    """A question stays open if a code was tried instead."""
    await world.anna.add()
    question = await world.anna.asked()
    given = replace(HERE, seal=question.seal)
    coded = passwords.sign_person_in(world.context, upn("anna"), PASSWORD, "000000", passkey=given, visitor=VISITOR)
    answer = world.anna.device.get(question.options, origin=ORIGIN)
    return await several(coded, signed_in(world, question.seal, answer))


async def caller(world: World, *, after: timedelta = timedelta(), secret: str | None = None) -> object:
    world.clock.at += after
    found = await sessions.caller_of_person(world.context, world.anna.session if secret is None else secret)
    return found and (found.user_principal_name, found.methods, found.lacks_factor)


async def kept_busy(world: World) -> object:
    """The session is used every four hours."""
    return [await caller(world, after=timedelta(hours=4)) for _ in range(4)]


CASES: dict[str, Case] = {
    "usual": lambda w: w.sign_in(),
    "wrong password": lambda w: w.sign_in("another sentence"),
    "unknown person": lambda w: w.sign_in(name="zoe@contoso.test"),
    "no password": lambda w: w.sign_in(name=upn("ben")),
    "disabled": lambda w: disabled(w, w.sign_in),
    "switched off": lambda w: switched_off(w, w.sign_in),
    "changed meanwhile": changed_meanwhile,
    "password of an entry": lambda w: with_entry(w, is_right=True),
    "wrong password of an entry": lambda w: with_entry(w, is_right=False),
    "entry of somebody disabled": lambda w: with_entry(w, is_right=True, is_live=False),
    "codes": codes,
    "app that is not confirmed": code_of_an_app_that_is_not_confirmed,
    "code without an app": code_without_an_app,
    "seed that cannot be read": seed_that_cannot_be_read,
    "second app": second_app,
    "confirmed again": confirmed_again,
    "wrong first code": wrong_first_code,
    "factor in a session of a provider": lambda w: factor_in(w, PROVIDER),
    "factor in a session without factor": lambda w: factor_in(w, BY_PASSWORD, has_app=True),
    "factor with a wrong password": lambda w: person_totp.begin_factor(w.context, w.anna.session, "wrong", visitor=VISITOR),
    "factor while passwords are off": lambda w: switched_off(w, lambda: factor_in(w, BY_PASSWORD)),
    "removed by the help desk": removed_by_the_help_desk,
    "answer": answered,
    "answer twice": lambda w: answered(w, times=2),
    "answer late": lambda w: answered(w, after=300),
    "answer at another page": lambda w: answered(w, origin="https://evil.test"),
    "answer for another host": lambda w: answered(w, host="evil.test"),
    "answer that is long": lambda w: answered(w, pad=20_000),
    "answer that is none": lambda w: answered(w, text="{}"),
    "answer for our host at another page": answered_at_a_neighbour,
    "answer of another device": answered_for_another,
    "answer to no question": seal_of_another,
    "passkey of another host": lambda w: elsewhere(w, has_app=False),
    "passkey of another host beside an app": lambda w: elsewhere(w, has_app=True),
    "asked without a page": asked_without_a_page,
    "many passkeys": lambda w: passkeys_added(w, 11),
    "passkey added": lambda w: passkey_added_with(w),
    "passkey added late": lambda w: passkey_added_with(w, late=5),
    "passkey added at another page": lambda w: passkey_added_with(w, origin="https://evil.test"),
    "passkey added again": lambda w: passkey_added_with(w, twice=True),
    "passkey removed": removed,
    "unknown passkey removed": lambda w: removed(w, unknown=True),
    "only passkey removed": lambda w: required(w, lambda: removed(w)),
    "one of two passkeys removed": lambda w: required(w, lambda: removed(w, passkeys=2)),
    "passkey removed beside an app": lambda w: required(w, lambda: removed(w, has_app=True)),
    "link": link,
    "link twice": lambda w: link(w, times=2),
    "link late": lambda w: link(w, after=timedelta(days=7)),
    "link with a weak password": lambda w: link(w, password="short"),
    "link with a factor": link_with_factor,
    "link for somebody disabled": lambda w: disabled(w, lambda: link(w)),
    "link while passwords are off": lambda w: switched_off(w, lambda: link(w)),
    "link of somebody disabled": lambda w: link_that_ends(w, disabled),
    "link left of somebody disabled": lambda w: disabled(w, lambda: link_that_was_left(w)),
    "link after passwords were switched off": lambda w: link_that_ends(w, switched_off),
    "session": caller,
    "no session": lambda w: sessions.caller_of_person(replace(w.context, now=None), ""),  # type: ignore[arg-type]
    "person who is gone": lambda w: gone_meanwhile(w, stored_people, "read_people", {}),
    "credential that is gone": lambda w: gone_meanwhile(w, person_credentials, "credential_of", None),
    "confirmed by another": lambda w: confirmed_as(w, "another"),
    "too many failures": too_many,
    "code and then the passkey": code_and_then_the_passkey,
    "ended session": lambda w: caller(w, secret="ended"),
    "idle session": lambda w: caller(w, after=timedelta(hours=8)),
    "long session": kept_busy,
    "refusal of an ended session": lambda w: sessions.person_or_refusal(w.context, "ended"),
    "session that lacks a factor": lambda w: required(w, lambda: caller(w)),
}  # fmt: skip
_ALL: list[Check] = [
    *checks_of(attempts, "_what_is_wrong", "proved_caller", "confirm_password", parts=True),
    *checks_of(passwords, parts=True),
    *checks_of(person_totp, parts=True),
    *checks_of(person_passkeys, parts=True),
    *checks_of(sessions, "caller_of_person", "person_or_refusal", parts=True),
    *checks_of(passkey_proofs, parts=True),
    *checks_of(passkey_registration, parts=True),
]
# The library refuses an answer to a challenge that is not known, too.
CHECKS = [one for one in _ALL if str(one) != "actions.passkey_proofs.is_passkey +7"]
# A condition that another one implies; the type checker needs both.
IMPLIED = [("actions.person_sign_in.person_totp.is_code_of_person", "step is not None")]


@pytest.fixture
async def world(directory: Hub) -> World:
    clock = SetClock()
    context = replace(directory.context, now=clock)
    return World(context, clock, Person(context, upn("anna"), ""))


async def outcome(case: Case, world: World) -> str:
    """How *case* ends, and what is in the sign-in log, which the person does not see."""
    async with world.context.recording() as connection:
        for table in DELETED:
            await connection.execute(f"delete from {table}")
    world.clock.at = NEW_YEAR
    world.anna = await person(world.context, "anna")
    ended = await shown(case(world))
    async with world.context.recording() as connection:
        cursor = await connection.execute("select code, detail, methods from sign_in_log order by seq")
        return f"{ended} {await cursor.fetchall()}"


async def shown(work: Awaitable[object]) -> str:
    try:
        found = await work
    except SecondFactorRequired as needed:
        return f"{needed.detail} {needed.question is not None}"
    except LockstepError as refused:
        return f"{refused.code} {refused.detail} {refused.next_step}"
    except Exception as crash:  # only without one of the checks
        return f"crashed with {type(crash).__name__}"
    return str(found) if isinstance(found, str | list | tuple | int) else type(found).__name__


@pytest.mark.full
async def test_no_check_of_a_sign_in_with_a_password_can_be_left_out(world: World) -> None:
    bound = {name: partial(outcome, case, world) for name, case in CASES.items()}

    assert len(CHECKS) >= 60
    assert await unheld_checks(bound, CHECKS, IMPLIED) == ""
