"""A cache of providers' discovery documents. Without it, every request of an anonymous visitor could make the server send a request to a
provider.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from lockstep.errors import LockstepError

if TYPE_CHECKING:
    from lockstep.http.client import HttpClient
    from lockstep.oidc.provider import Metadata


class DiscoveredProviders:
    """Caches the metadata of the provider that was asked last. A failure is cached for a shorter time. Callers that arrive while a request
    is in progress wait for its result.
    """

    def __init__(self, *, kept_seconds: float = 600.0, failure_kept_seconds: float = 5.0) -> None:
        self._kept_seconds, self._failure_kept_seconds = kept_seconds, failure_kept_seconds
        self._known: dict[str, tuple[float, Metadata | LockstepError]] = {}
        self._asking = asyncio.Lock()

    async def find(self, http: HttpClient, issuer: str) -> Metadata:
        """Return the provider's metadata, from the cache if it is recent enough. Raises the error of `discover`."""
        async with self._asking:
            until, found = self._known.get(issuer, (0.0, None))
            now = asyncio.get_running_loop().time()
            if found is None or now >= until:
                from lockstep.oidc.provider import discover  # most commands ask no provider

                try:
                    found, seconds = await discover(http, issuer), self._kept_seconds
                except LockstepError as failed:
                    found, seconds = failed, self._failure_kept_seconds
                self._known = {issuer: (asyncio.get_running_loop().time() + seconds, found)}  # there is one provider
        if isinstance(found, LockstepError):
            raise replace(found)
        return found

    def forget(self) -> None:
        """Clear the cache. Call this when an administrator changes or tests the provider."""
        self._known.clear()
