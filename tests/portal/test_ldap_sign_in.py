"""People sign in with the password of an LDAP directory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from lockstep.actions import people, sign_in_logs
from lockstep.actions.person_sign_in import ldap_setup, passwords, sessions, setting
from lockstep.actions.person_sign_in.ldap_health import examine_ldap
from lockstep.actions.person_sign_in.ldap_setup import LdapChange
from lockstep.actions.person_sign_in.outcomes import Visitor
from lockstep.errors import Kind, LockstepError
from lockstep.http.outbound import OutboundRules
from lockstep.ldap import messages
from lockstep.ldap.client import server_at
from lockstep.vault import Secret
from tests.portal.conftest import PASSWORD, with_password
from tests.support import samba, slapd
from tests.support.admin_centre import Centre
from tests.support.hub import upn
from tests.support.ldap_peer import LdapPeer, ldap_peer
from tests.support.set_clock import SetClock

ANNA, READER = "CN=Lindqvist\\, Anna,OU=Staff,DC=contoso", "CN=reader,DC=contoso"
HERE = Visitor("a browser", "192.0.2.9")
EVERYWHERE = OutboundRules(["0.0.0.0/0"]).check_address


def allow_loopback(centre: Centre) -> None:
    assert centre.context.http is not None
    centre.context.http().rules.allow(["127.0.0.0/8"])


@pytest.fixture
async def peer(centre: Centre) -> AsyncIterator[LdapPeer]:
    """A directory with Anna, which is set up and on. Ben has a password of Lockstep."""
    allow_loopback(centre)
    async with ldap_peer() as found:
        found.passwords[READER] = "reads"
        found.entries[upn("anna")], found.passwords[ANNA] = ANNA, "winter in Lund"
        change = LdapChange(found.url, "DC=contoso", READER, password=Secret("reads"))
        await ldap_setup.set_ldap(centre.context, change)
        await setting.change_sign_in_setting(centre.context, has_ldap=True)
        await with_password(centre, "ben")
        found.binds.clear()
        found.searched.clear()
        yield found


async def newest(centre: Centre) -> sign_in_logs.SignInRow:
    return (await sign_in_logs.list_sign_ins(centre.context, limit=1))[0]


async def test_password_of_the_directory_signs_in_under_the_name_that_the_directory_gives(
    centre: Centre, peer: LdapPeer
) -> None:
    signed_in = await passwords.sign_person_in(centre.context, upn("ANNA").upper(), "winter in Lund", visitor=HERE)

    assert peer.searched == [upn("anna")]
    assert peer.binds == [(READER, "reads"), (ANNA, "winter in Lund")]
    caller = await sessions.caller_of_person(centre.context, signed_in.secret)
    assert caller is not None and (caller.user_principal_name, caller.methods) == (upn("anna"), ["directory"])
    assert (await newest(centre)).methods == ["directory"]


async def test_empty_password_is_never_sent(centre: Centre, peer: LdapPeer) -> None:
    with pytest.raises(LockstepError) as refused:
        await passwords.sign_person_in(centre.context, upn("anna"), "", visitor=HERE)

    assert refused.value.kind is Kind.UNAUTHORIZED and peer.binds == []
    for name, password in (("", "x"), (ANNA, "")):
        with pytest.raises(ValueError, match="needs a name and a password"):
            messages.bind_request(1, name, password)


async def test_local_password_does_not_count_for_somebody_with_an_entry_and_does_for_others(
    centre: Centre, peer: LdapPeer
) -> None:
    await with_password(centre, "anna")

    with pytest.raises(LockstepError):
        await passwords.sign_person_in(centre.context, upn("anna"), PASSWORD, visitor=HERE)
    assert await passwords.sign_person_in(centre.context, upn("ben"), PASSWORD, visitor=HERE)


async def test_refusals_read_the_same_and_ask_the_directory_as_often(centre: Centre, peer: LdapPeer) -> None:
    await people.set_enabled(centre.context, [upn("carla")], is_enabled=False)
    peer.entries[upn("carla")], peer.passwords["CN=Carla"] = "CN=Carla", "right"
    said, asked = set(), set()
    for name, password, code in (
        ("nobody@contoso.test", "wrong", "UnknownPerson"),
        ("*", "wrong", "UnknownPerson"),
        (upn("anna"), "wrong", "WrongPassword"),
        (upn("ben"), "wrong", "WrongPassword"),
        (upn("carla"), "right", "AccountDisabled"),
    ):
        peer.binds.clear()
        with pytest.raises(LockstepError) as refused:
            await passwords.sign_person_in(centre.context, name, password, visitor=Visitor())
        said.add((refused.value.kind, refused.value.detail, refused.value.next_step))
        asked.add(len(peer.binds))
        assert (await newest(centre)).code == code
    assert (len(said), asked) == (1, {2})
    assert not {"nobody@contoso.test", "*"} & set(peer.searched)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("532", "has expired"),
        ("773", "must be changed"),
        ("775", "is locked"),
        ("533", "is disabled"),
        ("701", "account has expired"),
    ],
)
async def test_reason_of_active_directory_is_in_the_log_alone(
    centre: Centre, peer: LdapPeer, data: str, reason: str
) -> None:
    peer.refusals[ANNA] = data

    with pytest.raises(LockstepError, match="is wrong") as refused:
        await passwords.sign_person_in(centre.context, upn("anna"), "winter in Lund", visitor=HERE)

    row = await newest(centre)
    assert (row.code, reason in row.detail) == ("DirectoryRefused", True)
    assert reason not in f"{refused.value.detail} {refused.value.why} {refused.value.next_step}"


async def test_delays_come_before_the_directory_is_asked(centre: Centre, peer: LdapPeer) -> None:
    clock = SetClock()
    context = replace(centre.context, now=clock)
    for _ in range(5):
        with pytest.raises(LockstepError):
            await passwords.sign_person_in(context, upn("anna"), "wrong", visitor=HERE)
    asked = len(peer.binds)

    with pytest.raises(LockstepError) as delayed:
        await passwords.sign_person_in(context, upn("anna"), "winter in Lund", visitor=HERE)

    assert delayed.value.kind is Kind.THROTTLED and len(peer.binds) == asked
    clock.go(seconds=31)
    assert await passwords.sign_person_in(context, upn("anna"), "winter in Lund", visitor=HERE)


async def test_directory_that_cannot_be_asked_lets_nobody_in_and_counts_as_no_failure(
    centre: Centre, peer: LdapPeer
) -> None:
    peer.is_broken = True
    for _ in range(7):
        with pytest.raises(LockstepError, match="temporarily unavailable") as refused:
            await passwords.sign_person_in(centre.context, upn("anna"), "winter in Lund", visitor=HERE)
        assert refused.value.kind is Kind.UNREACHABLE and peer.url not in str(refused.value)
    assert (await newest(centre)).code == "DirectoryUnreachable"
    peer.is_broken = False
    assert await passwords.sign_person_in(centre.context, upn("anna"), "winter in Lund", visitor=HERE)


async def test_second_factor_that_passwords_need_is_needed_beside_this_one_too(centre: Centre, peer: LdapPeer) -> None:
    await setting.change_sign_in_setting(centre.context, needs_second_factor=True)
    signed_in = await passwords.sign_person_in(centre.context, upn("anna"), "winter in Lund", visitor=HERE)

    caller = await sessions.caller_of_person(centre.context, signed_in.secret)

    assert caller is not None and caller.lacks_factor


@pytest.mark.parametrize(
    "url", ["ldap://dc1.contoso.test", "http://127.0.0.1", "ldaps://", "ldaps://u:p@dc1.contoso.test"]
)
def test_passwords_are_sent_encrypted_or_stay_on_this_machine(url: str) -> None:
    with pytest.raises(LockstepError):
        server_at(url, admit=EVERYWHERE)
    assert not server_at("ldap://127.0.0.1", admit=EVERYWHERE).is_encrypted
    assert server_at("ldap://dc1.contoso.test", admit=EVERYWHERE, starts_tls=True).is_encrypted


async def test_directory_is_set_up_only_if_it_answers_and_its_password_goes_to_no_other(
    centre: Centre, peer: LdapPeer
) -> None:
    known = LdapChange(peer.url, "DC=contoso", READER)
    assert await ldap_setup.set_ldap(centre.context, known)  # the stored password is kept
    for change in (
        replace(known, password=Secret("wrong")),
        replace(known, url="ldaps://127.0.0.1:1"),
        replace(known, attribute="mail)(uid=*"),
    ):
        with pytest.raises(LockstepError):
            await ldap_setup.set_ldap(centre.context, change)
    assert await ldap_setup.find_in_ldap(centre.context, upn("anna")) == ANNA
    await ldap_setup.remove_ldap(centre.context)
    assert not (await setting.show_sign_in_setting(centre.context)).has_ldap


async def test_address_of_the_directory_is_under_the_rules_of_every_other(centre: Centre, peer: LdapPeer) -> None:
    assert centre.context.http is not None
    centre.context.http().rules.allow([])
    asked = len(peer.binds)

    with pytest.raises(LockstepError, match="sent no usable response") as refused:
        await ldap_setup.set_ldap(centre.context, LdapChange(peer.url, "DC=contoso", READER))
    with pytest.raises(LockstepError, match="temporarily unavailable"):
        await passwords.sign_person_in(centre.context, upn("anna"), "winter in Lund", visitor=HERE)

    assert f"lockstep outbound add {peer.url}" in refused.value.next_step
    assert len(peer.binds) == asked
    centre.context.http().rules.allow([peer.url])
    assert await passwords.sign_person_in(centre.context, upn("anna"), "winter in Lund", visitor=HERE)


async def with_login_names(centre: Centre, peer: LdapPeer) -> None:
    change = LdapChange(peer.url, "DC=contoso", READER, login_attribute="sAMAccountName")
    await ldap_setup.set_ldap(centre.context, change)
    peer.entries["alindqvist"], peer.values[ANNA] = ANNA, {"userPrincipalName": upn("anna")}
    peer.binds.clear()


@pytest.mark.parametrize("name", ["alindqvist", "CONTOSO\\alindqvist"])
async def test_login_name_of_the_directory_is_a_name_too(centre: Centre, peer: LdapPeer, name: str) -> None:
    await with_login_names(centre, peer)

    signed_in = await passwords.sign_person_in(centre.context, name, "winter in Lund", visitor=HERE)

    caller = await sessions.caller_of_person(centre.context, signed_in.secret)
    assert caller is not None and caller.user_principal_name == upn("anna")


async def test_login_names_tell_nobody_who_exists(centre: Centre, peer: LdapPeer) -> None:
    await with_login_names(centre, peer)
    said, asked = set(), set()
    for name in ("alindqvist", upn("anna"), "nobody", "nobody@contoso.test", upn("ben")):
        peer.binds.clear()
        with pytest.raises(LockstepError) as refused:
            await passwords.sign_person_in(centre.context, name, "wrong", visitor=Visitor())
        said.add((refused.value.kind, refused.value.detail, refused.value.next_step))
        asked.add(len(peer.binds))
    assert (len(said), asked) == (1, {3})


async def test_every_spelling_of_a_name_counts_as_the_same_person(centre: Centre, peer: LdapPeer) -> None:
    await with_login_names(centre, peer)
    spellings = (upn("anna"), "alindqvist", "A\\alindqvist", "B\\alindqvist", "C\\ALINDQVIST".lower())
    for name in spellings:
        with pytest.raises(LockstepError, match="is wrong"):
            await passwords.sign_person_in(centre.context, name, "wrong", visitor=Visitor())

    for name in (upn("anna"), "D\\alindqvist"):
        with pytest.raises(LockstepError) as delayed:
            await passwords.sign_person_in(centre.context, name, "winter in Lund", visitor=Visitor())
        assert delayed.value.kind is Kind.THROTTLED


async def test_two_entries_with_the_name_of_a_person_let_nobody_in_with_any_password(
    centre: Centre, peer: LdapPeer
) -> None:
    peer.entries[upn("ben")], peer.second[upn("ben")] = "CN=Ben", "CN=Ben 2"
    peer.passwords["CN=Ben"] = "in the directory"

    for password in ("in the directory", PASSWORD):
        with pytest.raises(LockstepError, match="is wrong"):
            await passwords.sign_person_in(centre.context, upn("ben"), password, visitor=HERE)

    assert "Several entries" in (await newest(centre)).detail


async def test_local_passwords_count_again_once_the_directory_is_off(centre: Centre, peer: LdapPeer) -> None:
    await with_password(centre, "anna")
    peer.is_broken = True

    await setting.change_sign_in_setting(centre.context, has_ldap=False)

    assert await passwords.sign_person_in(centre.context, upn("anna"), PASSWORD, visitor=HERE)


async def test_change_of_somebody_else_is_not_overwritten(centre: Centre, peer: LdapPeer) -> None:
    read = await ldap_setup.show_ldap(centre.context)
    assert read is not None
    change = LdapChange(peer.url, "DC=contoso", READER)
    await ldap_setup.set_ldap(centre.context, change, seen=read.version)

    with pytest.raises(LockstepError, match="in the meantime"):
        await ldap_setup.set_ldap(centre.context, replace(change, base_dn="DC=other"), seen=read.version)

    stored = await ldap_setup.show_ldap(centre.context)
    assert stored is not None and stored.base_dn == "DC=contoso"


async def test_doctor_asks_the_directory_as_a_sign_in_does(centre: Centre, peer: LdapPeer) -> None:
    [works] = await examine_ldap(centre.context)
    peer.passwords[READER] = "changed"
    [refused] = await examine_ldap(centre.context)
    await setting.change_sign_in_setting(centre.context, has_ldap=False)
    [unused] = await examine_ldap(centre.context)
    await ldap_setup.remove_ldap(centre.context)

    assert (works.level, refused.level, unused.level) == ("ok", "FAIL", "warn")
    assert READER in refused.text and refused.remedy
    assert await examine_ldap(centre.context) == []


async def test_nothing_is_sent_unencrypted_to_a_server_that_refuses_starttls(centre: Centre, peer: LdapPeer) -> None:
    change = LdapChange(peer.url, "DC=contoso", READER, password=Secret("reads"), starts_tls=True)

    with pytest.raises(LockstepError, match="sent no usable response") as refused:
        await ldap_setup.set_ldap(centre.context, change)

    assert "refuses StartTLS" in refused.value.why and peer.binds == []


@pytest.mark.full
@pytest.mark.parametrize("way", ["ldaps", "StartTLS"])
async def test_active_directory_of_samba_signs_people_in(centre: Centre, tmp_path: Path, way: str) -> None:
    allow_loopback(centre)
    with samba.running(tmp_path, ["anna", "ben", "carla"]) as directory:
        directory.tool("user", "setpassword", "ben", f"--newpassword={samba.PASSWORD}", "--must-change-at-next-login")
        directory.tool("user", "disable", "carla")
        url, starts_tls = (directory.tls_url, False) if way == "ldaps" else (directory.url, True)
        change = LdapChange(
            url, samba.BASE, samba.READER, "userPrincipalName", directory.ca, Secret(samba.PASSWORD), starts_tls, "sAMAccountName"
        )  # fmt: skip
        with pytest.raises(LockstepError, match="sent no usable response") as plain:
            await ldap_setup.set_ldap(centre.context, replace(change, url=directory.url, starts_tls=False))
        await ldap_setup.set_ldap(centre.context, change)
        await setting.change_sign_in_setting(centre.context, has_ldap=True)

        assert "result 8" in plain.value.why  # strongerAuthRequired
        for name in (upn("anna"), "anna", "CONTOSO\\anna"):
            assert await passwords.sign_person_in(centre.context, name, samba.PASSWORD, visitor=HERE)
        for name, reason in (("ben", "must be changed"), ("carla", "disabled")):
            with pytest.raises(LockstepError, match="is wrong"):
                await passwords.sign_person_in(centre.context, upn(name), samba.PASSWORD, visitor=Visitor())
            assert reason in (await newest(centre)).detail
        await ldap_setup.set_ldap(centre.context, replace(change, login_attribute="mail", password=None))
        assert await passwords.sign_person_in(centre.context, "anna@mail.test", samba.PASSWORD, visitor=HERE)
        [finding] = await examine_ldap(centre.context)
        assert (finding.level, "expires on" in finding.text) == ("warn", True)


@pytest.mark.full
async def test_slapd_signs_people_in_over_tls_with_the_authority_that_was_given(centre: Centre, tmp_path: Path) -> None:
    allow_loopback(centre)
    entries = [slapd.person("alindqvist", upn("anna")), slapd.person("b1", upn("ben")), slapd.person("b2", upn("ben"))]
    with slapd.running(tmp_path, entries) as directory:
        change = LdapChange(
            directory.tls_url, slapd.BASE, slapd.BIND_DN, "mail", directory.ca, Secret(slapd.BIND_PASSWORD)
        )
        with pytest.raises(LockstepError, match="sent no usable response") as unknown:
            await ldap_setup.set_ldap(centre.context, replace(change, ca=""))
        assert "CERTIFICATE_VERIFY_FAILED" in unknown.value.why
        await ldap_setup.set_ldap(centre.context, change)
        encrypted = replace(change, url=directory.url, starts_tls=True)
        with pytest.raises(LockstepError) as unknown:
            await ldap_setup.set_ldap(centre.context, replace(encrypted, ca=""))
        assert "CERTIFICATE_VERIFY_FAILED" in unknown.value.why
        await ldap_setup.set_ldap(centre.context, encrypted)
        await setting.change_sign_in_setting(centre.context, has_ldap=True)

        assert await ldap_setup.find_in_ldap(centre.context, upn("anna")) == f"uid=alindqvist,{slapd.BASE}"
        assert await passwords.sign_person_in(centre.context, upn("anna"), slapd.PASSWORD, visitor=HERE)
        for name in ("anna", "ben", "carla"):  # wrong, two entries, none
            with pytest.raises(LockstepError, match="is wrong"):
                await passwords.sign_person_in(
                    centre.context, upn(name), "wrong" if name == "anna" else slapd.PASSWORD, visitor=Visitor()
                )
