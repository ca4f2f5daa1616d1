"""`lockstep retention`: how long records are kept."""

from __future__ import annotations

from datetime import timedelta

import click

from lockstep.actions import retention as actions
from lockstep.actions.context import Context
from lockstep.actions.retention import RetentionRow
from lockstep.cli.output import Column, Output, confirm, output_option
from lockstep.cli.session import run
from lockstep.wording import counted, read_length

_COLUMNS = (
    Column("what", "What"),
    Column("kept", "Kept"),
    Column("why", "Why", is_wide=True),
)
_FOR_EVER = "forever"
_DAY = timedelta(days=1)


class Days(click.ParamType[int]):
    """A number of days, typed as 90d or 12w. The word `forever` stands for 0."""

    name = "length"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value).strip().lower()
        length = timedelta() if text == _FOR_EVER else read_length(text)
        if length is None or length % _DAY or (not length and text != _FOR_EVER):
            self.fail(f'"{value}" is not a number of days; examples: 90d, 12w, forever', param, ctx)
        return length // _DAY


@click.command("retention")
@click.option(
    "--provisioning-log",
    type=Days(),
    metavar="LENGTH",
    help="How long to keep provisioning logs, such as 90d or forever.",
)
@click.option("--sign-in-log", type=Days(), metavar="LENGTH", help="How long to keep sign-in logs.")
@click.option("--cycles", type=Days(), metavar="LENGTH", help="How long to keep cycles; the newest 100 always stay.")
@click.option(
    "--directory-changes", type=Days(), metavar="LENGTH", help="How long to keep the history of people and groups."
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def retention(
    provisioning_log: int | None,
    sign_in_log: int | None,
    cycles: int | None,
    directory_changes: int | None,
    yes: bool,
    output: Output,
) -> None:
    """Show or change how long records are kept. Older ones are removed within an hour.

    \b
    lockstep retention
    lockstep retention --provisioning-log 90d --cycles forever
    """
    given = {
        "provisioningLog": provisioning_log,
        "signInLog": sign_in_log,
        "cycles": cycles,
        "directoryChanges": directory_changes,
    }
    days = {key: length for key, length in given.items() if length is not None}

    async def work(context: Context) -> list[RetentionRow]:
        if not days:
            return await actions.show_retention(context)
        names = {one.key: one.what.lower() for one in actions.LIMITS}
        gone = await actions.foresee_retention(context, days)
        if gone:
            lost = ", ".join(f"{counted(number, 'record')} of {names[key]}" for key, number in gone.items())
            confirm(f"{lost} will be deleted permanently. Continue?", yes=yes)
        return await actions.set_retention(context, days)

    rows = run(work)
    output.many(
        [{"key": one.key, "what": one.what, "kept": one.kept, "days": one.days, "why": one.why} for one in rows],
        _COLUMNS,
        empty="",
    )
