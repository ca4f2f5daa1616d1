"""A process that notifies applications of sign-outs, as a worker does, until it is killed. Its database is in the environment.

python -m tests.support.telling_process http://127.0.0.1:8001
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace

from lockstep.actions.openid_sign_in.back_channel import tell_due
from lockstep.http.client import HttpClient
from lockstep.http.outbound import OutboundRules
from lockstep.postgres.database import Database
from lockstep.postgres.pool import open_pool
from tests.support.hub import make_context

DATABASE = "TELLING_DATABASE"
LOOK_SECONDS = 0.05


async def tell(receiver: str) -> None:
    pool = await open_pool(Database("lockstep", "the test's", os.environ[DATABASE]), max_size=4)
    client = HttpClient(OutboundRules([receiver]))
    context = replace(make_context(pool, []), http=lambda: client)
    while True:
        if not await tell_due(context):
            await asyncio.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    asyncio.run(tell(sys.argv[1]))
