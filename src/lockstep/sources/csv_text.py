"""Open a file as CSV text: detect its encoding, its delimiter and the position of its header, or explain why the file is not CSV.

Bytes that are not text in the encoding are kept as surrogates, so that a bad cell makes one row unusable and not the whole file.
"""

from __future__ import annotations

import csv
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import islice
from pathlib import Path

from lockstep.errors import CHECK_READING, LockstepError, invalid, not_found
from lockstep.sources.csv_encoding import check_encoding, find_encoding

SNIFFED_BYTES = 65_536
LARGEST_CELL = 1_000_000
DELIMITERS = (",", ";", "\t", "|")

_OTHER_FILES = (
    (b"PK\x03\x04", "an Excel workbook or ZIP archive", "Save it as CSV UTF-8 (Excel: File > Save As) and import that"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "Save it as CSV UTF-8 (Excel: File > Save As) and import that"),
    (b"%PDF", "a PDF", "Export the list as CSV"),
    (b"\x1f\x8b", "a gzip archive", "Unpack it first: gunzip FILE"),
    (b"{", "JSON", "Export the list as CSV"),
)
# Lines before the header: Excel's delimiter hint, PowerShell's type, the version of Entra's templates for bulk operations.
_PROLOGUE = re.compile(r'"?(?:sep=(?P<delimiter>.)|#TYPE\b.*|version:\s*v?\d[\d.]*)"?[,;\t|\s]*', re.IGNORECASE)
_MOST_PROLOGUE_LINES = 10


@dataclass(frozen=True, slots=True)
class TextForm:
    """The form of a file as text. *prologue* is the number of lines before the header. *note* says what was guessed."""

    encoding: str
    delimiter: str
    prologue: int = 0
    note: str = ""


def sniff(path: Path, *, encoding: str = "", delimiter: str = "") -> TextForm:
    """Detect how to read *path*. Raises LockstepError if the file is missing, empty or not CSV, or if the administrator must
    name its encoding.
    """
    check_delimiter(delimiter)
    named = check_encoding(encoding) if encoding else ""
    head = head_of(path)
    if not head.removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").strip():
        raise _no_csv(path, "it is empty", "Export the list again")
    _refuse_other_files(path, head)
    found, note = (named, "") if named else find_encoding(path, head)
    text = head.decode(found, "surrogateescape" if found.startswith("utf-8") else "replace")
    _refuse_markup(path, text)
    if named and len(text) > 40 and text.count("\ufffd") * 5 > len(text):
        raise invalid(f"{path.name} is not valid {encoding} text", next_step="Omit --encoding, or specify another one")
    prologue, hinted = _prologue(text)
    body = "".join(text.splitlines(keepends=True)[prologue:]) if prologue else text
    return TextForm(found, delimiter or hinted or guess_delimiter(body), prologue, note)


def check_delimiter(delimiter: str) -> None:
    """Raise LockstepError unless *delimiter* is a character that can separate cells. An empty *delimiter* is accepted: it will
    be detected.
    """
    if delimiter and (len(delimiter) > 1 or delimiter.isalnum() or delimiter in '"\r\n\0 '):
        raise invalid(
            f'"{delimiter}" cannot be the delimiter of a CSV file',
            why="A delimiter is a single character, but not a letter, digit, quote or space",
            next_step="Omit --delimiter to detect it, or specify it, for example --delimiter ';' or --delimiter tab",
        )


def open_text(path: Path, form: TextForm) -> TextIOWrapper:
    """Open *path* as text. Newlines are left unchanged, as the csv module requires."""
    errors = "replace" if form.encoding.startswith("utf-16") else "surrogateescape"
    return path.open(encoding=form.encoding, errors=errors, newline="")


def records(file: TextIOWrapper, form: TextForm) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Yield the header and each later record, with the number of its first line. In place of an invalid record, its error is yielded."""
    csv.field_size_limit(LARGEST_CELL)
    for _ in islice(file, form.prologue):
        pass
    reader = csv.reader(file, delimiter=form.delimiter, strict=True)
    while True:
        line = form.prologue + reader.line_num + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as wrong:
            yield line, wrong


def guess_delimiter(text: str) -> str:
    """Return the delimiter that occurs most often, outside quotes, in the first line."""
    header, in_quotes = [], False
    for letter in text.lstrip("\ufeff\r\n"):
        if letter == '"':
            in_quotes = not in_quotes
        elif letter in "\r\n" and not in_quotes:
            break
        elif not in_quotes:
            header.append(letter)
    return max(DELIMITERS, key=header.count)  # the first delimiter if none occurs


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file. Raises LockstepError if it is not a regular file, or cannot be read."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            what = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
            raise invalid(
                f"{path} is {what}",
                why="A source must be a file that can be read more than once",
                next_step="Save the list to a file, or pipe it in: lockstep sources import - < FILE",
            )
        with path.open("rb") as file:
            return file.read(SNIFFED_BYTES)
    except FileNotFoundError:
        raise not_found(f"There is no file {path}", next_step="Check the path") from None
    except (OSError, ValueError) as refused:
        reason = refused.strerror if isinstance(refused, OSError) else "its name contains a NUL character"
        raise invalid(f"{path.name} cannot be read", why=reason or "", next_step=CHECK_READING) from None


def _refuse_other_files(path: Path, head: bytes) -> None:
    for magic, what, cure in _OTHER_FILES:
        if head.startswith(magic):
            raise _no_csv(path, f"it is {what}", cure)
    even, odd = head[0:4000:2], head[1:4000:2]
    is_wide = head.startswith((b"\xff\xfe", b"\xfe\xff")) or max(odd.count(0), even.count(0)) > len(odd) * 0.6
    # One NUL is a bad cell; in the header, or in large numbers, it means a binary file.
    if not is_wide and (b"\0" in head.split(b"\n", 1)[0] or head.count(0) * 50 > len(head)):
        raise _no_csv(path, "it is a binary file", "Export the list as CSV")


def _prologue(text: str) -> tuple[int, str]:
    """Return the number of lines before the header, and the delimiter that one of these lines specifies (`sep=;`), or ""."""
    delimiter, lines = "", 0
    for line in text.lstrip("\ufeff").splitlines()[:_MOST_PROLOGUE_LINES]:
        found = _PROLOGUE.fullmatch(line)
        if found is None:
            break
        lines += 1
        delimiter = found["delimiter"] or delimiter
    return lines, delimiter if delimiter and not delimiter.isalnum() else ""


def _refuse_markup(path: Path, text: str) -> None:
    start = text.lstrip("\ufeff \t\r\n")[:200].lower()
    if start.startswith(("<!doctype", "<html", "<?xml", "<head", "<body")):
        kind = "a web page" if "html" in start else "XML"
        raise _no_csv(
            path, f"it is {kind}", "You may have saved a sign-in page. Download the list again while signed in"
        )


def _no_csv(path: Path, what: str, cure: str) -> LockstepError:
    return invalid(f"{path.name} is not a CSV file: {what}", next_step=cure, code="NotCsv")
