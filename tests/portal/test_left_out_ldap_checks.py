"""Every condition under which an LDAP directory decides about a password is covered: at least one case ends differently without it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest

from lockstep.actions.person_sign_in import ldap_passwords, ldap_setup
from lockstep.actions.person_sign_in.ldap_passwords import name_in_ldap, verify_in_ldap
from lockstep.actions.person_sign_in.ldap_setup import LdapChange
from lockstep.errors import LockstepError
from lockstep.storage import person_credentials
from lockstep.storage.person_credentials import PersonCredential
from lockstep.vault import Secret
from tests.portal.test_ldap_sign_in import ANNA, READER, allow_loopback
from tests.support.admin_centre import Centre
from tests.support.hub import upn
from tests.support.ldap_peer import LdapPeer, ldap_peer
from tests.support.left_out_checks import checks_of, unheld_checks

pytestmark = pytest.mark.full

Case = Callable[["World"], Awaitable[object]]
RIGHT, LOGIN = "winter in Lund", "sAMAccountName"


class World:
    """A directory in which Anna has an entry, and in which a case may change something."""

    def __init__(self, centre: Centre, peer: LdapPeer) -> None:
        self.context, self.peer = centre.context, peer

    async def set_up(self) -> None:
        peer = self.peer
        peer.entries = {upn("anna"): ANNA, "alindqvist": ANNA}
        peer.second, peer.refusals = {}, {}
        peer.passwords = {READER: "reads", ANNA: RIGHT}
        peer.values = {ANNA: {ldap_setup.USUAL_ATTRIBUTE: upn("anna")}}
        change = LdapChange(peer.url, "DC=contoso", READER, password=Secret("reads"), login_attribute=LOGIN)
        await ldap_setup.set_ldap(self.context, change)
        peer.binds.clear()
        peer.searched.clear()

    async def person(self, name: str) -> PersonCredential | None:
        async with self.context.recording() as connection:
            return await person_credentials.credential_named(connection, upn(name))

    async def verify(self, password: str = RIGHT, name: str = "anna") -> object:
        return await verify_in_ldap(self.context, await self.person(name), password)


async def without_directory(world: World, work: Callable[[], Awaitable[object]]) -> object:
    await ldap_setup.remove_ldap(world.context)
    return await work()


async def without_login_name(world: World) -> object:
    change = LdapChange(world.peer.url, "DC=contoso", READER, password=Secret("reads"))
    await ldap_setup.set_ldap(world.context, change)
    world.peer.searched.clear()
    return await name_in_ldap(world.context, "alindqvist")


async def refused_with(world: World, data: str, password: str = "wrong") -> object:
    world.peer.refusals[ANNA] = data
    return await world.verify(password)


async def two_entries(world: World, *, name: str = "anna") -> object:
    world.peer.entries[upn(name)] = ANNA
    world.peer.second[upn(name)] = "CN=Another,DC=contoso"
    return await world.verify(name=name)


async def no_name_of_the_entry(world: World) -> object:
    world.peer.entries[upn("anna")] = ""
    return await world.verify()


async def two_with_one_login_name(world: World) -> object:
    world.peer.second["alindqvist"] = "CN=Another,DC=contoso"
    return await name_in_ldap(world.context, "alindqvist")


async def login_name_without_value(world: World) -> object:
    world.peer.values = {}
    return await name_in_ldap(world.context, "alindqvist")


async def nobody_with_two_entries(world: World) -> object:
    """The directory answers the query about a name that nobody has with two entries."""
    original = ldap_setup.find_entry

    async def find(*arguments: object, **more: object) -> object:
        (entry,) = await original(world.context, arguments[1], ldap_setup.USUAL_ATTRIBUTE, upn("anna"))  # type: ignore[arg-type]
        return [entry, entry]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ldap_passwords, "find_entry", find)
        return await verify_in_ldap(world.context, None, RIGHT)


CASES: dict[str, Case] = {
    "right": lambda w: w.verify(),
    "wrong": lambda w: w.verify("wrong"),
    "empty": lambda w: w.verify(""),
    "long": lambda w: w.verify("x" * 257),
    "longest": lambda w: w.verify("x" * 256),
    "no directory": lambda w: without_directory(w, w.verify),
    "nobody": lambda w: verify_in_ldap(w.context, None, RIGHT),
    "nobody, but two entries": nobody_with_two_entries,
    "no entry": lambda w: w.verify(name="ben"),
    "two entries": two_entries,
    "no name of the entry": no_name_of_the_entry,
    "disabled there": lambda w: refused_with(w, "533"),
    "unknown reason": lambda w: refused_with(w, "999"),
    "no reason": lambda w: refused_with(w, "x"),
    "login name": lambda w: name_in_ldap(w.context, "CONTOSO\\alindqvist"),
    "login name without a directory": lambda w: without_directory(w, lambda: name_in_ldap(w.context, "alindqvist")),
    "login names switched off": without_login_name,
    "no login name": lambda w: name_in_ldap(w.context, ""),
    "unknown login name": lambda w: name_in_ldap(w.context, "nobody"),
    "two with one login name": two_with_one_login_name,
    "login name without value": login_name_without_value,
}


@pytest.fixture
async def world(centre: Centre) -> AsyncIterator[World]:
    allow_loopback(centre)
    async with ldap_peer() as peer:
        yield World(centre, peer)


async def outcome(case: Case, world: World) -> str:
    """Return the result of the case and the entries that reached the directory, without made-up names."""
    await world.set_up()
    try:
        ended = str(await case(world))
    except LockstepError as refused:
        ended = f"{refused.code} {refused.detail}"
    except Exception as crash:  # only without one of the checks
        ended = f"crashed with {type(crash).__name__}"
    known = {upn("anna"), upn("ben"), "alindqvist", "nobody", ""}
    searched = [name if name in known else "made up" for name in world.peer.searched]
    binds = [
        (name if name in (ANNA, READER, "CN=Another,DC=contoso") else "made up", password)
        for name, password in world.peer.binds
    ]
    return f"{ended} {searched} {binds}"


async def test_no_condition_of_a_password_of_the_directory_can_be_left_out(world: World) -> None:
    bound = {name: partial(outcome, case, world) for name, case in CASES.items()}
    checks = list(checks_of(ldap_passwords, parts=True))

    assert len(checks) >= 15
    assert await unheld_checks(bound, checks) == ""
