"""`documo sso keys`."""

from __future__ import annotations

from typing import Any

import click

from documo.access.sso import own_keys as rules
from documo.access.sso.own_keys import OwnKey
from documo.accounts import only_account
from documo.cli.members import account_option
from documo.cli.output import DocumoOutput, confirm, data_option, output_option, with_store
from documo.settings import DocumoSettings
from documo.store.database import Store

COLUMNS = ("thumbprint", "state", "expires_at")


@click.group()
def keys() -> None:
    """Replace Documo's own key of an account without interrupting sign-in.

    \b
    documo sso keys new                  # then give it to the identity provider
    documo sso keys activate THUMBPRINT
    documo sso keys remove THUMBPRINT    # the old one
    """


@keys.command("list")
@account_option
@data_option
@output_option
def list_(account: str | None, settings: DocumoSettings, output: DocumoOutput) -> None:
    """List the certificates, the active one first."""

    async def work(store: Store) -> list[OwnKey]:
        return await rules.own_keys(store, (await only_account(store, account)).id)

    output.many("keys", [_described(key) for key in with_store(settings, work)], COLUMNS)


@keys.command()
@account_option
@data_option
@output_option
def new(account: str | None, settings: DocumoSettings, output: DocumoOutput) -> None:
    """Prepare a new key. Documo signs with it once it is active."""

    async def work(store: Store) -> OwnKey:
        return await rules.prepare_key(store, (await only_account(store, account)).id)

    made = _described(with_store(settings, work))
    output.one(made)
    if output.format == "table":
        click.echo(
            "Give it to your identity provider (documo sso metadata), then:"
            f" documo sso keys activate {made['thumbprint'][:8]}",
            err=True,
        )


@keys.command()
@click.argument("thumbprint")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@account_option
@data_option
def activate(thumbprint: str, yes: bool, account: str | None, settings: DocumoSettings) -> None:
    """Sign with this key from now on. THUMBPRINT may be abbreviated."""

    async def find(store: Store) -> OwnKey:
        return rules.key_to_activate(await _keys(store, account), thumbprint)

    chosen = with_store(settings, find).thumbprint
    confirm(
        f"If the identity provider does not have the certificate {chosen}, members cannot sign in. Make the certificate active?",
        yes=yes,
    )

    async def work(store: Store) -> OwnKey:
        return await rules.activate_key(store, (await only_account(store, account)).id, chosen)

    click.echo(f"Documo signs with {with_store(settings, work).thumbprint}")


@keys.command()
@click.argument("thumbprint")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@account_option
@data_option
def remove(thumbprint: str, yes: bool, account: str | None, settings: DocumoSettings) -> None:
    """Remove the key that is not active. THUMBPRINT may be abbreviated."""

    async def find(store: Store) -> OwnKey:
        return rules.key_to_remove(await _keys(store, account), thumbprint)

    chosen = with_store(settings, find).thumbprint
    confirm(f"Documo will refuse assertions that are encrypted to the certificate {chosen}. Remove it?", yes=yes)

    async def work(store: Store) -> OwnKey:
        return await rules.remove_key(store, (await only_account(store, account)).id, chosen)

    click.echo(f"Removed {with_store(settings, work).thumbprint}")


async def _keys(store: Store, account: str | None) -> list[OwnKey]:
    return await rules.find_own_keys(store, (await only_account(store, account)).id)


def _described(key: OwnKey) -> dict[str, Any]:
    return {"thumbprint": key.thumbprint, "state": key.state.value, "expires_at": key.expires_at}
