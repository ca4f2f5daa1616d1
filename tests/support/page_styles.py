"""Approved styles of pages: how each kind of element looks, as the browser computes it. They change with a colour, a font or a padding."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from playwright.async_api import Page

Styles = dict[str, set[str]]  # the looks of each kind of element, such as "button.button.button-primary"

_READ = """() => {
  const properties = ["display", "color", "background-color", "background-image", "font-family", "font-size", "font-weight",
    "font-style", "line-height", "letter-spacing", "text-decoration-line", "text-transform", "padding", "gap", "border-width",
    "border-style", "border-color", "border-radius", "box-shadow", "opacity", "outline-style"];
  const found = {};
  for (const one of document.body.querySelectorAll("*")) {
    if (one.closest("svg, pre, textarea, option, script, style") || !one.getClientRects().length) continue;
    const kind = [one.localName, ...[...one.classList].sort()].join(".");
    const style = getComputedStyle(one);
    const look = properties.map((name) => style.getPropertyValue(name)).join("|");
    (found[kind] ??= new Set()).add(look);
  }
  return Object.fromEntries(Object.entries(found).map(([kind, looks]) => [kind, [...looks]]));
}"""


async def styles_of(page: Page) -> Styles:
    """Return the styles of the elements that the page shows."""
    found: Mapping[str, Iterable[str]] = await page.evaluate(_READ)
    return {kind: set(looks) for kind, looks in found.items()}


def add_styles(styles: dict[str, Styles], window: str, more: Styles) -> None:
    """Add the looks in *more* to those of *window*."""
    known = styles.setdefault(window, {})
    for kind, looks in more.items():
        known.setdefault(kind, set()).update(looks)


def new_looks(approved: Mapping[str, set[str]], seen: Mapping[str, set[str]]) -> list[str]:
    """Return a line for each kind of element that was approved but now has another look too. Kinds that were not approved are new
    elements, which the pictures show.
    """
    return [
        f"{kind}: {sorted(seen[kind] - looks)[0]}"
        for kind, looks in sorted(approved.items())
        if seen.get(kind, set()) - looks
    ]


def read_styles(file: Path) -> dict[str, Styles]:
    """Read the approved styles of each window."""
    found: dict[str, Styles] = {}
    for line in zlib.decompress(base64.b85decode(file.read_bytes().replace(b"\n", b""))).decode().splitlines():
        window, kind, look = line.split("\t")
        found.setdefault(window, {}).setdefault(kind, set()).add(look)
    return found


def write_styles(file: Path, styles: Mapping[str, Styles]) -> None:
    lines = [
        f"{window}\t{kind}\t{look}"
        for window, kinds in sorted(styles.items())
        for kind, looks in sorted(kinds.items())
        for look in sorted(looks)
    ]
    text = base64.b85encode(zlib.compress("\n".join(lines).encode(), 9)).decode()
    file.write_text("".join(f"{text[start : start + 120]}\n" for start in range(0, len(text), 120)), encoding="ascii")
