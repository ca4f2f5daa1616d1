"""`documo sso`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from documo.access.sso import providers as rules
from documo.access.sso.addresses import service_address
from documo.access.sso.own_keys import own_keys
from documo.access.sso.service import metadata_of
from documo.accounts import only_account
from documo.cli.members import account_option
from documo.cli.output import DocumoOutput, data_option, output_option, with_store
from documo.cli.sso_keys import keys
from documo.settings import DocumoSettings
from documo.store.addresses import read_address
from documo.store.database import Store
from lockstep.errors import invalid

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def sso() -> None:
    """Manage single sign-on of an account with SAML."""


sso.add_command(keys)


@sso.command()
@account_option
@data_option
@output_option
def show(account: str | None, settings: DocumoSettings, output: DocumoOutput) -> None:
    """Show the identity provider, and the values that it needs from Documo."""

    async def work(store: Store) -> dict[str, Any]:
        tenant = await only_account(store, account)
        service = await service_address(store, tenant.id, await _api_url(store))
        ours = {"identifier": service.entity_id, "reply_url": service.reply_url, "sign_on_url": service.sign_on_url}
        found = await rules.find_provider(store, tenant.id)
        return {**ours, **(_described(found) if found else {"entity_id": ""})}

    output.one(with_store(settings, work))


@sso.command("set")
@click.option("--metadata", type=FILE, help="Metadata XML of the provider; sets the next three options.")
@click.option("--entity-id", default=None, help="Entity Id of the provider.")
@click.option("--sso-url", default=None, help="SSO URL (Redirect URL).")
@click.option("--certificate", type=FILE, help="Signer certificates in PEM.")
@click.option("--email-domain", default=None, help="Email domain of the people, such as example.com.")
@click.option("--identity-field", default=None, help="Field with the email; empty means the Name ID.")
@click.option("--logout-url", default=None, help="Logout URL of the provider.")
@account_option
@data_option
@output_option
def set_(
    metadata: Path | None,
    entity_id: str | None,
    sso_url: str | None,
    certificate: Path | None,
    email_domain: str | None,
    identity_field: str | None,
    logout_url: str | None,
    account: str | None,
    settings: DocumoSettings,
    output: DocumoOutput,
) -> None:
    """Set up the identity provider, or change the given settings."""
    said = rules.setup_of_metadata(metadata.read_bytes(), now=datetime.now(UTC)) if metadata else None
    given = {
        "entity_id": entity_id or (said.entity_id if said else None),
        "sign_in_url": sso_url or (said.sign_in_url if said else None),
        "certificates": certificate.read_text() if certificate else (said.certificates if said else None),
        "logout_url": logout_url if logout_url is not None else (said.logout_url if said else None),
        "requests_signed": said.requests_signed if said else None,
        "requests_by_post": said.requests_by_post if said else None,
        "email_domain": email_domain,
        "identity_attribute": identity_field,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        raise invalid("No setting was given", next_step="documo sso set --metadata FILE --email-domain DOMAIN")

    async def work(store: Store) -> dict[str, Any]:
        tenant = await only_account(store, account)
        found = await rules.find_provider(store, tenant.id)
        before = rules.setup_of(found) if found else rules.SamlSetup("", "", "")
        return _described(await rules.set_up(store, tenant.id, replace(before, **changes)))  # type: ignore[arg-type]

    output.one(with_store(settings, work))


@sso.command()
@click.option("--keep", metavar="EMAIL", help="The Admin who may still use a password.")
@click.option("--off", is_flag=True, help="Let everyone use passwords again.")
@account_option
@data_option
def enforce(keep: str | None, off: bool, account: str | None, settings: DocumoSettings) -> None:
    """Require SSO for everyone except one Admin."""
    if off == bool(keep):
        raise invalid("Give either --keep or --off", next_step="documo sso enforce --keep ADMIN_EMAIL")

    async def work(store: Store) -> None:
        tenant = await only_account(store, account)
        if keep:
            await rules.enforce(store, tenant.id, break_glass=keep)
        else:
            await rules.stop_enforcing(store, tenant.id)

    with_store(settings, work)
    click.echo(
        f"Members sign in with SSO only; {keep} may still use a password" if keep else "Members can use passwords again"
    )


@sso.command()
@account_option
@data_option
def remove(account: str | None, settings: DocumoSettings) -> None:
    """Remove the identity provider: members use passwords again."""

    async def work(store: Store) -> None:
        await rules.remove_provider(store, (await only_account(store, account)).id)

    with_store(settings, work)
    click.echo("Removed single sign-on")


@sso.command()
@account_option
@data_option
def metadata(account: str | None, settings: DocumoSettings) -> None:
    """Print the metadata of Documo, for the identity provider."""

    async def work(store: Store) -> bytes:
        tenant = await only_account(store, account)
        await own_keys(store, tenant.id)
        return await metadata_of(store, tenant.id, api_url=await _api_url(store))

    click.echo(with_store(settings, work).decode())


async def _api_url(store: Store) -> str:
    async with store.control() as connection:
        return await read_address(connection) or ""


def _described(provider: rules.Provider) -> dict[str, Any]:
    row = provider.row
    return {
        "entity_id": row.entity_id,
        "sso_url": row.sign_in_url,
        "email_domain": row.email_domain,
        "identity_field": row.identity_attribute or "Name ID",
        "certificates": ", ".join(f"{one.thumbprint} until {one.not_after:%Y-%m-%d}" for one in provider.certificates),
        "enforced": row.is_enforced,
    }
