"""The description of a file before its import: how it would be read, and which attribute each column would become."""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.directory.rows import PassKind
from lockstep.errors import LockstepError


@dataclass(frozen=True, slots=True)
class FileColumn:
    """One column of a file. *meaning* is the attribute that the column becomes, or "" if the column is ignored. *samples* are its first
    values.
    """

    name: str
    meaning: str
    samples: tuple[str, ...] = ()
    is_key: bool = False


@dataclass(frozen=True, slots=True)
class FileShape:
    """The way in which a file would be read. *problem* says why the file cannot be imported this way. *stable* names a column that would be
    a better key, or is "".
    """

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
