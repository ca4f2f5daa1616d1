"""A print differs if an area, a column or a height is another one, and not if a text is."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.support.page_styles import new_looks, read_styles, write_styles
from tests.support.pictures import COLUMNS, ROW, difference, outlined, print_of, read_prints, write_prints

Box = tuple[int, int, int, int]
SIZE = (960, 800)
WHITE, BLUE, GREY, INK = "#ffffff", "#3350c4", "#f0f1f4", "#16181d"
SIDEBAR: Box = (0, 0, 200, 800)
LINES: tuple[Box, ...] = tuple((240, top, 640, top + 2) for top in range(100, 700, 40))


def page(*boxes: tuple[Box, str], size: tuple[int, int] = SIZE, sidebar: str = GREY) -> bytes:
    """A picture of a page with a sidebar and *boxes*."""
    picture = Image.new("RGB", size, WHITE)
    pencil = ImageDraw.Draw(picture)
    for box, colour in ((SIDEBAR, sidebar), *boxes):
        pencil.rectangle(box, fill=colour)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


TEXT = [(line, INK) for line in LINES]
APPROVED = page(*TEXT, ((700, 40, 900, 280), BLUE))


@pytest.mark.parametrize(
    "seen",
    [
        page(*((line, INK) for line in LINES[:-1]), ((700, 40, 900, 280), BLUE)),
        page(*(((240, top + 17, 600, top + 19), INK) for _, top, *_ in LINES), ((700, 40, 900, 280), BLUE)),
        page(*TEXT, ((700, 40, 900, 280), BLUE), size=(960, 840)),
    ],
    ids=["a line less", "other lines", "one row longer"],
)
def test_other_texts_look_the_same(seen: bytes) -> None:
    assert difference(print_of(APPROVED), print_of(seen)) is None


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (page(*TEXT, ((700, 40, 900, 280), BLUE), sidebar=WHITE), "cells are others"),
        (page(*TEXT), "cells are others, between 80 and 240 px from the top"),
        (page(*TEXT, ((700, 40, 900, 280), "#c43350")), "cells are others"),
        (page(*TEXT, ((500, 40, 700, 280), BLUE)), "cells are others"),
        (page(*TEXT, ((700, 40, 900, 280), BLUE), size=(960, 960)), "960 px high instead of 800"),
    ],
    ids=["no sidebar", "a section less", "another colour", "moved", "longer"],
)
def test_other_areas_columns_and_heights_look_different(seen: bytes, said: str) -> None:
    found = difference(print_of(APPROVED), print_of(seen))

    assert found is not None and said in found.text


def test_height_of_a_log_does_not_matter() -> None:
    longer = page(*TEXT, ((700, 40, 900, 280), BLUE), size=(960, 960))

    assert difference(print_of(APPROVED), print_of(longer), has_any_height=True) is None


def test_cells_that_differ_are_outlined() -> None:
    found = Image.open(io.BytesIO(outlined(APPROVED, [(2, 3)])))

    assert found.getpixel((3 * SIZE[0] // COLUMNS, 2 * ROW)) == (220, 0, 0)


def test_prints_and_styles_are_read_as_they_were_written(tmp_path: Path) -> None:
    prints = {"lockstep light 1440 /": print_of(APPROVED), "documo dark 390 /users?search": print_of(page())}
    styles = {"lockstep light 1440": {"a.link": {"blue", "red"}, "td": {"black"}}}

    write_prints(tmp_path / "pictures", prints)
    write_styles(tmp_path / "styles", styles)

    assert read_prints(tmp_path / "pictures") == prints
    assert read_styles(tmp_path / "styles") == styles


def test_another_look_of_a_known_kind_of_element_is_found_and_new_kinds_are_not() -> None:
    approved = {"a.link": {"blue", "red"}, "td": {"black"}, "th": {"grey"}}

    assert new_looks(approved, {"a.link": {"blue"}, "td": {"black", "white"}, "span.new": {"pink"}}) == ["td: white"]
