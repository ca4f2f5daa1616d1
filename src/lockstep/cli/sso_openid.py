"""`lockstep sso oidc`, `secrets` and `keys`: sign-in with OpenID Connect."""

from __future__ import annotations

import re
from typing import Any

import click

from lockstep.actions.context import Context
from lockstep.actions.rows.single_sign_on import sign_on_json
from lockstep.actions.rows.times import iso, iso_time
from lockstep.actions.single_sign_on import client_secrets, openid_keys, settings
from lockstep.actions.single_sign_on.client_secrets import USUAL_DAYS, ClientSecretRow
from lockstep.actions.single_sign_on.openid_keys import OpenIdKey
from lockstep.actions.single_sign_on.settings import SignOnView
from lockstep.cli import SuggestingGroup
from lockstep.cli.application_argument import app_argument
from lockstep.cli.output import Column, Output, confirm, hint, output_option
from lockstep.cli.page_address import APPLICATION
from lockstep.cli.session import run
from lockstep.cli.sso_view import print_sign_on
from lockstep.errors import LockstepError

_SECRETS = (
    Column("id", "ID"), Column("hint", "BEGINS WITH"), Column("description", "DESCRIPTION"), Column("expiresAt", "EXPIRATION"),
    Column("lastUsedAt", "LAST USED"),
)  # fmt: skip
_KEYS = (Column("kid", "KEY ID"), Column("state", "STATE"), Column("publishedAt", "PUBLISHED"))
# Errors name a setting by its key in configuration files; here is the option of `lockstep sso oidc` for each key.
_OPTIONS = {
    "redirectUris": "--redirect-uri",
    "postLogoutRedirectUris": "--post-logout-uri",
    "backChannelLogoutUrl": "--back-channel-logout-url",
    "accessTokenMinutes": "--access-minutes",
    "refreshTokenDays": "--refresh-days",
}


@click.command("oidc")
@app_argument
@click.option("--redirect-uri", "redirectUris", multiple=True, metavar="URL", help="Redirect URI; repeatable.")
@click.option(
    "--post-logout-uri", "postLogoutRedirectUris", multiple=True, metavar="URL", help="Redirect URI after sign-out."
)
@click.option("--back-channel-logout-url", "backChannelLogoutUrl", metavar="URL", help="Back-channel logout URL.")
@click.option("--public/--no-public", "publicClient", default=None, help="Public client, without a secret.")
@click.option("--require-pkce/--no-require-pkce", "requirePkce", default=None, help="Refuse requests without PKCE.")
@click.option("--access-minutes", "accessTokenMinutes", type=int, metavar="N", help="How long access tokens last.")
@click.option("--refresh-days", "refreshTokenDays", type=int, metavar="N", help="How long refresh tokens last.")
@output_option
def oidc(app: str, output: Output, **given: Any) -> None:
    """Switch an application to OpenID Connect, and change the given settings.

    \b
    lockstep sso oidc wiki --redirect-uri https://wiki.contoso.com/callback
    lockstep sso secrets new wiki
    """
    changes = {key: list(one) if isinstance(one, tuple) else one for key, one in given.items() if one not in (None, ())}

    async def work(context: Context) -> SignOnView:
        known = sign_on_json(await settings.show_sign_on(context, app))["singleSignOn"].get("openIdConnect", {})
        return await settings.change_sign_on(context, app, {"mode": "oidc", "openIdConnect": {**known, **changes}})

    try:
        view = run(work)
    except LockstepError as refused:
        raise _by_option(refused) from None
    print_sign_on(view, output)


@click.group("secrets", cls=SuggestingGroup)
def secrets() -> None:
    """Manage the client secrets of an application that uses OpenID Connect.

    \b
    lockstep sso secrets new wiki
    lockstep sso secrets list wiki
    """


@secrets.command("list")
@app_argument
@output_option
def list_secrets(app: str, output: Output) -> None:
    """List the client secrets, without their values.

    \b
    lockstep sso secrets list wiki
    """
    rows = run(lambda context: client_secrets.list_client_secrets(context, app))
    output.many([_secret(row) for row in rows], _SECRETS, name="id", empty="No client secrets.")


@secrets.command("new")
@app_argument
@click.option("--description", default="", metavar="TEXT", help="Purpose of the secret.")
@click.option("--days", default=USUAL_DAYS, metavar="N", help=f"Lifetime in days (default: {USUAL_DAYS}).")
@output_option
def new_secret(app: str, description: str, days: int, output: Output) -> None:
    """Create a client secret and print it. Existing secrets stay valid.

    \b
    lockstep sso secrets new wiki --description "Server in Rome"
    """
    made = run(lambda context: client_secrets.add_client_secret(context, app, description, days=days))
    output.one(
        {**_secret(made.row), "clientId": made.row.app, "secret": made.secret}, text=made.secret, secret=made.secret
    )
    hint(
        f"Application (client) ID: {made.row.app}. The secret is not shown again. It expires on {made.row.expires_at:%Y-%m-%d}."
    )


@secrets.command("remove")
@click.argument("app", type=APPLICATION)
@click.argument("secret", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def remove_secret(app: str, secret: str, yes: bool, output: Output) -> None:
    """Remove a client secret. ID can be abbreviated.

    \b
    lockstep sso secrets remove wiki 3f2a
    """
    confirm("Programs that use this secret will be refused at once. Remove it?", yes=yes)
    rows = run(lambda context: client_secrets.remove_client_secret(context, app, secret))
    output.many([_secret(row) for row in rows], _SECRETS, name="id", empty="No client secrets.")


@click.group("keys", cls=SuggestingGroup)
def keys() -> None:
    """Manage the keys that sign OpenID Connect tokens for all applications.

    \b
    lockstep sso keys list
    lockstep sso keys roll
    """


@keys.command("list")
@output_option
def list_keys(output: Output) -> None:
    """List the keys, the active one first. Applications fetch them from Lockstep.

    \b
    lockstep sso keys list
    """
    _print_keys(run(openid_keys.list_openid_keys), output)


@keys.command("roll")
@click.option("--compromised", is_flag=True, help="Revoke the active key at once.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def roll_keys(compromised: bool, yes: bool, output: Output) -> None:
    """Make the next key active, and publish a new next key.

    \b
    lockstep sso keys roll
    """
    if compromised:
        confirm("Tokens signed with the active key will be refused from now on. Revoke it?", yes=yes)
    _print_keys(run(lambda context: openid_keys.roll_openid_keys(context, is_compromised=compromised)), output)


def _by_option(refused: LockstepError) -> LockstepError:
    """Return *refused*, reworded so that it names the options of the command instead of the keys of a configuration file."""
    for key, option in _OPTIONS.items():
        refused.detail = re.sub(rf"singleSignOn\.openIdConnect\.{key}(\[\d+\])?", option, refused.detail)
    return refused


def _secret(row: ClientSecretRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "hint": row.hint,
        "description": row.description,
        "expiresAt": iso_time(row.expires_at),
        "lastUsedAt": iso(row.last_used_at),
    }


def _print_keys(found: list[OpenIdKey], output: Output) -> None:
    rows = [{"kid": one.kid, "state": one.state, "publishedAt": iso_time(one.published_at)} for one in found]
    output.many(rows, _KEYS, name="kid", empty="No keys. Choosing OpenID Connect creates them.")
