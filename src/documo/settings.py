"""Where this Documo keeps its data and what it calls itself, from flags and environment, checked once.

The public URL is configuration: nothing that a request says ends up in a link.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from lockstep.errors import invalid

DEFAULT_DATA = "./lockstep-data"
DEFAULT_PORT = 8081
SCIM_PATH = "/scim/v2"


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one process. *public_url* is "" until the port is known; *rate_override* replaces every tenant's rate."""

    data: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    public_url: str = ""
    urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    rate_override: int | None = None
    outbound_allow: tuple[str, ...] = ()  # where events may be sent beyond the internet: origins and networks


def read_settings(
    *, data: str | None = None, host: str | None = None, port: int | None = None, public_url: str | None = None,
    rate: int | None = None,
) -> Settings:  # fmt: skip
    """Settings from flags first, then the environment. Raises LockstepError for a public URL that is none."""
    environment = os.environ
    urls = {
        name: environment[variable]
        for name, variable in (("lockstep", "DATABASE_URL"), ("documo", "DOCUMO_DATABASE_URL"))
        if environment.get(variable)
    }
    return Settings(
        data=Path(data or environment.get("LOCKSTEP_DATA") or DEFAULT_DATA),
        host=host or environment.get("DOCUMO_HOST") or "127.0.0.1",
        port=DEFAULT_PORT if port is None else port,
        public_url=checked_url(public_url or environment.get("DOCUMO_PUBLIC_URL") or ""),
        urls=urls,
        rate_override=rate,
        outbound_allow=tuple(environment.get("DOCUMO_OUTBOUND_ALLOW", "").replace(",", " ").split()),
    )


def checked_url(url: str) -> str:
    """*url* without a trailing slash; "" stays "". Raises LockstepError for what is no http(s) origin."""
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise invalid(
            f"The public URL {url[:200]!r} is not an origin",
            next_step="Write scheme and host only, for example: --public-url https://api.documo.com",
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"
