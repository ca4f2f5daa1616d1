"""The data that a source delivers: pages of validated, typed lines, and unusable rows with the reason.

If the *key* or the user principal name of an unusable row can be read, the row still proves that its person exists. Otherwise the pass
cannot determine who is missing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from lockstep.directory.attributes import Cause, plain


class PassKind(StrEnum):
    """The kind of data in a pass. Passes are imported in this order."""

    PEOPLE = "people"
    GROUPS = "groups"
    MEMBERS = "members"


@dataclass(frozen=True, slots=True)
class PersonLine:
    """One person in a source. A value of None removes the attribute; an absent attribute keeps its value.

    *digest* is a hash of everything in the line and of how it was read.
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
    """One direct membership, with the key of the group and the key of the member."""

    line: int
    group: str
    member: str


Line: TypeAlias = PersonLine | GroupLine | MemberLine


@dataclass(frozen=True, slots=True)
class BadRow:
    """An unusable row: its position, the reason, and the key of its person if the key can be read."""

    line: int
    column: str
    reason: str
    key: str = ""
    user_principal_name: str = ""
    cause: Cause = field(default=Cause.UNKNOWN, compare=False)
    word: str = field(default="", compare=False)  # the cell's content, if it means neither true nor false


@dataclass(frozen=True, slots=True)
class Survey:
    """The result of checking a whole source before anything is written.

    *worst* is an example of the most frequent problem. *alike* counts the rows that have this problem in the same column.
    """

    rows: int = 0
    bad: int = 0
    alike: int = 0
    worst: BadRow | None = None
    cure: str = ""


@dataclass(frozen=True, slots=True)
class SourcePage:
    """Some rows of a source. *is_last* is true if the source reached its regular end. *unproven* is "" if objects that do not occur in the
    pass may count as missing. Otherwise it says why these objects must not count as missing, even after the regular end.
    """

    lines: tuple[Line, ...]
    bad: tuple[BadRow, ...] = ()
    fraction: float | None = None
    is_last: bool = False
    unproven: str = ""


class SourcePass(Protocol):
    """One reading of one kind of object. *is_full* is true if the pass contains all objects of the source. An object that a full pass does
    not contain is therefore no longer in the source.

    *only_group* is the key of the only group whose members are read, or "" for all groups. Members of other groups do not count as
    missing.

    The contract suite (`tests/contracts`) has a test for each of these obligations, and runs them against every kind of source:

    - A pass delivers every object once, in the order of the source.
    - A page has at most the requested number of rows.
    - Only the last page says that the source ended.
    - A second pass delivers the same keys and digests.
    - The survey counts the rows of all pages.
    - An unusable row is reported with its reason, and no other row is lost.
    - A source without objects has one page, which is the last.
    - If the source is cut off, the pass never concludes that objects are missing.
    - If the source changes after the survey, the pass never concludes that objects are missing.
    - A source that fails raises, and never looks empty.
    - A pass says which attribute identifies its objects.
    """

    @property
    def kind(self) -> PassKind: ...

    @property
    def key(self) -> str:
        """The column or attribute that identifies objects."""
        ...

    @property
    def is_full(self) -> bool: ...

    @property
    def only_group(self) -> str: ...

    @property
    def ignored(self) -> tuple[str, ...]:
        """The columns that are ignored."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes for the administrator about how the source was read. They are complete after the survey."""
        ...

    async def survey(self) -> Survey:
        """Check the source before anything is written. Raises LockstepError if the source is ambiguous."""
        ...

    def pages(self, size: int) -> AsyncGenerator[SourcePage, None]:
        """Yield pages of at most *size* rows. Raises OSError or LockstepError if the source fails, possibly after some pages."""
        ...


@dataclass(frozen=True, slots=True)
class Movement:
    """The effect of a pass on one person or group: created, updated, restored or removed. *changed* names the attributes that differ."""

    what: str
    name: str
    display: str
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Renaming:
    """A new person with the employee id of a missing person: probably the same person under a new key."""

    person: str  # the id of the person in the directory
    old_name: str
    new_name: str
    new_key: str
    employee_id: str


@dataclass(slots=True)
class PassResult:
    """The effects of a pass. In a pass over memberships, created and removed count memberships."""

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
    held: str = ""  # why nobody became a leaver: the source shrank too much
    missing: int = 0
    unproven: str = ""  # why this pass does not show who is missing
    error: str = ""  # why the source failed halfway
    touched: frozenset[str] = frozenset()
    movements: list[Movement] = field(default_factory=list)  # the first *most_named* of them
    most_named: int = 100
    renamings: list[Renaming] = field(default_factory=list)  # held, so neither created nor removed
    taken_by: dict[str, int] = field(
        default_factory=dict
    )  # by other source: how many of its people have a name that this source uses too

    def count(self, *, is_new: bool, is_back: bool, is_changed: bool) -> str:
        """Count one object. Returns the effect on the object, or "" if there was none. *is_back* is true if the object was in the recycle
        bin before.
        """
        if is_new:
            self.created += 1
            return "created"
        if is_back:
            self.restored += 1
            return "restored"
        if is_changed:
            self.updated += 1
            return "updated"
        self.unchanged += 1
        return ""

    def name(self, what: str, name: str, display: str, changed: Iterable[str] = ()) -> None:
        if len(self.movements) < self.most_named:
            self.movements.append(Movement(what, name, display, tuple(changed)))

    def reject(self, row: BadRow, *, most: int) -> None:
        self.bad += 1
        if len(self.bad_rows) < most:
            self.bad_rows.append(row)


def key_of(text: str) -> str:
    """Return *text* in the form in which keys are compared: GUIDs and user principal names in lower case, everything else unchanged.

    The result is composed (NFC) and has no invisible characters.
    """
    key = text.strip() if text.isascii() else plain(text)
    return key.lower() if "@" in key or (len(key) == 36 and key.count("-") == 4) else key
