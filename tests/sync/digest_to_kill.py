"""A process, to be killed, that writes the digests that are due: `python -m tests.sync.digest_to_kill CONNINFO NOW`."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import datetime

from lockstep.actions.digests import write_due_digests
from lockstep.postgres.database import Database
from lockstep.postgres.pool import open_pool
from tests.support.hub import make_context


async def main(conninfo: str, now: str) -> None:
    pool = await open_pool(Database("lockstep", "test", conninfo), max_size=2)
    await write_due_digests(replace(make_context(pool, []), now=lambda: datetime.fromisoformat(now)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
