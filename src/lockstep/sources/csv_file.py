"""Read people, groups and members from a CSV file: in the format of *Download users* in Entra's admin centre, or in any format with a
map.

The file is streamed twice: a survey before anything is written, then the import. A bad row is reported and its person still counts
as seen. A file that is cut off, or changes while it is read, does not show who is missing.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import Any, cast

import orjson

from lockstep.directory.attributes import (
    Cause,
    DirectoryType,
    UnreadableValue,
    check_user_principal_name,
    shown,
)
from lockstep.directory.dates import ANY_FORM, DateForm, DayOrder, orders_of
from lockstep.directory.rows import (
    BadRow,
    GroupLine,
    Line,
    MemberLine,
    PassKind,
    PersonLine,
    SourcePage,
    Survey,
    key_of,
)
from lockstep.errors import LockstepError
from lockstep.sources.csv_cells import CellReader, ReadCell
from lockstep.sources.csv_columns import CsvColumns
from lockstep.sources.csv_names import ENABLED, KEY
from lockstep.sources.csv_survey import DateEvidence, Findings
from lockstep.sources.csv_text import TextForm, open_text, records
from lockstep.wording import counted

_NAME = "userPrincipalName"
_LONGEST_KEY = 1024
_PAGES_AHEAD = 2
_EXAMPLE = "Example:"  # the sample row of Entra's templates


@dataclass(slots=True)
class CsvPass:
    """One reading of one file. Created by `open_csv`."""

    path: Path
    form: TextForm
    kind: PassKind
    columns: CsvColumns
    cells: list[CellReader]
    is_full: bool = True
    only_group: str = ""
    is_first: bool = False  # no key has been chosen yet
    _surveyed: Survey | None = field(default=None, repr=False)
    _reads: list[tuple[int, str, str, ReadCell]] = field(default_factory=list, repr=False)
    _fingerprint: bytes = field(default=b"", repr=False)
    _state: tuple[int, int] = field(default=(0, 0), repr=False)

    @property
    def key(self) -> str:
        return self.columns.key_name

    @property
    def ignored(self) -> tuple[str, ...]:
        return self.columns.ignored

    @property
    def notes(self) -> tuple[str, ...]:
        found = [self.form.note] if self.form.note else []
        if self.kind is PassKind.PEOPLE:
            found += self._notes_on_people()
        return tuple(found)

    def _notes_on_people(self) -> Iterator[str]:
        state, stable = self.columns.state, self.columns.stable
        if state:
            yield (
                f"The column {shown(state)} is ignored. If it shows which accounts are disabled, use "
                f'--map "{shown(state)}=accountEnabled" and give the meaning of its values: --value "{shown(state)}:WORD=false"'
            )
        if self.is_first and self.key != KEY:
            better = f"{shown(stable)} looks like a better key" if stable else "A permanent number is a better key"
            yield (
                f"People are identified by {self.key}, so a renamed person counts as a leaver and a joiner. "
                f'{better}: --map "{shown(stable) or "COLUMN"}=id"'
            )

    async def survey(self) -> Survey:
        """Read the whole file without importing it. Raises LockstepError if its dates can be read in two ways."""
        if self._surveyed is None:
            self._state = _state(self.path)
            self._surveyed = await asyncio.to_thread(self._look_through)
        return self._surveyed

    def _look_through(self) -> Survey:
        found = Findings(frozenset(one.column.name for one in self.cells if one.column.attribute.name == ENABLED))
        dates = {
            one.column.place: DateEvidence(one.column.name)
            for one in self.cells
            if one.column.attribute.type is DirectoryType.DATE_TIME and one.dates == ANY_FORM
        }
        self._settle({})
        with open_text(self.path, self.form) as file:
            for number, row in self._rows(file):
                found.rows += 1
                self._look_at(number, row, found, dates)
        self._settle({place: evidence.order() for place, evidence in dates.items()})
        return found.survey()

    def _look_at(
        self, number: int, row: list[str] | csv.Error, found: Findings, dates: Mapping[int, DateEvidence]
    ) -> None:
        if isinstance(row, list):
            for place, evidence in dates.items():
                if place < len(row) and row[place]:
                    evidence.add(row[place].strip(), number)
        try:
            self._line(number, row, with_digest=False)
        except _Unusable as wrong:
            # An ambiguous date is not an error yet: the order is decided by the whole column.
            if not (wrong.row.cause is Cause.DATE and orders_of(wrong.row.word)):
                found.reject(wrong.row)

    def _settle(self, orders: Mapping[int, DayOrder | None]) -> None:
        """Create the functions that read cells, with the *orders* of dates found in each column."""
        self.cells = [
            replace(one, dates=DateForm(order)) if (order := orders.get(one.column.place)) else one
            for one in self.cells
        ]
        self._reads = [
            (one.column.place, one.column.name, one.column.attribute.name, one.reader()) for one in self.cells
        ]
        meaning = [
            self.kind,
            self.columns.key_name,
            [[one.column.attribute.name, one.column.is_inverse, dict(one.words), one.dates.order, one.dates.pattern]
             for one in self.cells],
            self.columns.manager is not None,
        ]  # fmt: skip
        self._fingerprint = hashlib.blake2b(orjson.dumps(meaning), digest_size=32).digest()

    def _rows(self, file: TextIOWrapper) -> Iterator[tuple[int, list[str] | csv.Error]]:
        """The rows after the header that are not empty."""
        rows = records(file, self.form)
        next(rows, None)  # skip the header, which was read when the file was opened
        for number, row in rows:
            says_something = isinstance(row, csv.Error) or (row and row[0].strip()) or "".join(row).strip()
            if says_something and not (isinstance(row, list) and row[0].startswith(_EXAMPLE)):
                yield number, row

    async def pages(self, size: int) -> AsyncGenerator[SourcePage, None]:
        """Pages read by a thread that is at most two pages ahead."""
        await self.survey()
        queue: asyncio.Queue[SourcePage | BaseException | None] = asyncio.Queue(_PAGES_AHEAD)
        reader = asyncio.create_task(self._fill(queue, size))
        try:
            while (page := await queue.get()) is not None:
                if isinstance(page, BaseException):
                    raise page
                yield page
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _fill(self, queue: asyncio.Queue[SourcePage | BaseException | None], size: int) -> None:
        pages = self._read(size)
        try:
            while (page := await asyncio.to_thread(next, pages, None)) is not None:
                await queue.put(page)
            await queue.put(None)
        except (OSError, UnicodeError, LockstepError) as failed:
            await queue.put(OSError(f"{failed}") if isinstance(failed, UnicodeError) else failed)

    def _read(self, size: int) -> Iterator[SourcePage]:
        lines: list[Line] = []
        bad: list[BadRow] = []
        total = max(self._state[0], 1)
        last: BadRow | None = None
        with open_text(self.path, self.form) as file:
            for number, row in self._rows(file):
                last = None
                try:
                    lines.append(self._line(number, row))
                except _Unusable as wrong:
                    last = wrong.row
                    bad.append(last)
                if len(lines) + len(bad) >= size:
                    yield SourcePage(
                        tuple(lines), tuple(bad), min(cast("BufferedReader", file.buffer).tell() / total, 1.0)
                    )
                    lines, bad = [], []
        yield SourcePage(tuple(lines), tuple(bad), 1.0, is_last=True, unproven=self._unproven(last))

    def _unproven(self, last: BadRow | None) -> str:
        """Why the end of the file does not prove that it is complete, or "". *last*: the last row if it is unusable."""
        if _state(self.path) != self._state:
            return "The file changed while it was being read"
        # An unreadable value in a complete row does not suggest that the file was cut off.
        if last is not None and (last.cause is Cause.CELLS or not _ends_with_a_line_end(self.path)):
            return f"The file may be cut off: line {last.line} {last.reason}"
        return ""

    def _line(self, number: int, row: list[str] | csv.Error, *, with_digest: bool = True) -> Line:
        if isinstance(row, csv.Error):
            raise _Unusable(number, "", f"is not CSV: {row}", cause=Cause.CELLS)
        columns = self.columns
        if len(row) != columns.count and not (len(row) > columns.count and not any(row[columns.count :])):
            key = _readable(row[columns.key]) if len(row) > columns.key and len(row) < columns.count else ""
            cells = counted(len(row), "cell")
            raise _Unusable(number, "", f"has {cells}, the header has {columns.count}", key, cause=Cause.CELLS)
        if self.kind is PassKind.MEMBERS:
            group = self.only_group or key_of(_cell(number, "group", row[columns.group]))
            return MemberLine(number, group, key_of(_cell(number, "member", row[columns.member])))
        try:
            return self._object(number, row, with_digest=with_digest)
        except _Unusable as wrong:
            if wrong.row.column != _NAME:
                wrong.row = replace(wrong.row, user_principal_name=self._user_principal_name(row))
            raise

    def _object(self, number: int, row: list[str], *, with_digest: bool) -> PersonLine | GroupLine:
        columns = self.columns
        key = key_of(_cell(number, columns.key_name, row[columns.key]))
        values = self._values(number, row, key)
        manager = self._manager(number, row, key)
        digest = self._digest(row) if with_digest else b""
        if self.kind is PassKind.GROUPS:
            return GroupLine(number, key, values, digest)
        return PersonLine(number, key, values, digest, manager or None, says_manager=columns.manager is not None)

    def _manager(self, number: int, row: list[str], key: str) -> str:
        if self.columns.manager is None or not row[self.columns.manager].strip():
            return ""
        try:
            return key_of(_cell(number, "manager", row[self.columns.manager]))
        except _Unusable as wrong:
            raise _Unusable(number, "manager", wrong.row.reason, key, cause=wrong.row.cause) from None

    def _values(self, number: int, row: list[str], key: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for place, name, attribute, read in self._reads:
            try:
                values[attribute] = read(row[place])
            except UnreadableValue as wrong:
                raise self._unusable(number, name, row[place], wrong, key) from None
        needed = _NAME if self.kind is PassKind.PEOPLE else "displayName"
        if values.get(needed) is None:
            raise _Unusable(number, needed, "is empty", key, cause=Cause.EMPTY)
        if self.kind is PassKind.PEOPLE:
            try:
                check_user_principal_name(values[_NAME])
            except UnreadableValue as wrong:
                raise _Unusable(number, _NAME, str(wrong), key, cause=wrong.cause) from None
            if "accountEnabled" in values and values["accountEnabled"] is None:
                reason = "is empty; it must be True or False"
                raise _Unusable(number, "accountEnabled", reason, key, cause=Cause.EMPTY)
        return values

    def _unusable(self, number: int, name: str, text: str, wrong: UnreadableValue, key: str) -> _Unusable:
        reason = str(wrong)
        if wrong.cause is Cause.BYTES:
            reason = f"is not valid {self.form.encoding.upper()}; specify the encoding of the file: --encoding cp1252"
        if wrong.cause is Cause.WORD:
            inverse = any(one.column.name == name and one.column.is_inverse for one in self.cells)
            meaning = "disabled" if inverse else "false"
            reason = f'{reason}; specify what it means: --value "{shown(name)}:{shown(text.strip())}={meaning}"'
        return _Unusable(number, name, reason, key, cause=wrong.cause, word=text.strip())

    def _user_principal_name(self, row: list[str]) -> str:
        for column in self.columns.attributes:
            if column.attribute.name == _NAME:
                return _readable(row[column.place])
        return ""

    def _digest(self, row: list[str]) -> bytes:
        # Include how the row was read: with another map every row counts as new.
        used = [row[place] for place, _, _, _ in self._reads]
        if self.columns.manager is not None:
            used.append(row[self.columns.manager])
        text = "\x1f".join(used).encode(errors="surrogatepass")
        return hashlib.blake2b(text, key=self._fingerprint, digest_size=16).digest()


class _Unusable(Exception):
    def __init__(self, line: int, column: str, reason: str, key: str = "", *, cause: Cause, word: str = "") -> None:
        super().__init__(reason)
        self.row = BadRow(line, column, reason, key, cause=cause, word=word)


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _ends_with_a_line_end(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(file.tell() - 4, 0))
        return file.read().rstrip(b"\0").endswith((b"\n", b"\r"))


def _cell(number: int, name: str, text: str) -> str:
    """A cell that must contain readable text."""
    text = text.strip()
    if not text:
        raise _Unusable(number, name, "is empty", cause=Cause.EMPTY)
    if len(text) > _LONGEST_KEY:
        reason = f"has {len(text)} characters; the limit is {_LONGEST_KEY}"
        raise _Unusable(number, name, reason, cause=Cause.LENGTH)
    if not _is_text(text):
        raise _Unusable(number, name, f'holds bytes that are not text: "{shown(text)}"', cause=Cause.BYTES)
    return text


def _readable(text: str) -> str:
    """*text* as a key, or "" if it contains bytes that are not text."""
    return key_of(text) if _is_text(text) else ""


def _is_text(text: str) -> bool:
    if text.isascii():
        return "\0" not in text
    return not any("\ud800" <= letter <= "\udfff" or letter in "\ufffd\0" for letter in text)
