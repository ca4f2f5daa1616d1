"""Walk through a page with Tab, and check the order in which elements get the focus, whether the focus is visible, and whether
it returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Page
from playwright.async_api import TimeoutError as PlaywrightTimeout

WALK = (Path(__file__).parent / "keyboard.js").read_text()
MOST_STOPS = 900
_AT_ONCE = 20
_ATTEMPTS = 3
_PATIENCE = 10_000.0  # milliseconds; only a faulty page takes this long
_HAS_FOCUS = "element => element === document.activeElement"
_IS_BACK = """([opener, address]) => {
    const isWanted = (one) => !one.closest("dialog") && (opener || one.href === address);
    const links = [...document.querySelectorAll(opener || "a[href]")].filter(isWanted);
    return (links.length ? links : [document.getElementById("main")]).includes(document.activeElement);
}"""


@dataclass(frozen=True)
class Walk:
    """One round through a page, until the focus is back at the beginning. *stops* are the numbers of the elements in the order in which
    they got the focus.
    """

    stops: Sequence[int]
    names: Sequence[str]


async def walked(page: Page, key: str = "Tab") -> Walk:
    """Press *key* from the beginning of the page until the focus is back there. Raises AssertionError if it does not return."""
    await page.evaluate(WALK)
    await page.evaluate("() => walk.begin()")
    for _ in range(MOST_STOPS // _AT_ONCE):
        for _ in range(_AT_ONCE):
            await page.keyboard.press(key)
        if await page.evaluate("() => walk.hasComeRound()"):
            return Walk(await page.evaluate("() => walk.round()"), await page.evaluate("() => walk.names()"))
    last = await page.evaluate("() => walk.names()[walk.stops.at(-1)]")
    raise AssertionError(f"{key} does not come round on {page.url}; the focus is on {last}")


async def faults_of_walk(page: Page, *, has_way_back: bool) -> list[str]:
    """Return the faults of a walk through the page in its present state."""
    found: list[str] = []
    await page.wait_for_function(
        "() => !document.querySelector('[aria-busy=true]')"
    )  # htmx is about to replace that part
    there = await walked(page)
    found += [f"no ring: {one}" for one in await page.evaluate("() => walk.faint()")]
    found += [f"order: {one}" for one in await page.evaluate("() => walk.backwards()")]
    if has_way_back and (fault := await _fault_of_way_back(page, there)):
        found.append(fault)
    ordered = await page.evaluate(
        "() => [...document.querySelectorAll('[tabindex]')].filter((one) => one.tabIndex > 0).length"
    )
    if ordered:
        found.append(f"{ordered} elements have a positive tabindex")
    return found


async def _fault_of_way_back(page: Page, there: Walk) -> str:
    """Return how the way back with Shift+Tab differs. If htmx replaces a part between the two walks, that is not a fault, so both are
    repeated.
    """
    missed: list[str] = []
    for _ in range(_ATTEMPTS):
        back = await walked(page, "Shift+Tab")
        if _from(there.stops[0], list(reversed(back.stops))) == list(there.stops):
            return ""
        missed = [back.names[one] for one in set(there.stops) ^ set(back.stops)]
        there = await walked(page)
    return f"Shift+Tab takes another way: {missed or 'the same elements in another order'}"


async def faults_of_menus(page: Page) -> list[str]:
    """Return the faults of the page's menus: Enter must open each, arrows move through it, and Escape close it and keep the focus."""
    found: list[str] = []
    await page.evaluate(WALK)
    for menu in await page.locator("details.menu > summary:visible").all():
        name = await menu.get_attribute("aria-label") or await menu.inner_text()
        await menu.focus()
        await page.keyboard.press("Enter")
        items = menu.locator("xpath=..").locator(".menu-item:not(:disabled)")
        for place in range(min(2, await items.count())):
            await page.keyboard.press("ArrowDown")
            if not await items.nth(place).evaluate(_HAS_FOCUS):
                found.append(f"menu {name}: the arrow does not lead to item {place + 1}")
            elif await ring_of_focus(page) < 3:
                found.append(f"menu {name}: item {place + 1} has no ring")
        await page.keyboard.press("Escape")
        if not await menu.evaluate(_HAS_FOCUS) or await menu.locator("xpath=..").get_attribute("open") is not None:
            found.append(f"menu {name}: Escape does not close it and give the focus back")
    return found


async def faults_of_dialog(page: Page, opener: str = "") -> list[str]:
    """Return the faults of the open dialog: Tab must stay inside, Escape must close it, and the focus must then go to *opener*.

    The default for *opener* is the link to the page's address, or the content if there is no such link.
    """
    found: list[str] = []
    address = page.url
    await walked(page)
    if not await page.evaluate("() => walk.isInside(document.querySelector('dialog:modal'))"):
        found.append("dialog: Tab leaves it")
    if page.url != address:
        found.append(f"dialog: the address has changed to {page.url} while it is open")
    await page.keyboard.press("Escape")
    if await page.locator("dialog:modal").count():
        found.append("dialog: Escape does not close it")
    try:  # the browser tells the page a moment later that the dialog was closed
        await page.wait_for_function(_IS_BACK, arg=[opener, address], timeout=_PATIENCE)
    except PlaywrightTimeout:
        found.append(f"dialog: the focus does not come back to {opener or 'the link that led to it'}")
    return found


async def ring_of_focus(page: Page) -> float:
    """The contrast between the focus ring and its surroundings; 0 without a ring."""
    await page.evaluate(WALK)
    return float(await page.evaluate("() => walk.ring(document.activeElement)"))


def _from(first: int, stops: Sequence[int]) -> Sequence[int]:
    """Return the same round of stops, but beginning with *first*, because in a dialog the browser chooses where a round begins."""
    at = stops.index(first) if first in stops else 0
    return [*stops[at:], *stops[:at]]
