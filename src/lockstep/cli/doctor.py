"""`lockstep doctor`: check everything, from the Python version to the last connection test.

Every finding has a next step. The command changes nothing, but it starts the embedded PostgreSQL if it is not running.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import shutil
import stat
import sys
from collections.abc import Iterator

import click

from lockstep.actions.context import Context
from lockstep.actions.health import HealthFinding, Level, examine, sealed
from lockstep.actions.outbound import list_places
from lockstep.actions.outgoing_mail import examine_mail
from lockstep.actions.person_sign_in.ldap_health import examine_ldap
from lockstep.actions.rows.installation import health_json
from lockstep.actions.source_files import files_outside
from lockstep.cli.output import Output, output_option, safe
from lockstep.cli.session import has_data, session, settings_of
from lockstep.errors import LockstepError
from lockstep.postgres.migrate import revisions_of
from lockstep.settings import Settings
from lockstep.vault import parse_key
from lockstep.wiring import MIGRATIONS, own_application

OLDEST_PYTHON = (3, 11)
LITTLE_SPACE = 1 << 30
NO_SPACE = 100 << 20
_MOST_NAMED = 5


@click.command("doctor")
@output_option
def doctor(output: Output) -> int:
    """Check everything: Python, data folder, database, worker, applications.

    \b
    lockstep doctor
    lockstep doctor -o json
    """
    settings = settings_of()
    found = [*_python(), *_folder(settings), *_outbound(settings), *asyncio.run(_house(settings))]
    levels = [one.level for one in found]
    output.one(health_json(found), text=[line for one in found for line in _lines(one)])
    return 1 if Level.FAIL in levels else 0


def _lines(one: HealthFinding) -> Iterator[str]:
    yield f"  {one.level.value:<5} {one.name:<16} {safe(one.text)}"
    if one.remedy:
        yield f"        {'':<16} next: {safe(one.remedy)}"


def _python() -> Iterator[HealthFinding]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < OLDEST_PYTHON:
        yield HealthFinding("Python", Level.FAIL, f"Python {version} is too old", "Install Python 3.11 or newer")
    else:
        yield HealthFinding("Python", Level.OK, f"Python {version}")


def _folder(settings: Settings) -> Iterator[HealthFinding]:
    data = settings.data
    if not data.exists():
        yield HealthFinding("data folder", Level.WARN, f"{data} does not exist yet; it is created on first start",
                      "Choose another: --data FOLDER")  # fmt: skip
        return
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        yield HealthFinding(
            "data folder", Level.FAIL, f"{data} cannot be written", f"Take ownership: chown $USER {data}"
        )
        return
    mode = stat.S_IMODE(data.stat().st_mode)
    if mode & stat.S_IWOTH:
        yield HealthFinding("data folder", Level.FAIL, f"{data} is writable by everyone", f"chmod o-w {data}")
    else:
        yield HealthFinding("data folder", Level.OK, f"{data} is writable, mode {mode:04o}")
    yield _key(settings)
    yield _space(settings)


def _key(settings: Settings) -> HealthFinding:
    file = settings.data / "key"
    if settings.key is not None:
        return HealthFinding("key", Level.OK, "the key comes from the environment")
    if not file.exists():
        if has_data(settings):
            return HealthFinding("key", Level.WARN, f"{file} is missing", "Restore your copy of the key")
        return HealthFinding("key", Level.OK, "no key yet; it is created on first start")
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & 0o077:
        return HealthFinding(
            "key", Level.FAIL, f"{file} is readable by other users (mode {mode:04o})", f"chmod 600 {file}"
        )
    if not mode & 0o400:
        return HealthFinding(
            "key", Level.FAIL, f"{file} is not readable by anyone (mode {mode:04o})", f"chmod 600 {file}"
        )
    try:
        parse_key(file.read_text(), where=str(file))
    except (OSError, UnicodeDecodeError, LockstepError):
        remedy = "Put your copy of the key back; if it is lost: lockstep key new"
        return HealthFinding("key", Level.FAIL, f"{file} is damaged", remedy)
    return HealthFinding("key", Level.OK, f"{file} is readable only by its owner")


def _space(settings: Settings) -> HealthFinding:
    free = shutil.disk_usage(settings.data).free
    text = f"{free / (1 << 30):,.1f} GiB free for the data folder"
    if free < NO_SPACE:
        return HealthFinding("disk", Level.FAIL, text, "Free disk space: PostgreSQL stops when the disk is full")
    if free < LITTLE_SPACE:
        return HealthFinding("disk", Level.WARN, text, "Free disk space before the disk is full")
    return HealthFinding("disk", Level.OK, text)


def _outbound(settings: Settings) -> Iterator[HealthFinding]:
    allowed = (*settings.outbound_allow, *own_application(settings.data))
    wide = [word for word in allowed if "://" not in word and ipaddress.ip_network(word).prefixlen == 0]
    if wide:
        yield HealthFinding("outbound", Level.WARN, f"{', '.join(wide)} allows every address, including this machine",
                      "List only what is needed in LOCKSTEP_OUTBOUND_ALLOW")  # fmt: skip
    elif allowed:
        yield HealthFinding(
            "outbound", Level.OK, f"private addresses allowed by this environment: {', '.join(allowed)}"
        )


async def _listed(context: Context) -> list[HealthFinding]:
    """Return findings about the private networks that all processes may connect to."""
    found = [one.entry for one in await list_places(context)]
    return [HealthFinding("outbound list", Level.OK, f"private addresses allowed: {', '.join(found)}")] if found else []


async def _sources(context: Context, settings: Settings) -> list[HealthFinding]:
    """Return findings about the folder for files of sources, and about registered files outside it."""
    folder, name = settings.sources_folder, "files of sources"
    if folder.resolve() in (settings.data.resolve(), *settings.data.resolve().parents):
        return [HealthFinding(name, Level.FAIL, f"{folder} contains the data folder with its key, so administrators could name these files",
                              "Name another folder: LOCKSTEP_SOURCES")]  # fmt: skip
    outside = await files_outside(context)
    if not outside:
        return [
            HealthFinding(
                name, Level.OK, f"administrators may name files below {folder}; no source reads files elsewhere"
            )
        ]
    shown = ", ".join(f"{one.path} ({one.source})" for one in outside[:_MOST_NAMED])
    more = f" and {len(outside) - _MOST_NAMED} more" if len(outside) > _MOST_NAMED else ""
    remedy = "Move the files into that folder, then register the source again: lockstep sources add NAME --people FILE --replace"
    text = f"outside {folder}, where only the command line may name files: {shown}{more}"
    return [HealthFinding(name, Level.WARN, text, remedy)]


async def _house(settings: Settings) -> list[HealthFinding]:
    if not has_data(settings):
        return []
    try:
        async with session(settings) as (_, context):
            newest = revisions_of(MIGRATIONS).newest
            return [
                *await sealed(context),
                *await _listed(context),
                *await _sources(context, settings),
                *await examine(context),
                *await examine_ldap(context),
                *await examine_mail(context),
                HealthFinding("migrations", Level.OK, f"the database is at {newest}"),
            ]
    except LockstepError as failed:
        remedy = failed.next_step or "Correct the cause, then run: lockstep doctor"
        text = f"{failed.detail}. {failed.why}".rstrip(". ")
        return [HealthFinding("database", Level.FAIL, text, remedy)]
