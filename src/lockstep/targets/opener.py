"""Open applications for the rest of Lockstep: implements `ports.TargetOpener` with one connection pool for all applications.

The opener must be closed last, because every target that it opened sends through its pool.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lockstep.engine.records import ObjectKind
from lockstep.engine.rules.target_attributes import TargetAttribute
from lockstep.http.outbound import OutboundRules
from lockstep.ports import Observer, Probe, Target, TargetOpener, TargetSettings, Turns, unobserved

if TYPE_CHECKING:
    from lockstep.http.client import HttpClient


class ScimTargets(TargetOpener):
    """Opens SCIM applications.

    *outbound_allow* lists private origins and networks that this process may always connect to. *observer* is called for every
    request, to count it.
    """

    def __init__(
        self,
        outbound_allow: Iterable[str] = (),
        *,
        client: HttpClient | None = None,
        observer: Observer = unobserved,
    ) -> None:
        self._always = tuple(outbound_allow)
        self._more: tuple[str, ...] = ()
        self._rules = OutboundRules(self._always)
        self._client = client
        self._observer = observer

    @property
    def client(self) -> HttpClient:
        """The connection pool. It is created when the first application is opened, because most commands never contact an
        application.
        """
        if self._client is None:
            from lockstep.http.client import HttpClient

            self._client = HttpClient(self._rules)
        return self._client

    def allow(self, more: Iterable[str]) -> None:
        """Allow more private origins and networks; see `ports.TargetOpener.allow`. If the list changes, connections that are already open
        are not used for new requests.
        """
        more = tuple(more)
        if more == self._more:
            return
        self._more = more
        self._rules.allow((*self._always, *more))
        if self._client is not None:
            self._client.renew()

    def open(self, settings: TargetSettings, turns: Turns | None = None) -> Target:
        from lockstep.targets.scim_target import ScimTarget

        return ScimTarget(settings, self.client, turns, self._observer)

    async def test_connection(self, settings: TargetSettings) -> Sequence[Probe]:
        from lockstep.targets.probing.connection import test_connection

        return await test_connection(settings, self.client)

    async def test_deeply(self, settings: TargetSettings) -> Sequence[Probe]:
        from lockstep.targets.conformance.deep import test_deeply

        return await test_deeply(settings, self.client)

    async def discover(self, settings: TargetSettings, kind: ObjectKind) -> Sequence[TargetAttribute]:
        from lockstep.targets.probing.attributes import discover

        return await discover(settings, self.client, kind)

    async def close(self) -> None:
        """Close all connections of all targets."""
        if self._client is not None:
            await self._client.close()
