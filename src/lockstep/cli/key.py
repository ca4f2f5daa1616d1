"""`lockstep key`: replace the encryption key, and encrypt all stored secrets again; or make a new key after the old one is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from lockstep.actions.health import forget_unreadable
from lockstep.actions.key_replacement import encrypt_again
from lockstep.cli import SuggestingGroup
from lockstep.cli.output import Output, confirm, hint, output_option
from lockstep.cli.session import operator, require_data, session, settings_of
from lockstep.errors import conflict
from lockstep.vault import discard_new_key, make_key_file, put_new_key
from lockstep.wiring import open_house
from lockstep.wording import counted


@click.group("key", cls=SuggestingGroup)
def key() -> None:
    """Replace the key that encrypts stored secrets.

    \b
    lockstep key rotate
    lockstep key new
    """


@key.command("rotate")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def rotate(yes: bool, output: Output) -> None:
    """Replace the key, and encrypt all stored secrets with the new one.

    Stop Lockstep first. If this command is interrupted, run it again: until it has succeeded, nothing else can use the data folder. If the
    key is in LOCKSTEP_KEY, first put the new key there and the former key into LOCKSTEP_KEY_OLDER.

    \b
    lockstep key rotate
    """
    settings = settings_of()
    require_data(settings)
    confirm("Replace the key, and encrypt all stored secrets again?", yes=yes)

    has_key_file = settings.key is None

    async def work() -> tuple[int, Path | None]:
        # The lock of the main process is held until the key files are in their places.
        async with open_house(settings, main=True, say=hint, replaces_key=True) as house:
            count = await encrypt_again(
                house.context(operator(), say=hint),
                abandon=lambda: discard_new_key(settings.data) if has_key_file else None,
            )
            return count, put_new_key(settings.data) if has_key_file else None

    count, former = asyncio.run(work())
    row = {"encryptedAgain": count, "formerKey": str(former) if former else None}
    output.one(row, text=f"{counted(count, 'stored secret')} {'was' if count == 1 else 'were'} re-encrypted.")
    if former is None:
        hint("LOCKSTEP_KEY_OLDER is no longer needed, except to restore an older backup.")
        return
    hint(f"The former key is now {former}. Older backups need it: keep a copy with them, and delete the key here.")
    hint(f"Copy the new key to a safe place: {settings.data / 'key'}")


@key.command("new")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def new(yes: bool, output: Output) -> None:
    """Create a new key after the old one is lost, and delete the tokens that the new one cannot decrypt.

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
