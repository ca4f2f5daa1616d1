"""`make screenshots`: a picture of every page that links lead to, in both themes and three widths, into `screenshots/`.

Arguments: the beginnings of the addresses to take, such as /apps, or `documo` for Documo's pages; without arguments, all pages are taken.
The argument `tour` takes the pictures of docs/tour.md instead, into `docs/images/`, each as large as a window of 1280 by 900.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from playwright.async_api import Browser

from tests.support.browser import (
    DOCUMO_PAGES,
    THEMES,
    WIDTHS,
    Visitor,
    chromium,
    confirm_in_documo,
    documo_sign_in,
    every_page,
    first_sign_in,
    visiting,
)
from tests.support.documo_browser import documo_states
from tests.support.up_process import Up, running_up

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "screenshots"
IMAGES = ROOT / "docs" / "images"
DOCUMO = "/apps/documo"
TOUR = {
    "home": "/",
    "gallery": "/apps/new",
    "users-and-groups": f"{DOCUMO}/users-groups",
    "provisioning-settings": f"{DOCUMO}/provisioning/settings",
    "attribute-mapping": f"{DOCUMO}/provisioning/mappings/user?person=liam.taylor@contoso.test",
    "scoping-filters": f"{DOCUMO}/provisioning/mappings/user/scope",
    "provisioning": f"{DOCUMO}/provisioning",
    "provisioning-logs": "/logs/provisioning",
}


async def main(wanted: Sequence[str]) -> None:
    if list(wanted) != ["tour"]:
        shutil.rmtree(FOLDER, ignore_errors=True)
    with running_up("--people", "1204", "--seed", "20261123") as up:
        async with chromium() as browser:
            state = await first_sign_in(browser, up)
            if not wanted or "documo" in wanted:
                await _take_documo(browser, up)
            if list(wanted) == ["documo"]:
                return
            if list(wanted) == ["tour"]:
                async with visiting(browser, up.origin, state) as visitor:
                    await _take_tour(visitor)
                return
            async with visiting(browser, up.origin) as visitor:
                await _take(visitor, ["/sign-in"], wanted)
            async with visiting(browser, up.origin, state) as visitor:
                await _take(visitor, [*await every_page(visitor), "/no-such-page"], wanted)


async def _take_documo(browser: Browser, up: Up) -> None:
    state = await documo_sign_in(browser, up)
    async with visiting(browser, up.documo_origin) as visitor:
        await _take(visitor, ["/login"], (), prefix="documo-")
    async with visiting(browser, up.documo_origin, state) as visitor:
        async for name in documo_states(visitor):
            await _take_page(visitor, name)
        await confirm_in_documo(visitor)
        await _take(visitor, [*await every_page(visitor, of=DOCUMO_PAGES), "/no-such-page"], (), prefix="documo-")


async def _take_page(visitor: Visitor, name: str) -> None:
    """The page as it is, which a form led to."""
    for theme in THEMES:
        for width in WIDTHS:
            await visitor.look(theme=theme, width=width)
            (FOLDER / f"{theme}-{width}").mkdir(parents=True, exist_ok=True)
            await visitor.page.screenshot(path=FOLDER / f"{theme}-{width}" / f"documo-{name}.png", full_page=True)


async def _take_tour(visitor: Visitor) -> None:
    IMAGES.mkdir(exist_ok=True)
    await visitor.look(theme="light", width=1280)
    for name, path in TOUR.items():
        await visitor.go(path)
        await visitor.page.wait_for_load_state("networkidle")
        await visitor.page.screenshot(path=IMAGES / f"{name}.png")
        print(f"docs/images/{name}.png")


async def _take(visitor: Visitor, paths: Sequence[str], wanted: Sequence[str], *, prefix: str = "") -> None:
    for path in paths:
        if wanted and not path.startswith(tuple(wanted)):
            continue
        for theme in THEMES:
            for width in WIDTHS:
                await visitor.look(theme=theme, width=width)
                await visitor.go(path)
                name = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "home"
                file = FOLDER / f"{theme}-{width}" / f"{prefix}{name[:80]}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                await visitor.page.screenshot(path=file, full_page=True)
                print(file.relative_to(FOLDER.parent))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
