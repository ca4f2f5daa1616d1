"""Open a file as CSV text: find its encoding and its delimiter, and say plainly when it is no CSV at all.

Bytes that are no text in the encoding survive as surrogates, so that one bad cell costs one row and not the file.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

from lockstep.errors import LockstepError, invalid, not_found

SNIFFED_BYTES = 65_536
LARGEST_CELL = 1_000_000
DELIMITERS = (",", ";", "\t", "|")

_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_OTHER_FILES = (
    (b"PK\x03\x04", "an Excel workbook or ZIP archive", "Save it as CSV UTF-8 (Excel: File > Save As) and import that"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "Save it as CSV UTF-8 (Excel: File > Save As) and import that"),
    (b"%PDF", "a PDF", "Export the list as CSV"),
    (b"\x1f\x8b", "a gzip archive", "Unpack it first: gunzip FILE"),
    (b"{", "JSON", "Export the list as CSV"),
)


@dataclass(frozen=True, slots=True)
class TextForm:
    """How a file is read."""

    encoding: str
    delimiter: str


def sniff(path: Path, *, encoding: str = "", delimiter: str = "") -> TextForm:
    """How *path* is to be read. Raises LockstepError when it is missing, empty or no CSV."""
    try:
        with path.open("rb") as file:
            head = file.read(SNIFFED_BYTES)
    except FileNotFoundError:
        raise not_found(f"There is no file {path}", next_step="Check the path") from None
    except OSError as refused:
        raise invalid(f"{path} cannot be read", why=refused.strerror or "") from None
    if not head.strip():
        raise _no_csv(path, "it is empty", "Export the list again")
    found = encoding or _encoding(path, head)
    text = head.decode(found, "surrogateescape" if found.startswith("utf-8") else "replace")
    _refuse_markup(path, text)
    return TextForm(found, delimiter or _delimiter(text))


def open_text(path: Path, form: TextForm) -> TextIOWrapper:
    """*path* as text, newlines untouched as the csv module wants them."""
    errors = "surrogateescape" if form.encoding.startswith("utf-8") else "replace"
    return path.open(encoding=form.encoding, errors=errors, newline="")


def records(file: TextIOWrapper, form: TextForm) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Each record with the line it begins on. A record that is no CSV comes as its error, and reading goes on."""
    csv.field_size_limit(LARGEST_CELL)
    reader = csv.reader(file, delimiter=form.delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as wrong:
            yield line, wrong


def _encoding(path: Path, head: bytes) -> str:
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    for magic, what, cure in _OTHER_FILES:
        if head.startswith(magic):
            raise _no_csv(path, f"it is {what}", cure)
    even, odd = head[0:4000:2], head[1:4000:2]
    if odd.count(0) > len(odd) * 0.6:
        return "utf-16-le"
    if even.count(0) > len(even) * 0.6:
        return "utf-16-be"
    # One NUL is one bad cell; in the header, or often, it is no text at all.
    if b"\0" in head.split(b"\n", 1)[0] or head.count(0) * 50 > len(head):
        raise _no_csv(path, "it is a binary file", "Export the list as CSV")
    return "utf-8"


def _refuse_markup(path: Path, text: str) -> None:
    start = text.lstrip("\ufeff \t\r\n")[:200].lower()
    if start.startswith(("<!doctype", "<html", "<?xml", "<head", "<body")):
        kind = "a web page" if "html" in start else "XML"
        raise _no_csv(
            path, f"it is {kind}", "Was it saved from a sign-in page? Download the list again while signed in"
        )


def _delimiter(text: str) -> str:
    """The delimiter that the header uses most, outside quotes."""
    header, in_quotes = [], False
    for letter in text.lstrip("\ufeff\r\n"):
        if letter == '"':
            in_quotes = not in_quotes
        elif letter in "\r\n" and not in_quotes:
            break
        elif not in_quotes:
            header.append(letter)
    return max(DELIMITERS, key=header.count)  # the first one where none occurs


def _no_csv(path: Path, what: str, cure: str) -> LockstepError:
    return invalid(f"{path.name} is not a CSV file: {what}", next_step=cure, code="NotCsv")
