"""`lockstep logout`, `context` and `whoami`: sign out, choose a server, show the current user."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import click

from lockstep.actions.permissions import Permission
from lockstep.cli import SuggestingGroup
from lockstep.cli.output import Column, Output, output_option, safe
from lockstep.cli.remote.contexts import LOCAL, ServerContext, chosen_server, read_contexts, row_of, write_contexts
from lockstep.cli.remote.server import connected, revoke
from lockstep.cli.session import operator, settings_of
from lockstep.cli.times import local_stamp, local_time
from lockstep.errors import invalid

_COLUMNS = (
    Column("current", "In use"),
    Column("name", "Context"),
    Column("url", "Where"),
    Column("who", "Who"),
    Column("expiresAt", "Token expires", show=local_time),
)


@click.command("logout")
@click.argument("name", required=False, metavar="[CONTEXT]")
@output_option
def logout(name: str | None, output: Output) -> None:
    """Sign out of a server: revoke the token that login created, and delete it from this machine.

    \b
    lockstep logout
    lockstep logout lockstep.contoso.test
    """
    kept = read_contexts()
    server = kept.named(name) if name else chosen_server(settings_of())
    if server is None:
        raise invalid(
            "Commands work with the data folder of this machine, not with a server",
            next_step="List the servers, then name one: lockstep context list   lockstep logout CONTEXT",
        )
    lost = asyncio.run(revoke(server)) if server.is_own else None
    write_contexts(kept.without(server.name))
    if lost is not None:
        lost.detail = f"The token was deleted from this machine but not revoked: {lost.detail}"
        lost.next_step = f"It is valid until {local_stamp(server.expires_at)}. Revoke it in the admin centre: Settings > Access tokens"
        raise lost
    text = (
        f"Signed out of {server.url}."
        if server.is_own
        else f"The token for {server.url} was deleted from this machine; it stays valid."
    )
    output.one({"context": server.name, "url": server.url, "revoked": server.is_own}, text=text)


@click.group("context", cls=SuggestingGroup)
def context() -> None:
    """Manage the servers that you have signed in to, and choose which one commands work with.

    \b
    lockstep context list
    lockstep context use local
    """


@context.command("list")
@output_option
def list_(output: Output) -> None:
    """List the contexts; local is the data folder of this machine.

    \b
    lockstep context list
    """
    settings, kept = settings_of(), read_contexts()
    server = chosen_server(settings)
    here = {
        "current": server is None,
        "name": LOCAL,
        "url": str(settings.data.expanduser().resolve()),
        "who": operator().name,
        "expiresAt": None,
    }
    rows = [here, *(row_of(one, is_current=one == server) for _, one in sorted(kept.servers.items()))]
    output.many(rows, _COLUMNS)


@context.command("use")
@click.argument("name", metavar="CONTEXT")
@output_option
def use(name: str, output: Output) -> None:
    """Choose the server that commands work with; local means the data folder of this machine.

    \b
    lockstep context use lockstep.contoso.test
    lockstep context use local
    """
    kept = read_contexts().using(name)
    write_contexts(kept)
    where = "the data folder of this machine" if name == LOCAL else kept.named(name).url
    output.one({"current": name}, text=f"Commands now work with {where}.")


@click.command("whoami")
@output_option
def whoami(output: Output) -> None:
    """Show who you are signed in as, what you may do, and which server your commands use.

    \b
    lockstep whoami
    lockstep whoami -o json
    """
    settings = settings_of()
    server = chosen_server(settings)
    if server is None:
        where = str(settings.data.expanduser().resolve())
        row: dict[str, Any] = {
            "context": LOCAL, "url": where, "name": operator().name, "roles": [], "permissions": sorted(map(str, Permission)),
            "expiresAt": None,
        }  # fmt: skip
        lines = [
            row["name"],
            "  may      everything, because you can read the data folder and its key",
            f"  where    {where}",
        ]
        output.one(row, text=lines)
        return
    told = asyncio.run(_me(server))
    row = {"context": server.name, "url": server.url} | told
    roles = ", ".join(told["roles"]) or "none: a service token acts within its scopes"
    output.one(
        row,
        text=[
            safe(f"{told['email'] or told['name']}  {told['displayName']}".rstrip()),
            f"  roles    {safe(roles)}",
            f"  may      {', '.join([*told['permissions'], *told['ownPermissions']]) or 'nothing'}",
            f"  token    expires {local_stamp(datetime.fromisoformat(told['expiresAt']))}",
            f"  where    {server.url}, context {server.name}, version {safe(told['version'])}",
        ],
    )


async def _me(server: ServerContext) -> dict[str, Any]:
    async with connected(server) as connection:
        told: dict[str, Any] = await connection.ask("GET", "/me")
        return told
