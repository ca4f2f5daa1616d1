"""Decide to which addresses Lockstep may connect. Pure.

The text of a URL is checked first, and the resolved address is checked for every connection. A name is therefore refused as soon as it
resolves to a forbidden address, even if it was allowed earlier. Only listed places may have private addresses or be used without TLS.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from lockstep.http.origins import METADATA

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
Admit = Callable[[str, int, IPAddress], None]

LONGEST_URL = 4096
MOST_REMEMBERED = 1000
DEFAULT_PORTS = {"http": 80, "https": 443}
ENTRY_PORTS = DEFAULT_PORTS | {
    "ldap": 389,
    "ldaps": 636,
    "smtp": 25,
    "smtps": 465,
}  # for entries of the list; requests use only the two above

# In addition to the ranges that `ipaddress` calls not global: shared, relayed, tunnelled and translated ranges, which hide the real
# address.
_NEVER_PUBLIC: tuple[IPNetwork, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "168.63.129.16/32",  # Azure's metadata and DNS host, which has a public address
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",
        "::ffff:0:0/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
_TRANSLATED = tuple(ipaddress.IPv6Network(text) for text in ("64:ff9b::/96", "::ffff:0:0:0/96", "::/96"))
_PLAIN = re.compile(r"[!-\[\]-~]*")  # printable ASCII except the backslash
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]*|[0-9]+")


class Blocked(OSError):
    """Raised if the rules refuse an address. The text of the error says why, and *next_step* says what to do.

    It is an OSError because HTTP connectors pass OSErrors on.
    """

    def __init__(self, sentence: str, next_step: str = "") -> None:
        super().__init__(sentence)
        self.next_step = next_step


@dataclass(frozen=True, slots=True)
class Destination:
    """The checked parts of a URL: where a connection would go."""

    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class OutboundRules:
    """The allowed places: origins such as `http://127.0.0.1:8081`, and networks such as `10.0.0.0/8`.

    *advice* says how to allow a place; `{origin}` in *advice* is replaced by the origin of the place. Raises ValueError for an entry that
    is neither an origin nor a network.
    """

    def __init__(self, allow: Iterable[str] = (), *, advice: str = "allow it: lockstep outbound add {origin}") -> None:
        self._advice = advice
        self.allow(allow)

    def allow(self, allow: Iterable[str]) -> None:
        """Replace the list of allowed places with *allow*. Raises ValueError for an invalid entry."""
        entries = [entry.strip() for entry in allow if entry.strip()]
        places = [_split(entry, ENTRY_PORTS) for entry in entries if "://" in entry]
        self._origins = frozenset(place.origin for place in places)
        self._doors = frozenset((place.host, place.port) for place in places)
        self._networks = tuple(ipaddress.ip_network(entry, strict=False) for entry in entries if "://" not in entry)
        self._approved: dict[str, Destination] = {}

    def check_url(self, url: str) -> Destination:
        """Return the destination of *url*. Raises Blocked if *url* is forbidden, whatever addresses its host has."""
        end = url.find("/", len("https://"))
        known = self._approved.get(url[:end]) if end > 0 else None
        if known is not None and len(url) <= LONGEST_URL and _PLAIN.fullmatch(url):
            return known
        place = self._judged(url)
        if end > 0 and len(self._approved) < MOST_REMEMBERED:
            self._approved[url[:end]] = place
        return place

    def _judged(self, url: str) -> Destination:
        place = _split(url)
        if place.origin in self._origins:
            address = _literal(place.host)
            if address is not None:
                _refuse_metadata(place.host, address)
            return place
        if place.scheme != "https":
            raise Blocked(
                f"{place.origin} does not use https, so the secret token would be sent unencrypted",
                f"Use https. On a trusted network, {self._advice.format(origin=place.origin)}",
            )
        address = _literal(place.host) or _loopback_of(place.host)
        if address is not None:
            self.check_address(place.host, place.port, address)
        return place

    def check_address(
        self, host: str, port: int, address: IPAddress, *, scheme: str = "https", what: str = "application"
    ) -> None:
        """Raise Blocked if *address* is private and not allowed. *host* is the name that resolved to *address*. *what* is the kind of
        server that the advice names.

        Link-local and cloud metadata addresses are refused even if the allowed places include the host, or a network that contains the
        address.
        """
        _refuse_metadata(host, address)
        if (host, port) in self._doors or any(_within(address, network) for network in self._networks):
            return
        if is_public(address):
            return
        named = "" if _literal(host) is not None else f"{host} resolves to "
        shown = f"[{host}]" if ":" in host else host
        raise Blocked(
            f"{named}{address}, which is {_sort_of(address)} and not a public address",
            f"If this {what} runs inside your network, {self._advice.format(origin=f'{scheme}://{shown}:{port}')}",
        )


def _refuse_metadata(host: str, address: IPAddress) -> None:
    """Raise Blocked for an address at which clouds give out credentials, even if it is embedded in an IPv6 address."""
    if not any(_within(inner, network) for inner in _unwrapped(address) for network in METADATA):
        return
    named = "" if _literal(host) is not None else f"{host} resolves to "
    raise Blocked(
        f"{named}{address}, which is a link-local address or a cloud metadata address; Lockstep never connects to it",
        "Use a different address for the application; no setting allows this one",
    )


def _unwrapped(address: IPAddress) -> tuple[IPAddress, ...]:
    """Return *address* and, if it embeds an IPv4 address, that address too."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    hidden = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if any(address in network for network in _TRANSLATED):
        hidden.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return (address, *(inner for inner in hidden if inner is not None))


def is_public(address: IPAddress) -> bool:
    """Whether *address* is an ordinary internet address that embeds no other address."""
    if any(_within(address, network) for network in _NEVER_PUBLIC):
        return False
    return address.is_global and not address.is_multicast


def _split(url: str, ports: Mapping[str, int] = DEFAULT_PORTS) -> Destination:
    """Parse *url* strictly: anything that two parsers could read differently is refused."""
    if len(url) > LONGEST_URL:
        raise Blocked(f"The URL is longer than {LONGEST_URL} characters")
    if not _PLAIN.fullmatch(url):
        raise Blocked(
            "The URL contains a space, a backslash, a control character or a non-ASCII character",
            "Copy it from the address bar of a browser",
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Blocked("Not a valid URL", "It looks like https://api.example.com/scim/v2") from None
    if parts.scheme not in ports or not url.lower().startswith(f"{parts.scheme}://"):
        raise Blocked("The URL does not begin with https://", "It looks like https://api.example.com/scim/v2")
    if "@" in parts.netloc:
        raise Blocked("The URL contains a user name or password", "Remove the part before the @")
    host = (parts.hostname or "").lower()
    if not host or port == 0 or parts.netloc.endswith(":"):
        raise Blocked("The URL has no host or an invalid port", "It looks like https://api.example.com/scim/v2")
    host = _checked_host(host, bracketed="[" in parts.netloc)
    return Destination(parts.scheme, host, port or ports[parts.scheme])


def _checked_host(host: str, *, bracketed: bool) -> str:
    """Return *host* in canonical form. Raises Blocked for anything that a resolver could read differently."""
    if bracketed:
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError:
            raise Blocked("The address in brackets is not a valid IPv6 address") from None
        if address.scope_id is not None:
            raise Blocked("The IPv6 address names a network interface")
        return str(address)
    if host.endswith("."):
        raise Blocked("The host name ends with a dot", "Remove the dot")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise Blocked("The host is neither a valid name nor an address")
    # A resolver would read 2130706433, 0x7f.1 and 0177.0.0.1 as addresses.
    if _NUMBER.fullmatch(labels[-1]):
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise Blocked("The IPv4 address must be four decimal numbers", "Write it like 192.0.2.1") from None
    return host


def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _loopback_of(host: str) -> IPAddress | None:
    """Return the loopback address for `localhost` and names below it, without asking a resolver (RFC 6761, section 6.3)."""
    return ipaddress.IPv4Address("127.0.0.1") if host == "localhost" or host.endswith(".localhost") else None


def _within(address: IPAddress, network: IPNetwork) -> bool:
    return address.version == network.version and address in network


def _sort_of(address: IPAddress) -> str:
    if address.is_unspecified:
        return "the unspecified address"
    if address.is_loopback:
        return "an address of this machine"
    if address.is_link_local:
        return "a link-local address, used for cloud metadata"
    if address.is_multicast:
        return "a multicast address"
    if isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped or address.sixtofour or address.teredo):
        return "an IPv6 address that contains an IPv4 address"
    if address.is_private:
        return "a private address"
    return "a reserved address"
