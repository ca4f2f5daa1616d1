"""`documo domains`."""

from __future__ import annotations

from typing import Any

import click

from documo import domains as rules
from documo.accounts import only_account
from documo.cli.members import account_option
from documo.cli.output import DocumoOutput, data_option, output_option, with_store
from documo.domain_tls import CertificateState, look_for
from documo.settings import OUTBOUND_ADVICE, SCIM_PATH, DocumoSettings
from documo.store.addresses import read_address
from documo.store.database import Store
from lockstep.errors import invalid
from lockstep.http.outbound import OutboundRules

COLUMNS = ("host", "serves", "verified", "certificate", "tenant_url", "txt_record", "txt_value")


@click.group()
def domains() -> None:
    """Manage custom domains of the API and of the pages."""


@domains.command("set")
@click.argument("host")
@click.option("--app", "is_app", is_flag=True, help="The domain serves the pages, not the API.")
@click.option(
    "--email", "is_email", is_flag=True, help="An email domain: its users sign in through this account's SSO."
)
@click.option("--vouched", is_flag=True, help="Accept the domain without a DNS proof, on your own responsibility.")
@account_option
@data_option
@output_option
def set_(
    host: str,
    is_app: bool,
    is_email: bool,
    vouched: bool,
    account: str | None,
    settings: DocumoSettings,
    output: DocumoOutput,
) -> None:
    """Add a domain to an account."""
    if is_app and is_email:
        raise invalid("Use --app or --email, not both", next_step=f"documo domains set {host} --email")
    kind = rules.APP if is_app else rules.EMAIL if is_email else rules.API

    async def work(store: Store) -> rules.Domain:
        tenant = await only_account(store, account)
        return await rules.set_domain(store, tenant.id, host, kind=kind, vouched=vouched)

    domain = with_store(settings, work)
    output.one(_described(domain))
    if not domain.verified and output.format == "table":
        click.echo(
            f"\nNext: publish the TXT record {domain.record_name} with the value {domain.proof} at your DNS provider, then run:"
            f"\n  documo domains verify {domain.host}",
            err=True,
        )


@domains.command("list")
@account_option
@data_option
@output_option
def list_(account: str | None, settings: DocumoSettings, output: DocumoOutput) -> None:
    """List an account's domains."""

    async def work(store: Store) -> list[rules.Domain]:
        return await rules.list_domains(store, (await only_account(store, account)).id)

    output.many("domains", [_described(domain) for domain in with_store(settings, work)], COLUMNS)


@domains.command()
@click.argument("host")
@account_option
@data_option
def remove(host: str, account: str | None, settings: DocumoSettings) -> None:
    """Stop serving a domain."""

    async def work(store: Store) -> None:
        await rules.remove_domain(store, (await only_account(store, account)).id, host)

    with_store(settings, work)


@domains.command()
@click.argument("host")
@click.option("--name-server", metavar="ADDRESS", help="Ask this name server instead of the system's.")
@account_option
@data_option
@output_option
def verify(
    host: str, name_server: str | None, account: str | None, settings: DocumoSettings, output: DocumoOutput
) -> None:
    """Check the proof in DNS; if it is there, serve the domain from now on. If the service has an https address, the TLS certificate of the
    domain is checked too.
    """

    async def work(store: Store) -> rules.Domain:
        tenant = await only_account(store, account)
        async with store.control() as connection:
            look = look_for(
                await read_address(connection), OutboundRules(settings.outbound_allow, advice=OUTBOUND_ADVICE)
            )
        server = name_server or settings.name_server or None
        return await rules.verify_domain(store, tenant.id, host, name_server=server, look=look)

    output.one(_described(with_store(settings, work)))


def _described(domain: rules.Domain) -> dict[str, Any]:
    return {
        "host": domain.host,
        "serves": {rules.APP: "pages", rules.EMAIL: "email"}.get(domain.kind, "API"),
        "verified": domain.verified,
        "certificate": _certificate(domain.seen_tls),
        "tenant_url": f"https://{domain.host}{SCIM_PATH}" if domain.kind == rules.API else None,
        "txt_record": domain.record_name,
        "txt_value": domain.proof,
    }


def _certificate(seen: CertificateState | None) -> str | None:
    if seen is None:
        return None
    if seen.problem:
        return f"{seen.problem}. {seen.remedy}"
    return f"issued by {seen.issuer}, ends on {seen.expires_at:%d %b %Y}"
