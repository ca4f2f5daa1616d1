"""`documo members`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import click

from documo import members as rules
from documo.access import member_sign_in as sign_ins
from documo.accounts import Account, only_account
from documo.cli.output import DocumoOutput, data_option, output_option, with_store
from documo.settings import Settings
from documo.store.addresses import read_address
from documo.store.database import Store
from lockstep.wording import counted

COLUMNS = ("id", "user_name", "name", "role", "active", "source")
account_option = click.option("--account", metavar="NAME", help="Account; optional when there is only one.")
force_option = click.option("--force", is_flag=True, help="Do it even to the account's only active Admin.")


@click.group()
def members() -> None:
    """Manage members of an account and their roles."""


@members.command("list")
@account_option
@click.option("--deleted", is_flag=True, help="List members deleted within the undelete window.")
@data_option
@output_option
def list_(account: str | None, deleted: bool, settings: Settings, output: DocumoOutput) -> None:
    """List members."""

    async def work(store: Store) -> list[rules.MemberSummary]:
        tenant = await only_account(store, account)
        return await rules.list_members(store, tenant.id, default_role=tenant.default_role, deleted=deleted)

    output.many("members", [asdict(member) for member in with_store(settings, work)], COLUMNS)


@members.command()
@click.argument("email")
@click.option("--role", default="Member", show_default=True)
@click.option("--given-name", default="")
@click.option("--family-name", default="")
@account_option
@data_option
@output_option
def add(
    email: str,
    role: str,
    given_name: str,
    family_name: str,
    account: str | None,
    settings: Settings,
    output: DocumoOutput,
) -> None:
    """Add a member by hand."""

    async def work(store: Store) -> str:
        tenant = await only_account(store, account)
        return await rules.add_member(
            store, tenant.id, email, role=role, given_name=given_name, family_name=family_name
        )

    member_id = with_store(settings, work)
    output.one({"id": member_id, "userName": email, "role": role}, text=f"Added {email} ({member_id})")


@members.command()
@click.argument("member")
@account_option
@data_option
@output_option
def show(member: str, account: str | None, settings: Settings, output: DocumoOutput) -> None:
    """Show one member: role, groups, keys. MEMBER is a user name or an id."""

    async def work(store: Store) -> dict[str, Any]:
        return await rules.show(store, await only_account(store, account), member)

    output.one(with_store(settings, work))


@members.command("set-role")
@click.argument("member")
@click.argument("role")
@force_option
@account_option
@data_option
def set_role(member: str, role: str, force: bool, account: str | None, settings: Settings) -> None:
    """Give a member a role."""

    async def work(store: Store) -> None:
        await rules.set_role(store, await only_account(store, account), member, role, force=force)

    with_store(settings, work)
    click.echo(f"{member} has the role {role}.", err=True)


@members.command()
@click.argument("member")
@force_option
@account_option
@data_option
def disable(member: str, force: bool, account: str | None, settings: Settings) -> None:
    """Disable a member and revoke their API keys."""

    async def work(store: Store) -> int:
        return await rules.disable(store, await only_account(store, account), member, force=force)

    ended = with_store(settings, work)
    keys = f"; {counted(ended, 'API key')} revoked" if ended else ""
    click.echo(f"{member} is inactive{keys}.", err=True)


@members.command()
@click.argument("member")
@account_option
@data_option
def enable(member: str, account: str | None, settings: Settings) -> None:
    """Enable a member again. Revoked API keys stay revoked."""

    async def work(store: Store) -> None:
        await rules.enable(store, await only_account(store, account), member)

    with_store(settings, work)
    click.echo(f"{member} is active.", err=True)


@members.command()
@click.argument("member")
@account_option
@data_option
def undelete(member: str, account: str | None, settings: Settings) -> None:
    """Restore a deleted member under the same id."""

    async def work(store: Store) -> None:
        tenant: Account = await only_account(store, account)
        await rules.undelete(store, tenant.id, member, window_days=tenant.undelete_days)

    with_store(settings, work)


@members.command()
@click.argument("member")
@account_option
@data_option
@output_option
def link(member: str, account: str | None, settings: Settings, output: DocumoOutput) -> None:
    """Print a link with which a member sets a password. It works once; an earlier link of the member ends."""

    async def work(store: Store) -> tuple[sign_ins.PasswordLink, str]:
        tenant = await only_account(store, account)
        async with store.control() as connection:
            served_at = await read_address(connection)
        return await sign_ins.password_link(store, tenant, member, created_by="documo members link"), served_at

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
def set_password(member: str, password_stdin: bool, account: str | None, settings: Settings) -> None:
    """Set a member's password. The member is signed out everywhere."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))

    async def work(store: Store) -> None:
        await sign_ins.set_password(store, await only_account(store, account), member, password)

    with_store(settings, work)
    click.echo(f"{member} has a new password.", err=True)
