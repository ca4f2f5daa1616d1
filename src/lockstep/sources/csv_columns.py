"""Determine which attribute each column of a CSV header stands for, from Entra's own names, names in other exports, and the administrator's
map.

Letter case, blanks and punctuation in a header do not matter. A column that stands for no attribute is ignored and listed in the result.
If two columns stand for the same attribute, the administrator's map takes precedence, then an exact name, then any other name. Two
columns of equal rank are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from lockstep.directory.attributes import (
    INVERSE_OF_ENABLED,
    PERSON_ATTRIBUTES,
    DirectoryAttribute,
    group_attribute,
    person_attribute,
    shown,
    squeezed,
)
from lockstep.directory.rows import PassKind
from lockstep.errors import invalid
from lockstep.sources.csv_names import (
    ENABLED,
    GROUP_ENDS,
    KEY,
    KEYS,
    MANAGERS,
    MEMBER_END,
    MEMBER_ENDS,
    ColumnMap,
    bare_name,
    clean_names,
    mapped_names,
    missing_column,
    refuse_twice,
)

# Numbers that never change for a person, under the names that personnel systems give them.
_STABLE = frozenset(
    {"employeeid", "employeenumber", "employeeno", "empid", "personnelnumber", "personalnr", "personalnummer", "persnr", "staffid",
     "mitarbeiternr", "mitarbeiternummer", "workerid", "matricule", "immutableid", "sourceanchor", "onpremisesimmutableid",
     "onpremisessecurityidentifier", "securityidentifier", "objectguid", "guid", "uuid"}
)  # fmt: skip
# Columns that may show whether an account is disabled, each with different words.
_STATES = frozenset({"status", "userstatus", "accountstatus", "employeestatus", "employmentstatus", "active", "aktiv", "isactive",
                     "gesperrt", "blocked", "disabled", "deaktiviert", "locked"})  # fmt: skip


class ColumnClaim(IntEnum):
    """The strength of a column's claim to an attribute; the strongest claim wins."""

    OTHER_NAME = 1
    EXACT_NAME = 2
    MAPPED = 3


@dataclass(frozen=True, slots=True)
class AttributeColumn:
    """A column that is read as an attribute. *is_inverse* means that its values are the opposite of the attribute's."""

    place: int
    name: str
    attribute: DirectoryAttribute
    is_inverse: bool = False
    claim: ColumnClaim = ColumnClaim.OTHER_NAME


@dataclass(frozen=True, slots=True)
class CsvColumns:
    """The positions of all columns that are read. *group* and *member* are -1 if the file has no such column."""

    key: int
    key_name: str
    attributes: tuple[AttributeColumn, ...] = ()
    manager: int | None = None
    group: int = -1
    member: int = -1
    ignored: tuple[str, ...] = ()
    count: int = 0
    names: tuple[str, ...] = ()

    @property
    def stable(self) -> str:
        """The name of a column that could be the key because its numbers are permanent, such as a personnel number; "" if there is none."""
        return next((name for name in self.names if squeezed(bare_name(name)) in _STABLE), "")

    @property
    def state(self) -> str:
        """The name of an ignored column that may show whether accounts are disabled, or "" if there is none.

        The name is also "" if another column, which is not ignored, shows this already.
        """
        if any(column.attribute.name == ENABLED for column in self.attributes):
            return ""
        return next((name for name in self.ignored if squeezed(name) in _STATES), "")


def read_header(
    header: Sequence[str],
    kind: PassKind,
    *,
    mapping: ColumnMap | None = None,
    key: str = "",
    one_group: bool = False,
) -> CsvColumns:
    """Return the meaning of the columns. Raises LockstepError if a required column is missing or a column occurs twice.

    *mapping* maps columns to attributes. *key* is the column that identifies rows, if it has been chosen. *one_group* means that
    the file lists the members of a single group, so that no column names the group.
    """
    names = clean_names(header)
    refuse_twice(names)
    mapped = mapped_names(names, mapping or {})
    if kind is PassKind.MEMBERS:
        return _member_columns(names, mapped, one_group=one_group)
    find = attribute_of_people if kind is PassKind.PEOPLE else _group_attribute
    attributes, ignored, manager = _attributes(names, mapped, find, kind)
    needed = "userPrincipalName" if kind is PassKind.PEOPLE else "displayName"
    if needed not in {column.attribute.name for column in attributes}:
        raise missing_column(needed, header, f"--map COLUMN={needed}")
    place, name = _key(names, mapped, key, needed, attributes)
    ignored = tuple(one for one in ignored if names.index(one) != place)
    return CsvColumns(place, name, attributes, manager, ignored=ignored, count=len(names), names=tuple(names))


def _attributes(
    names: list[str],
    mapped: Mapping[str, tuple[str, ...]],
    find: Callable[[str], DirectoryAttribute | None],
    kind: PassKind,
) -> tuple[tuple[AttributeColumn, ...], tuple[str, ...], int | None]:
    found: dict[str, AttributeColumn] = {}
    losers: list[int] = []
    used: set[int] = set()
    manager = None
    for place, name in enumerate(names):
        for meaning in _meanings(name, mapped, find):
            if kind is PassKind.PEOPLE and squeezed(meaning) in MANAGERS:
                manager = place
                used.add(place)
                continue
            is_inverse = kind is PassKind.PEOPLE and squeezed(meaning) in INVERSE_OF_ENABLED
            attribute = PERSON_ATTRIBUTES[ENABLED] if is_inverse else find(meaning)
            if attribute is None:
                continue
            exact = ColumnClaim.EXACT_NAME if name == attribute.name else ColumnClaim.OTHER_NAME
            new = AttributeColumn(place, name, attribute, is_inverse, ColumnClaim.MAPPED if name in mapped else exact)
            old = found.get(attribute.name)
            winner = new if old is None else _stronger(old, new)
            if old is not None:
                losers.append(old.place if winner is new else place)
            found[attribute.name] = winner
    used |= {column.place for column in found.values()}
    ignored = tuple(name for place, name in enumerate(names) if place not in used or place in set(losers) - used)
    return tuple(sorted(found.values(), key=lambda column: column.place)), ignored, manager


def _meanings(
    name: str, mapped: Mapping[str, tuple[str, ...]], find: Callable[[str], DirectoryAttribute | None]
) -> tuple[str, ...]:
    """Return the names of the attributes that a column may stand for.

    The key is not an attribute. If a column is mapped only to the key, it therefore stands for the attribute with the column's own name as
    well, if there is such an attribute.
    """
    given = mapped.get(name)
    if given is None:
        return (bare_name(name),)
    others = tuple(meaning for meaning in given if squeezed(meaning) not in KEYS)
    return others or ((bare_name(name),) if given != ("",) and find(bare_name(name)) else ())


def _stronger(old: AttributeColumn, new: AttributeColumn) -> AttributeColumn:
    contradicts = old.is_inverse != new.is_inverse and ColumnClaim.MAPPED not in (old.claim, new.claim)
    if old.claim is new.claim or contradicts:
        raise invalid(
            f"The columns {shown(old.name)} and {shown(new.name)} both map to {new.attribute.name}",
            next_step=f"Remove one of them from the file, or choose one: --map COLUMN={new.attribute.name}",
        )
    return max(old, new, key=lambda column: column.claim)


def attribute_of_people(name: str) -> DirectoryAttribute | None:
    if squeezed(name) in INVERSE_OF_ENABLED:
        return PERSON_ATTRIBUTES[ENABLED]
    return person_attribute(name) or person_attribute(squeezed(name))


def _group_attribute(name: str) -> DirectoryAttribute | None:
    return group_attribute(name) or group_attribute(squeezed(name))


def _key(
    names: list[str],
    mapped: Mapping[str, tuple[str, ...]],
    key: str,
    needed: str,
    attributes: tuple[AttributeColumn, ...],
) -> tuple[int, str]:
    """Return the position of the key column, and the name under which the source stores this column.

    *key* is the name under which the chosen key column is stored, or "" if none has been chosen. *needed* is the name of the default
    column. The key column is the one that the map names as the key. Without such a column, it is `id`, otherwise `objectId`, otherwise
    *needed*.

    If *key* is *needed*, the key column is always *needed*, and a map that names a different key column raises LockstepError. LockstepError
    is also raised if the file lacks the chosen column.
    """
    place_of_name = next(column.place for column in attributes if column.attribute.name == needed)
    named = [place for place, name in enumerate(names) if any(squeezed(one) in KEYS for one in mapped.get(name, ()))]
    by_name = {squeezed(bare_name(name)): place for place, name in enumerate(names) if name not in mapped}
    found = named[0] if named else next((by_name[name] for name in KEYS if name in by_name), None)
    if key == needed and named:
        raise invalid(
            f"The objects of this source are identified by {needed}, not by {shown(names[named[0]])}",
            why="With a different key, everyone would be treated as a leaver and a joiner",
            next_step=f'Change the key first: lockstep sources rekey SOURCE --key "{shown(names[named[0]])}"',
        )
    if key == needed or (not key and found is None):
        return place_of_name, needed
    if found is None:
        raise missing_column(key, names, f"--map COLUMN={key}", why=f"People of this source are identified by {key}")
    return found, key or KEY


def _member_columns(names: list[str], mapped: Mapping[str, tuple[str, ...]], *, one_group: bool) -> CsvColumns:
    by_meaning = {
        squeezed(meaning): place
        for place, name in reversed(list(enumerate(names)))
        for meaning in mapped.get(name, (bare_name(name),))
    }
    group = next((by_meaning[name] for name in GROUP_ENDS if name in by_meaning), None)
    member = next((by_meaning[name] for name in MEMBER_ENDS if name in by_meaning), None)
    if one_group:
        group = -1
    if group is None:
        raise missing_column(
            "groupId or groupDisplayName",
            names,
            "--map COLUMN=group, or, if the whole file is about one group: --group NAME",
        )
    if member is None:
        raise missing_column("memberId or userPrincipalName", names, "--map COLUMN=member")
    known = {*GROUP_ENDS, *MEMBER_ENDS, "displayname", "grouptype", "membertype", "memberdisplayname"}
    ignored = tuple(
        name
        for place, name in enumerate(names)
        if place not in (group, member) and squeezed(bare_name(name)) not in known
    )
    if one_group:  # the people come from another file
        ignored = ()
    return CsvColumns(
        member, MEMBER_END, group=group, member=member, ignored=ignored, count=len(names), names=tuple(names)
    )
