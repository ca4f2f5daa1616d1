"""`lockstep login`: sign in to a server and store the token in the user's own file.

A password or token is typed without echo, piped in or read from the environment. It is never an argument, because other users can see
arguments.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from lockstep.actions.access_tokens import LONGEST
from lockstep.actions.permissions import SCOPES, Permission
from lockstep.cli.output import Output, hint, output_option, safe
from lockstep.cli.remote.contexts import LOCAL, Contexts, ServerContext, read_contexts, row_of, write_contexts
from lockstep.cli.remote.server import RemoteServer, open_server, revoke
from lockstep.cli.session import settings_of
from lockstep.cli.times import LENGTH, local_stamp
from lockstep.credentials.issued_secrets import is_token
from lockstep.errors import Kind, LockstepError, conflict, invalid
from lockstep.vault import Secret


@click.command("login")
@click.argument("url")
@click.option("--name", default="", help="Name of the context (default: the host).")
@click.option("--email", default="", help="Your e-mail address (asked for if omitted).")
@click.option("--token-stdin", is_flag=True, help="Read an access token from stdin instead of asking for the password.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Permission if scope in SCOPES]),
    multiple=True,
    metavar="SCOPE",
    help="Scope of the token; repeatable (default: all your permissions).",
)
@click.option(
    "--expires-in",
    type=LENGTH,
    default="30d",
    show_default=True,
    metavar="TIME",
    help="Lifetime of the token, at most 366d.",
)
@click.option(
    "--ca-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="PEM file of a certificate authority to trust.",
)
@output_option
def login(
    url: str, name: str, email: str, token_stdin: bool, scopes: tuple[str, ...], expires_in: timedelta,
    ca_file: Path | None, output: Output,
) -> None:  # fmt: skip
    """Sign in to a server; commands then work with it. Creates a personal access token and stores it in your home folder.

    \b
    lockstep login https://lockstep.contoso.test
    lockstep login https://lockstep.contoso.test --token-stdin < token.txt
    """
    kept = read_contexts()
    address = _address(url)
    name = _name(kept, name, address)
    days = _days(expires_in)
    given = _given_token(from_stdin=token_stdin)
    ca_path = str(ca_file.resolve()) if ca_file else ""
    server = asyncio.run(_sign_in(name, address, email, scopes, days, given, ca_path))
    before = kept.servers.get(name)
    write_contexts(kept.with_server(server))
    if before is not None:
        asyncio.run(_revoke_quietly(before))
    until = local_stamp(server.expires_at)
    output.one(row_of(server, is_current=True), text=f"Signed in to {address} as {safe(server.who)} until {until}.")
    hint(
        f"Commands now work with {name}. To work with the data folder of this machine again: lockstep context use {LOCAL}"
    )


def _address(url: str) -> str:
    """Return the origin of *url*; https:// may be omitted. Raises LockstepError if it is not the address of a server."""
    parts = urlsplit(url.strip() if "://" in url else f"https://{url.strip()}")
    host = parts.hostname or ""
    if parts.scheme not in ("https", "http") or not host or parts.username or parts.password:
        raise invalid(
            f"{safe(url)} is not the address of a server",
            next_step="For example: lockstep login https://lockstep.contoso.test",
        )
    if parts.scheme == "http" and not _is_this_machine(host):
        raise invalid(
            f"{safe(url)} is not encrypted: your password and token could be read in transit",
            next_step=f"Use https://{host}, or a tunnel to this machine: ssh -L 8080:localhost:8080 {host}",
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _name(kept: Contexts, name: str, address: str) -> str:
    """Return the name of the context for *address*: *name* if it is given, otherwise the name of the existing context for this address,
    otherwise the host of the address.
    """
    known = next((one.name for one in kept.servers.values() if one.url == address), "")
    chosen = name or known or urlsplit(address).netloc
    if chosen == LOCAL or not chosen.isprintable():
        raise invalid(f'A context cannot be called "{safe(chosen)}"', next_step="Choose another name: --name NAME")
    taken = kept.servers.get(chosen)
    if taken is not None and taken.url != address:
        raise conflict(
            f'The context "{chosen}" already stands for {taken.url}', next_step="Choose another name: --name NAME"
        )
    return chosen


def _days(length: timedelta) -> int:
    if not timedelta(days=1) <= length <= LONGEST:
        raise invalid("A token is valid for 1 to 366 days", next_step="For example: --expires-in 30d")
    return length.days


def _given_token(*, from_stdin: bool) -> Secret | None:
    """Return the token that was piped in, typed or set in the environment. Returns None if there is no token, so that login asks for the
    password.
    """
    if not from_stdin:
        return settings_of().login_token
    if sys.stdin.isatty():
        return Secret(click.prompt("Access token", hide_input=True, err=True).strip())
    return Secret(sys.stdin.readline().strip())


async def _sign_in(
    name: str, url: str, email: str, scopes: tuple[str, ...], days: int, given: Secret | None, ca_file: str
) -> ServerContext:
    if given is not None and not is_token(given.reveal()):
        raise invalid("This is not a Lockstep access token", next_step="It begins with lockstep_pat_ or lockstep_svc_")
    token = given
    if token is None:
        token = await _new_token(url, email, scopes, days, ca_file)
    server = open_server(url, token=token.reveal(), ca_file=ca_file)
    try:
        me = await server.ask("GET", "/me")
    finally:
        await server.close()
    return ServerContext(
        name=name,
        url=url,
        token=token,
        who=me["email"] or me["name"],
        expires_at=datetime.fromisoformat(me["expiresAt"]),
        ca_file=ca_file,
        is_own=given is None,
    )


async def _new_token(url: str, email: str, scopes: tuple[str, ...], days: int, ca_file: str) -> Secret:
    server = open_server(url, ca_file=ca_file)
    try:
        await _require_lockstep(server)
        if not is_terminal():
            raise invalid(
                "Signing in asks for your password, so it needs a terminal",
                next_step=f"Pipe an access token: lockstep login {url} --token-stdin < FILE   or set LOCKSTEP_TOKEN",
            )
        body: dict[str, Any] = {
            "email": email or click.prompt("E-mail", err=True),
            "password": click.prompt("Password", hide_input=True, err=True),
            "name": f"lockstep login on {socket.gethostname()}"[:100],
            "scopes": list(scopes),
            "days": days,
        }
        try:
            made = await server.ask("POST", "/sign-in", body)
        except LockstepError as refused:
            if refused.code != "SecondFactorRequired":
                raise
            code = click.prompt("Code of your authenticator app", hide_input=True, err=True)
            made = await server.ask("POST", "/sign-in", body | {"code": code})
        return Secret(made["token"])
    finally:
        await server.close()


def is_terminal() -> bool:
    """Return whether the program can ask for a password."""
    return sys.stdin.isatty() and sys.stderr.isatty()


async def _require_lockstep(server: RemoteServer) -> None:
    """Raise LockstepError if the server does not respond, is not Lockstep, or is too old. Called before the user is asked for a
    password.
    """
    try:
        await server.ask("GET", "/me")
    except LockstepError as refused:
        if refused.kind is not Kind.UNAUTHORIZED:
            raise


async def _revoke_quietly(before: ServerContext) -> None:
    lost = await revoke(before) if before.is_own else None
    if lost is not None:
        hint(f"Your previous token was not revoked: {lost.detail}")
