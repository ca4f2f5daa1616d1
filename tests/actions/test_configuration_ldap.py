"""Configuration files for the LDAP directory that people sign in with, on a real database and with a directory that answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from lockstep.actions.audit import AuditFilter, list_entries
from lockstep.actions.configuration import plan_configuration
from lockstep.actions.configuration_apply import apply_configuration
from lockstep.actions.configuration_export import export_everything
from lockstep.actions.context import Actor, Context
from lockstep.actions.permissions import EVERYTHING, Permission
from lockstep.actions.person_sign_in.ldap_setup import LdapChange, opened_password, remove_ldap, set_ldap, show_ldap
from lockstep.actions.person_sign_in.setting import show_sign_in_setting
from lockstep.actions.remote.wire import wire_of
from lockstep.configuration.files.file import ConfigDocument, read_documents
from lockstep.errors import Kind, LockstepError
from lockstep.http.client import HttpClient
from lockstep.http.outbound import OutboundRules
from lockstep.storage.ldap_directory import read_directory
from lockstep.vault import Secret
from tests.support.hub import Hub
from tests.support.ldap_peer import LdapPeer, ldap_peer

READER, PASSWORD = "CN=reader,DC=contoso", "reads 4f2a"


@pytest.fixture
async def context(hub: Hub) -> AsyncIterator[Context]:
    client = HttpClient(OutboundRules(["127.0.0.0/8"]))
    yield replace(hub.context, http=lambda: client)


@pytest.fixture
async def peer() -> AsyncIterator[LdapPeer]:
    async with ldap_peer() as found:
        found.passwords[READER] = PASSWORD
        yield found


def file(peer: LdapPeer, more: str = "    passwordRef: env:BIND\n") -> tuple[ConfigDocument, ...]:
    text = f"""\
apiVersion: lockstep/v1
kind: Tenant
metadata: {{name: Contoso}}
spec:
  ldapSignIn:
    url: {peer.url}
    baseDn: DC=contoso
    bindDn: {READER}
{more}"""
    return read_documents(text, "a.yaml")


def knows(password: str) -> Callable[[str], Secret | None]:
    return lambda reference: Secret(password) if reference in ("env:BIND", "env:LDAP_BIND_PASSWORD") else None


async def lines(context: Context, documents: tuple[ConfigDocument, ...], password: str = PASSWORD) -> list[str]:
    plan = await plan_configuration(context, documents, resolve=knows(password))
    return [change.line for change in plan.changes if change.place]


async def stored_password(context: Context) -> str:
    async with context.reading() as connection:
        row = await read_directory(connection)
    assert row is not None
    return opened_password(context, row).reveal()


async def test_a_file_sets_the_directory_up_and_applying_the_export_changes_nothing(
    context: Context, peer: LdapPeer
) -> None:
    await apply_configuration(context, file(peer), resolve=knows(PASSWORD))

    row, exported = await show_ldap(context), await export_everything(context)
    assert row is not None and (row.url, row.base_dn, row.bind_dn) == (peer.url, "DC=contoso", READER)
    assert (await show_sign_in_setting(context)).has_ldap
    assert await stored_password(context) == PASSWORD
    assert "passwordRef: env:LDAP_BIND_PASSWORD" in exported and PASSWORD not in exported
    assert await lines(context, read_documents(exported, "export.yaml")) == []


async def test_a_directory_that_does_not_respond_is_refused_and_nothing_is_changed(
    context: Context, peer: LdapPeer
) -> None:
    with pytest.raises(LockstepError, match=r"a\.yaml:5:.*no usable response") as refused:
        await apply_configuration(context, file(peer), resolve=knows("a wrong one"))

    assert "Nothing was changed" in refused.value.why
    assert await show_ldap(context) is None


async def test_a_directory_that_nobody_signs_in_with_is_not_asked(context: Context, peer: LdapPeer) -> None:
    off = file(peer, "    enabled: false\n    passwordRef: env:BIND\n")

    await apply_configuration(context, off, resolve=knows(PASSWORD))

    assert peer.binds == []
    assert not (await show_sign_in_setting(context)).has_ldap


async def test_applying_what_is_in_force_does_not_ask_the_directory(context: Context, peer: LdapPeer) -> None:
    await apply_configuration(context, file(peer), resolve=knows(PASSWORD))
    peer.binds.clear()

    await apply_configuration(context, file(peer), resolve=knows(PASSWORD))
    await apply_configuration(context, file(peer), resolve=lambda _: None)

    assert peer.binds == []


async def test_a_new_password_is_a_change_that_shows_neither(context: Context, peer: LdapPeer) -> None:
    await apply_configuration(context, file(peer), resolve=knows(PASSWORD))
    peer.passwords[READER] = "the next one"

    assert await lines(context, file(peer), "the next one") == ['~ ldapSignIn.passwordRef: "********" -> "env:BIND"']
    await apply_configuration(context, file(peer), resolve=knows("the next one"))

    assert await stored_password(context) == "the next one"
    assert "the next one" not in str(await list_entries(context, AuditFilter()))


async def test_the_stored_password_does_not_go_to_another_server(context: Context, peer: LdapPeer) -> None:
    await apply_configuration(context, file(peer), resolve=knows(PASSWORD))
    other = replace(peer, url="ldap://127.0.0.1:9")

    with pytest.raises(LockstepError, match=r"a\.yaml:5:.*password of CN=reader,DC=contoso is missing"):
        await plan_configuration(context, file(other, ""))
    plan = await plan_configuration(context, file(other))
    with pytest.raises(LockstepError, match="env:BIND is not set or empty"):
        await apply_configuration(context, file(other))

    assert plan.documents[0].notes == ("env:BIND is not set in this environment: apply would be refused.",)
    assert await stored_password(context) == PASSWORD


async def test_switching_sign_in_off_keeps_the_directory(context: Context, peer: LdapPeer) -> None:
    await apply_configuration(context, file(peer), resolve=knows(PASSWORD))
    before = await show_ldap(context)

    await apply_configuration(context, file(peer, "    enabled: false\n"))

    after = await show_ldap(context)
    assert before is not None and after is not None and after.version == before.version
    assert not (await show_sign_in_setting(context)).has_ldap


async def test_a_file_without_the_section_leaves_the_directory(context: Context, peer: LdapPeer) -> None:
    await apply_configuration(context, file(peer), resolve=knows(PASSWORD))
    bare = read_documents("apiVersion: lockstep/v1\nkind: Tenant\nmetadata: {name: Fabrikam}\nspec: {}\n", "b.yaml")

    await apply_configuration(context, bare, prune=True)

    assert await show_ldap(context) is not None


async def test_a_plan_is_refused_if_somebody_changed_the_directory_since(context: Context, peer: LdapPeer) -> None:
    await apply_configuration(context, file(peer), resolve=knows(PASSWORD))
    planned = (await plan_configuration(context, file(peer, "    attribute: mail\n"))).changes
    await set_ldap(context, LdapChange(peer.url, "DC=contoso", READER, attribute="uid"))

    with pytest.raises(LockstepError) as refused:
        await apply_configuration(context, file(peer, "    attribute: mail\n"), expected=planned)

    row = await show_ldap(context)
    assert refused.value.code == "StalePlan" and row is not None and row.attribute == "uid"


async def test_only_the_organisations_administrators_may_change_it(context: Context, peer: LdapPeer) -> None:
    lesser = replace(context, actor=Actor("app-admin", EVERYTHING - {Permission.ORGANISATION_WRITE}))

    with pytest.raises(LockstepError) as refused:
        await apply_configuration(lesser, file(peer), resolve=knows(PASSWORD))

    assert refused.value.kind is Kind.FORBIDDEN and peer.binds == []


async def test_wrong_values_are_refused_when_the_file_is_planned(context: Context, peer: LdapPeer) -> None:
    plain = replace(peer, url="ldap://dc1.contoso.test")

    with pytest.raises(LockstepError, match=r"a\.yaml:5:.*sent unencrypted"):
        await plan_configuration(context, file(plain))
    with pytest.raises(LockstepError, match='"user name" is not a valid LDAP attribute name'):
        await plan_configuration(context, file(peer, "    attribute: user name\n    passwordRef: env:BIND\n"))


async def test_the_password_travels_to_a_server_elsewhere(peer: LdapPeer) -> None:
    sent = wire_of("configuration_apply.apply_configuration").sent({"documents": file(peer), "resolve": knows("x")})

    assert sent["secrets"] == {"env:BIND": "x"}


async def test_the_directory_that_was_removed_is_added_again(context: Context, peer: LdapPeer) -> None:
    await apply_configuration(context, file(peer), resolve=knows(PASSWORD))
    await remove_ldap(context)

    assert [line[:12] for line in await lines(context, file(peer))] == ["+ ldapSignIn", "+ ldapSignIn"]
