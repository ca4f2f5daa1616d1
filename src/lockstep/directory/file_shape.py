"""What is known about a file before its import: how it would be read and what its columns become."""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.directory.rows import PassKind
from lockstep.errors import LockstepError


@dataclass(frozen=True, slots=True)
class FileColumn:
    """*meaning*: the attribute that it becomes, or "" if it is ignored. *samples*: its first values."""

    name: str
    meaning: str
    samples: tuple[str, ...] = ()
    is_key: bool = False


@dataclass(frozen=True, slots=True)
class FileShape:
    """*problem*: why the file cannot be imported like this. *stable*: a column that would be a better key, or ""."""

    kind: PassKind | None = None
    encoding: str = ""
    delimiter: str = ""
    note: str = ""
    is_encoding_given: bool = False
    is_delimiter_given: bool = False
    columns: tuple[FileColumn, ...] = ()
    notes: tuple[str, ...] = ()
    stable: str = ""
    problem: LockstepError | None = None
