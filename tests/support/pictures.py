"""Approved pictures of pages, each kept as a print: the most frequent colour in each cell of a grid. A print is small enough for Git. It
changes if a column moves, a section is missing or an area has another colour, but not if a word, a time or a number is another one.
`page_styles` sees what is too small for a cell.
"""

from __future__ import annotations

import base64
import io
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

COLUMNS = 24
ROW = 40  # px
SAMPLES = (8, 6)  # pixels of a cell that are looked at, in each direction
STEPS = 64  # how many values a colour has in a print
NOTICED = 2  # steps by which a colour must differ for a cell to be another one
MOST_OTHER_CELLS = 0.04  # share of the cells that may be others
MOST_OTHER_HEIGHT = 0.08  # lists are longer or shorter by a few rows


@dataclass(frozen=True, slots=True)
class PicturePrint:
    """The print of one picture. *cells* has three bytes for each cell, row after row, each from 0 to STEPS - 1."""

    height: int  # px
    cells: bytes

    @property
    def rows(self) -> int:
        return len(self.cells) // (COLUMNS * 3)

    def cell(self, row: int, column: int) -> bytes:
        start = (row * COLUMNS + column) * 3
        return self.cells[start : start + 3]


@dataclass(frozen=True, slots=True)
class PictureDifference:
    """How a picture differs from the approved one. *cells* are the cells (row, column) that are others."""

    text: str
    cells: tuple[tuple[int, int], ...]


def print_of(png: bytes) -> PicturePrint:
    """Return the print of a picture. The last rows of pixels are left out if they do not fill a row of cells."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    rows = max(picture.height // ROW, 1)
    whole = picture.crop((0, 0, picture.width, min(rows * ROW, picture.height)))
    across, down = SAMPLES
    data = whole.resize((COLUMNS * across, rows * down), Image.Resampling.NEAREST).tobytes()
    pixels = [data[start : start + 3] for start in range(0, len(data), 3)]
    lines = [pixels[start : start + COLUMNS * across] for start in range(0, len(pixels), COLUMNS * across)]
    cells = [
        Counter(pixel for line in lines[row * down : (row + 1) * down] for pixel in line[column * across :][:across])
        for row in range(rows)
        for column in range(COLUMNS)
    ]
    return PicturePrint(
        picture.height, bytes(value * STEPS // 256 for cell in cells for value in cell.most_common(1)[0][0])
    )


def difference(approved: PicturePrint, seen: PicturePrint, *, has_any_height: bool = False) -> PictureDifference | None:
    """Return how *seen* differs from *approved*, or None if it looks the same. If one of them is longer, the rest is not compared. With
    *has_any_height*, the height does not matter.
    """
    rows = min(approved.rows, seen.rows)
    others = tuple(
        (row, column)
        for row in range(rows)
        for column in range(COLUMNS)
        if not _is_near(approved, seen.cell(row, column), row, column)
    )
    parts = []
    if not has_any_height and abs(approved.height - seen.height) > max(approved.height * MOST_OTHER_HEIGHT, 2 * ROW):
        parts.append(f"{seen.height} px high instead of {approved.height}")
    if len(others) > rows * COLUMNS * MOST_OTHER_CELLS:
        top, bottom = others[0][0] * ROW, (others[-1][0] + 1) * ROW
        parts.append(f"{len(others)} of {rows * COLUMNS} cells are others, between {top} and {bottom} px from the top")
    return PictureDifference("; ".join(parts), others) if parts else None


def outlined(png: bytes, cells: Iterable[tuple[int, int]]) -> bytes:
    """Return the picture with a red frame around each of *cells*."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    width = picture.width / COLUMNS
    pencil = ImageDraw.Draw(picture)
    for row, column in cells:
        pencil.rectangle((column * width, row * ROW, (column + 1) * width, (row + 1) * ROW), outline=(220, 0, 0))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def read_prints(file: Path) -> dict[str, PicturePrint]:
    """Read approved prints: a line for each picture, with its name, its height and its cells."""
    found = {}
    for line in file.read_text(encoding="ascii").splitlines():
        name, height, cells = line.split("\t")
        found[name] = PicturePrint(int(height), zlib.decompress(base64.b85decode(cells)))
    return found


def write_prints(file: Path, prints: Mapping[str, PicturePrint]) -> None:
    lines = [
        f"{name}\t{one.height}\t{base64.b85encode(zlib.compress(one.cells, 9)).decode()}\n"
        for name, one in sorted(prints.items())
    ]
    file.write_text("".join(lines), encoding="ascii")


def _is_near(approved: PicturePrint, cell: bytes, row: int, column: int) -> bool:
    """Whether the approved picture has nearly the colour of *cell* there, or just above or below: a text may need a line more or less."""
    near = range(max(row - 1, 0), min(row + 2, approved.rows))
    return any(_distance(approved.cell(other, column), cell) < NOTICED for other in near)


def _distance(one: bytes, other: bytes) -> int:
    return max(abs(first - second) for first, second in zip(one, other, strict=True))
