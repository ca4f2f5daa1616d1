"""`lockstep quarantine`: why an application is in quarantine, and how to end it once the cause is fixed."""

from __future__ import annotations

import click

from lockstep.actions import provisioning
from lockstep.actions.status import show_status
from lockstep.cli import SuggestingGroup
from lockstep.cli.application_argument import app_argument
from lockstep.cli.output import Output, hint, output_option, safe
from lockstep.cli.session import run
from lockstep.errors import EXIT_CODES, Kind


@click.group("quarantine", cls=SuggestingGroup)
def quarantine() -> None:
    """Show and end quarantine. Provisioning slows down when nearly all writes to an application fail.

    \b
    lockstep quarantine show documo
    lockstep quarantine clear documo
    """


@quarantine.command("show")
@app_argument
@output_option
def show(app: str, output: Output) -> int:
    """Show since when and why an application is in quarantine; exits with 6 if it is.

    \b
    lockstep quarantine show documo
    lockstep quarantine show documo -o json
    """
    found = run(lambda context: show_status(context, app))
    row = {"application": found.app, "quarantine": found.quarantine}
    if found.quarantine is None:
        output.one(row, text=f"{safe(found.display_name)} is not in quarantine.")
        return 0
    error = found.quarantine.get("error") or {}
    pairs = (
        ("reason", found.quarantine.get("reason", "")),
        ("why", error.get("message", "")),
        ("next", error.get("nextStep", "")),
        ("since", found.quarantine.get("currentBegan", "")),
        ("next attempt", found.quarantine.get("nextAttempt", "")),
    )
    lines = [
        f"{safe(found.display_name)} is in quarantine.",
        *(f"  {key:<9} {safe(text)}" for key, text in pairs if text),
    ]
    output.one(row, text=lines)
    return EXIT_CODES[Kind.HELD]


@quarantine.command("clear")
@app_argument
@output_option
def clear(app: str, output: Output) -> None:
    """Retry now instead of at the scheduled time. Quarantine ends when a request succeeds.

    \b
    lockstep creds test documo
    lockstep quarantine clear documo
    """
    was = run(lambda context: provisioning.clear_quarantine(context, app))
    row = {"application": app, "triesAgain": was}
    output.one(row, text=f"{app} is being retried now." if was else f"{app} is not in quarantine.")
    if was:
        hint(f"Watch it: lockstep status {app}")
