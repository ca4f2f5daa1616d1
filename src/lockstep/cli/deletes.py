"""`lockstep deletes`: the disables, deletes and other writes that a guard holds back until somebody decides."""

from __future__ import annotations

from typing import Any

import click

from lockstep.actions import provisioning as actions
from lockstep.actions.provisioning import Decided
from lockstep.cli import SuggestingGroup
from lockstep.cli.output import Column, Output, confirm, output_option
from lockstep.cli.session import run
from lockstep.cli.times import stamp
from lockstep.errors import not_found
from lockstep.storage.operations import HeldOperation

_COLUMNS = [Column("action", "Action"), Column("name", "Who"), Column("reason", "Why it is held"), Column("since", "Since"),
            Column("account", "Account", is_wide=True), Column("id", "Id")]  # fmt: skip


@click.group("deletes", cls=SuggestingGroup)
def deletes() -> None:
    """Approve or reject what the guards hold back.

    \b
    lockstep deletes list documo
    lockstep deletes approve documo --id 0193f0c2-6b1e-7c3a-9d5e-2f8a4b7c1d00
    """


@deletes.command("list")
@click.argument("app")
@output_option
def list_(app: str, output: Output) -> None:
    """List what waits for a decision, oldest first.

    \b
    lockstep deletes list documo
    lockstep deletes list documo -o json
    """
    rows = [_row(one) for one in run(lambda context: actions.list_deletes(context, app))]
    output.many(rows, _COLUMNS, empty="Nothing waits for approval.")


@deletes.command("approve")
@click.argument("app")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only this one. Repeatable.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
def approve(app: str, ids: tuple[str, ...], yes: bool, output: Output) -> None:
    """Let held writes go ahead: all of them, or those named. Each is decided anew from what is so now.

    \b
    lockstep deletes approve documo
    lockstep deletes approve documo --id ID --yes
    """
    _ask("Approve", app, ids, yes=yes)
    decided = run(lambda context: actions.approve_deletes(context, app, ids or None))
    _told(app, decided, output)


@deletes.command("reject")
@click.argument("app")
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only this one. Repeatable.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
def reject(app: str, ids: tuple[str, ...], yes: bool, output: Output) -> None:
    """Do not carry held writes out. They come up again when something changes.

    \b
    lockstep deletes reject documo --yes
    lockstep deletes reject documo --id ID
    """
    _ask("Reject", app, ids, yes=yes)
    decided = run(lambda context: actions.reject_deletes(context, app, ids or None))
    _told(app, decided, output)


def _ask(verb: str, app: str, ids: tuple[str, ...], *, yes: bool) -> None:
    held = run(lambda context: actions.list_deletes(context, app))
    unknown = set(ids) - {one.id for one in held}
    if unknown:
        raise not_found(f"Nothing held has the id {min(unknown)}", next_step=f"See: lockstep deletes list {app}")
    count = len(ids) or len(held)
    if count:
        confirm(f"{verb} {count:,} held writes to {app}?", yes=yes)


def _told(app: str, decided: Decided, output: Output) -> None:
    row = {"application": app, "decision": decided.decision, "count": decided.count}
    output.one(row, text=f"{decided.count:,} writes are {decided.decision}." if decided.count else "Nothing waited.")


def _row(one: HeldOperation) -> dict[str, Any]:
    return {
        "id": one.id,
        "kind": one.kind,
        "action": one.action,
        "name": one.display or one.source_id,
        "sourceId": one.source_id,
        "account": one.target_id,
        "reason": one.error.get("reason") or one.error.get("message") or one.error.get("code", ""),
        "since": stamp(one.planned_at),
    }
