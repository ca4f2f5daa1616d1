"""`documo roles`."""

from __future__ import annotations

from typing import Any

import click

from documo import roles as rules
from documo.accounts import only_account
from documo.cli.members import account_option
from documo.cli.output import DocumoOutput, data_option, output_option, with_store
from documo.settings import DocumoSettings
from documo.store.database import Store

COLUMNS = ("value", "display", "members", "is_default")


@click.group()
def roles() -> None:
    """Manage roles, which members of an account get by hand or by provisioning."""


@roles.command("list")
@account_option
@data_option
@output_option
def list_(account: str | None, settings: DocumoSettings, output: DocumoOutput) -> None:
    """List the roles, each with the number of members who have it."""

    async def work(store: Store) -> list[dict[str, Any]]:
        return await rules.list_roles(store, await only_account(store, account))

    output.many("roles", with_store(settings, work), COLUMNS)


@roles.command()
@click.argument("value")
@click.option("--display", default="", help="Display name; default: the value.")
@account_option
@data_option
def add(value: str, display: str, account: str | None, settings: DocumoSettings) -> None:
    """Add a role, so that provisioning can give it."""

    async def work(store: Store) -> None:
        await rules.add_role(store, await only_account(store, account), value, display=display)

    with_store(settings, work)
    click.echo(f"Added the role {value}.", err=True)


@roles.command()
@click.argument("value")
@account_option
@data_option
def remove(value: str, account: str | None, settings: DocumoSettings) -> None:
    """Remove a role that no member has."""

    async def work(store: Store) -> None:
        await rules.remove_role(store, await only_account(store, account), value)

    with_store(settings, work)
    click.echo(f"Removed the role {value}.", err=True)
