"""Open applications for the inner rooms: `ports.TargetOpener` with one connection pool for all of them.

Close it last: every target that it opened sends through its pool.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lockstep.ports import Probe, Target, TargetOpener, TargetSettings
from lockstep.targets import test_connection
from lockstep.targets.http_client import HttpClient
from lockstep.targets.outbound import OutboundRules
from lockstep.targets.scim_target import ScimTarget


class ScimTargets(TargetOpener):
    """Opens SCIM applications. *outbound_allow* lists origins and networks beyond the internet."""

    def __init__(self, outbound_allow: Iterable[str] = (), *, client: HttpClient | None = None) -> None:
        self.client = client or HttpClient(OutboundRules(outbound_allow))

    def open(self, settings: TargetSettings) -> Target:
        return ScimTarget(settings, self.client)

    async def test_connection(self, settings: TargetSettings) -> Sequence[Probe]:
        return await test_connection.test_connection(settings, self.client)

    async def close(self) -> None:
        """Close every connection of every target."""
        await self.client.close()
