"""The commands of `documo members` about signing in: passwords, sessions, the second factor."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import click

from documo.access import own_sign_in, password_links, second_factor
from documo.accounts import only_account
from documo.cli.members import account_option, members
from documo.cli.output import DocumoOutput, data_option, output_option, with_store
from documo.settings import DocumoSettings
from documo.store.addresses import read_address
from documo.store.database import Store
from lockstep.wording import counted

__all__ = ["members"]

SESSION_COLUMNS = ("id", "device", "address", "signed_in_at", "seen_at", "expires_at")


@members.command()
@click.argument("member")
@account_option
@data_option
@output_option
def link(member: str, account: str | None, settings: DocumoSettings, output: DocumoOutput) -> None:
    """Print a link with which a member sets a password. It works once; the member's earlier link stops working."""

    async def work(store: Store) -> tuple[password_links.PasswordLink, str]:
        tenant = await only_account(store, account)
        async with store.control() as connection:
            served_at = await read_address(connection)
        return await password_links.password_link(store, tenant, member, created_by="documo members link"), served_at

    made, served_at = with_store(settings, work)
    address = f"{settings.public_url or served_at or f'http://{settings.host}:{settings.port}'}/links/{made.secret}"
    expires_at = made.expires_at.isoformat(timespec="seconds")
    output.one(
        {"userName": made.user_name, "url": address, "expiresAt": expires_at},
        text=f"{address}\nFor {made.user_name}, until {expires_at}.",
    )


@members.command("set-password")
@click.argument("member")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it.")
@account_option
@data_option
def set_password(member: str, password_stdin: bool, account: str | None, settings: DocumoSettings) -> None:
    """Set a member's password. The member is signed out everywhere."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))

    async def work(store: Store) -> None:
        await password_links.set_password(store, await only_account(store, account), member, password)

    with_store(settings, work)
    click.echo(f"{member} has a new password.", err=True)


@members.command()
@click.argument("member")
@click.option("--end", metavar="SESSION", help="End the session with this id.")
@click.option("--end-all", is_flag=True, help="Sign the member out everywhere.")
@account_option
@data_option
@output_option
def sessions(
    member: str, end: str | None, end_all: bool, account: str | None, settings: DocumoSettings, output: DocumoOutput
) -> None:
    """List the browser sessions of a member, or end them."""
    if end and end_all:
        raise click.UsageError("Give either --end SESSION or --end-all")

    async def work(store: Store) -> tuple[int, list[dict[str, Any]]]:
        tenant = await only_account(store, account)
        ended = await own_sign_in.end_sessions(store, tenant, member, only=end) if end or end_all else 0
        return ended, [asdict(one) for one in await own_sign_in.sessions_of(store, tenant, member)]

    ended, left = with_store(settings, work)
    if end or end_all:
        click.echo(f"Ended {counted(ended, 'session')} of {member}.", err=True)
    else:
        output.many("sessions", left, SESSION_COLUMNS)


@members.command("reset-second-factor")
@click.argument("member")
@account_option
@data_option
def reset(member: str, account: str | None, settings: DocumoSettings) -> None:
    """Remove the second factor of a member who lost it. The member is signed out everywhere."""

    async def work(store: Store) -> bool:
        return await second_factor.reset_second_factor(store, await only_account(store, account), member)

    had_one = with_store(settings, work)
    click.echo(
        f"{member} now signs in with only the password." if had_one else f"{member} had no second factor.", err=True
    )
