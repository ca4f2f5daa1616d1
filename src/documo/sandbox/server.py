"""Run a throw-away Documo: a temporary folder, its own database and one Admin key per tenant. All are removed when the sandbox ends.

The sandbox ends on SIGTERM, on Ctrl-C, and when the process that started it has ended.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import orjson

from documo.access.api_keys import create_key
from documo.access.password_links import password_link
from documo.accounts import create_account, find_account
from documo.sandbox.demo_people import add_people
from documo.sandbox.fault_injection import FaultInjector, read_faults
from documo.sandbox.fault_page import fault_pages
from documo.server import serving, until_orphaned, until_stopped
from documo.settings import DocumoSettings
from documo.store.database import Store, open_store
from lockstep.postgres import embedded
from lockstep.postgres.server import running, start_or_attach
from lockstep.process.garbage_collection import settle_garbage
from lockstep.serving.bodies import App


@dataclass(frozen=True, slots=True)
class SandboxServer:
    """The options of a sandbox."""

    port: int = 0
    profile: str = "lenient"
    rate: int = 0
    users: int = 0
    tenants: int = 1
    faults: Path | None = None
    seed: int = 0
    with_admin: bool = False


async def run_sandbox(wanted: SandboxServer) -> None:
    """Serve until stopped. Raises LockstepError for an invalid faults file."""
    rules = read_faults(wanted.faults) if wanted.faults else []
    stopped = asyncio.ensure_future(until_stopped())
    orphaned = asyncio.ensure_future(until_orphaned(os.getppid()))
    folder = _temporary_folder()
    options = embedded.Options(durable=False)
    try:
        async with running(
            start_or_attach(folder, main=True, product="documo", databases=("documo",), options=options)
        ) as server:
            async with open_store(server.database("documo")) as store:
                tokens = [await _tenant(store, wanted, number) for number in range(wanted.tenants)]
                settings = DocumoSettings(folder, port=wanted.port, rate_override=wanted.rate)

                def with_faults(app: App) -> App:
                    return FaultInjector(app, rules, seed=wanted.seed)

                async with serving(store, settings, wrap=with_faults, extension=fault_pages(rules)) as api:
                    settle_garbage()  # as in `documo serve`, so that measurements are comparable
                    link = await _admin_link(store, api.api_url)
                    _say_ready(api.scim_url, tokens, wanted, folder, link)
                    await asyncio.wait([stopped, orphaned], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (stopped, orphaned):
            task.cancel()
        embedded.remove(folder)
        shutil.rmtree(folder, ignore_errors=True)


async def _tenant(store: Store, wanted: SandboxServer, number: int) -> str:
    limits = {"rate_per_second": wanted.rate, "rate_burst": max(1, 2 * wanted.rate)}
    account = await create_account(
        store, _account_name(number), admin=f"admin{number + 1}@sandbox.example",
        settings={"profile": wanted.profile, **limits}, admin_is_user=wanted.with_admin,
    )  # fmt: skip
    if wanted.users:
        await add_people(store, account.id, wanted.users, seed=wanted.seed)
    key = await create_key(store, account.id, name="sandbox", scopes=("admin",))
    return key.secret


def _temporary_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="documo-sandbox-"))
    folder.chmod(0o711)  # PostgreSQL's user must be able to enter the folder
    return folder


async def _admin_link(store: Store, url: str) -> str:
    """Return a link with which the Admin of the first tenant sets a password for the pages."""
    account = await find_account(store, _account_name(0))
    link = await password_link(store, account, "admin1@sandbox.example", created_by="documo sandbox")
    return f"{url}/links/{link.secret}"


def _say_ready(url: str, tokens: list[str], wanted: SandboxServer, folder: Path, link: str) -> None:
    tenants = [
        {"base_url": url, "token": token, "account": _account_name(number)} for number, token in enumerate(tokens)
    ]
    line: dict[str, Any] = {
        **tenants[0],
        "profile": wanted.profile,
        "pid": os.getpid(),
        "data": str(folder),
        "pages": link,
        "tenants": tenants,
    }
    click.echo(orjson.dumps(line).decode())
    click.echo(f"Requests: documo requests --data {folder} --account {shlex.quote(_account_name(0))}", err=True)
    click.echo(f"Pages, with a page to switch faults on: {link}", err=True)
    with suppress(OSError):
        sys.stdout.flush()


def _account_name(number: int) -> str:
    return f"Sandbox {number + 1}"
