"""Read people, groups and members from a CSV file: the format of *Download users* in Entra's admin centre, or any other by a map.

The file is streamed. A bad row is reported and its person still counts as seen; a file that is cut off says nothing about who is
missing.
"""

from __future__ import annotations

import asyncio
import csv
import hashlib
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

import orjson

from lockstep.directory.attributes import check_user_principal_name, parse_value, shown
from lockstep.directory.rows import BadRow, GroupLine, Line, MemberLine, Page, PassKind, PersonLine, key_of
from lockstep.errors import LockstepError, invalid
from lockstep.sources.csv_columns import Columns, guess_kind, read_header
from lockstep.sources.csv_text import TextForm, open_text, records, sniff

_LONGEST_KEY = 1024
_PAGES_AHEAD = 2


@dataclass(slots=True)
class CsvPass:
    """One reading of one file. Made by `open_csv`."""

    path: Path
    form: TextForm
    kind: PassKind
    columns: Columns
    is_full: bool = True
    only_group: str = ""
    _fingerprint: bytes = field(default=b"", repr=False)

    @property
    def key(self) -> str:
        return self.columns.key_name

    @property
    def ignored(self) -> tuple[str, ...]:
        return self.columns.ignored

    async def pages(self, size: int) -> AsyncGenerator[Page, None]:
        """Read in a thread, at most two pages ahead."""
        queue: asyncio.Queue[Page | BaseException | None] = asyncio.Queue(_PAGES_AHEAD)
        reader = asyncio.create_task(self._fill(queue, size))
        try:
            while (page := await queue.get()) is not None:
                if isinstance(page, BaseException):
                    raise page
                yield page
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _fill(self, queue: asyncio.Queue[Page | BaseException | None], size: int) -> None:
        pages = self._read(size)
        try:
            while (page := await asyncio.to_thread(next, pages, None)) is not None:
                await queue.put(page)
            await queue.put(None)
        except (OSError, UnicodeError, LockstepError) as failed:
            await queue.put(OSError(f"{failed}") if isinstance(failed, UnicodeError) else failed)

    def _read(self, size: int) -> Iterator[Page]:
        lines: list[Line] = []
        bad: list[BadRow] = []
        total = max(self.path.stat().st_size, 1)
        unproven = ""
        with open_text(self.path, self.form) as file:
            rows = records(file, self.form)
            next(rows)  # the header, read when the file was opened
            for number, row in rows:
                unproven = ""
                try:
                    if isinstance(row, csv.Error):
                        raise _Unusable(number, "", f"is no CSV: {row}")
                    if not any(row):
                        continue
                    lines.append(self._line(number, row))
                except _Unusable as wrong:
                    bad.append(wrong.row)
                    unproven = f"The file may be cut off: line {number} {wrong.row.reason}"
                if len(lines) + len(bad) >= size:
                    yield Page(tuple(lines), tuple(bad), min(cast("BufferedReader", file.buffer).tell() / total, 1.0))
                    lines, bad = [], []
        # Only a last row that is not usable looks like a file that broke off.
        yield Page(tuple(lines), tuple(bad), 1.0, is_last=True, unproven=unproven)

    def _line(self, number: int, row: list[str]) -> Line:
        columns = self.columns
        if len(row) != columns.count and not (len(row) > columns.count and not any(row[columns.count :])):
            key = _readable(row[columns.key]) if len(row) > columns.key and len(row) < columns.count else ""
            raise _Unusable(number, "", f"has {len(row)} cells, the header has {columns.count}", key)
        if self.kind is PassKind.MEMBERS:
            group = self.only_group or key_of(_cell(number, "group", row[columns.group]))
            return MemberLine(number, group, key_of(_cell(number, "member", row[columns.member])))
        upn = self._user_principal_name(row)
        key = _cell(number, columns.key_name, row[columns.key], upn=upn)
        values = self._values(number, row, key, upn)
        manager = self._manager(number, row, key, upn)
        digest = self._digest(row)
        if self.kind is PassKind.GROUPS:
            return GroupLine(number, key_of(key), values, digest)
        return PersonLine(
            number, key_of(key), values, digest, manager or None, says_manager=columns.manager is not None
        )

    def _manager(self, number: int, row: list[str], key: str, upn: str) -> str:
        if self.columns.manager is None or not row[self.columns.manager].strip():
            return ""
        try:
            return _readable(_cell(number, "manager", row[self.columns.manager]))
        except _Unusable as wrong:
            raise _Unusable(number, "manager", wrong.row.reason, key_of(key), upn) from None

    def _values(self, number: int, row: list[str], key: str, upn: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for place, name, attribute in self.columns.attributes:
            try:
                values[attribute.name] = parse_value(attribute, row[place])
            except ValueError as wrong:
                raise _Unusable(number, name, str(wrong), key_of(key), upn) from None
        needed = "userPrincipalName" if self.kind is PassKind.PEOPLE else "displayName"
        if values.get(needed) is None:
            raise _Unusable(number, needed, "is empty", key_of(key))
        if self.kind is PassKind.PEOPLE:
            try:
                check_user_principal_name(values["userPrincipalName"])
            except ValueError as wrong:
                raise _Unusable(number, "userPrincipalName", str(wrong), key_of(key)) from None
            if "accountEnabled" in values and values["accountEnabled"] is None:
                raise _Unusable(number, "accountEnabled", "is empty; it must be True or False", key_of(key), upn)
        return values

    def _user_principal_name(self, row: list[str]) -> str:
        for place, _, attribute in self.columns.attributes:
            if attribute.name == "userPrincipalName":
                return _readable(row[place])
        return ""

    def _digest(self, row: list[str]) -> bytes:
        # What was read and how: another map makes every row a new one.
        used = [row[place] for place, _, _ in self.columns.attributes]
        if self.columns.manager is not None:
            used.append(row[self.columns.manager])
        return hashlib.blake2b("\x1f".join(used).encode(), key=self._fingerprint, digest_size=16).digest()


class _Unusable(Exception):
    def __init__(self, line: int, column: str, reason: str, key: str = "", upn: str = "") -> None:
        super().__init__(reason)
        self.row = BadRow(line, column, reason, key, upn)


def open_csv(
    path: Path,
    *,
    kind: PassKind | None = None,
    mapping: Mapping[str, str] | None = None,
    keys: Mapping[str, str] | None = None,
    group: str = "",
    is_full: bool = True,
    encoding: str = "",
    delimiter: str = "",
) -> CsvPass:
    """Open *path* and read its header. *keys*: for each kind, the column that objects have been told apart by until now.

    *group*: the file lists the members of this one group.

    Raises LockstepError when the file is no CSV, is empty, or lacks a column that is needed.
    """
    form = sniff(path, encoding=encoding, delimiter=delimiter)
    try:
        with open_text(path, form) as file:
            _, header = next(records(file, form))
    except (LookupError, UnicodeError):
        raise invalid(
            f"{path.name} cannot be read as {form.encoding}", next_step="Name its encoding: --encoding cp1252"
        ) from None
    if isinstance(header, csv.Error) or len(header) > 2000:
        raise invalid(
            f"{path.name} is not a CSV file: its first line is no header",
            next_step="Export the list as CSV",
            code="NotCsv",
        )
    kind = PassKind.MEMBERS if group else kind or guess_kind(header, mapping or {})
    columns = read_header(header, kind, mapping=mapping, key=(keys or {}).get(kind, ""), one_group=bool(group))
    meaning = [
        kind,
        columns.key_name,
        [attribute.name for _, _, attribute in columns.attributes],
        columns.manager is not None,
    ]
    fingerprint = hashlib.blake2b(orjson.dumps(meaning), digest_size=32).digest()
    return CsvPass(path, form, kind, columns, is_full, key_of(group), fingerprint)


def _cell(number: int, name: str, text: str, *, upn: str = "") -> str:
    """A cell that must say something readable."""
    text = text.strip()
    if not text:
        raise _Unusable(number, name, "is empty", upn=upn)
    if len(text) > _LONGEST_KEY:
        raise _Unusable(number, name, f"has {len(text)} characters, at most {_LONGEST_KEY} are possible", upn=upn)
    if not _readable(text):
        raise _Unusable(number, name, f'holds bytes that are no text: "{shown(text)}"', upn=upn)
    return text


def _readable(text: str) -> str:
    """*text* without what surrounds it, or nothing where it holds bytes that are no text."""
    text = text.strip()
    is_text = text.isascii() or not any("\ud800" <= letter <= "\udfff" or letter == "\ufffd" for letter in text)
    return key_of(text) if is_text and "\0" not in text else ""
