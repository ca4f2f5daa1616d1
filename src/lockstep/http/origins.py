"""Parse one entry of the list of allowed private places: an origin or a network, in canonical form.

Anything else is refused with a suggestion. No names are resolved.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

# Addresses at which clouds give the machine's credentials to any local client. No entry can allow them.
METADATA: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16",  # link-local: AWS, Azure, Google, Oracle and most others
        "fe80::/10",  # link-local
        "fd00:ec2::/32",  # AWS: 254 is the metadata service, 253 the name server
        "fd20:ce::254/128",  # Google
        "168.63.129.16/32",  # Azure
        "100.100.100.200/32",  # Alibaba
        "192.0.0.192/32",  # Oracle, older machines
    )
)
_PORTS = {"http": 80, "https": 443, "ldap": 389, "ldaps": 636, "smtp": 25, "smtps": 465}
_HOST = re.compile(r"(?!-)[A-Za-z0-9_.-]{1,253}(?<![-.])")
_AFTER_SCHEME = re.compile(r"(?:[A-Za-z]{2,10}:?/{1,3}|https?:|/{1,3})?(?P<rest>[^/?#]*)")


def read_entry(word: str) -> str:
    """Return *word* as an origin such as `https://host:8443`, or as a network in CIDR form. Raises ValueError with a suggestion."""
    entry = _network(word) if "://" not in word else _origin_of(word)
    if _is_metadata(entry):
        raise ValueError(f"{_shown(word)} is a link-local or cloud metadata address; Lockstep never connects to it")
    return entry


def network_of(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Return the network of an entry from `read_entry`, or None for an origin with a host name."""
    host = (urlsplit(entry).hostname or "") if "://" in entry else entry
    try:
        return ipaddress.ip_network(host)
    except ValueError:
        return None


def _is_metadata(entry: str) -> bool:
    network = network_of(entry)
    return network is not None and any(
        network.version == one.version and network.subnet_of(one)  # type: ignore[arg-type]
        for one in METADATA
    )


def _origin_of(word: str) -> str:
    scheme, _, rest = word.partition("://")
    if "@" in rest:
        raise ValueError("an origin has no user name or password; remove the part before the @")
    place = _place(word)
    if scheme.lower() not in _PORTS:
        raise ValueError(f"{scheme[:20]}:// is not supported{_meant(place)}")
    if place is None:
        raise ValueError(f"{_shown(word)} is not an origin; it looks like https://host:8443")
    if urlsplit(word).path not in ("", "/") or "?" in word or "#" in word:
        raise ValueError(f"an origin has no path{_meant(place, scheme.lower())}")
    return _origin(scheme.lower(), *place)


def _network(word: str) -> str:
    try:
        network = ipaddress.ip_network(word, strict=False)
    except ValueError:
        raise ValueError(f"{_shown(word)} is neither an origin nor a network{_meant(_place(word))}") from None
    address = word.partition("/")[0]
    if network.num_addresses > 1 and ipaddress.ip_address(address) != network.network_address:
        raise ValueError(
            f"{_shown(word)} is not the first address of a network. Did you mean {network}, or only {address}?"
        )
    return str(network)


def _place(word: str) -> tuple[str, int | None] | None:
    """Return the host and port that *word* seems to contain, ignoring everything around them."""
    found = _AFTER_SCHEME.match(word)
    try:
        parts = urlsplit(f"//{found['rest'] if found else ''}")
        host, port = parts.hostname or "", parts.port
        if ":" in host:
            address = ipaddress.IPv6Address(host)
            return (f"[{address}]", port) if address.scope_id is None and port != 0 else None
        if host.rpartition(".")[2].isdigit():
            ipaddress.IPv4Address(host)  # accept only complete addresses; a resolver would also read 127.1
    except ValueError:
        return None
    return (host, port) if _HOST.fullmatch(host) and port != 0 else None


def _meant(place: tuple[str, int | None] | None, scheme: str = "") -> str:
    if place is None:
        return "; an origin looks like https://host:8443, a network like 10.0.0.0/8"
    if scheme:
        return f". Did you mean {_origin(scheme, *place)}?"
    return f". Did you mean {_origin('https', *place)}, or {_origin('http', *place)}?"


def _origin(scheme: str, host: str, port: int | None) -> str:
    return f"{scheme}://{host}:{port or _PORTS[scheme]}"


def _shown(word: str) -> str:
    return word if len(word) <= 100 else f"{word[:100]}..."
