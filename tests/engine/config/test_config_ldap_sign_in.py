"""The section for the LDAP directory of people's sign-in: how it is read, written and compared."""

from __future__ import annotations

from typing import Any

import pytest

from lockstep.configuration.files.difference import difference
from lockstep.configuration.files.file import ConfigDocument, DocumentKind, read_documents
from lockstep.configuration.files.write import write_documents
from lockstep.errors import LockstepError

HEAD = "apiVersion: lockstep/v1\nkind: Tenant\nmetadata: {name: contoso}\nspec:\n  ldapSignIn:\n"
NEEDED = "    url: ldaps://dc1.contoso.test\n    baseDn: dc=contoso,dc=test\n    bindDn: cn=reader,dc=contoso,dc=test\n"
STORED: dict[str, Any] = {
    "enabled": True,
    "url": "ldaps://dc1.contoso.test",
    "baseDn": "dc=contoso,dc=test",
    "bindDn": "cn=reader,dc=contoso,dc=test",
    "attribute": "userPrincipalName",
}


def section(more: str = "") -> dict[str, Any]:
    (document,) = read_documents(HEAD + NEEDED + more, "a.yaml")
    return dict(document.spec["ldapSignIn"])


def test_what_is_left_out_of_the_section_has_its_default() -> None:
    assert section() == STORED
    assert section("    startTls: false\n    loginAttribute: ''\n    ca: ''\n") == STORED


@pytest.mark.parametrize("name", ["url", "baseDn", "bindDn"])
def test_the_directory_and_its_account_are_required(name: str) -> None:
    text = "".join(line for line in (HEAD + NEEDED).splitlines(keepends=True) if name not in line)

    with pytest.raises(LockstepError, match=rf"spec\.ldapSignIn\.{name}: is missing"):
        read_documents(text, "a.yaml")


@pytest.mark.parametrize(
    "line", ["    password: hunter2\n", "    bindPassword: hunter2\n", "    passwordRef: hunter2\n"]
)
def test_a_password_in_the_file_is_refused_and_not_repeated(line: str) -> None:
    with pytest.raises(LockstepError) as refused:
        section(line)

    assert "hunter2" not in str(refused.value) + refused.value.next_step


def test_writing_and_reading_keeps_the_section() -> None:
    authority = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
    full = STORED | {"passwordRef": "env:P", "loginAttribute": "uid", "startTls": True, "ca": authority}
    document = ConfigDocument(DocumentKind.TENANT, "contoso", {"ldapSignIn": full})

    assert read_documents(write_documents([document]), "a.yaml") == (document,)


@pytest.mark.parametrize(
    ("more", "current", "expected"),
    [
        ("", STORED, []),
        ("    passwordRef: env:OTHER\n", STORED, []),
        ("    enabled: false\n", STORED, ["~ ldapSignIn.enabled: true -> false"]),
        ("    attribute: mail\n", STORED, ['~ ldapSignIn.attribute: "userPrincipalName" -> "mail"']),
        ("", STORED | {"startTls": True}, ["~ ldapSignIn.startTls: true -> (none)"]),
    ],
)  # fmt: skip
def test_a_plan_names_each_key_that_differs(more: str, current: dict[str, Any], expected: list[str]) -> None:
    (document,) = read_documents(HEAD + NEEDED + more, "a.yaml")

    changes = difference(document, {"ldapSignIn": current}, prune=True).changes

    assert [change.line for change in changes] == expected


def test_a_directory_that_is_not_set_up_is_added_as_a_whole() -> None:
    (document,) = read_documents(HEAD + NEEDED + "    passwordRef: env:P\n", "a.yaml")

    (change,) = difference(document, {}, prune=True).changes

    assert (change.sign, change.place, change.new) == ("+", "ldapSignIn", STORED)
