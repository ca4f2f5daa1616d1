"""A Documo in a separate process, to be killed and restarted on its data: `python documo_to_kill.py FOLDER PORT SEED [FAULTS]`.

Prints base_url and token once it answers for the first time. Ends on SIGTERM and when the process that started it has ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from documo.access.api_keys import create_key
from documo.accounts import create_account, list_accounts
from documo.sandbox.fault_injection import FaultInjector, read_faults
from documo.server import serving, until_orphaned, until_stopped
from documo.settings import DocumoSettings
from documo.store.database import Store, running_store
from lockstep.serving.bodies import App

ACCOUNT = "Killed"


async def token_of_new_account(store: Store) -> str | None:
    if await list_accounts(store):
        return None
    account = await create_account(store, ACCOUNT, admin="admin@sandbox.example", admin_is_user=False)
    return (await create_key(store, account.id, name="rounds", scopes=("admin",))).secret


async def main(folder: str, port: str, seed: str, faults: str = "") -> None:
    settings = DocumoSettings(Path(folder), port=int(port), rate_override=0)
    rules = read_faults(Path(faults)) if faults else []

    def with_faults(app: App) -> App:
        return FaultInjector(app, rules, seed=int(seed)) if rules else app

    ends = [asyncio.ensure_future(until_stopped()), asyncio.ensure_future(until_orphaned(os.getppid()))]
    async with running_store(settings, main=True) as store:
        token = await token_of_new_account(store)
        async with serving(store, settings, wrap=with_faults) as api:
            if token is not None:
                sys.stdout.write(json.dumps({"base_url": api.scim_url, "token": token}) + "\n")
                sys.stdout.flush()
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
