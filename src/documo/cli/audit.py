"""`documo audit`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from documo import audit_log as rules
from documo.accounts import only_account
from documo.audit_log import AccountAuditFilter, AuditEntry
from documo.cli.members import account_option
from documo.cli.output import DocumoOutput, data_option, output_option, with_store
from documo.cli.requests import moment_of
from documo.settings import DocumoSettings
from documo.store.database import Store

COLUMNS = ("id", "at", "actor", "activity", "kind", "object")


@click.group()
def audit() -> None:
    """Show who changed what in an account, and who signed in."""


@audit.command("list")
@click.option("--actor", default="", help="Part of the actor's name: a user, an API key or a command.")
@click.option("--object", "text", default="", help="Part of the changed object's name, or its id.")
@click.option("--kind", default="", help="Only this kind of object: User, Group, Role, 'API key', Sign-in.")
@click.option(
    "--activity",
    type=click.Choice(list(rules.ACTIVITIES)),
    metavar="WHAT",
    help=f"One of: {', '.join(rules.ACTIVITIES)}.",
)
@click.option(
    "--since", metavar="TIME", default="", help="Only entries since TIME: 15m, 2h or 3d ago, or an ISO 8601 time."
)
@click.option("--until", metavar="TIME", default="", help="Only entries before TIME.")
@click.option("--limit", type=click.IntRange(1, rules.MOST_EXPORTED), default=50, show_default=True)
@account_option
@data_option
@output_option
def list_(
    actor: str, text: str, kind: str, activity: str | None, since: str, until: str, limit: int, account: str | None,
    settings: DocumoSettings, output: DocumoOutput,
) -> None:  # fmt: skip
    """List entries, the newest first. With -o json they contain the old and new values."""
    wanted = AccountAuditFilter(actor, text, kind, activity or "", moment_of(since), moment_of(until))

    async def work(store: Store) -> Sequence[AuditEntry]:
        tenant = await only_account(store, account)
        return await rules.find_entries(store, tenant.id, wanted, most=limit)

    output.many("entries", [rules.as_json(entry) for entry in with_store(settings, work)], COLUMNS)


@audit.command()
@click.argument("entry")
@account_option
@data_option
@output_option
def show(entry: str, account: str | None, settings: DocumoSettings, output: DocumoOutput) -> None:
    """Show one entry with the values before and after. ENTRY is its id."""

    async def work(store: Store) -> dict[str, Any]:
        tenant = await only_account(store, account)
        return rules.as_json(await rules.show_entry(store, tenant.id, entry))

    output.one(with_store(settings, work))
