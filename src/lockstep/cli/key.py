"""`lockstep key`: replace a lost encryption key."""

from __future__ import annotations

import asyncio

import click

from lockstep.actions.health import forget_unreadable
from lockstep.cli import SuggestingGroup
from lockstep.cli.output import Output, hint, output_option
from lockstep.cli.session import require_data, session, settings_of
from lockstep.errors import conflict
from lockstep.vault import make_key_file
from lockstep.wording import counted


@click.group("key", cls=SuggestingGroup)
def key() -> None:
    """Replace the key that encrypts secret tokens.

    \b
    lockstep key new
    """


@key.command("new")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def new(yes: bool, output: Output) -> None:
    """Create a new key after the old one is lost, and delete the tokens that it cannot decrypt.

    \b
    lockstep key new --yes
    """
    settings = settings_of()
    require_data(settings)
    file = settings.data / "key"
    if settings.key is None and file.exists():
        raise conflict(
            f"There is already a key in {file}", next_step=f"If it is damaged, move it away first: mv {file} {file}.old"
        )
    if not yes:
        click.confirm("Tokens that were encrypted with the lost key will be deleted. Continue?", abort=True, err=True)
    if settings.key is None:
        make_key_file(file)

    async def work() -> list[str]:
        async with session(settings) as (_, context):
            return await forget_unreadable(context)

    forgotten = asyncio.run(work())
    text = (
        f"{counted(len(forgotten), 'stored token')} {'was' if len(forgotten) == 1 else 'were'} deleted."
        if forgotten
        else "Every stored token can be decrypted."
    )
    output.one({"forgotten": forgotten}, text=text)
    for name in forgotten:
        hint(f"Enter the token of {name} again: lockstep creds set {name} --token-stdin")
