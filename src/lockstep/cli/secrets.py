"""`lockstep secrets`: the stored secrets, without their values."""

from __future__ import annotations

import click

from lockstep.actions import stored_secrets as actions
from lockstep.actions.rows.secrets import stored_secret_json
from lockstep.cli.output import Column, Output, hint, output_option
from lockstep.cli.session import run
from lockstep.cli.times import local_time
from lockstep.wording import counted

_COLUMNS = (
    Column("name", "Secret"),
    Column("owner", "For"),
    Column("hint", "Shown part"),
    Column("protection", "Stored"),
    Column("setAt", "Set", show=local_time),
    Column("setBy", "By"),
    Column("expiresAt", "Expires", show=local_time),
)


@click.command("secrets")
@output_option
def secrets(output: Output) -> None:
    """List the stored secrets: whose they are, when they were set, and how they are protected. Their values are never shown.

    \b
    lockstep secrets
    lockstep secrets -o json
    """
    found = run(actions.list_secrets)
    output.many([stored_secret_json(one) for one in found.secrets], _COLUMNS, empty="No secrets are stored.")
    hint(f"The key {found.key_id} encrypts them.")
    if found.with_former_key:
        what = counted(found.with_former_key, "value")
        hint(f"{what} of {found.encrypted:,} still {'needs' if found.with_former_key == 1 else 'need'} a former key. Stop "
             "Lockstep, then run: lockstep key rotate")  # fmt: skip
