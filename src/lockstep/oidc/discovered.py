"""What providers say of themselves, kept for a while: an anonymous visitor cannot make the server ask a provider for each request."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from lockstep.errors import LockstepError

if TYPE_CHECKING:
    from lockstep.http.client import HttpClient
    from lockstep.oidc.provider import Metadata


class DiscoveredProviders:
    """The provider that was asked last, and its answer. A failure is kept for a shorter time. Requests that come while one is under way
    wait for its answer.
    """

    def __init__(self, *, kept_seconds: float = 600.0, failure_kept_seconds: float = 5.0) -> None:
        self._kept_seconds, self._failure_kept_seconds = kept_seconds, failure_kept_seconds
        self._known: dict[str, tuple[float, Metadata | LockstepError]] = {}
        self._asking = asyncio.Lock()

    async def find(self, http: HttpClient, issuer: str) -> Metadata:
        """What the provider says of itself, not older than is kept. Raises the error of `discover`."""
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
        """Ask again the next time: somebody changed or tested the provider."""
        self._known.clear()
