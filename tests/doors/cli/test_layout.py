"""Tables fit the terminal: only sentences wrap, and only between words; names, addresses and dates are never broken."""

from __future__ import annotations

import pytest

from lockstep.cli.output import fitted


@pytest.mark.parametrize(
    ("natural", "texts", "room", "widths"),
    [
        ([5, 30, 20], [False, False, False], 74, [5, 30, 20]),  # all fit
        ([5, 30, 140], [False, False, True], 74, [5, 30, 39]),  # the sentence is wrapped
        ([36, 31, 4], [False, False, False], 60, [28, 28, 4]),  # the widest are truncated, the short one is not
        ([30, 100, 60], [False, True, True], 70, [30, 20, 20]),  # several sentences share the remaining width
        ([40, 100], [False, True], 50, [32, 18]),  # a sentence keeps enough to be read
    ],
)
def test_sentences_give_way_before_names_do(
    natural: list[int], texts: list[bool], room: int, widths: list[int]
) -> None:
    assert sorted(fitted(natural, texts, room)) == sorted(widths)
    assert sum(fitted(natural, texts, room)) <= room


def test_a_table_on_a_narrow_terminal_breaks_no_address(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    from lockstep.cli.output import Column, Output

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    address = "kim.berg-lindqvist@contoso.test"
    row = {
        "name": address,
        "at": "2026-11-28 05:13",
        "why": "A long sentence that says why this waits for approval. " * 3,
    }

    Output().many([row], [Column("name", "Who"), Column("at", "Since"), Column("why", "Why")])

    shown = capsys.readouterr().out
    assert address in shown and row["at"] in shown
    assert all(len(line.rstrip()) <= 80 for line in shown.splitlines())
    assert len(shown.splitlines()) > 4, "the sentence wraps"
