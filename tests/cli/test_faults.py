"""A mistake of our own reaches a person as a sentence, and nothing of what it quotes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lockstep.errors import Kind
from lockstep.faults import as_error


def test_fault_is_told_in_a_sentence_and_its_trace_is_in_a_private_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    try:
        raise ZeroDivisionError("canary-7f3a \udcff")
    except ZeroDivisionError as fault:
        told = as_error(fault)

    [file] = tmp_path.iterdir()
    assert (told.kind, told.why) == (Kind.INTERNAL, "ZeroDivisionError")
    assert "canary" not in f"{told.detail}{told.next_step}"
    assert str(file) in told.next_step
    assert "canary-7f3a" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
