"""Settings of one Documo process, from flags and environment, validated once.

The public URL is taken from the configuration only, so links never contain data from a request.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from documo.search_limits import SearchLimits
from lockstep.errors import invalid
from lockstep.http.origins import read_entry
from lockstep.serving.limits import ServingLimits
from lockstep.serving.tokens import checked_token

DEFAULT_DATA = "./lockstep-data"
DEFAULT_PORT = 8081
SCIM_PATH = "/scim/v2"
OUTBOUND_ADVICE = "add {origin} to DOCUMO_OUTBOUND_ALLOW"


@dataclass(frozen=True, slots=True)
class DocumoSettings:
    """Settings of one process. *public_url* is "" until the port is known. *rate_override* replaces every tenant's rate."""

    data: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    public_url: str = ""
    urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    rate_override: int | None = None
    outbound_allow: tuple[str, ...] = ()  # private origins and networks that events may be sent to
    name_server: str = ""  # resolver for the records of custom domains; "" means the system's
    metrics_token: str = field(default="", repr=False)  # "" switches /metrics off
    limits: ServingLimits = field(default_factory=ServingLimits)  # of the HTTP server
    search_limits: SearchLimits = field(default_factory=SearchLimits)


def read_settings(
    *, data: str | None = None, host: str | None = None, port: int | None = None, public_url: str | None = None,
    rate: int | None = None,
) -> DocumoSettings:  # fmt: skip
    """Read the settings: flags take precedence over the environment. Raises LockstepError for an invalid value."""
    environment = os.environ
    urls = {
        name: environment[variable]
        for name, variable in (("lockstep", "DATABASE_URL"), ("documo", "DOCUMO_DATABASE_URL"))
        if environment.get(variable)
    }
    return DocumoSettings(
        data=Path(data or environment.get("LOCKSTEP_DATA") or DEFAULT_DATA),
        host=host or environment.get("DOCUMO_HOST") or "127.0.0.1",
        port=DEFAULT_PORT if port is None else port,
        public_url=checked_url(public_url or environment.get("DOCUMO_PUBLIC_URL") or ""),
        urls=urls,
        rate_override=rate,
        outbound_allow=_allowed(environment, "DOCUMO_OUTBOUND_ALLOW"),
        name_server=environment.get("DOCUMO_NAME_SERVER", "").strip(),
        metrics_token=_metrics_token(environment),
        limits=limits_from(environment),
        search_limits=search_limits_from(environment),
    )


def search_limits_from(environment: Mapping[str, str]) -> SearchLimits:
    """Return the limits of searches. Raises LockstepError for an invalid number.

    DOCUMO_SEARCHES_PER_ACCOUNT (2): searches of one account that run at once.
    DOCUMO_SEARCH_SECONDS (2): time limit for one database statement of a search, at most 60.
    """
    default = SearchLimits()
    return replace(
        default,
        at_once=_number(environment, "DOCUMO_SEARCHES_PER_ACCOUNT", default.at_once),
        milliseconds=1000 * _number(environment, "DOCUMO_SEARCH_SECONDS", default.milliseconds // 1000, most=60),
    )


def _allowed(environment: Mapping[str, str], variable: str) -> tuple[str, ...]:
    try:
        return tuple(read_entry(word) for word in environment.get(variable, "").replace(",", " ").split())
    except ValueError as wrong:
        raise invalid(f"{variable}: {wrong}") from None


def _metrics_token(environment: Mapping[str, str]) -> str:
    text = environment.get("DOCUMO_METRICS_TOKEN", "").strip()
    return checked_token(text, variable="DOCUMO_METRICS_TOKEN") if text else ""


def limits_from(environment: Mapping[str, str]) -> ServingLimits:
    """Return the limits of the HTTP server. Raises LockstepError for an invalid number or address.

    DOCUMO_MAX_CONNECTIONS (2000): connections at once; fewer if `ulimit -n` is low.
    DOCUMO_MAX_CONNECTIONS_PER_ADDRESS (256): connections at once from one address.
    DOCUMO_TRUSTED_PROXIES (none): addresses and networks of reverse proxies. Their X-Forwarded-For names the client, and the limit per
    address does not apply to them.
    """
    default = ServingLimits()
    return replace(
        default,
        connections=_number(environment, "DOCUMO_MAX_CONNECTIONS", default.connections),
        connections_per_address=_number(
            environment, "DOCUMO_MAX_CONNECTIONS_PER_ADDRESS", default.connections_per_address
        ),
        trusted_proxies=_networks(environment, "DOCUMO_TRUSTED_PROXIES"),
    )


def _number(environment: Mapping[str, str], variable: str, default: int, *, most: int = 1_000_000) -> int:
    text = environment.get(variable, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:8]) <= most:
        raise invalid(f"{variable} must be a whole number from 1 to {most}")
    return int(text)


def _networks(environment: Mapping[str, str], variable: str) -> tuple[str, ...]:
    words = environment.get(variable, "").replace(",", " ").split()
    for word in words:
        try:
            ipaddress.ip_network(word, strict=False)
        except ValueError:
            raise invalid(
                f"{variable}: {word[:100]!r} is not a valid address or network",
                next_step="Write addresses such as 192.0.2.10 and networks such as 10.0.0.0/8",
            ) from None
    return tuple(words)


def checked_url(url: str) -> str:
    """Return *url* without a trailing slash; "" is returned unchanged. Raises LockstepError for anything but an http(s) origin."""
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise invalid(
            f"The public URL {url[:200]!r} is not an origin",
            next_step="Write scheme and host only, for example: --public-url https://api.documo.com",
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"
