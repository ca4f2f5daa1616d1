"""`lockstep outbound`: the private networks where applications may be reached."""

from __future__ import annotations

import click

from lockstep.actions import outbound as actions
from lockstep.actions.context import Context
from lockstep.cli import SuggestingGroup
from lockstep.cli.output import Column, Output, output_option
from lockstep.cli.session import run, settings_of

_ENVIRONMENT = "LOCKSTEP_OUTBOUND_ALLOW"
_COLUMNS = (
    Column("entry", "Allowed"),
    Column("origin", "Set by"),
    Column("reason", "Reason"),
    Column("addedAt", "Since", is_wide=True),
)


@click.group("outbound", cls=SuggestingGroup)
def outbound() -> None:
    """Manage the private addresses that Lockstep may connect to. Public addresses are always allowed over https; addresses of cloud
    metadata services are never allowed.

    \b
    lockstep outbound list
    lockstep outbound add https://app.internal:8443
    lockstep outbound remove https://app.internal:8443
    """


@outbound.command("list")
@output_option
def list_(output: Output) -> None:
    """List the private addresses that all processes may connect to, and those that the environment of this shell adds.

    \b
    lockstep outbound list
    lockstep outbound list -o json
    """
    found = run(actions.list_places)
    rows = [
        {"entry": one.entry, "origin": one.added_by, "reason": one.reason, "addedAt": one.added_at} for one in found
    ]
    rows += [
        {"entry": entry, "origin": f"{_ENVIRONMENT} of this shell", "reason": "", "addedAt": None}
        for entry in settings_of().outbound_allow
    ]
    output.many(rows, _COLUMNS, empty="No private addresses are allowed.")


@outbound.command("add")
@click.argument("place")
@click.option("--reason", default="", metavar="TEXT", help="Reason; stored with the entry.")
@output_option
def add(place: str, reason: str, output: Output) -> None:
    """Allow PLACE, an origin (https://app.internal:8443) or a network (10.20.0.0/16), for all processes, without a restart.

    \b
    lockstep outbound add https://app.internal:8443 --reason "Documo in our own network"
    lockstep outbound add 10.20.0.0/16
    """

    async def work(context: Context) -> tuple[str, bool]:
        return await actions.add_place(context, place, reason=reason)

    entry, is_new = run(work)
    text = f"{entry} is now allowed." if is_new else f"{entry} is already in the list; nothing changed."
    output.one({"entry": entry, "changed": is_new}, text=text)


@outbound.command("remove")
@click.argument("place")
@output_option
def remove(place: str, output: Output) -> None:
    """Stop allowing PLACE. Requests in progress finish; new ones are refused.

    \b
    lockstep outbound remove https://app.internal:8443
    """
    entry = run(lambda context: actions.remove_place(context, place))
    output.one({"entry": entry, "changed": True}, text=f"{entry} is no longer allowed.")
