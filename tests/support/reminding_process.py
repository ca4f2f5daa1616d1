"""A process that sends the reminders about signing certificates that are due, as a worker does, and prints how many it sent.

Its database is in the environment. It waits until it can read a line, so that several begin at the same moment.

python -m tests.support.reminding_process 2029-01-01T00:00:00+00:00
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from datetime import datetime

from lockstep.actions.single_sign_on.reminders import remind_of_certificates
from lockstep.postgres.database import Database
from lockstep.postgres.pool import open_pool
from tests.support.hub import make_context

DATABASE = "REMINDING_DATABASE"


async def remind(now: datetime) -> None:
    pool = await open_pool(Database("lockstep", "the test's", os.environ[DATABASE]), max_size=2)
    context = replace(make_context(pool, []), now=lambda: now)
    print("ready", flush=True)
    sys.stdin.readline()
    print(len(await remind_of_certificates(context)), flush=True)
    await pool.close()


if __name__ == "__main__":
    asyncio.run(remind(datetime.fromisoformat(sys.argv[1])))
