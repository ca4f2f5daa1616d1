"""Read one row of a CSV file as a person, a group or a member. Pure.

An unusable row says why it is unusable and, if the key can be read, whose row it is.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from lockstep.directory.attributes import (
    Cause,
    UnreadableValue,
    check_user_principal_name,
    shown,
)
from lockstep.directory.rows import BadRow, GroupLine, Line, MemberLine, PassKind, PersonLine, key_of
from lockstep.sources.csv_cells import CellReader
from lockstep.sources.csv_columns import CsvColumns
from lockstep.wording import counted

_NAME = "userPrincipalName"
_LONGEST_KEY = 1024


class RowReader:
    """Reads rows by the meaning of their columns. *only_group* is the group to which all members in the file belong, or "" if a column
    names the group.
    """

    def __init__(
        self, kind: PassKind, columns: CsvColumns, cells: Sequence[CellReader], *, only_group: str, encoding: str
    ) -> None:
        self._kind, self._columns, self._cells = kind, columns, cells
        self._only_group = only_group
        self._encoding = encoding
        self._reads = [(one.column.place, one.column.name, one.column.attribute.name, one.reader()) for one in cells]
        meaning = [
            kind,
            columns.key_name,
            [[one.column.attribute.name, one.column.is_inverse, dict(one.words), one.dates.order, one.dates.pattern]
             for one in cells],
            columns.manager is not None,
        ]  # fmt: skip
        self._fingerprint = hashlib.blake2b(orjson.dumps(meaning), digest_size=32).digest()

    def line(self, number: int, row: list[str] | csv.Error, *, with_digest: bool = True) -> Line:
        """Read *row* as a line of the import. Raises UnusableRow."""
        if isinstance(row, csv.Error):
            raise UnusableRow(number, "", f"is not CSV: {row}", cause=Cause.CELLS)
        columns = self._columns
        if len(row) != columns.count and not (len(row) > columns.count and not any(row[columns.count :])):
            key = _readable(row[columns.key]) if len(row) > columns.key and len(row) < columns.count else ""
            cells = counted(len(row), "cell")
            raise UnusableRow(number, "", f"has {cells}, the header has {columns.count}", key, cause=Cause.CELLS)
        if self._kind is PassKind.MEMBERS:
            group = self._only_group or key_of(_cell(number, "group", row[columns.group]))
            return MemberLine(number, group, key_of(_cell(number, "member", row[columns.member])))
        try:
            return self._object(number, row, with_digest=with_digest)
        except UnusableRow as wrong:
            if wrong.row.column != _NAME:
                wrong.row = replace(wrong.row, user_principal_name=self._user_principal_name(row))
            raise

    def _object(self, number: int, row: list[str], *, with_digest: bool) -> PersonLine | GroupLine:
        columns = self._columns
        key = key_of(_cell(number, columns.key_name, row[columns.key]))
        values = self._values(number, row, key)
        manager = self._manager(number, row, key)
        digest = self._digest(row) if with_digest else b""
        if self._kind is PassKind.GROUPS:
            return GroupLine(number, key, values, digest)
        return PersonLine(number, key, values, digest, manager or None, says_manager=columns.manager is not None)

    def _manager(self, number: int, row: list[str], key: str) -> str:
        if self._columns.manager is None or not row[self._columns.manager].strip():
            return ""
        try:
            return key_of(_cell(number, "manager", row[self._columns.manager]))
        except UnusableRow as wrong:
            raise UnusableRow(number, "manager", wrong.row.reason, key, cause=wrong.row.cause) from None

    def _values(self, number: int, row: list[str], key: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for place, name, attribute, read in self._reads:
            try:
                values[attribute] = read(row[place])
            except UnreadableValue as wrong:
                raise self._unusable(number, name, row[place], wrong, key) from None
        needed = _NAME if self._kind is PassKind.PEOPLE else "displayName"
        if values.get(needed) is None:
            raise UnusableRow(number, needed, "is empty", key, cause=Cause.EMPTY)
        if self._kind is PassKind.PEOPLE:
            try:
                check_user_principal_name(values[_NAME])
            except UnreadableValue as wrong:
                raise UnusableRow(number, _NAME, str(wrong), key, cause=wrong.cause) from None
            if "accountEnabled" in values and values["accountEnabled"] is None:
                reason = "is empty; it must be True or False"
                raise UnusableRow(number, "accountEnabled", reason, key, cause=Cause.EMPTY)
        return values

    def _unusable(self, number: int, name: str, text: str, wrong: UnreadableValue, key: str) -> UnusableRow:
        reason = str(wrong)
        if wrong.cause is Cause.BYTES:
            reason = f"is not valid {self._encoding.upper()}; specify the encoding of the file: --encoding cp1252"
        if wrong.cause is Cause.WORD:
            inverse = any(one.column.name == name and one.column.is_inverse for one in self._cells)
            meaning = "disabled" if inverse else "false"
            reason = f'{reason}; specify what it means: --value "{shown(name)}:{shown(text.strip())}={meaning}"'
        return UnusableRow(number, name, reason, key, cause=wrong.cause, word=text.strip())

    def _user_principal_name(self, row: list[str]) -> str:
        for column in self._columns.attributes:
            if column.attribute.name == _NAME:
                return _readable(row[column.place])
        return ""

    def _digest(self, row: list[str]) -> bytes:
        # Include how the row was read, so that every row counts as new when the map changes.
        used = [row[place] for place, _, _, _ in self._reads]
        if self._columns.manager is not None:
            used.append(row[self._columns.manager])
        text = "\x1f".join(used).encode(errors="surrogatepass")
        return hashlib.blake2b(text, key=self._fingerprint, digest_size=16).digest()


class UnusableRow(Exception):
    """Raised if a row cannot be used. *row* is the record of this row for the report, with the reason."""

    def __init__(self, line: int, column: str, reason: str, key: str = "", *, cause: Cause, word: str = "") -> None:
        super().__init__(reason)
        self.row = BadRow(line, column, reason, key, cause=cause, word=word)


def _cell(number: int, name: str, text: str) -> str:
    """Return the text of a required cell. Raises UnusableRow if it is empty, too long, or contains bytes that are not text."""
    text = text.strip()
    if not text:
        raise UnusableRow(number, name, "is empty", cause=Cause.EMPTY)
    if len(text) > _LONGEST_KEY:
        reason = f"has {len(text)} characters; the limit is {_LONGEST_KEY}"
        raise UnusableRow(number, name, reason, cause=Cause.LENGTH)
    if not _is_text(text):
        raise UnusableRow(number, name, f'contains bytes that are not text: "{shown(text)}"', cause=Cause.BYTES)
    return text


def _readable(text: str) -> str:
    """Return *text* as a key, or "" if it contains bytes that are not text."""
    return key_of(text) if _is_text(text) else ""


def _is_text(text: str) -> bool:
    if text.isascii():
        return "\0" not in text
    return not any("\ud800" <= letter <= "\udfff" or letter in "\ufffd\0" for letter in text)
