"""The icons: outlines of 16 px, inlined as SVG. They are hidden from screen readers, because a word always accompanies them."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from markupsafe import Markup

_INNER = re.compile(r"<svg[^>]*>(.*)</svg>", re.S)


@cache
def icon(name: str, size: int = 16, classes: str = "") -> Markup:
    """Return the SVG of the icon *name* in `kit/icons`. Raises FileNotFoundError if it is unknown."""
    text = (files("lockstep.kit") / "icons" / f"{name}.svg").read_text()
    found = _INNER.search(text)
    if found is None:
        raise ValueError(f"icons/{name}.svg is not an SVG")
    extra = f' class="{classes}"' if classes else ""
    return Markup(  # noqa: S704 - our own files and arguments
        f'<svg{extra} width="{size}" height="{size}" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5"'
        f' stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">{found[1]}</svg>'
    )
