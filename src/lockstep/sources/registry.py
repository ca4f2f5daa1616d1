"""Which kinds of source there are, and how each turns its configuration into passes.

A new kind is a row here; its module needs a function that checks the configuration and one that opens the passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockstep.directory.rows import PassKind, SourcePass
from lockstep.errors import invalid
from lockstep.sources.csv_file import open_csv

Opener = Callable[[Mapping[str, Any], Mapping[str, str]], Sequence[SourcePass]]


@dataclass(frozen=True, slots=True)
class SourceKind:
    """One kind of source."""

    name: str
    display_name: str
    open: Opener


def _open_csv_files(config: Mapping[str, Any], keys: Mapping[str, str]) -> list[SourcePass]:
    """The passes of `files` ([{path, kind?, group?}]): people first, then groups, then members, whatever the order they are given in."""
    files = config.get("files") or []
    if not files:
        raise invalid("The source has no file", next_step="Name one: lockstep sources add NAME --people FILE")
    passes = [
        open_csv(
            Path(file["path"]),
            kind=PassKind(file["kind"]) if file.get("kind") else None,
            mapping=config.get("map"),
            keys=keys,
            group=file.get("group") or "",
            is_full=not config.get("partial"),
            encoding=config.get("encoding", ""),
            delimiter=config.get("delimiter", ""),
        )
        for file in files
    ]
    order = list(PassKind)
    return sorted(passes, key=lambda reading: order.index(reading.kind))


KINDS: Mapping[str, SourceKind] = {"csv": SourceKind("csv", "CSV files", _open_csv_files)}


def open_source(kind: str, config: Mapping[str, Any], keys: Mapping[str, str]) -> Sequence[SourcePass]:
    """The passes that bring a source up to date. *keys*: for each kind of pass, the column that tells objects apart, once settled.

    Raises LockstepError for a kind that there is not, and for what the source itself finds wrong.
    """
    if kind not in KINDS:
        raise invalid(f"There is no kind of source called {kind}", next_step=f"There are: {', '.join(sorted(KINDS))}")
    return KINDS[kind].open(config, keys)
