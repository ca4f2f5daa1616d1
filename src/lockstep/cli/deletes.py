"""`lockstep deletes`: the writes that a guard holds until someone decides. They would remove access, give new privileges, rename accounts
or empty values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from lockstep.actions import held as actions
from lockstep.actions import provisioning
from lockstep.actions.context import Context
from lockstep.actions.held import REASONS, HeldWrite
from lockstep.actions.provisioning import DecisionCount
from lockstep.actions.rows.provisioning import held_json
from lockstep.cli import SuggestingGroup
from lockstep.cli.application_argument import app_argument
from lockstep.cli.output import Column, Output, confirm, hint, output_option
from lockstep.cli.page_address import PERSON
from lockstep.cli.session import run
from lockstep.cli.times import local_time
from lockstep.errors import not_found
from lockstep.wording import counted

_COLUMNS = [Column("what", "What"), Column("name", "Who"), Column("reason", "Reason"), Column("why", "Why"),
            Column("since", "Since", show=local_time),
            Column("account", "Account", is_wide=True), Column("id", "Id", is_wide=True)]  # fmt: skip
_PAGE = 500
Command = TypeVar("Command", bound=Callable[..., Any])


@click.group("deletes", cls=SuggestingGroup)
def deletes() -> None:
    """Approve or reject writes that were held back, usually because they affect too many accounts at once.

    \b
    lockstep deletes list documo
    lockstep deletes approve documo --reason unassigned --first 10
    """


def _choice(command: Command) -> Command:
    for option in (
        click.option(
            "--first", type=click.IntRange(1), metavar="NUMBER", help="Maximum number of writes, oldest first."
        ),
        click.option(
            "--reason",
            "reasons",
            multiple=True,
            type=click.Choice(REASONS),
            metavar="REASON",
            help="Only writes with this reason, as shown in the list.",
        ),
        click.option(
            "--user", "users", type=PERSON, multiple=True, metavar="UPN", help="Only this person. Repeatable."
        ),
    ):
        command = option(command)
    return command


@deletes.command("list")
@app_argument
@_choice
@click.option("--rejected", is_flag=True, help="List rejected writes instead.")
@output_option
def list_(app: str, output: Output, **chosen: Any) -> None:
    """List writes that wait for a decision, oldest first, with their reasons.

    \b
    lockstep deletes list documo --reason filtered -o json
    lockstep deletes list documo --rejected
    """
    held = _read(app, chosen)
    empty = "No rejected writes are still planned." if chosen["rejected"] else "No writes wait for approval."
    output.many([held_json(one) for one in held], _COLUMNS, empty=empty)
    for line in actions.summary(actions.groups_of(held)):
        hint(line)


@deletes.command("approve")
@app_argument
@_choice
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only the write with this id. Repeatable.")
@click.option("--rejected", is_flag=True, help="Approve previously rejected writes.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def approve(app: str, ids: tuple[str, ...], yes: bool, output: Output, **chosen: Any) -> None:
    """Approve held writes: all of them, or those selected. Each is re-evaluated against the current state.

    \b
    lockstep deletes approve documo --first 10
    lockstep deletes approve documo --user kim.berg@contoso.test --yes
    """
    found = _asked("Approve", app, ids, chosen, yes=yes)
    decide = provisioning.approve_rejected if chosen["rejected"] else provisioning.approve_deletes
    decided = run(lambda context: decide(context, app, found))
    _told(app, decided, output)


@deletes.command("reject")
@app_argument
@_choice
@click.option("--id", "ids", multiple=True, metavar="ID", help="Only the write with this id. Repeatable.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def reject(app: str, ids: tuple[str, ...], yes: bool, output: Output, **chosen: Any) -> None:
    """Reject held writes. They are not sent until someone approves them or a different change is planned for the person.

    \b
    lockstep deletes reject documo --yes
    lockstep deletes reject documo --reason mapping
    """
    found = _asked("Reject", app, ids, chosen, yes=yes)
    decided = run(lambda context: provisioning.reject_deletes(context, app, found))
    _told(app, decided, output)


def _read(app: str, chosen: dict[str, Any]) -> list[HeldWrite]:
    """Read the held writes that the options in *chosen* select, page by page."""
    first = chosen["first"]
    wanted = {name: value for name, value in chosen.items() if name != "first"}

    async def work(context: Context) -> list[HeldWrite]:
        found: list[HeldWrite] = []
        while first is None or len(found) < first:
            size = _PAGE if first is None else min(_PAGE, first - len(found))
            after = found[-1].id if found else ""
            rows = await actions.list_held(context, app, after=after, limit=size, **wanted)
            found += rows
            if len(rows) < size:
                break
        return found

    return run(work)


def _asked(verb: str, app: str, ids: tuple[str, ...], chosen: dict[str, Any], *, yes: bool) -> list[str]:
    """Ask the user to confirm the decision *verb*, such as "Approve". Returns the ids of the held writes that it concerns. Raises
    LockstepError if one of *ids* is not the id of a held write.
    """
    held = _read(app, chosen)
    chosen_ids = {one.lower() for one in ids}
    unknown = chosen_ids - {one.id for one in held}
    if unknown:
        raise not_found(f"No held write has the id {min(unknown)}", next_step=f"See: lockstep deletes list {app}")
    found = [one for one in held if not ids or one.id in chosen_ids]
    if found:
        lines = " ".join(actions.summary(actions.groups_of(found)))
        confirm(f"{lines} {verb} {counted(len(found), 'held write')} to {app}?", yes=yes)
    return [one.id for one in found]


def _told(app: str, decided: DecisionCount, output: Output) -> None:
    row = {"application": app, "decision": decided.decision, "count": decided.count}
    done = f"{counted(decided.count, 'write')} {'is' if decided.count == 1 else 'are'} {decided.decision}."
    output.one(row, text=done if decided.count else "No writes were waiting.")
