"""`documo members`."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import click

from documo import member_records
from documo import members as rules
from documo.accounts import TenantAccount, only_account
from documo.cli.output import DocumoOutput, confirm, data_option, output_option, with_store
from documo.settings import DocumoSettings
from documo.store.database import Store
from lockstep.wording import counted

COLUMNS = ("id", "user_name", "name", "role", "active", "source")
account_option = click.option("--account", metavar="NAME", help="Account; optional when there is only one.")
force_option = click.option("--force", is_flag=True, help="Allow this even for the account's only active Admin.")


@click.group()
def members() -> None:
    """Manage members of an account and their roles."""


@members.command("list")
@account_option
@click.option("--deleted", is_flag=True, help="List members deleted within the undelete window.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=1_000, show_default=True, help="Maximum number of members."
)
@click.option("--after", metavar="ID", default="", help="Continue after the member with this id.")
@data_option
@output_option
def list_(
    account: str | None, deleted: bool, limit: int, after: str, settings: DocumoSettings, output: DocumoOutput
) -> None:
    """List members in order of creation."""

    async def work(store: Store) -> list[rules.MemberSummary]:
        tenant = await only_account(store, account)
        return await rules.list_members(
            store, tenant.id, default_role=tenant.default_role, deleted=deleted, after=after, most=limit + 1
        )

    found = with_store(settings, work)
    output.many("members", [asdict(member) for member in found[:limit]], COLUMNS)
    if len(found) > limit:
        click.echo(f"There are more members. Continue with: --after {found[limit - 1].id}", err=True)


@members.command()
@click.argument("email")
@click.option("--role", default="Member", show_default=True)
@click.option("--given-name", default="")
@click.option("--family-name", default="")
@click.option("--phone", default="")
@account_option
@data_option
@output_option
def add(
    email: str, role: str, given_name: str, family_name: str, phone: str, account: str | None, settings: DocumoSettings,
    output: DocumoOutput,
) -> None:  # fmt: skip
    """Add a member by hand."""

    async def work(store: Store) -> str:
        tenant = await only_account(store, account)
        return await rules.add_member(
            store, tenant.id, email, role=role, given_name=given_name, family_name=family_name, phone=phone
        )

    member_id = with_store(settings, work)
    output.one({"id": member_id, "userName": email, "role": role}, text=f"Added {email} ({member_id})")


@members.command()
@click.argument("member")
@account_option
@data_option
@output_option
def show(member: str, account: str | None, settings: DocumoSettings, output: DocumoOutput) -> None:
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
def set_role(member: str, role: str, force: bool, account: str | None, settings: DocumoSettings) -> None:
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
def disable(member: str, force: bool, account: str | None, settings: DocumoSettings) -> None:
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
def enable(member: str, account: str | None, settings: DocumoSettings) -> None:
    """Enable a member again. Revoked API keys stay revoked."""

    async def work(store: Store) -> None:
        await rules.enable(store, await only_account(store, account), member)

    with_store(settings, work)
    click.echo(f"{member} is active.", err=True)


@members.command()
@click.argument("member")
@account_option
@data_option
def undelete(member: str, account: str | None, settings: DocumoSettings) -> None:
    """Restore a deleted member under the same id."""

    async def work(store: Store) -> None:
        tenant: TenantAccount = await only_account(store, account)
        await rules.undelete(store, tenant.id, member, window_days=tenant.undelete_days)

    with_store(settings, work)


@members.command()
@click.argument("member")
@click.option("--email", help="New email, which is also the name to sign in with.")
@click.option("--given-name")
@click.option("--family-name")
@click.option("--phone")
@click.option("--force", is_flag=True, help="Change fields even if provisioning writes them.")
@account_option
@data_option
def edit(
    member: str, email: str | None, given_name: str | None, family_name: str | None, phone: str | None, force: bool,
    account: str | None, settings: DocumoSettings,
) -> None:  # fmt: skip
    """Change the email, name or phone of a member."""
    given = {"user_name": email, "given_name": given_name, "family_name": family_name, "phone": phone}

    async def work(store: Store) -> None:
        tenant = await only_account(store, account)
        details, _ = await member_records.details_of(store, tenant, member)
        wanted = replace(details, **{name: value for name, value in given.items() if value is not None})
        await member_records.change_details(store, tenant, member, wanted, force=force)

    with_store(settings, work)
    click.echo(f"Saved {member}.", err=True)


@members.command()
@click.argument("member")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@force_option
@account_option
@data_option
def delete(member: str, yes: bool, force: bool, account: str | None, settings: DocumoSettings) -> None:
    """Delete a member and revoke their API keys. `undelete` restores the member within the undelete window."""
    confirm(f"Delete {member}?", yes=yes)

    async def work(store: Store) -> tuple[int, int]:
        tenant = await only_account(store, account)
        return await member_records.delete_member(store, tenant, member, force=force), tenant.undelete_days

    ended, days = with_store(settings, work)
    keys = f"; {counted(ended, 'API key')} revoked" if ended else ""
    click.echo(f"Deleted {member}{keys}. For {counted(days, 'day')}: documo members undelete {member}", err=True)
