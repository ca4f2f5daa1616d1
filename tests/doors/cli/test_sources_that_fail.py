"""An unreadable source is reported where an administrator looks, because joiners and leavers since then are unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command_line import Lockstep
from tests.support.hub import person, write_csv


def test_a_source_whose_last_reading_failed_is_in_status_and_doctor_until_it_is_read(
    contoso: Lockstep, tmp_path: Path
) -> None:
    file = write_csv(tmp_path / "hr.csv", [person("dora")])
    contoso("sources", "add", "hr", "--people", str(file))
    assert contoso("sources", "import", "hr").code == 0
    content = file.read_bytes()
    file.unlink()
    assert contoso("sources", "import", "hr").code != 0

    for words in (["status"], ["status", "documo"]):
        assert "source hr: the last import failed" in contoso(*words).err
    checks = contoso("doctor", "-o", "json").json["checks"]
    assert [one["level"] for one in checks if one["name"] == "source hr"] == ["warn"]

    file.write_bytes(content)
    assert contoso("sources", "import", "hr").code == 0
    assert "source hr" not in contoso("status").err


def test_doctor_lists_the_files_of_sources_outside_the_folder_in_which_administrators_may_name_files(
    contoso: Lockstep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hr").mkdir()
    file = write_csv(tmp_path / "hr" / "hr.csv", [person("dora")])
    contoso("sources", "add", "hr", "--people", str(file))

    found = {one["name"]: one for one in contoso("doctor", "-o", "json").json["checks"]}["files of sources"]
    monkeypatch.setenv("LOCKSTEP_SOURCES", str(tmp_path / "data" / ".." / "hr"))
    moved = {one["name"]: one for one in contoso("doctor", "-o", "json").json["checks"]}["files of sources"]

    assert found["level"] == "warn" and f"{file} (hr)" in found["text"] and "--replace" in found["remedy"]
    assert str(file) not in moved["text"]
