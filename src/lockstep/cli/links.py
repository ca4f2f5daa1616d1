"""`lockstep links`: which account belongs to which person, and accounts without a link."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lockstep.actions import links as actions
from lockstep.actions.rows.provisioning import link_json, orphans_json
from lockstep.cli.application_argument import app_argument
from lockstep.cli.output import Column, Output, confirm, hint, output_option
from lockstep.cli.page_address import PERSON
from lockstep.cli.session import run
from lockstep.cli.times import local_time
from lockstep.wording import counted

_COLUMNS = [Column("name", "Who"), Column("kind", "Kind"), Column("state", "State"), Column("account", "Account"),
            Column("matchedBy", "Matched by", is_wide=True), Column("cause", "Why", is_wide=True),
            Column("since", "Since", is_wide=True, show=local_time),
            Column("nextSearch", "Next search", is_wide=True, show=local_time), Column("id", "Id", is_wide=True)]  # fmt: skip
_MOST_SETTLED = 10_000  # limit of the count in the question; all accounts are settled
_STATES = ["live", "disabled", "released", "lost", "sought", "tombstone"]


@click.command("links")
@app_argument
@click.option("--user", default="", type=PERSON, metavar="UPN", help="Only this person.")
@click.option("--state", type=click.Choice(_STATES), help="Only links in this state.")
@click.option("--orphans", is_flag=True, help="List accounts that are not linked to anyone.")
@click.option(
    "--settle", is_flag=True, help="With --orphans: link accounts that Lockstep created to their people again."
)
@click.option("--choose", default="", metavar="ACCOUNT", help="With --user: link this account.")
@click.option("--forget", is_flag=True, help="With --user: remove the link.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@output_option
def links(app: str, user: str, state: str | None, orphans: bool, settle: bool, choose: str, forget: bool, yes: bool, limit: int,
          output: Output) -> None:  # fmt: skip
    """List the links between people and accounts; choose or remove one.

    \b
    lockstep links documo --orphans
    lockstep links documo --orphans --settle
    lockstep links documo --user kim.berg@contoso.test --choose u_771
    """
    if (choose or forget) and not user:
        raise click.UsageError("Name the person: --user UPN")
    if sum((bool(choose), forget, orphans)) > 1:
        raise click.UsageError("Use only one of --choose, --forget and --orphans")
    if settle and not orphans:
        raise click.UsageError("--settle needs --orphans")
    if orphans:
        _orphans(app, output, limit=_MOST_SETTLED if settle else limit, settle=settle, yes=yes)
    elif choose or forget:
        _change(app, user, choose, output, yes=yes)
    else:
        rows = run(lambda context: actions.list_links(context, app, user=user, state=state or "", limit=limit))
        output.many([link_json(row) for row in rows], _COLUMNS, name="account", empty="No links match.")
        if len(rows) == limit:
            hint(f"There may be more: --limit {limit * 10}")


def _orphans(app: str, output: Output, *, limit: int, settle: bool, yes: bool) -> None:
    found = run(lambda context: actions.list_orphans(context, app, limit=limit))
    if settle:
        _settle(app, found, output, yes=yes)
        return
    rows = orphans_json(found)
    columns = [Column("name", "Account name"), Column("kind", "Kind"), Column("account", "Account"),
               Column("madeFor", "Created for"), Column("owner", "Possible owner"), Column("why", "Why")]  # fmt: skip
    output.many(rows, columns, name="account", empty="Every account is linked to someone.")
    if len(rows) == limit:
        hint(f"There may be more: --limit {limit * 10}")
    if any(one.made is not None for one in found):
        hint(
            "Lockstep created some of these accounts. To link each to its person, and disable it if the person has left: "
            f"lockstep links {app} --orphans --settle"
        )
    if any(one.owners for one in found):
        hint(f"To link one: lockstep links {app} --user UPN --choose ACCOUNT")


def _settle(app: str, found: Sequence[actions.Orphan], output: Output, *, yes: bool) -> None:
    made = [one for one in found if one.made is not None]
    named = ", ".join(
        f"{one.display} ({one.target_id}), created for {one.made.display}" for one in made[:20] if one.made
    )
    many = f" and {len(made) - 20} more" if len(made) > 20 else ""
    confirm(
        f"Lockstep created {counted(len(made), 'account')} in {app} that are not linked to anyone{': ' if named else ''}{named}{many}. "
        "Lockstep also looks for accounts that are recorded only in its journal of writes. "
        "Link each account to the person it was created for, and disable the accounts of people who should not have one?",
        yes=yes,
    )
    settled = run(lambda context: actions.settle_orphans(context, app))
    rows = [
        {"kind": one.kind, "account": one.target_id, "madeFor": one.display, "id": one.source_id} for one in settled
    ]
    columns = [Column("madeFor", "Created for"), Column("kind", "Kind"), Column("account", "Account")]
    output.many(rows, columns, name="madeFor", empty="There are no accounts to link again.")
    if settled:
        hint(f"A worker is processing them now. See the results: lockstep logs --app {app}")


def _change(app: str, user: str, choose: str, output: Output, *, yes: bool) -> None:
    if choose:
        confirm(
            f"Link the account {choose} in {app} to {user}? It will be updated with their values, or disabled if they are not in scope.",
            yes=yes,
        )
        row = run(lambda context: actions.choose_link(context, app, user, choose))
        output.one(link_json(row), text=f"The account {row.target_id} is now linked to {row.display}.")
        return
    confirm(
        f"Remove the link of {user} in {app}? The account stays; the person will be matched or created again.", yes=yes
    )
    row = run(lambda context: actions.forget_link(context, app, user))
    output.one(
        link_json(row),
        text=f"The link of {row.display} to account {row.target_id} was removed. The account was not changed.",
    )
