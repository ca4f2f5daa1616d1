"""A worker in a separate process, to be killed: `python worker_to_kill.py CONNINFO KEY ORIGIN [--hold-updates]`.

With --hold-updates it stops forever before it sends a change that is already journaled.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import timedelta
from typing import Any, NoReturn

from lockstep.ports import Target, TargetSettings, Turns
from lockstep.postgres.database import Database
from lockstep.postgres.pool import open_pool
from lockstep.sync.drive import Drive
from lockstep.sync.services import Services, Times
from lockstep.sync.worker.worker import run_worker
from lockstep.targets.opener import ScimTargets
from lockstep.targets.scim_target import ScimTarget
from lockstep.vault import Vault, parse_key

TIMES = Times(
    deadline_seconds=1.5,
    lease_margin_seconds=0.5,
    lease_renewal_seconds=0.3,
    ambiguous_wait=timedelta(seconds=0.1),
    late_arrival_seconds=3.0,
)


class Holding(ScimTarget):
    async def update(self, *_: Any, **__: Any) -> NoReturn:
        await asyncio.get_running_loop().create_future()
        raise AssertionError("unreachable")


class HoldingTargets(ScimTargets):
    def open(self, settings: TargetSettings, turns: Turns | None = None) -> Target:
        return Holding(settings, self.client, turns)


async def main(conninfo: str, key: str, origin: str, hold: str = "") -> None:
    pool = await open_pool(Database("lockstep", "test", conninfo), max_size=6)
    drive = Drive(pool=pool)
    vault = Vault(parse_key(key, where="test"))
    targets = (HoldingTargets if hold else ScimTargets)([origin])
    services = Services(pool, vault, targets, drive.wake, times=TIMES)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, services.stopping.set)
    await run_worker(services)
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
