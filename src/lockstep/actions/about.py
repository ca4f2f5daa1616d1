"""The versions of Lockstep, Python and PostgreSQL in this installation, and the installed packages with their licences."""

from __future__ import annotations

import asyncio
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from lockstep import __version__
from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.storage.instance import read_server

LICENCE = "Apache License 2.0"


@dataclass(frozen=True, slots=True)
class InstalledPackage:
    """A package that Lockstep needs. *licence* is "" if the metadata of the package names no licence."""

    name: str
    version: str
    licence: str


@dataclass(frozen=True, slots=True)
class About:
    version: str
    licence: str
    python: str
    postgres: str
    database: str
    parts: Sequence[InstalledPackage]


@needs(Permission.DIRECTORY_READ)
async def show_about(context: Context) -> About:
    async with context.reading() as connection:
        server = await read_server(connection)
    parts = await asyncio.to_thread(_parts)
    return About(__version__, LICENCE, platform.python_version(), server.version.partition(" ")[0], server.size, parts)


@cache
def _parts() -> tuple[InstalledPackage, ...]:
    """Return the installed packages that Lockstep itself depends on, sorted by name. They are read only once, because a running process
    keeps the versions that it has loaded.
    """
    wanted = {re.split(r"[^A-Za-z0-9._-]", one)[0] for one in _needed() if "extra ==" not in one}
    found = []
    for name in sorted(wanted, key=str.lower):
        try:
            one = distribution(name)
        except PackageNotFoundError:  # for another platform
            continue
        found.append(InstalledPackage(name, one.version, _licence(one)))
    return tuple(found)


def _needed() -> Sequence[str]:
    try:
        return distribution("lockstep").requires or ()
    except PackageNotFoundError:  # run from its source
        return ()


def _licence(one: Distribution) -> str:
    told = one.metadata.get_all("License-Expression") or ()
    named = [
        line.rpartition(":: ")[2] for line in one.metadata.get_all("Classifier") or () if line.startswith("License ::")
    ]
    short = [line for line in one.metadata.get_all("License") or () if len(line) < 60]
    return ", ".join(told or named or short)
