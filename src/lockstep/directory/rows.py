"""What a source hands over: pages of lines that are checked and typed, and the rows that are not usable, with the reason.

A bad row still says that its person is there (*key*). Where not even the key can be read, nobody can be told to be missing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from lockstep.directory.attributes import Cause, plain


class PassKind(StrEnum):
    """What a pass brings. They are taken in this order."""

    PEOPLE = "people"
    GROUPS = "groups"
    MEMBERS = "members"


@dataclass(frozen=True, slots=True)
class PersonLine:
    """One person. *values* None takes an attribute away; an attribute that is not there stays as it is.

    *digest* is a hash of everything that the line says, and of how it was read.
    """

    line: int
    key: str
    values: Mapping[str, Any]
    digest: bytes
    manager: str | None = None
    says_manager: bool = False


@dataclass(frozen=True, slots=True)
class GroupLine:
    line: int
    key: str
    values: Mapping[str, Any]
    digest: bytes


@dataclass(frozen=True, slots=True)
class MemberLine:
    """One direct membership, by the keys of both ends."""

    line: int
    group: str
    member: str


Line: TypeAlias = PersonLine | GroupLine | MemberLine


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be used: where, why, and whom it is about as far as that can be read."""

    line: int
    column: str
    reason: str
    key: str = ""
    user_principal_name: str = ""
    cause: Cause = field(default=Cause.UNKNOWN, compare=False)
    word: str = field(default="", compare=False)  # what the cell said, where it is neither true nor false


@dataclass(frozen=True, slots=True)
class Survey:
    """What a look through a whole source found before anything of it is written.

    *worst*: of the most frequent cause, an example; *alike* counts the rows that have it in the same column.
    """

    rows: int = 0
    bad: int = 0
    alike: int = 0
    worst: BadRow | None = None
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows. *is_last*: the source ended as it should; *unproven* says why, nevertheless, nobody may be missed."""

    lines: tuple[Line, ...]
    bad: tuple[BadRow, ...] = ()
    fraction: float | None = None
    is_last: bool = False
    unproven: str = ""


class SourcePass(Protocol):
    """One reading of one kind of object. *is_full*: who is not in it is gone from the source.

    *only_group*: the key of the one group whose members are read, so that nobody is missed in another; "" is all groups.
    """

    @property
    def kind(self) -> PassKind: ...

    @property
    def key(self) -> str:
        """Which column or attribute tells objects apart."""
        ...

    @property
    def is_full(self) -> bool: ...

    @property
    def only_group(self) -> str: ...

    @property
    def ignored(self) -> tuple[str, ...]:
        """Columns that mean nothing to us."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What an administrator should know of how the source is read, in sentences; complete after the survey."""
        ...

    async def survey(self) -> Survey:
        """Look through the source before anything is written. Raises LockstepError where it can be read in two ways."""
        ...

    def pages(self, size: int) -> AsyncGenerator[Page, None]:
        """Pages of at most *size* rows. Raises OSError or LockstepError in the middle when the source fails."""
        ...


@dataclass(frozen=True, slots=True)
class Movement:
    """What a pass did to one person or group: created, updated, restored, removed; *changed*: attributes that differ."""

    what: str
    name: str
    display: str
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Renaming:
    """A newcomer who has the employee id of somebody who is missing: probably the same person under a new key."""

    person: str  # the id of whom the directory knows
    old_name: str
    new_name: str
    new_key: str
    employee_id: str


@dataclass(slots=True)
class PassResult:
    """What a pass did. For members, created and removed count memberships."""

    kind: PassKind
    read: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    restored: int = 0
    removed: int = 0
    awaited: int = 0
    bad: int = 0
    bad_rows: list[BadRow] = field(default_factory=list)
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    held: str = ""  # why nobody was made a leaver: the source shrank
    missing: int = 0
    unproven: str = ""  # why this pass says nothing about who is missing
    error: str = ""  # the source failed on the way
    touched: frozenset[str] = frozenset()
    movements: list[Movement] = field(default_factory=list)  # the first *most_named* of them
    most_named: int = 100
    renamings: list[Renaming] = field(default_factory=list)  # held: neither created nor removed
    taken_by: dict[str, int] = field(
        default_factory=dict
    )  # source to how many names its people hold that this one wants

    def name(self, what: str, name: str, display: str, changed: Iterable[str] = ()) -> None:
        if len(self.movements) < self.most_named:
            self.movements.append(Movement(what, name, display, tuple(changed)))

    def reject(self, row: BadRow, *, most: int) -> None:
        self.bad += 1
        if len(self.bad_rows) < most:
            self.bad_rows.append(row)


def key_of(text: str) -> str:
    """The spelling under which keys are compared: GUIDs and user principal names in lower case, everything else as it is.

    Composed (NFC), and without characters that cannot be seen.
    """
    key = text.strip() if text.isascii() else plain(text)
    return key.lower() if "@" in key or (len(key) == 36 and key.count("-") == 4) else key
