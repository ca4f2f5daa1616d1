"""`documo accounts`."""

from __future__ import annotations

import sys
from typing import Any

import click
import orjson

from documo import accounts as rules
from documo.accounts import Account
from documo.cli.output import Output, data_option, output_option, with_store
from documo.scim_service.tenant.registries import Custom
from documo.settings import Settings
from lockstep.endings import INTERRUPTED
from lockstep.errors import invalid
from lockstep.scim.normalize import describe_tolerance
from lockstep.scim.profiles import profile_named
from lockstep.wording import counted

COLUMNS = ("id", "name", "plan", "seats", "profile", "default_role", "restore_policy", "rate_per_second")


@click.group()
def accounts() -> None:
    """Customers' accounts: each is a tenant of its own."""


@accounts.command()
@click.argument("name", default="")
@click.option("--name", "name_option", default="", help="The same as the argument.")
@click.option("--admin", required=True, metavar="EMAIL", help="The first member, an Admin.")
@click.option("--profile", type=click.Choice(rules.PROFILES), help="Which clients' habits are forgiven.")
@click.option("--rate", type=click.IntRange(0), help="Requests per second; 0 = no limit.")
@click.option("--seats", type=click.IntRange(1), help="How many members may be active.")
@data_option
@output_option
def create(
    name: str, name_option: str, admin: str, profile: str | None, rate: int | None, seats: int | None,
    settings: Settings, output: Output,
) -> None:  # fmt: skip
    """Open an account. Without a name it is called after the admin's domain."""
    chosen = name or name_option or admin.rpartition("@")[2].partition(".")[0].capitalize() or "Account"
    wanted: dict[str, Any] = {"profile": profile, "seats": seats}
    if rate is not None:
        wanted |= {"rate_per_second": rate, "rate_burst": max(1, 2 * rate)}
    given = {key: value for key, value in wanted.items() if value is not None}
    account = with_store(
        settings, lambda store: rules.create_account(store, chosen, admin=admin, settings=given), creates=True
    )
    output.one({**described(account), "admin": admin}, text=f"Account {account.name} ({account.id}) with admin {admin}")


@accounts.command("list")
@data_option
@output_option
def list_(settings: Settings, output: Output) -> None:
    """List accounts."""
    found = with_store(settings, rules.list_accounts)
    output.many("accounts", [described(account) for account in found], COLUMNS)


@accounts.command()
@click.argument("name")
@data_option
@output_option
def show(name: str, settings: Settings, output: Output) -> None:
    """Show one account with its settings."""
    output.one(described(with_store(settings, lambda store: rules.find_account(store, name))))


@accounts.command()
@click.argument("name")
@data_option
@output_option
def tolerances(name: str, settings: Settings, output: Output) -> None:
    """List what the account's profile forgives, and which clients need that; the request log names what was applied."""
    profile = profile_named(with_store(settings, lambda store: rules.find_account(store, name)).profile)
    rows = [{"name": one, "meaning": describe_tolerance(one)} for one in sorted(profile.tolerances)]
    output.many("tolerances", rows, ("name", "meaning"))


@accounts.command("set")
@click.argument("name")
@click.option("--profile", type=click.Choice(rules.PROFILES))
@click.option("--plan")
@click.option("--seats", type=click.IntRange(0), help="How many members may be active; 0 = any number.")
@click.option("--default-role")
@click.option(
    "--restore-policy",
    type=click.Choice(rules.CHOICES["restore_policy"]),
    help="What POST does with the user name of a former member.",
)
@click.option("--hold-names/--free-names", default=None, help="Keep the names of deleted members.")
@click.option("--undelete-days", type=click.IntRange(0, 3650))
@click.option("--indirect-groups/--direct-groups", default=None, help="What user.groups shows.")
@click.option(
    "--patch-answer",
    type=click.Choice(rules.CHOICES["patch_answer"]),
    help="200 with the resource, 204 with nothing, or what the profile's client expects.",
)
@click.option("--rate", "rate_per_second", type=click.IntRange(0), help="Requests per second; 0 = no limit.")
@click.option("--burst", "rate_burst", type=click.IntRange(1))
@click.option(
    "--schemas", type=click.File("rb"), help="JSON file with schemas, resourceTypes and extensions of its own."
)
@data_option
@output_option
def set_(name: str, schemas: Any, settings: Settings, output: Output, **given: Any) -> None:
    """Change settings of an account; they hold from the next request."""
    values = {key: value for key, value in given.items() if value is not None}
    if values.get("seats") == 0:
        values["seats"] = None
    if schemas is not None:
        values["custom"] = _custom(schemas.read())
    account = with_store(settings, lambda store: rules.change_account(store, name, values))
    output.one(described(account))


@accounts.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
def delete(name: str, yes: bool, settings: Settings) -> None:
    """Delete an account with its members, groups, keys and log, for good."""
    account, members = with_store(settings, lambda store: rules.account_with_members(store, name))
    question = f"Delete the account {account.name} with {counted(members, 'member')}? This cannot be undone."
    if not yes:
        if not sys.stdin.isatty():
            raise invalid(question, next_step="Not a terminal, cannot ask: add --yes to go on")
        if not click.confirm(question, err=True):
            click.echo("Nothing changed.", err=True)
            raise click.exceptions.Exit(INTERRUPTED)
    with_store(settings, lambda store: rules.delete_account(store, account.id))
    click.echo(f"Deleted the account {account.name}.", err=True)


def described(account: Account) -> dict[str, Any]:
    """An account for output."""
    return {"id": account.id, "name": account.name, **{key: getattr(account, key) for key in rules.SETTABLE}}


def _custom(raw: bytes) -> Custom:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise invalid("The schemas file is not JSON", why=str(error)) from None
    return Custom.read(body)
