"""The brand of an account's pages: name, colour, logo.

Colours are chosen from a list, because each must be readable in the light and the dark theme. A logo must be a small raster image,
detected by its first bytes. SVG is refused because it can contain scripts.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from documo.store import branding as table
from documo.store.branding import BrandRow
from documo.store.database import Store
from lockstep.errors import invalid

# Colours: the value in the stylesheet (brand.css) and the label.
ACCENTS: Mapping[str, str] = {
    "": "Green", "blue": "Blue", "violet": "Violet", "rose": "Rose", "amber": "Amber", "slate": "Slate",
}  # fmt: skip
MOST_NAME = 60  # characters
MOST_LOGO = 200_000  # bytes
MOST_SIDE = 1_024  # pixels
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_JPEG_FRAMES = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})


@dataclass(frozen=True, slots=True)
class Logo:
    """A raster image of known type and size in pixels."""

    media_type: str
    width: int
    height: int


async def brand_of_host(store: Store, host: str) -> BrandRow | None:
    """Return the brand of the account whose pages are served at *host*, the Host header of a request, or None for any other host."""
    async with store.control() as connection:
        tenant_id = await table.tenant_of_host(connection, host.lower().partition(":")[0].rstrip("."))
        return await table.read(connection, tenant_id) if tenant_id is not None else None


async def save_brand(store: Store, tenant_id: int, *, name: str, accent: str) -> None:
    """Save name and colour. If *name* is "", the name of the account is shown. Raises LockstepError for values that cannot be shown."""
    if len(name) > MOST_NAME or not name.isprintable():
        raise invalid(f"The name is longer than {MOST_NAME} characters or contains unprintable characters")
    if accent not in ACCENTS:
        raise invalid("This colour is not available", next_step=f"Choose one of: {', '.join(ACCENTS.values())}")
    async with store.tenant(tenant_id) as connection:
        await table.save(connection, tenant_id, name=name.strip(), accent=accent)


async def save_logo(store: Store, tenant_id: int, content: bytes) -> None:
    """Save the logo. Raises LockstepError unless it is a small PNG or JPEG image."""
    logo = logo_in(content)
    version = hashlib.sha256(content).hexdigest()[:16]
    async with store.tenant(tenant_id) as connection:
        await table.save_logo(connection, tenant_id, content, media_type=logo.media_type, version=version)


async def remove_logo(store: Store, tenant_id: int) -> None:
    async with store.tenant(tenant_id) as connection:
        await table.save_logo(connection, tenant_id, None, media_type=None, version=None)


async def read_logo(store: Store, tenant_id: int) -> tuple[bytes, str] | None:
    """Return the logo and its media type, or None if there is no logo."""
    async with store.tenant(tenant_id) as connection:
        return await table.read_logo(connection, tenant_id)


def logo_in(content: bytes) -> Logo:
    """Return the image in *content*, detected by its first bytes. Raises LockstepError unless it is a PNG or JPEG image of acceptable
    size.
    """
    if len(content) > MOST_LOGO:
        raise invalid(f"The logo is larger than {MOST_LOGO // 1_000} kB", next_step="Save it in a smaller size")
    sides = _sides_of_png(content) if content.startswith(_PNG) else _sides_of_jpeg(content)
    if sides is None:
        raise invalid("The logo is not a PNG or JPEG image", next_step="Save it as PNG, then upload it")
    if not all(0 < side <= MOST_SIDE for side in sides):
        raise invalid(
            f"The logo is {sides[0]} by {sides[1]} pixels",
            next_step=f"Save it with at most {MOST_SIDE} by {MOST_SIDE} pixels",
        )
    return Logo("image/png" if content.startswith(_PNG) else "image/jpeg", *sides)


def _sides_of_png(content: bytes) -> tuple[int, int] | None:
    """Read width and height from the first chunk (PNG, section 11.2.2)."""
    if content[12:16] != b"IHDR" or len(content) < 33:
        return None
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def _sides_of_jpeg(content: bytes) -> tuple[int, int] | None:
    """Read width and height from the frame header (JPEG, ITU T.81, section B.2.2)."""
    if not content.startswith(_JPEG):
        return None
    at = 2
    while at + 9 < len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4])
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 2 + max(length, 2)
    return None
