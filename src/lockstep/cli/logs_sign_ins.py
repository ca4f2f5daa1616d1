"""`lockstep logs sign-ins`: who signed in to which application, and why sign-ins were refused."""

from __future__ import annotations

from typing import Any

import click

from lockstep.actions import sign_in_logs as actions
from lockstep.actions.context import Context
from lockstep.actions.rows.sign_ins import sign_in_json
from lockstep.actions.sign_in_logs import SignInFilter, SignInRow
from lockstep.cli.output import Column, Output, hint, output_option
from lockstep.cli.page_address import APPLICATION, PERSON
from lockstep.cli.session import run
from lockstep.cli.times import TIME, local_time

_COLUMNS = [Column("number", "No."), Column("at", "Time", show=local_time), Column("result", "Status"), Column("user", "User"),
            Column("application", "Application"), Column("address", "Address"), Column("methods", "How"), Column("code", "Code"),
            Column("reason", "Why"), Column("detail", "Detail", is_wide=True), Column("protocol", "Protocol", is_wide=True),
            Column("device", "Device", is_wide=True), Column("id", "Id", is_wide=True)]  # fmt: skip


@click.command("sign-ins")
@click.option("--app", default="", type=APPLICATION, help="Only this application.")
@click.option("--user", type=PERSON, metavar="TEXT", help="Part of the user principal name, or the id of a person.")
@click.option(
    "--status",
    type=click.Choice(["success", "failure", "interrupted"]),
    metavar="STATUS",
    help="Result: success, failure or interrupted.",
)
@click.option("--code", metavar="CODE", help="The reason of a refusal, for example WrongPassword.")
@click.option("--since", type=TIME, metavar="TIME", help="Only records newer than this: 2h, 7d, 1w, 2026-11-01.")
@click.option("--until", type=TIME, metavar="TIME", help="Only records older than this.")
@click.option(
    "--limit", type=click.IntRange(0), default=50, show_default=True, help="Maximum number of records (0 = all)."
)
@click.option("--after", type=click.IntRange(1), metavar="NUMBER", help="Continue with records older than this one.")
@output_option
def sign_ins(*, output: Output, **given: Any) -> None:
    """Show the sign-ins of people, newest first.

    \b
    lockstep logs sign-ins --status failure --since 2h
    lockstep logs sign-ins --app documo --limit 0 -o csv
    """
    wanted = SignInFilter(
        user=given["user"] or None,
        result=given["status"],
        code=given["code"] or None,
        after=given["since"],
        before=given["until"],
        below_seq=given["after"],
    )
    limit = given["limit"] or None
    found = run(lambda context: _read(context, wanted, given["app"], limit))
    shown = found[:limit]
    output.many([sign_in_json(row) for row in shown], _COLUMNS, name="id", empty="No sign-ins match.")
    if len(found) > len(shown):
        hint(f"There are more entries. Continue with: --after {shown[-1].seq}, or show all: --limit 0")


async def _read(context: Context, wanted: SignInFilter, app: str, limit: int | None) -> list[SignInRow]:
    """Return the newest rows, or all rows if *limit* is None. If older rows exist, more than *limit* rows are returned, so that the caller
    can see this.
    """
    found: list[SignInRow] = []
    size = {} if limit is None else {"size": limit + 1}
    async for page in actions.pages_of_sign_ins(context, wanted, app=app, **size):
        found += page
        if limit is not None and len(found) > limit:
            break
    return found
