"""Read people, groups and members from a CSV file: a download from *Download users* in Entra's admin centre, or any other list for which
the administrator maps the columns.

The file is read twice: first to check it before anything is written, then to import it. A bad row is reported, but the person or group that
it identifies still counts as present. Nothing is treated as missing if a bad row does not identify its object, if the file is cut off, or
if the file changes while it is read.
"""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import cast

from lockstep.directory.attributes import (
    Cause,
    DirectoryType,
    shown,
)
from lockstep.directory.dates import ANY_FORM, DateForm, DayOrder, orders_of
from lockstep.directory.rows import (
    BadRow,
    Line,
    PassKind,
    SourcePage,
    Survey,
)
from lockstep.errors import LockstepError
from lockstep.sources.csv_cells import CellReader
from lockstep.sources.csv_columns import CsvColumns
from lockstep.sources.csv_names import ENABLED, KEY
from lockstep.sources.csv_rows import RowReader, UnusableRow
from lockstep.sources.csv_survey import DateEvidence, Findings
from lockstep.sources.csv_text import TextForm, open_text, records

_PAGES_AHEAD = 2
_EXAMPLE = "Example:"  # the sample row of Entra's templates


@dataclass(slots=True)
class CsvPass:
    """One reading of one CSV file. `open_csv` creates it."""

    path: Path
    form: TextForm
    kind: PassKind
    columns: CsvColumns
    cells: list[CellReader]
    is_full: bool = True
    only_group: str = ""
    is_first: bool = False  # no key has been chosen yet
    _surveyed: Survey | None = field(default=None, repr=False)
    _reader: RowReader = field(init=False, repr=False)
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
        """Read the whole file without importing it, and report what was found. Raises LockstepError if its dates can be read in
        two ways.
        """
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
            self._reader.line(number, row, with_digest=False)
        except UnusableRow as wrong:
            # An ambiguous date is not an error yet: dates further down in the column may show whether the day or the month
            # comes first.
            if not (wrong.row.cause is Cause.DATE and orders_of(wrong.row.word)):
                found.reject(wrong.row)

    def _settle(self, orders: Mapping[int, DayOrder | None]) -> None:
        """Create the reader of rows. *orders* maps the position of a column to the order of day and month in its dates. The dates in a
        column without an order are read as before.
        """
        self.cells = [
            replace(one, dates=DateForm(order)) if (order := orders.get(one.column.place)) else one
            for one in self.cells
        ]
        self._reader = RowReader(
            self.kind, self.columns, self.cells, only_group=self.only_group, encoding=self.form.encoding
        )

    def _rows(self, file: TextIOWrapper) -> Iterator[tuple[int, list[str] | csv.Error]]:
        """Yield the rows after the header, each with its line number. Empty rows and the example rows of Entra's templates are left out."""
        rows = records(file, self.form)
        next(rows, None)  # skip the header, which was read when the file was opened
        for number, row in rows:
            says_something = isinstance(row, csv.Error) or (row and row[0].strip()) or "".join(row).strip()
            if says_something and not (isinstance(row, list) and row[0].startswith(_EXAMPLE)):
                yield number, row

    async def pages(self, size: int) -> AsyncGenerator[SourcePage, None]:
        """Yield pages of at most *size* rows. A thread reads them at most two pages ahead."""
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
                    lines.append(self._reader.line(number, row))
                except UnusableRow as wrong:
                    last = wrong.row
                    bad.append(last)
                if len(lines) + len(bad) >= size:
                    yield SourcePage(
                        tuple(lines), tuple(bad), min(cast("BufferedReader", file.buffer).tell() / total, 1.0)
                    )
                    lines, bad = [], []
        yield SourcePage(tuple(lines), tuple(bad), 1.0, is_last=True, unproven=self._unproven(last))

    def _unproven(self, last: BadRow | None) -> str:
        """Return the reason why the file may be incomplete, or "". *last* is the last row if that row is unusable, otherwise None."""
        if _state(self.path) != self._state:
            return "The file changed while it was being read"
        # An unreadable value in a complete row does not suggest that the file was cut off.
        if last is not None and (last.cause is Cause.CELLS or not _ends_with_a_line_end(self.path)):
            return f"The file may be cut off: line {last.line} {last.reason}"
        return ""


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _ends_with_a_line_end(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(file.tell() - 4, 0))
        return file.read().rstrip(b"\0").endswith((b"\n", b"\r"))
