"""Every kind of CSV file fulfils the contract in every encoding; so do the files of the demo organisation."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lockstep.directory.rows import PassKind, SourcePass
from lockstep.sources.demo import generate
from lockstep.sources.registry import open_source
from tests.contracts.source_contract import SourceContract

Rows = list[list[str]]
PEOPLE = [["userPrincipalName", "displayName", "id"], *([f"p{n}@x.test", f"Åsa 太郎 {n}", f"E{n}"] for n in range(6))]
GROUPS = [["id", "displayName", "description"], *([f"G{n}", f"Müller {n}", "a, b\nand c"] for n in range(5))]
MEMBERS = [["groupId", "groupDisplayName", "memberId"], *(["G1", "Team", f"E{n}"] for n in range(5))]


class CsvOrigin:
    """One file. *marks*: the columns of the key; *needed*: the column that no row may leave empty."""

    def __init__(self, file: Path, kind: PassKind, encoding: str, *, marks: Sequence[str], needed: str) -> None:
        self.file, self.kind, self.encoding = file, kind, encoding
        self._marks, self._needed = marks, needed

    @property
    def rows(self) -> Rows:
        return list(csv.reader(io.StringIO(self.file.read_bytes().decode(self.encoding), newline="")))

    def write(self, rows: Rows) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        self.file.write_bytes(text.getvalue().encode(self.encoding))

    @property
    def keys(self) -> list[Any]:
        header, *rows = self.rows
        found = [tuple(row[header.index(mark)] for mark in self._marks) for row in rows]
        return [one if len(one) > 1 else one[0] for one in found]

    def open(self) -> SourcePass:
        [reading] = open_source("csv", {"files": [{"path": str(self.file), "kind": self.kind.value}]}, {})
        return reading

    def spoil(self) -> None:
        header, first, second, *others = self.rows
        second[header.index(self._needed)] = ""
        self.write([header, first, second, *others])

    def cut_off(self) -> None:
        *rows, last = self.rows
        self.write(rows)
        with self.file.open("ab") as file:
            file.write(last[0].encode(self.encoding.removesuffix("-sig")))

    def empty(self) -> None:
        self.write(self.rows[:1])

    def lose(self) -> None:
        self.file.unlink()

    def add(self) -> None:
        self.write([*self.rows, [f"{one}x" for one in self.rows[-1]]])


@pytest.fixture(params=["utf-8", "utf-8-sig", "utf-16-le"])
def encoding(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class TestPeople(SourceContract):
    @pytest.fixture
    def origin(self, tmp_path: Path, encoding: str) -> CsvOrigin:
        made = CsvOrigin(tmp_path / "people.csv", PassKind.PEOPLE, encoding, marks=["id"], needed="userPrincipalName")
        made.write(PEOPLE)
        return made


class TestGroups(SourceContract):
    @pytest.fixture
    def origin(self, tmp_path: Path, encoding: str) -> CsvOrigin:
        made = CsvOrigin(tmp_path / "groups.csv", PassKind.GROUPS, encoding, marks=["id"], needed="displayName")
        made.write(GROUPS)
        return made


class TestMembers(SourceContract):
    @pytest.fixture
    def origin(self, tmp_path: Path, encoding: str) -> CsvOrigin:
        made = CsvOrigin(
            tmp_path / "members.csv", PassKind.MEMBERS, encoding, marks=["groupId", "memberId"], needed="memberId"
        )
        made.write(MEMBERS)
        return made


class TestDemo(SourceContract):
    @pytest.fixture(params=list(PassKind))
    def origin(self, tmp_path: Path, request: pytest.FixtureRequest) -> CsvOrigin:
        made = generate(tmp_path, people=60, seed=7)
        files = {
            PassKind.PEOPLE: (made.people, ["id"], "userPrincipalName"),
            PassKind.GROUPS: (made.groups, ["id"], "displayName"),
            PassKind.MEMBERS: (made.members, ["groupId", "memberId"], "memberId"),
        }
        file, marks, needed = files[request.param]
        return CsvOrigin(file, request.param, "utf-8-sig", marks=marks, needed=needed)
