"""Output is coloured as requested, and a pipe gets no colour."""

from __future__ import annotations

from pathlib import Path

from tests.support.command_line import Lockstep

FILE = (
    "apiVersion: lockstep/v1\nkind: Application\nmetadata: {name: documo}\nspec:\n  template: documo\n"
    "  provisioning: {scope: all}\n"
)


def test_changes_and_tables_are_coloured_only_where_it_was_asked_for(contoso: Lockstep, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(FILE, encoding="utf-8")

    assert "\x1b[33m  ~ provisioning.scope" in contoso("--color", "always", "plan", str(file)).out
    assert "\x1b[1m" in contoso("--color", "always", "apps", "list").out
    for arguments in (("--color", "never"), ()):
        assert "\x1b" not in contoso(*arguments, "plan", str(file)).out
        assert "\x1b" not in contoso(*arguments, "apps", "list").out
