"""How every page that links lead to looks, in both products: its picture, with what differs from run to run hidden, and its styles.

`make pictures` approves how the pages look now. It writes the prints of their pictures and their styles. `make compare-pictures` says what
looks different. It is not a test: a text that needs another line moves what is below it, so a person decides.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import Browser

from tests.support.browser import (
    DOCUMO_PAGES,
    LOCKSTEP_PAGES,
    THEMES,
    Visitor,
    chromium,
    confirm_in_documo,
    documo_sign_in,
    every_page,
    first_sign_in,
    route_of,
    visiting,
)
from tests.support.page_styles import Styles, add_styles, new_looks, read_styles, styles_of, write_styles
from tests.support.pictures import PicturePrint, difference, outlined, print_of, read_prints, write_prints
from tests.support.up_process import Up, running_up

APPROVED_PICTURES = Path(__file__).parent / "approved_pictures.tsv"
APPROVED_STYLES = Path(__file__).parent / "approved_styles.txt"
DIFFERENT = Path(__file__).resolve().parents[2] / "screenshots" / "different"
WORLD = ("--people", "200", "--seed", "20261123")
WIDTHS = (1440, 390)
# Charts and bars show when the pictures were taken; a page of YAML or JSON is as long as its text.
LOG = "/settings/scim/logs"  # of Documo: more or fewer requests each time
VARYING = ".chart, .sparkline, progress, [role=progressbar], time, pre, textarea"


@dataclass(frozen=True, slots=True)
class Look:
    """A page in one window. *name* has the page's route and query parameters, *window* the product, the theme and the width."""

    name: str
    window: str
    png: bytes
    styles: Styles

    @property
    def has_any_height(self) -> bool:
        return LOG in self.name


async def looks(browser: Browser, up: Up) -> AsyncIterator[Look]:
    """Yield how each page looks in each window."""
    async with visiting(browser, up.origin, await first_sign_in(browser, up)) as visitor:
        async for one in _of_pages(visitor, "lockstep", LOCKSTEP_PAGES):
            yield one
    async with visiting(browser, up.documo_origin, await documo_sign_in(browser, up)) as visitor:
        await confirm_in_documo(visitor)
        async for one in _of_pages(visitor, "documo", DOCUMO_PAGES):
            yield one


async def _of_pages(visitor: Visitor, product: str, package: str) -> AsyncIterator[Look]:
    for path in await every_page(visitor, of=package):
        parameters = ",".join(sorted(parse_qs(urlsplit(path).query)))
        name = route_of(path, of=package) + (f"?{parameters}" if parameters else "")
        await visitor.go(path)
        for theme in THEMES:
            for width in WIDTHS:
                await visitor.look(theme=theme, width=width)
                window = f"{product} {theme} {width}"
                yield Look(f"{window} {name}", window, await _picture(visitor), await styles_of(visitor.page))


async def _picture(visitor: Visitor) -> bytes:
    page = visitor.page
    await page.evaluate("() => document.fonts.ready.then(() => undefined)")
    return await page.screenshot(
        full_page=True, animations="disabled", mask=[page.locator(VARYING)], mask_color="#808080"
    )


def file_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ".png"


async def approve() -> None:
    prints: dict[str, PicturePrint] = {}
    styles: dict[str, Styles] = {}
    with running_up(*WORLD) as up:
        async with chromium() as browser:
            async for look in looks(browser, up):
                prints[look.name] = print_of(look.png)
                add_styles(styles, look.window, look.styles)
    write_prints(APPROVED_PICTURES, prints)
    write_styles(APPROVED_STYLES, styles)
    print(f"Approved: {len(prints)} pictures, and the styles of {len(styles)} windows")


async def compare() -> list[str]:
    """Return a line for each page that looks different than it was approved, and for each element with another style. Keeps the pictures
    of these pages in `DIFFERENT`, with the places marked.
    """
    pictures, styles = read_prints(APPROVED_PICTURES), read_styles(APPROVED_STYLES)
    shutil.rmtree(DIFFERENT, ignore_errors=True)
    found: list[str] = []
    seen: set[str] = set()
    seen_styles: dict[str, Styles] = {}
    with running_up(*WORLD) as up:
        async with chromium() as browser:
            async for look in looks(browser, up):
                seen.add(look.name)
                found += _compared(look, pictures.get(look.name))
                add_styles(seen_styles, look.window, look.styles)
    found += [f"{name}: no link leads there any more" for name in sorted(pictures.keys() - seen)]
    found += [f"{one} {line}" for one, known in styles.items() for line in new_looks(known, seen_styles.get(one, {}))]
    return found


def _compared(look: Look, approved: PicturePrint | None) -> list[str]:
    other = (
        difference(approved, print_of(look.png), has_any_height=look.has_any_height) if approved is not None else None
    )
    if approved is not None and other is None:
        return []
    DIFFERENT.mkdir(parents=True, exist_ok=True)
    (DIFFERENT / file_name(look.name)).write_bytes(outlined(look.png, other.cells if other else ()))
    return [f"{look.name}: {other.text if other else 'was not approved'}"]


def main(wanted: str) -> int:
    if wanted == "approve":
        asyncio.run(approve())
        return 0
    found = asyncio.run(compare())
    print(
        "\n".join([*found, f"Pictures: {DIFFERENT}. To approve how the pages look: make pictures"])
        if found
        else "As approved"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
