"""The applications that a person has and why, roles that are replaced, and tokens that are tested before they are stored."""

from __future__ import annotations

import pytest

from tests.support.command_line import DocumoThere, Lockstep
from tests.support.hub import upn


def test_person_shows_through_what_they_are_in_each_application(started: Lockstep) -> None:
    started("groups", "create", "team")
    started("groups", "add-member", "team", upn("anna"), upn("kim.berg"))
    started("assign", "documo", "--group", "team", "--role", "Editor")

    anna = started("people", "show", upn("anna"), "-o", "json").json["applications"]
    kim = started("people", "show", upn("kim.berg"))

    assert [(one["application"], one["assigned"], one["account"]) for one in anna] == [
        ("documo", ["through the group team (Editor)", "directly (Member)"], "account active")
    ]
    assert anna[0]["accountId"]
    assert "assigned through the group team (Editor); no account" in kim.out


def test_account_that_was_disabled_is_shown_as_such(started: Lockstep) -> None:
    started("assign", "remove", "documo", "--user", upn("anna"))
    started("run", "documo", "--wait")

    assert "documo                       not assigned; account disabled (" in started("people", "show", upn("anna")).out


def test_role_is_replaced_without_disabling_anybody(started: Lockstep, documo: DocumoThere) -> None:
    replaced = started("assign", "set", "documo", "--user", upn("anna"), "--role", "Editor")
    started("run", "documo", "--wait")

    assert replaced.code == 0
    assert f"{upn('anna')} is assigned to documo (Editor)" in replaced.out
    assert f"{upn('anna')} no longer has Member" in replaced.out
    assert "would lose" not in replaced.err
    assert documo.users()[upn("anna")]["active"] is True
    actions = [row["provisioningAction"] for row in started("logs", "--user", upn("anna"), "-o", "json").json["items"]]
    assert actions == ["update", "create"]
    again = started("assign", "set", "documo", "--user", upn("anna"), "--role", "Editor")
    assert again.out.strip() == "Nothing changed: they already have this role."


def test_role_that_the_application_does_not_know_is_warned_about(contoso: Lockstep) -> None:
    contoso("apps", "roles", "add", "documo", "Auditor")

    unknown = contoso("assign", "documo", "--user", upn("kim.berg"), "--role", "Auditor")
    known = contoso("assign", "documo", "--user", upn("kim.berg"), "--role", "Editor")

    assert unknown.code == 0
    assert "warning: Documo may not know the role Auditor (known roles: Admin, Editor, Member, Viewer)." in unknown.err
    assert "warning" not in known.err


def test_token_that_works_is_not_replaced_by_one_that_does_not_without_a_question(connected: Lockstep) -> None:
    refused = connected("creds", "set", "documo", "--token-stdin", stdin="abc\n")

    assert refused.code == 64
    assert "The stored credentials work, but the new ones do not: " in refused.err
    assert connected("creds", "test", "documo").code == 0
    assert connected("creds", "set", "documo", "--token-stdin", "--yes", stdin="abc\n").code == 0
    assert connected("creds", "test", "documo").code == 4
    assert connected("creds", "set", "documo", "--token-stdin", stdin="abcd\n").code == 0, "the stored one is no better"


def test_url_that_leads_nowhere_does_not_replace_one_that_works(connected: Lockstep, documo: DocumoThere) -> None:
    refused = connected("creds", "set", "documo", "--tenant-url", f"{documo.origin}/wrong")

    assert refused.code == 64
    assert connected("creds", "show", "documo", "-o", "json").json["tenantUrl"] == documo.url


def test_with_test_nothing_is_stored_that_does_not_work(
    contoso: Lockstep, documo: DocumoThere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKSTEP_OUTBOUND_ALLOW", documo.origin)
    url = ("--tenant-url", documo.url)

    refused = contoso("creds", "set", "documo", *url, "--token-stdin", "--test", stdin="abc\n")
    stored = contoso("creds", "show", "documo", "-o", "json").json
    without = contoso("creds", "set", "documo", *url, "--test")
    good = contoso("creds", "set", "documo", *url, "--token-stdin", "--test", stdin=f"{documo.key}\n")

    assert (refused.code, stored["secretToken"]) == (4, "")
    assert "nothing was stored" in refused.err
    assert without.code == 64
    assert good.code == 0
    assert contoso("creds", "test", "documo").code == 0


def test_token_that_cannot_be_decrypted_is_replaced_by_entering_it_again(
    connected: Lockstep, documo: DocumoThere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKSTEP_KEY", "11" * 32)

    refused = connected("creds", "test", "documo")
    entered = connected("creds", "set", "documo", "--token-stdin", "--test", stdin=f"{documo.key}\n")

    assert "Or enter the token again: lockstep creds set documo --token-stdin" in refused.err
    assert entered.code == 0, entered.err
    assert connected("creds", "test", "documo").code == 0
