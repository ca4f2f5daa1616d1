"""Detect the encoding of a file. If that is impossible, show how a line would read in each encoding and ask the administrator to
choose.

Only reliable evidence is accepted: a byte order mark, valid UTF-8, UTF-16 without a mark, and Windows-1252 with only Western
European characters. Nothing else is guessed, because a name read in the wrong encoding is misspelled in every application.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from lockstep.directory.attributes import shown
from lockstep.errors import LockstepError, invalid

WESTERN = "cp1252"
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_CHUNK_BYTES = 1 << 20
_MOST_LINES = 2000
_CANDIDATES = (WESTERN, "cp1250", "cp1254", "cp1251", "cp1253", "cp850", "cp932", "gb18030", "big5", "cp949")
# Excludes Icelandic letters and letters with a caron: they appear when Turkish, Czech or Mac text is decoded as Windows-1252.
_WESTERN_LETTERS = frozenset("äöüÄÖÜßàâáãåæçèéêëìíîïñòóôõøùúûÿœÀÂÁÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕØÙÚÛŒªº")
_WESTERN_MARKS = frozenset("\xa0’‘´“”„–—…·•°§€£©®™«»¡¿")
_APOSTROPHES = frozenset("’´·-")
_MOST_IN_ROWS = 0.2  # the largest share of non-ASCII letters that stand in runs; text in another alphabet has more


def check_encoding(name: str) -> str:
    """Return Python's name for the encoding *name*. Raises LockstepError for an unknown encoding."""
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        found = None
    # Codecs such as base64 do not produce text.
    if found is None or not getattr(found, "_is_text_encoding", True):
        raise invalid(
            f'Unknown encoding "{shown(name)}"',
            next_step="Use a name such as utf-8, cp1252, iso-8859-15 or utf-16",
            code="UnknownEncoding",
        )
    return found.name


def find_encoding(path: Path, head: bytes) -> tuple[str, str]:
    """Return the encoding of the file *path*, and a note for the administrator if it was guessed. *head* is the beginning of the file.

    Raises LockstepError if the encoding cannot be detected and the administrator has to name it.
    """
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name, ""
    even, odd = head[0:4000:2], head[1:4000:2]
    if odd.count(0) > len(odd) * 0.6:
        return "utf-16-le", ""
    if even.count(0) > len(even) * 0.6:
        return "utf-16-be", ""
    if _is_utf8(path):
        return "utf-8", ""
    lines = list(islice(_lines_beyond_ascii(path), _MOST_LINES))
    if sum(_decodes(line, "utf-8") for _, line in lines) * 2 > len(lines):
        return "utf-8", ""  # the file is UTF-8 with a few broken cells, which only make their rows unusable
    if all(_reads_western(line) for _, line in lines) and not _is_crowded([line for _, line in lines]):
        return (
            WESTERN,
            "Read as Windows-1252 (cp1252) because it is not valid UTF-8. If names look wrong, use --encoding NAME",
        )
    raise _unclear(path, lines)


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while chunk := file.read(_CHUNK_BYTES):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _lines_beyond_ascii(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.isascii():
                yield number, line.rstrip(b"\r\n")


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _reads_western(line: bytes) -> bool:
    """Whether *line* contains only characters of Western European languages, in places where they can occur."""
    if not _decodes(line, WESTERN):
        return False
    text = f" {line.decode(WESTERN)} "
    for place, letter in enumerate(text):
        if letter.isascii() or letter in _WESTERN_LETTERS or letter in _APOSTROPHES:
            continue
        if letter not in _WESTERN_MARKS or (text[place - 1].isalpha() and text[place + 1].isalpha()):
            return False
    return True


def _is_crowded(lines: list[bytes]) -> bool:
    """Whether many non-ASCII letters occur in runs of three or more, which is typical of text in a non-Latin alphabet."""
    high = sum(byte > 127 for line in lines for byte in line)
    in_rows = sum(
        line[place] > 127 and line[place - 1] > 127 and line[place - 2] > 127
        for line in lines
        for place in range(2, len(line))
    )
    return in_rows > high * _MOST_IN_ROWS


def _unclear(path: Path, lines: list[tuple[int, bytes]]) -> LockstepError:
    number, line = max(lines[:200], key=lambda one: sum(byte > 127 for byte in one[1]))
    readings: dict[str, str] = {}
    for name in _CANDIDATES:
        text = line.decode(name, "replace")
        if "�" not in text and text.isprintable():
            readings.setdefault(shown(_part(text), limit=40), name)
    told = "; ".join(f"{name}: {text}" for text, name in list(readings.items())[:5])
    return invalid(
        f"Cannot determine the encoding of {path.name}: it is not valid UTF-8",
        why=f"Line {number} reads {told}" if told else f"Line {number} is not valid text in any known encoding",
        next_step=f"Choose the correct one: --encoding {next(iter(readings.values()), WESTERN)}",
        code="EncodingUnclear",
    )


def _part(text: str) -> str:
    """Return the text around the first non-ASCII letter of a line. It is the text that best shows whether the encoding is right."""
    first = next(place for place, letter in enumerate(text) if not letter.isascii())
    return text[max(first - 12, 0) : first + 24]
