"""Commands and the data folder: only the first commands create one; a restored backup is paused; a lost key is reported, not replaced."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from documo.cli.main import run as run_documo
from lockstep.cli import run
from lockstep.postgres.embedded import remove
from tests.support.command_line import DocumoThere, Lockstep
from tests.support.hub import person, upn, write_csv


@pytest.mark.parametrize(
    "command", [["status"], ["people", "list"], ["logs"], ["backup", "b.dump"], ["migrate"], ["audit"], ["cycles", "x"]]
)
def test_command_that_looks_makes_no_data_folder(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    code = run(command)

    assert code == 5
    assert "There is no Lockstep data in" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("main", [run, run_documo])
def test_version_option(main: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(main)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip().count(".") == 2


def test_full_disk_is_one_line_and_exit_74() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", "from lockstep.cli import main; main()", "version"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 74
    assert done.stderr.startswith("error: Not all output could be written")
    assert "Exception" not in done.stderr


def test_backup_is_restored_with_provisioning_off_and_a_missing_key_is_told(
    new_data_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    first, second = new_data_folder / "first", new_data_folder / "second"
    people = write_csv(new_data_folder / "people.csv", [person("anna")])
    saved = new_data_folder / "saved.dump"
    try:
        assert run(["--data", str(first), "sources", "import", str(people)]) == 0
        assert run(["--data", str(first), "apps", "add", "documo"]) == 0
        assert (
            run(["--data", str(first), "creds", "set", "documo", "--tenant-url", "https://api.documo.com/scim/v2",
                 "--token-file", str(_token(new_data_folder))])
            == 0
        )  # fmt: skip
        assert run(["--data", str(first), "start", "documo"]) == 0
        assert run(["--data", str(first), "backup", str(saved)]) == 0
        assert "The key is not included" in capsys.readouterr().err

        assert run(["--data", str(second), "restore", str(saved)]) == 0
        assert run(["--data", str(second), "restore", str(saved)]) == 7
        assert run(["--data", str(second), "people", "list"]) == 4
        assert "is missing, and 1 stored secret token" in capsys.readouterr().err
        assert not (second / "key").exists()

        (second / "key").write_bytes((first / "key").read_bytes())
        (second / "key").chmod(0o600)
        assert run(["--data", str(second), "apps", "list", "-o", "json"]) == 0
        assert run(["--data", str(second), "audit", "--activity", "Restore", "-o", "json"]) == 0
        assert '"off"' in capsys.readouterr().out
        assert run(["--data", str(second), "run", "documo"]) == 7  # off until an administrator starts it

        (second / "key").unlink()
        assert run(["--data", str(second), "key", "new", "--yes"]) == 0
        assert "lockstep creds set documo" in capsys.readouterr().err
    finally:
        remove(first)
        remove(second)


def test_restore_that_is_cut_off_lets_nothing_else_in_and_can_be_made_again(
    new_data_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    first, second = new_data_folder / "first", new_data_folder / "second"
    people = write_csv(new_data_folder / "people.csv", [person("anna")])
    saved, cut = new_data_folder / "saved.dump", new_data_folder / "cut.dump"
    try:
        assert run(["--data", str(first), "sources", "import", str(people)]) == 0
        assert run(["--data", str(first), "backup", str(saved)]) == 0
        cut.write_bytes(saved.read_bytes()[: saved.stat().st_size // 2])

        assert run(["--data", str(second), "restore", str(cut)]) != 0
        assert run(["--data", str(second), "people", "list"]) == 7
        assert "did not finish" in capsys.readouterr().err

        assert run(["--data", str(second), "restore", str(saved)]) == 0
        assert run(["--data", str(second), "people", "list"]) == 0
        assert "anna@contoso.test" in capsys.readouterr().out
        assert run(["--data", str(second), "restore", str(saved)]) == 7
    finally:
        remove(first)
        remove(second)


def test_after_a_restore_nothing_is_written_until_a_start_and_then_what_the_application_holds_is_looked_at(
    new_data_folder: Path, documo: DocumoThere, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Since the backup Ben left, Anna was renamed, and Dan joined."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("LOCKSTEP_OUTBOUND_ALLOW", documo.origin)
    first, second = new_data_folder / "first", new_data_folder / "second"
    file, saved, token = new_data_folder / "people.csv", new_data_folder / "saved.dump", new_data_folder / "token"
    token.write_text(documo.key)
    token.chmod(0o600)

    def on(folder: Path, *command: str) -> None:
        assert run(["--data", str(folder), *command]) == 0, capsys.readouterr().err

    def accounts() -> dict[str, tuple[str, bool, str]]:
        return {name: (one["id"], one["active"], one["name"]["givenName"]) for name, one in documo.users().items()}

    try:
        write_csv(file, [person("anna"), person("ben"), person("cleo"), person("eve")])
        on(first, "sources", "import", str(file))
        on(first, "apps", "add", "documo")
        on(first, "settings", "documo", "--scope", "all", "--yes")
        on(first, "creds", "set", "documo", "--tenant-url", documo.url, "--token-file", str(token))
        on(first, "start", "documo")
        on(first, "run", "documo", "--wait")
        on(first, "backup", str(saved))
        now = [person("anna", givenName="Annabel"), person("cleo"), person("eve"), person("dan")]
        write_csv(file, now)
        on(first, "sources", "import", str(file))
        on(first, "run", "documo", "--wait")
        held = accounts()
        assert [held[upn(name)][1] for name in ("anna", "ben", "cleo", "dan")] == [True, False, True, True]

        on(second, "restore", str(saved), "--key", str(first / "key"))
        assert "lockstep sources import csv" in capsys.readouterr().err
        assert run(["--data", str(second), "run", "documo"]) == 7
        assert accounts() == held

        on(second, "sources", "import", "csv")
        assert accounts() == held
        on(second, "start", "documo")
        on(second, "run", "documo", "--wait")
        assert accounts() == held
    finally:
        remove(first)
        remove(second)


@pytest.fixture
def new_data_folder(data_folder: Path) -> Path:
    return data_folder


def _token(folder: Path) -> Path:
    file = folder / "token"
    file.write_text("dk_" + "a" * 40)
    file.chmod(0o600)
    return file


def test_documo_s_backup_is_restored_and_never_over_other_data(new_data_folder: Path) -> None:
    first, second = new_data_folder / "first", new_data_folder / "second"
    saved = new_data_folder / "saved.dump"
    try:
        assert run_documo(["accounts", "create", "Contoso", "--admin", "a@contoso.test", "--data", str(first)]) == 0
        assert run_documo(["backup", str(saved), "--data", str(first)]) == 0
        assert run_documo(["restore", str(saved), "--data", str(second)]) == 0
        assert run_documo(["restore", str(saved), "--data", str(second)]) == 7
        assert run_documo(["members", "list", "--account", "Contoso", "--data", str(second)]) == 0
    finally:
        remove(first)
        remove(second)


def test_database_that_its_own_server_restored_is_switched_off_and_starts_after_its_sources_were_read(
    started: Lockstep, tmp_path: Path
) -> None:
    both = started("restore", "saved.dump", "--by-hand")
    assert both.code == 64

    said = started("restore", "--by-hand")

    assert said.code == 0, said.err
    assert "lockstep sources import csv" in said.err
    refused = started("start", "documo")
    assert refused.code == 7
    assert "Import them again: lockstep sources import csv" in refused.err
    assert started("sources", "import", str(tmp_path / "people.csv")).code == 0
    assert started("start", "documo").code == 0
    assert started("restore", "--by-hand").code == 0
    assert started("start", "documo", "--as-of-backup").code == 0
