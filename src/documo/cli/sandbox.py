"""`documo sandbox`."""

from __future__ import annotations

from pathlib import Path

import click
import uvloop

from documo.accounts import PROFILES
from documo.log_setup import log_to_stderr
from documo.sandbox.server import SandboxServer, run_sandbox


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on; 0 = any free port.")
@click.option("--profile", type=click.Choice(PROFILES), default="lenient", show_default=True)
@click.option("--rate", type=click.IntRange(0), default=0, help="Requests per second for each account; 0 = no limit.")
@click.option("--users", type=click.IntRange(0, 200_000), default=0, help="Users that each account starts with.")
@click.option("--tenants", type=click.IntRange(1, 100), default=1, show_default=True, help="Number of accounts.")
@click.option(
    "--faults", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="YAML file with faults to inject."
)
@click.option(
    "--with-admin", is_flag=True, help="In /Users, list the owner of the key too; by default, an account starts empty."
)
@click.option("--seed", type=int, default=0, help="Seed that makes users and faults repeatable.")
def sandbox(
    port: int, profile: str, rate: int, users: int, tenants: int, faults: Path | None, with_admin: bool,
    seed: int,
) -> None:  # fmt: skip
    """Run a throw-away Documo for testing a SCIM client; nothing is left when it ends.

    Prints one line of JSON once it is ready: base_url, token, account and data, the folder for `documo requests --data`.
    """
    log_to_stderr()
    uvloop.run(run_sandbox(SandboxServer(port, profile, rate, users, tenants, faults, seed, with_admin)))
