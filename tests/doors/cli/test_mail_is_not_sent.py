"""Settings that request mail are kept, and every interface warns each time that no mail is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import Lockstep, Said

HEAD = "apiVersion: lockstep/v1\nkind: Application\nmetadata: {name: documo}\nspec:\n  template: documo\n"
APPLICATION = HEAD + "  provisioning: {notificationEmail: it@contoso.test, emailOnFailure: true}\n"
TENANT = (
    "apiVersion: lockstep/v1\nkind: Tenant\nmetadata: {name: contoso}\nspec:\n"
    "  notifications: {email: [it@contoso.test]}\n"
)


def tells(said: Said) -> bool:
    return "No mail server is set up" in said.err


def test_settings_keep_the_address_and_say_each_time_that_no_mail_is_sent(contoso: Lockstep) -> None:
    assert not tells(contoso("settings", "documo"))
    assert "mail" not in contoso("settings", "documo").out

    changed = contoso("settings", "documo", "--notification-email", "it@contoso.test")
    shown = contoso("settings", "documo")

    assert tells(changed) and tells(shown)
    assert "it@contoso.test (stored; no mail server is set up)" in shown.out
    row = contoso("settings", "documo", "-o", "json").json
    assert (row["notificationEmail"], row["mailIsSent"]) == ("it@contoso.test", False)
    assert tells(contoso("settings", "documo", "--email-on-failure"))


@pytest.mark.parametrize("text", [APPLICATION, TENANT], ids=["application", "tenant"])
def test_files_that_ask_for_mail_are_told_by_plan_and_apply_also_when_nothing_changes(
    contoso: Lockstep, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "contoso.yaml"
    file.write_text(text)

    for command in (("plan",), ("apply", "--yes"), ("plan",), ("diff",)):
        said = contoso(command[0], str(file), *command[1:])
        assert tells(said), (command, said)
    assert any("no mail" in note for note in contoso("plan", str(file), "-o", "json").json["notes"])
    assert "it@contoso.test" in contoso("export", "--all").out


def test_file_that_asks_for_no_mail_is_told_nothing(contoso: Lockstep, tmp_path: Path) -> None:
    file = tmp_path / "contoso.yaml"
    file.write_text(HEAD + "  provisioning: {emailOnFailure: false}\n")
    assert not tells(contoso("plan", str(file)))


def test_file_with_a_webhook_is_refused_with_the_command_that_sets_it(contoso: Lockstep, tmp_path: Path) -> None:
    file = tmp_path / "contoso.yaml"
    file.write_text(TENANT.replace("email: [it@contoso.test]", "webhook: {url: 'https://hooks.example.com/x'}"))

    said = contoso("plan", str(file))

    assert said.code == 64 or said.code == 1, said
    assert "webhook" in said.err and "lockstep webhook set --url-stdin" in said.err
