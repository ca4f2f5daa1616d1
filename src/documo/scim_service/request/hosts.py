"""Decide which Host headers are served, and with which base URL.

The base URL is built from settings and the stored name of a custom domain, so nothing from a request can get into a link.
"""

from __future__ import annotations

from collections.abc import Iterable

from documo.domains import url_of
from documo.scim_service.tenant.tenants import Tenants
from documo.settings import SCIM_PATH
from lockstep.scim.errors import ScimError

_LAST_PORT = 65535


class Hosts:
    """The configured address, and the verified domains of all tenants."""

    def __init__(self, public_url: str, listening: str, tenants: Tenants) -> None:
        self._tenants = tenants
        self.base_url = public_url + SCIM_PATH
        host = public_url.partition("://")[2]
        port = listening.rpartition(":")[2]
        own = {host, listening, f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}"}
        self._own = {name.encode() for name in own}
        self._public_url = public_url

    async def base_url_for(self, headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, int | None]:
        """Return the base URL and the tenant that the host belongs to. The tenant is None if the host serves every tenant.

        Raises ScimError 421 for an unknown host, and 400 for two Host headers (RFC 9112, section 3.2).
        """
        given = [value for name, value in headers if name == b"host"]
        if len(given) > 1:
            raise ScimError(400, "", "The request has two Host headers: send one.")
        host = given[0] if given else b""
        if host in self._own or host.lower() in self._own:
            return self.base_url, None
        name, mark, port = host.decode("latin-1").lower().partition(":")
        domain = name.rstrip(".")
        owner = await self._tenants.domain_owner(domain) if not mark or _is_port(port) else None
        if owner is None:
            raise ScimError(
                421, "", "Documo is not served at this host name. Use the API URL from your account's settings."
            )
        return url_of(domain, self._public_url) + SCIM_PATH, owner


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= _LAST_PORT
