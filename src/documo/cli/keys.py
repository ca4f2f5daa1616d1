"""`documo keys`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any, BinaryIO

import click

from documo.access import api_keys as rules
from documo.access import trusted_issuers
from documo.access.issuer_keys import read_keys
from documo.access.scopes import DEFAULT_SCOPES, SCOPES, present_name
from documo.accounts import only_account
from documo.cli.members import account_option
from documo.cli.output import DocumoOutput, data_option, output_option, with_store
from documo.settings import DocumoSettings
from documo.store.database import Store
from documo.store.keys import KeyRow
from lockstep.wording import counted

COLUMNS = ("id", "name", "key", "scopes", "state", "expires_at", "last_used_at", "last_used_address", "last_used_agent")


class ScopeChoice(click.Choice[str]):
    """A scope. Its former name is accepted, but help and completion do not offer it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return super().convert(present_name(value), param, ctx)


@click.group()
def keys() -> None:
    """Manage API keys. A key is shown once and stored as a hash."""


@keys.command()
@account_option
@click.option("--name", default="", help="Name of the key, for example its purpose.")
@click.option("--member", default="", metavar="EMAIL", help="Member who owns the key.")
@click.option(
    "--role",
    default="Admin",
    show_default=True,
    help="Without --member: give the key to the first active member with this role.",
)
@click.option(
    "--scope", "scopes", multiple=True, type=ScopeChoice(SCOPES), help="Permission of the key; may be repeated."
)
@click.option(
    "--expires-in", "days", type=click.IntRange(1), metavar="DAYS", help="Days until the key expires; default: never."
)
@data_option
@output_option
def create(
    account: str | None, name: str, member: str, role: str, scopes: tuple[str, ...], days: int | None,
    settings: DocumoSettings, output: DocumoOutput,
) -> None:  # fmt: skip
    """Create a key and print it. It cannot be shown again."""

    async def work(store: Store) -> rules.NewKey:
        tenant = await only_account(store, account)
        return await rules.create_key(
            store, tenant.id, name=name, member=member, role=role, scopes=scopes or DEFAULT_SCOPES,
            expires_in=timedelta(days=days) if days else None, created_by="documo keys create",
        )  # fmt: skip

    _print_key(with_store(settings, work), output)


@keys.command("list")
@account_option
@data_option
@output_option
def list_(account: str | None, settings: DocumoSettings, output: DocumoOutput) -> None:
    """List keys, without their secrets."""

    async def work(store: Store) -> list[KeyRow]:
        return await rules.list_keys(store, (await only_account(store, account)).id)

    output.many("keys", [_described(key) for key in with_store(settings, work)], COLUMNS)


@keys.command()
@click.argument("key")
@account_option
@data_option
def revoke(key: str, account: str | None, settings: DocumoSettings) -> None:
    """Revoke a key at once. KEY is its id, its name or its first characters (8 or more)."""

    async def work(store: Store) -> KeyRow:
        return await rules.revoke_key(store, (await only_account(store, account)).id, key)

    ended = _described(with_store(settings, work))
    click.echo(f"Revoked {ended['name']} ({ended['key']}): requests with it get 401 from now on.", err=True)


@keys.command()
@click.argument("key")
@click.option(
    "--overlap-hours", type=click.IntRange(0), default=24, show_default=True, help="How long the old key stays valid."
)
@account_option
@data_option
@output_option
def rotate(key: str, overlap_hours: int, account: str | None, settings: DocumoSettings, output: DocumoOutput) -> None:
    """Replace a key and print the new one."""

    async def work(store: Store) -> rules.NewKey:
        tenant = await only_account(store, account)
        return await rules.rotate_key(
            store, tenant.id, key, overlap=timedelta(hours=overlap_hours), created_by="documo keys rotate"
        )

    _print_key(with_store(settings, work), output)


@keys.command()
@account_option
@click.option("--issuer", required=True, metavar="URL", help="Issuer of the tokens (claim iss).")
@click.option("--audience", required=True, help="Audience of the tokens (claim aud).")
@click.option(
    "--jwks", "--pem", "file", required=True, type=click.File("rb"), metavar="FILE",
    help="The issuer's public keys; - reads stdin.",
)  # fmt: skip
@click.option("--subject", metavar="ID", help="Accept only tokens whose sub, appid or azp is this ID.")
@click.option("--any-subject", is_flag=True, help="Accept every application of the issuer.")
@click.option("--name", default="", help="Name of the trust, for example its purpose.")
@click.option("--member", default="", metavar="EMAIL", help="Member on whose behalf the tokens act.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=ScopeChoice(SCOPES),
    metavar="SCOPE",
    help=f"{', '.join(SCOPES)}; repeatable.",
)
@data_option
@output_option
def trust(
    account: str | None, issuer: str, audience: str, file: BinaryIO, subject: str | None, any_subject: bool, name: str,
    member: str, scopes: tuple[str, ...], settings: DocumoSettings, output: DocumoOutput,
) -> None:  # fmt: skip
    """Accept tokens (JWT) signed by an issuer in place of a key. `keys revoke` ends the trust.

    \b
    documo keys trust --issuer https://sts.example/ID/ --audience https://documo.example --subject APP --jwks keys.json
    documo keys trust --issuer https://ci.example --audience https://documo.example --subject deploy --pem signer.pem
    """
    if (subject is None) != any_subject:
        raise click.UsageError(
            "Give either --subject ID or --any-subject: an issuer signs tokens for more than one application"
        )
    jwks = read_keys(file.read(1_000_000))

    async def work(store: Store) -> trusted_issuers.Trust:
        tenant = await only_account(store, account)
        return await trusted_issuers.trust_issuer(
            store, tenant.id, issuer=issuer, audience=audience, jwks=jwks, subject=subject, name=name, member=member,
            scopes=scopes or DEFAULT_SCOPES,
        )  # fmt: skip

    made = with_store(settings, work)
    output.one(
        asdict(made), text=f"Tokens from {made.issuer} for {made.audience} are accepted ({counted(made.keys, 'key')})."
    )


def _print_key(key: rules.NewKey, output: DocumoOutput) -> None:
    shown: dict[str, Any] = {
        "id": key.id, "name": key.name, "key": key.secret, "scopes": list(key.scopes), "expiresAt": key.expires_at,
    }  # fmt: skip
    output.one(shown, text=key.secret)
    click.echo("Copy it now: it is not shown again.", err=True)


def _described(key: KeyRow) -> dict[str, Any]:
    shown = asdict(key)
    prefix, last_four = shown.pop("prefix"), shown.pop("last_four")
    shown["key"] = "signed tokens" if key.kind == "issuer" else f"{prefix}...{last_four}"
    shown["state"] = "revoked" if key.revoked_at else "active"
    return shown
