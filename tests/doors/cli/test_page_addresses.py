"""Every command accepts the address of a page in the admin centre for the object that it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest

from lockstep.cli import page_address as addresses
from lockstep.cli.page_address import NameOrAddress
from lockstep.cli.remote.contexts import LOCAL, Contexts, ServerContext, write_contexts
from lockstep.vault import Secret
from tests.doors.cli.test_command_tree import COMMANDS
from tests.support.command_line import Lockstep
from tests.support.hub import upn

ORIGIN = "https://lockstep.contoso.test"
# The address of a page for each kind of object, and the name in it.
PAGES: dict[NameOrAddress, tuple[str, Any]] = {
    addresses.APPLICATION: ("/apps/documo/provisioning/held?reason=mapping", "documo"),
    addresses.TEMPLATE: ("/apps/new/documo", "documo"),
    addresses.MAPPING: (
        "/apps/documo/provisioning/mappings/user/edit?target=emails%5Btype+eq+%22work%22%5D.value",
        'emails[type eq "work"].value',
    ),
    addresses.CLAIM: ("/apps/documo/sso/claims/edit?name=mail", "mail"),
    addresses.PERSON: ("/users/kim.berg%40contoso.test/explain?app=documo", "kim.berg@contoso.test"),
    addresses.GROUP: ("/groups/0193f0c2-6b1e-7000-8000-000000000001#members", "0193f0c2-6b1e-7000-8000-000000000001"),
    addresses.PERSON_OR_GROUP: ("/groups/all-sales/rule", "all-sales"),
    addresses.CHANGE: ("/logs/provisioning/0193f0c2-6b1e?tab=HTTP+exchange", "0193f0c2-6b1e"),
    addresses.AUDIT_ENTRY: ("/logs/audit/4711", 4711),
    addresses.SOURCE: ("/sources/hr/runs/7", "hr"),
    addresses.ADMINISTRATOR: ("/settings/admins/anna%40contoso.com", "anna@contoso.com"),
}
# Arguments that name something without a page: a new object, a file, an entry of a list, a word.
WITHOUT_PAGE = {
    "admins invite": "email", "apply": "files", "apps roles add": "value", "apps roles disable": "role",
    "apps roles enable": "role", "apps roles manifest": "file", "apps roles move": "role position",
    "apps roles remove": "role", "backup": "file", "completion": "shell", "config comment": "version text", "config diff": "version other",
    "config restore": "version", "context use": "name",
    "diff": "files", "expr eval": "expression", "expr functions": "name", "expr test": "files",
    "fmt": "files", "groups create": "name", "help": "words", "import": "file", "login": "url", "logout": "name",
    "mail retry": "message", "mail test": "address", "outbound add": "place", "outbound remove": "place",
    "people set": "values", "plan": "files", "restore": "file", "scim check": "url", "sources add": "name",
    "sources rename": "new_name", "sso address": "origin", "sso certs activate": "thumbprint",
    "sso certs download": "thumbprint", "sso certs remove": "thumbprint", "sso import": "place",
    "sso secrets remove": "secret", "token create": "name", "token revoke": "id",
    "explain": "address",  # read by the command, because the address also names the application
}  # fmt: skip
OF_OBJECTS = {"--app", "--user", "--group", "--owner", "--template"}
# Options with these names that are about something else: the name for a new application, the user of a mail server.
OTHERS = {("import", "--app"), ("mail set", "--user")}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_argument_for_an_object_with_a_page_accepts_its_address(name: str) -> None:
    without = WITHOUT_PAGE.get(name, "").split()
    for given in COMMANDS[name].params:
        if isinstance(given, click.Argument):
            expected = given.name not in without
        else:
            expected = any(option in OF_OBJECTS and (name, option) not in OTHERS for option in given.opts)
        is_accepted = isinstance(given.type, NameOrAddress)
        assert is_accepted or not expected, f"{name}: {given.name}"
        if isinstance(given.type, NameOrAddress):
            page, named = PAGES[given.type]
            assert given.type.convert(f"{ORIGIN}{page}", given, None) == named
            assert given.type.convert(str(named), given, None) == named, "the name itself"


def test_page_of_another_object_is_refused() -> None:
    for page in ("/apps/new/documo", "/apps", "/settings", "/users/kim"):
        with pytest.raises(click.BadParameter, match="is not the address of a page under /apps/"):
            addresses.APPLICATION.convert(f"{ORIGIN}{page}", None, None)


def test_invalid_address_is_refused_as_the_address_of_no_page() -> None:
    with pytest.raises(click.BadParameter, match="is not the address of a page under /users/"):
        addresses.PERSON.convert("https://[lockstep/users/kim", None, None)


def test_application_is_read_from_the_page_that_explains_a_person() -> None:
    assert addresses.APPLICATION.convert(f"{ORIGIN}/users/kim/explain?app=documo", None, None) == "documo"


def test_commands_do_with_addresses_what_they_do_with_names(contoso: Lockstep) -> None:
    person = contoso("people", "show", upn("anna"), "-o", "json").json["id"]
    contoso("groups", "create", "sales team")
    group = contoso("groups", "show", "sales team", "-o", "json").json["id"]
    app, who, team = f"{ORIGIN}/apps/documo/users-groups", f"{ORIGIN}/users/{person}", f"{ORIGIN}/groups/{group}"

    added = contoso("groups", "add-member", team, who)
    assigned = contoso("assign", app, "--user", who, "--group", team)
    disabled = contoso("people", "disable", who, "-o", "json")
    audited = contoso("audit", "-o", "json").json["items"][0]["number"]

    assert (added.code, assigned.code, disabled.code) == (0, 0, 0)
    assert upn("anna") in contoso("groups", "show", "sales team").out
    assert upn("anna") in contoso("assign", "list", "documo").out
    assert contoso("people", "show", upn("anna"), "-o", "json").json["accountEnabled"] is False
    assert contoso("audit", "show", f"{ORIGIN}/logs/audit/{audited}").out == contoso("audit", "show", str(audited)).out
    assert contoso("deletes", "list", f"{ORIGIN}/apps/documo/provisioning/held").code == 0
    assert contoso("sources", "show", f"{ORIGIN}/sources/hr").out == contoso("sources", "show", "hr").out


def test_address_of_another_server_changes_nothing(
    contoso: Lockstep, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    until = datetime.now(UTC) + timedelta(days=1)
    server = ServerContext("production", f"{ORIGIN}:443/", Secret("lockstep_x"), "anna", until)
    write_contexts(Contexts().with_server(server).using(LOCAL))

    refused = contoso("pause", f"{ORIGIN}/apps/documo")
    there = contoso("--context", "production", "pause", "https://test.contoso.test/apps/documo")

    assert refused.code == there.code == 7
    assert "Nothing changed" in refused.err and "--context production" in refused.err
    assert "lockstep login https://test.contoso.test" in there.err


def test_address_of_a_mapping_of_another_application_or_of_groups_is_refused(contoso: Lockstep) -> None:
    of_groups = f"{ORIGIN}/apps/documo/provisioning/mappings/group/edit?target=displayName"
    of_another = f"{ORIGIN}/apps/sandbox/provisioning/mappings/user/edit?target=displayName"

    groups = contoso("map", "set", "documo", of_groups, "--constant", "Crew", "--yes")
    another = contoso("map", "set", "documo", of_another, "--constant", "Crew", "--yes")
    claim = contoso("sso", "claims", "remove", "documo", f"{ORIGIN}/apps/sandbox/sso/claims/edit?name=mail")
    meant = contoso("map", "show", "documo", of_groups, "--kind", "group")

    assert (groups.code, another.code, claim.code) == (64, 64, 64)
    assert "is about" not in meant.err, "the kind that the page is about"
    assert "is about a group. Add --kind group" in groups.err
    assert "is about the application sandbox" in another.err and "is about the application sandbox" in claim.err
    assert "Crew" not in contoso("map", "show", "documo", "displayName").out
