"""A process, to be killed, that sends the messages that are due and ends: `python sender_to_kill.py CONNINFO`."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

from lockstep.actions.outgoing_mail import send_due_mail
from lockstep.http.client import HttpClient
from lockstep.http.outbound import OutboundRules
from lockstep.postgres.database import Database
from lockstep.postgres.pool import open_pool
from tests.support.hub import make_context


async def main(conninfo: str) -> None:
    pool = await open_pool(Database("lockstep", "test", conninfo), max_size=2)
    client = HttpClient(OutboundRules(["127.0.0.0/8"]))
    await send_due_mail(replace(make_context(pool, []), http=lambda: client))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
