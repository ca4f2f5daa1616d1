"""`documo members`."""

from __future__ import annotations

from dataclasses import asdict

import click

from documo import members as rules
from documo.accounts import Account, only_account
from documo.cli.output import Output, data_option, output_option, with_store
from documo.settings import Settings
from documo.store.database import Store

COLUMNS = ("id", "user_name", "name", "role", "active", "source")
account_option = click.option("--account", metavar="NAME", help="The account; may be left out when there is only one.")


@click.group()
def members() -> None:
    """Members of an account and their roles."""


@members.command("list")
@account_option
@click.option("--deleted", is_flag=True, help="Those deleted within the undelete window.")
@data_option
@output_option
def list_(account: str | None, deleted: bool, settings: Settings, output: Output) -> None:
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
    email: str, role: str, given_name: str, family_name: str, account: str | None, settings: Settings, output: Output
) -> None:
    """Add a member by hand."""

    async def work(store: Store) -> str:
        tenant = await only_account(store, account)
        return await rules.add_member(
            store, tenant.id, email, role=role, given_name=given_name, family_name=family_name
        )

    member_id = with_store(settings, work)
    output.one({"id": member_id, "userName": email, "role": role}, text=f"Added {email} ({member_id})")


@members.command("set-role")
@click.argument("member")
@click.argument("role")
@account_option
@data_option
def set_role(member: str, role: str, account: str | None, settings: Settings) -> None:
    """Give a member a role."""

    async def work(store: Store) -> None:
        tenant = await only_account(store, account)
        await rules.set_role(store, tenant.id, member, role)

    with_store(settings, work)


@members.command()
@click.argument("member")
@account_option
@data_option
def disable(member: str, account: str | None, settings: Settings) -> None:
    """Make a member inactive; its API keys end with it."""

    async def work(store: Store) -> int:
        tenant = await only_account(store, account)
        return await rules.disable(store, tenant.id, member)

    ended = with_store(settings, work)
    if ended:
        click.echo(f"{ended} API keys of {member} ended", err=True)


@members.command()
@click.argument("member")
@account_option
@data_option
def undelete(member: str, account: str | None, settings: Settings) -> None:
    """Bring a deleted member back under the same id."""

    async def work(store: Store) -> None:
        tenant: Account = await only_account(store, account)
        await rules.undelete(store, tenant.id, member, window_days=tenant.undelete_days)

    with_store(settings, work)
