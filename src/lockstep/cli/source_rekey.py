"""`lockstep sources rekey`: identify the people of a source by another column."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from lockstep.actions import source_keys as keys
from lockstep.actions import sources as actions
from lockstep.actions import uploads
from lockstep.actions.context import Context, Elsewhere
from lockstep.actions.rows.records import key_change_json
from lockstep.cli.output import Output, output_option, safe
from lockstep.cli.page_address import SOURCE
from lockstep.cli.session import run
from lockstep.cli.source_options import FILE, ReadingOptions, config_from, overlaid, reading_options
from lockstep.errors import invalid
from lockstep.wording import counted


@click.command("rekey")
@click.argument("name", type=SOURCE)
@click.option("--key", required=True, metavar="COLUMN", help="The new key column.")
@click.option("--file", type=FILE, help="A file with the old and the new key.")
@reading_options
@output_option
def rekey(name: str, key: str, file: Path | None, output: Output, **reading: Any) -> None:
    """Change the key column of a source; no one leaves and no one is created. FILE must contain both keys (default: the registered file).

    \b
    lockstep sources rekey hr --key "Personnel no"
    """
    given = config_from([{"path": str(file.absolute()), "kind": "people"}] if file else [], ReadingOptions(**reading))

    async def work(context: Context) -> keys.KeyChange:
        if context.elsewhere is not None:
            return await _rekey_there(context, context.elsewhere, name, key, file, given)
        registered = (await actions.show_source(context, name)).source.config
        config = overlaid(registered, given) | ({"files": given["files"]} if file else {})
        return await keys.rekey_source(context, name, key, config=config)

    done = run(work)
    text = [
        f"{counted(done.people, 'person')} of {name} {'is' if done.people == 1 else 'are'} now identified by {safe(key)}."
    ]
    text += (
        [f"{done.absent:,} are not in the file: they keep the old key and leave at the next import."]
        if done.absent
        else []
    )
    output.one({"name": name, **key_change_json(done)}, text=text)


async def _rekey_there(
    context: Context, server: Elsewhere, name: str, key: str, file: Path | None, given: Mapping[str, Any]
) -> keys.KeyChange:
    """Change the key column of a source on the server in use, with the source's registered files or with a file on this machine."""
    if given.keys() - {"files"}:
        raise invalid(
            "Options for reading the files of a source work only on the machine of the server",
            next_step=f"Leave these options out: the server uses the registered options. See: lockstep sources show {name}",
        )
    if file is None:
        return await keys.rekey_source(context, name, key)
    return await uploads.rekey_with_upload(context, await server.upload(name, file), key)
