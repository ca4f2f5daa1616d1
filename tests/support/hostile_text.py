"""Strings that try to break out of their place in a page, and what an HTML parser made of them."""

from __future__ import annotations

from typing import Any

import lxml.html

# Each string would create one of these if it broke out: an element; an attribute, after a quote of either kind; the end of a script, style,
# title, text area or comment; an expression of the template language; a new line of a header or a script; a change of the reading
# direction.
HOSTILE = (
    "<xss-probe>{n}</xss-probe>",
    "\" xss-probe=\"{n}\" x=\"",
    "' xss-probe='{n}' x='",
    " xss-probe={n} ",
    "</script><xss-probe>{n}",
    "</style></title></textarea><xss-probe>{n}",
    "--><xss-probe>{n}",
    "<svg/onload=xssProbe({n})>",
    "<img src=x onerror=xssProbe({n})>",
    "&lt;xss-probe&gt;{n}",
    "javascript:xssProbe({n})",
    "{{{{ 123457 * 654323 }}}}{{% raw %}}{n}",
    "\r\nSet-Cookie: xss-probe={n}",
    "\u202exss\u200bprobe\ufeff{n}",
    "`${{xssProbe({n})}}`",
)  # fmt: skip

_PRODUCT = str(123457 * 654323)  # too long to occur in a random id by chance


def hostile(number: int) -> str:
    """The string with this number. Consecutive strings attack in different ways."""
    return HOSTILE[number % len(HOSTILE)].format(n=number)


def made_of_text(html: str) -> list[str]:
    """Return the elements, attributes and script addresses that an HTML parser made of the hostile strings in *html*."""
    made = [_PRODUCT] if _PRODUCT in html else []
    for element in lxml.html.document_fromstring(html).iter():
        if not isinstance(element.tag, str):
            continue
        if "xss" in element.tag or "onload" in element.tag:
            made.append(f"<{element.tag}>")
        for name, value in element.attrib.items():
            is_script = name in ("href", "src", "action", "formaction", "xlink:href") and _runs(str(value))
            if "xss" in name or name.startswith("on") or is_script:
                made.append(f"<{element.tag} {name}={value!r}>")
    return made


def with_text(value: Any, text: str, names: set[str] | None = None, *, inside: bool = False) -> Any:
    """A copy of the JSON *value* in which *text* replaces every string under one of *names* (None: every string)."""
    if isinstance(value, dict):
        return {
            name: with_text(one, text, names, inside=inside or names is None or name in names)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [with_text(one, text, names, inside=inside) for one in value]
    return text if isinstance(value, str) and inside else value


def _runs(address: str) -> bool:
    return address.strip().lower().startswith(("javascript:", "data:", "vbscript:"))
