"""A hub with one application for the tests of directory, sources and actions: real tables and a small Contoso."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from lockstep.actions.context import Actor, Context
from lockstep.actions.source_decisions import SourceDecision, confirm_hold, mark_of
from lockstep.actions.sources import show_source
from lockstep.directory.edit import Touched
from lockstep.gallery.loader import load_gallery
from lockstep.postgres.pool import Pool
from lockstep.sources.registry import inspect_file, open_source
from lockstep.storage import sources
from lockstep.vault import Vault, VaultKey

HEADER = ("id", "userPrincipalName", "displayName", "givenName", "surname", "department", "accountEnabled", "manager")


def guid(name: str) -> str:
    """The id of the person called *name* in a test."""
    return str(uuid5(NAMESPACE_URL, name))


def upn(name: str) -> str:
    return f"{name}@contoso.test"


@dataclass
class Hub:
    """Everything that a test works with."""

    pool: Pool
    context: Context
    woken: list[Touched] = field(default_factory=list)

    async def fetch(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        async with self.pool.connection() as connection:
            cursor = await connection.execute(query, parameters)
            return list(await cursor.fetchall()) if cursor.description else []

    async def add_source(self, name: str = "hr") -> None:
        async with self.pool.connection() as connection:
            await sources.save_source(connection, name, kind="csv", display_name=name, config={})


async def confirm_what_waits(hub: Hub, name: str = "hr") -> SourceDecision:
    """Read the changes that the source *name* holds, and confirm them."""
    shown = mark_of((await show_source(hub.context, name)).holds)
    return await confirm_hold(hub.context, name, shown=shown)


def person(name: str, **values: str) -> dict[str, str]:
    """A row of people.csv for *name*."""
    return {
        "id": guid(name),
        "userPrincipalName": upn(name),
        "displayName": name.capitalize(),
        "givenName": name.capitalize(),
        "surname": "Test",
        "department": "Sales",
        "accountEnabled": "True",
        "manager": "",
    } | values


def write_csv(path: Path, rows: Iterable[Mapping[str, str]], *, columns: Sequence[str] = HEADER) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(columns))
        writer.writeheader()
        writer.writerows(rows)
    return path


def make_context(pool: Pool, woken: list[Touched], *, actor: str = "ada@contoso.test") -> Context:
    async def note(jobs: Collection[str]) -> None:
        woken.append(frozenset(jobs))

    return Context(
        pool=pool,
        actor=Actor(actor, is_operator=True),
        vault=Vault(VaultKey(b"k" * 32, b"i" * 8)),
        gallery=load_gallery(),
        open_source=open_source,
        inspect_file=inspect_file,
        after_commit=note,
    )
