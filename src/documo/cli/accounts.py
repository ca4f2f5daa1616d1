"""`documo accounts`."""

from __future__ import annotations

from typing import Any

import click
import orjson

from documo import accounts as rules
from documo.accounts import TenantAccount
from documo.cli.output import DocumoOutput, confirm, data_option, output_option, with_store
from documo.settings import DocumoSettings
from documo.tenant_schemas import Custom
from lockstep.errors import invalid
from lockstep.scim.normalize import describe_tolerance
from lockstep.scim.profiles import profile_named
from lockstep.wording import counted

COLUMNS = ("id", "name", "plan", "seats", "profile", "default_role", "restore_policy", "rate_per_second")


@click.group()
def accounts() -> None:
    """Manage customers' accounts; each one is a separate tenant."""


@accounts.command()
@click.argument("name", default="")
@click.option("--name", "name_option", default="", help="Same as the NAME argument.")
@click.option("--admin", required=True, metavar="EMAIL", help="E-mail address of the first member, an Admin.")
@click.option("--profile", type=click.Choice(rules.PROFILES), help="Client whose deviations from SCIM are tolerated.")
@click.option("--rate", type=click.IntRange(0), help="Requests per second; 0 = no limit.")
@click.option("--seats", type=click.IntRange(1), help="Maximum number of active members.")
@data_option
@output_option
def create(
    name: str, name_option: str, admin: str, profile: str | None, rate: int | None, seats: int | None,
    settings: DocumoSettings, output: DocumoOutput,
) -> None:  # fmt: skip
    """Create an account. Without NAME, it is named after the admin's domain."""
    domain = admin.rpartition("@")[2]
    label = domain.partition(".")[0].capitalize()
    chosen = name or name_option or (domain if label.isdecimal() else label) or "Account"
    wanted: dict[str, Any] = {"profile": profile, "seats": seats}
    if rate is not None:
        wanted |= {"rate_per_second": rate, "rate_burst": max(1, 2 * rate)}
    given = {key: value for key, value in wanted.items() if value is not None}
    account = with_store(
        settings, lambda store: rules.create_account(store, chosen, admin=admin, settings=given), creates=True
    )
    output.one(
        {**described(account), "admin": admin}, text=f"Created account {account.name} ({account.id}) with admin {admin}"
    )


@accounts.command("list")
@data_option
@output_option
def list_(settings: DocumoSettings, output: DocumoOutput) -> None:
    """List accounts."""
    found = with_store(settings, rules.list_accounts)
    output.many("accounts", [described(account) for account in found], COLUMNS)


@accounts.command()
@click.argument("name")
@data_option
@output_option
def show(name: str, settings: DocumoSettings, output: DocumoOutput) -> None:
    """Show one account with its settings."""
    output.one(described(with_store(settings, lambda store: rules.find_account(store, name))))


@accounts.command()
@click.argument("name")
@data_option
@output_option
def tolerances(name: str, settings: DocumoSettings, output: DocumoOutput) -> None:
    """List the tolerances of the account's profile and the clients that need them. The request log names those that were applied."""
    profile = profile_named(with_store(settings, lambda store: rules.find_account(store, name)).profile)
    rows = [{"name": one, "meaning": describe_tolerance(one)} for one in sorted(profile.tolerances)]
    output.many("tolerances", rows, ("name", "meaning"))


@accounts.command("set")
@click.argument("name")
@click.option(
    "--profile",
    type=click.Choice(rules.PROFILES),
    metavar="NAME",
    help="Client whose deviations from SCIM are tolerated.",
)
@click.option("--plan", help="Name of the plan.")
@click.option("--seats", type=click.IntRange(0), help="Active members allowed; 0 = no limit.")
@click.option("--default-role", help="Role of members without a known role.")
@click.option(
    "--restore-policy",
    type=click.Choice(rules.CHOICES["restore_policy"]),
    metavar="WHAT",
    help=f"On POST of a former member: {'|'.join(rules.CHOICES['restore_policy'])}.",
)
@click.option(
    "--deprovision",
    "deprovision_action",
    type=click.Choice(rules.CHOICES["deprovision_action"]),
    metavar="WHAT",
    help=f"On DELETE of a user: {'|'.join(rules.CHOICES['deprovision_action'])}.",
)
@click.option("--hold-names/--free-names", default=None, help="Reserve the names of deleted members.")
@click.option(
    "--undelete-days",
    type=click.IntRange(0, 3650),
    metavar="DAYS",
    help="Period for undelete, in days.",
)
@click.option("--indirect/--direct", "indirect_groups", default=None, help="Also show indirect groups in user.groups.")
@click.option(
    "--patch-answer",
    type=click.Choice(rules.CHOICES["patch_answer"]),
    metavar="WHAT",
    help=f"Response to PATCH: {'|'.join(rules.CHOICES['patch_answer'])}.",
)
@click.option("--rate", "rate_per_second", type=click.IntRange(0), help="Requests per second; 0 = no limit.")
@click.option("--burst", "rate_burst", type=click.IntRange(1), help="Burst size in requests.")
@click.option("--audit-days", type=click.IntRange(30, 3650), metavar="DAYS", help="Days to keep the audit log.")
@click.option("--api/--no-api", "api_enabled", default=None, help="Whether the plan includes the API.")
@click.option("--scim/--no-scim", "scim_enabled", default=None, help="Accept SCIM requests, or answer with 403.")
@click.option("--schemas", type=click.File("rb"), help="JSON file with custom schemas.")
@data_option
@output_option
def set_(name: str, schemas: Any, settings: DocumoSettings, output: DocumoOutput, **given: Any) -> None:
    """Change settings of an account, effective from the next request."""
    values = {key: value for key, value in given.items() if value is not None}
    if values.get("seats") == 0:
        values["seats"] = None
    if schemas is not None:
        values["custom"] = _custom(schemas.read())
    account = with_store(settings, lambda store: rules.change_account(store, name, values))
    output.one(described(account))


@accounts.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@data_option
def delete(name: str, yes: bool, settings: DocumoSettings) -> None:
    """Permanently delete an account with its members, groups, keys and request log."""
    account, members = with_store(settings, lambda store: rules.account_with_members(store, name))
    question = f"Delete the account {account.name} with {counted(members, 'member')}? This cannot be undone."
    confirm(question, yes=yes)
    with_store(settings, lambda store: rules.delete_account(store, account.id))
    click.echo(f"Deleted the account {account.name}.", err=True)


def described(account: TenantAccount) -> dict[str, Any]:
    """Return the fields of an account for output."""
    return {"id": account.id, "name": account.name, **{key: getattr(account, key) for key in rules.SETTABLE}}


def _custom(raw: bytes) -> Custom:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise invalid("The schemas file is not valid JSON", why=str(error)) from None
    return Custom.read(body)
