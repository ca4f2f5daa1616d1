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
from documo.access.sso.refreshing import MetadataReader
from documo.access.sso.service import metadata_of
from documo.accounts import only_account
from documo.cli.members import account_option
from documo.cli.output import DocumoOutput, data_option, output_option, with_store
from documo.cli.sso_keys import keys
from documo.settings import OUTBOUND_ADVICE, DocumoSettings
from documo.store.addresses import read_address
from documo.store.database import Store
from lockstep.errors import invalid
from lockstep.http.outbound import OutboundRules

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
@click.option("--metadata", type=FILE, help="Metadata XML; sets entity ID, SSO URL and certificate.")
@click.option("--metadata-url", metavar="URL", help="Metadata at an address: read now and daily.")
@click.option("--entity-id", help="Entity Id of the provider.")
@click.option("--sso-url", "sign_in_url", help="SSO URL (Redirect URL).")
@click.option("--certificate", type=FILE, help="Signer certificates in PEM.")
@click.option("--email-domain", help="Email domain of the people, such as example.com.")
@click.option("--identity-field", "identity_attribute", help="Field with the email; empty means the Name ID.")
@click.option("--logout-url", help="Logout URL of the provider.")
@account_option
@data_option
@output_option
def set_(
    metadata: Path | None,
    metadata_url: str | None,
    certificate: Path | None,
    account: str | None,
    settings: DocumoSettings,
    output: DocumoOutput,
    **options: str | None,
) -> None:
    """Set up the identity provider, or change the given settings."""
    given = {**options, "metadata_url": metadata_url, "certificates": certificate.read_text() if certificate else None}
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes and metadata is None:
        raise invalid("No setting was given", next_step="documo sso set --metadata FILE --email-domain DOMAIN")
    if metadata and metadata_url:
        raise invalid("Give either --metadata or --metadata-url", next_step="documo sso set --metadata-url URL")
    given_xml = metadata.read_bytes() if metadata else None

    async def work(store: Store) -> dict[str, Any]:
        tenant, now = await only_account(store, account), datetime.now(UTC)
        xml = await _fetched(store, settings, metadata_url) if metadata_url else given_xml
        found = await rules.find_provider(store, tenant.id)
        setup = rules.setup_of(found) if found else rules.SamlSetup("", "", "")
        if xml is not None:
            setup = rules.filled_from(setup, rules.setup_of_metadata(xml, now=now))
        changed = replace(setup, **changes)  # type: ignore[arg-type]
        read_at = now if metadata_url else None
        return _described(await rules.set_up(store, tenant.id, changed, metadata_read_at=read_at))

    output.one(with_store(settings, work))


@sso.command("options")
@click.option("--sign-requests/--no-sign-requests", "requests_signed", default=None, help="Sign requests.")
@click.option("--post-requests/--no-post-requests", "requests_by_post", default=None, help="Send requests as a form.")
@click.option("--unsolicited/--no-unsolicited", "allows_unsolicited", default=None, help="Sign-ins may start there.")
@click.option(
    "--create-members/--no-create-members", "creates_members", default=None, help="Create members at first sign-in."
)
@click.option("--default-role", metavar="ROLE", help="Role of members created at sign-in.")
@click.option("--allow-sha1/--no-allow-sha1", "allows_sha1", default=None, help="Accept SHA-1 signatures (unsafe).")
@click.option("--allow-rsa15/--no-allow-rsa15", "allows_rsa15", default=None, help="Accept RSA 1.5 (unsafe).")
@account_option
@data_option
@output_option
def options_(account: str | None, settings: DocumoSettings, output: DocumoOutput, **given: str | bool | None) -> None:
    """Change how requests are sent and which sign-ins are accepted."""
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        raise invalid("No option was given", next_step="documo sso options --help")

    async def work(store: Store) -> dict[str, Any]:
        tenant = await only_account(store, account)
        setup = rules.setup_of(await rules.provider_of(store, tenant.id))
        return _described(await rules.set_up(store, tenant.id, replace(setup, **changes)))  # type: ignore[arg-type]

    output.one(with_store(settings, work))


async def _fetched(store: Store, settings: DocumoSettings, url: str) -> bytes:
    reader = MetadataReader(store, OutboundRules(settings.outbound_allow, advice=OUTBOUND_ADVICE))
    try:
        return await reader.fetch(url)
    finally:
        await reader.close()


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
        "metadata_url": row.metadata_url,
        "sign_requests": row.requests_signed,
        "post_requests": row.requests_by_post,
        "unsolicited": row.allows_unsolicited,
        "create_members": row.creates_members,
        "default_role": row.default_role,
        "allow_sha1": row.allows_sha1,
        "allow_rsa15": row.allows_rsa15,
    }
