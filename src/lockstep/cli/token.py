"""`lockstep token`: access tokens for the API."""

from __future__ import annotations

from datetime import timedelta

import click

from lockstep.actions import access_tokens as actions
from lockstep.actions.access_tokens import NewToken
from lockstep.actions.context import Context
from lockstep.actions.permissions import SCOPES, Permission
from lockstep.cli import SuggestingGroup
from lockstep.cli.output import Column, Output, hint, output_option
from lockstep.cli.page_address import ADMINISTRATOR
from lockstep.cli.session import run
from lockstep.cli.times import LENGTH, iso, local_stamp, local_time
from lockstep.errors import invalid

_COLUMNS = (
    Column("id", "Id"),
    Column("name", "Name"),
    Column("kind", "Kind"),
    Column("owner", "Owner"),
    Column("scopes", "Scopes"),
    Column("expiresAt", "Expires", show=local_time),
    Column("lastUsedAt", "Last used", show=local_time),
    Column("hint", "Ends with", is_wide=True),
)


@click.group("token", cls=SuggestingGroup)
def token() -> None:
    """Manage access tokens for the API. Personal tokens act for an administrator, service tokens for a program.

    \b
    lockstep token create hr-import --service --scope sources.import
    lockstep token list
    """


@token.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Permission if scope in SCOPES]),
    multiple=True,
    required=True,
    metavar="SCOPE",
    help="A permission; repeatable. See: lockstep admins roles",
)
@click.option(
    "--owner", default="", type=ADMINISTRATOR, metavar="EMAIL", help="The administrator who owns a personal token."
)
@click.option("--service", is_flag=True, help="Create a service token.")
@click.option("--expires-in", type=LENGTH, default="90d", metavar="TIME", help="Lifetime, such as 90d; at most 366d.")
@output_option
def create(
    name: str, scopes: tuple[str, ...], owner: str, service: bool, expires_in: timedelta, output: Output
) -> None:
    """Create a token called NAME and print it. It is not shown again.

    \b
    lockstep token create hr-import --service --scope sources.import
    lockstep token create laptop --owner anna@contoso.com --scope logs.read --expires-in 30d
    """
    if service == bool(owner):
        raise invalid("A token is either personal or a service token", next_step="Give --owner EMAIL or --service")

    async def work(context: Context) -> NewToken:
        if service:
            return await actions.create_service_token(context, name, scopes, expires_in=expires_in)
        return await actions.create_personal_token(context, name, scopes, owner=owner, expires_in=expires_in)

    made = run(work)
    row = {"id": made.id, "name": made.name, "scopes": list(made.scopes), "expiresAt": iso(made.expires_at)}
    output.one(row | {"token": made.secret}, text=made.secret, secret=made.secret)
    hint(f"Copy it now: it is not shown again. It expires on {local_stamp(made.expires_at)}.")


@token.command("list")
@output_option
def list_(output: Output) -> None:
    """List tokens, newest first. Their secret values are not stored.

    \b
    lockstep token list
    """
    rows = [
        {
            "id": one.id,
            "name": one.name,
            "kind": one.kind,
            "owner": one.owner_email or "",
            "scopes": ", ".join(one.scopes),
            "expiresAt": iso(one.expires_at),
            "lastUsedAt": iso(one.last_used_at),
            "hint": one.hint,
        }
        for one in run(actions.list_tokens)
    ]
    output.many(rows, _COLUMNS, empty="No tokens. Create one: lockstep token create NAME --service --scope SCOPE")


@token.command("revoke")
@click.argument("id")
@output_option
def revoke(id: str, output: Output) -> None:
    """Revoke the token with this ID. It is refused from now on.

    \b
    lockstep token revoke 0190a5c8-7b1e-7000-8000-000000000001
    """
    gone = run(lambda context: actions.revoke_token(context, id))
    output.one({"id": gone.id, "name": gone.name}, text=f"The token {gone.name} was revoked.")
