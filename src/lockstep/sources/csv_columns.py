"""What the columns of a CSV header mean: Entra's own names, Graph's other names, and the administrator's map.

A column that means nothing is ignored and named in the result. Two columns for one attribute are refused: nobody could say which
one counts.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lockstep.directory.attributes import Attribute, group_attribute, near_attributes, person_attribute, shown
from lockstep.directory.rows import PassKind
from lockstep.errors import LockstepError, invalid

KEY = "id"
MANAGER = "manager"
GROUP_END = "group"
MEMBER_END = "member"

# The names that exports give to the ends of a membership and to keys, folded as `_folded` does.
_GROUP_END = ("groupid", "groupobjectid", "group", "groupdisplayname", "groupname")
_MEMBER_END = (
    "memberid",
    "memberobjectid",
    "userid",
    "id",
    "objectid",
    "member",
    "userprincipalname",
    "memberuserprincipalname",
    "upn",
)
_KEYS = ("id", "objectid")
_ONLY_PEOPLE = frozenset(
    {"givenname", "firstname", "surname", "lastname", "usertype", "jobtitle", "department", "accountenabled", "usagelocation",
     "employeeid", "mobilephone", "mobile", "manager"}
)  # fmt: skip
_MANAGERS = ("manager", "managerid", "manageruserprincipalname", "managerupn")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where everything stands: column numbers."""

    key: int
    key_name: str
    attributes: tuple[tuple[int, str, Attribute], ...] = ()  # (column, its name in the file, attribute)
    manager: int | None = None
    group: int = -1
    member: int = -1
    ignored: tuple[str, ...] = ()
    count: int = 0


def guess_kind(header: Sequence[str], mapping: Mapping[str, str]) -> PassKind:
    """What a file holds, by its header and the administrator's map. Raises LockstepError when it can be nothing that we read.

    A column that only people have makes it a list of people: without its key column that is refused, and never a list of groups.
    """
    columns = [name.strip() for name in header]
    mapped = _mapped(columns, mapping)
    meanings = [mapped.get(name, name) for name in columns]
    names = {_folded(meaning) for meaning in meanings}
    if names & set(_GROUP_END) and names & set(_MEMBER_END):
        return PassKind.MEMBERS
    if names & {"userprincipalname", "upn"} or names & _ONLY_PEOPLE:
        return PassKind.PEOPLE
    if "displayname" in names:
        return PassKind.GROUPS
    raise invalid(
        "The file is no list of people, groups or members",
        why=f"Its columns are: {_listed(header)}",
        next_step="Say what it holds and map its columns: --kind people --map COLUMN=userPrincipalName",
    )


def read_header(
    header: Sequence[str],
    kind: PassKind,
    *,
    mapping: Mapping[str, str] | None = None,
    key: str = "",
    one_group: bool = False,
) -> Columns:
    """What the columns mean. *mapping*: column to attribute; *key*: the column that tells rows apart, if it is settled.

    *one_group*: members of one group, which no column names.

    Raises LockstepError for a column that occurs twice or is missing.
    """
    names = [name.strip() for name in header]
    _refuse_twice(names)
    mapped = _mapped(names, mapping or {})
    if kind is PassKind.MEMBERS:
        return _member_columns(names, mapped, one_group=one_group)
    find = person_attribute if kind is PassKind.PEOPLE else group_attribute
    attributes, ignored, manager = _attributes(names, mapped, find, kind)
    needed = "userPrincipalName" if kind is PassKind.PEOPLE else "displayName"
    if needed not in {attribute.name for _, _, attribute in attributes}:
        raise _missing(needed, header, f"--map COLUMN={needed}")
    place, name = _key(names, mapped, key, needed, attributes)
    ignored = tuple(one for one in ignored if names.index(one) != place)
    return Columns(place, name, attributes, manager, ignored=ignored, count=len(names))


def _attributes(
    names: list[str], mapped: Mapping[str, str], find: Callable[[str], Attribute | None], kind: PassKind
) -> tuple[tuple[tuple[int, str, Attribute], ...], tuple[str, ...], int | None]:
    found: dict[str, tuple[int, str, Attribute]] = {}
    ignored: list[str] = []
    manager = None
    for place, name in enumerate(names):
        meaning = mapped.get(name, name)
        if kind is PassKind.PEOPLE and _folded(meaning) in _MANAGERS:
            manager = place
            continue
        attribute = find(meaning)
        if attribute is None:
            ignored.append(name)
            continue
        other = found.get(attribute.name)
        if other and other[1] != attribute.name and name == attribute.name:
            ignored.append(other[1])  # the exact name wins over another name for the same
        elif other and other[1] == attribute.name and name not in mapped:
            ignored.append(name)
            continue
        elif other:
            raise invalid(
                f"The columns {shown(other[1])} and {shown(name)} both mean {attribute.name}",
                next_step="Leave one of them out of the file",
            )
        found[attribute.name] = (place, name, attribute)
    return tuple(found.values()), tuple(ignored), manager


def _key(
    names: list[str],
    mapped: Mapping[str, str],
    key: str,
    needed: str,
    attributes: tuple[tuple[int, str, Attribute], ...],
) -> tuple[int, str]:
    """The column of the key, and the name that it is remembered by: the one that is settled, else `id`, else the name."""
    by_meaning = {_folded(mapped.get(name, name)): place for place, name in enumerate(names)}
    if key:
        if key == needed:
            return next(place for place, _, attribute in attributes if attribute.name == needed), needed
        if _folded(key) not in by_meaning:
            raise _missing(
                key, names, f"--map COLUMN={key}", why=f"People of this source have been told apart by {key} until now"
            )
        return by_meaning[_folded(key)], key
    for name in _KEYS:
        if name in by_meaning:
            return by_meaning[name], KEY
    return next(place for place, _, attribute in attributes if attribute.name == needed), needed


def _member_columns(names: list[str], mapped: Mapping[str, str], *, one_group: bool) -> Columns:
    by_meaning = {_folded(mapped.get(name, name)): place for place, name in reversed(list(enumerate(names)))}
    group = next((by_meaning[name] for name in _GROUP_END if name in by_meaning), None)
    member = next((by_meaning[name] for name in _MEMBER_END if name in by_meaning), None)
    if one_group:
        group = -1
    if group is None:
        raise _missing(
            "groupId or groupDisplayName", names, "--map COLUMN=group, or the group of the whole file: --group NAME"
        )
    if member is None:
        raise _missing("memberId or userPrincipalName", names, "--map COLUMN=member")
    known = {*_GROUP_END, *_MEMBER_END, "displayname", "grouptype", "membertype", "memberdisplayname"}
    ignored = tuple(
        name for place, name in enumerate(names) if place not in (group, member) and _folded(name) not in known
    )
    if one_group:  # the people themselves come from another file
        ignored = ()
    return Columns(member, MEMBER_END, group=group, member=member, ignored=ignored, count=len(names))


def _mapped(names: list[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """The map by the columns' exact names. Raises LockstepError for a column or attribute that there is not."""
    special = {KEY, MANAGER, GROUP_END, MEMBER_END}
    found = {}
    for column, meaning in mapping.items():
        exact = next((name for name in names if name == column or name.lower() == column.strip().lower()), None)
        if exact is None:
            near = difflib.get_close_matches(column, names, n=1, cutoff=0.5)
            raise invalid(
                f'The file has no column "{shown(column)}"',
                why=f"Its columns are: {_listed(names)}",
                next_step=f"Did you mean {near[0]}?" if near else "Correct the map",
            )
        if (
            meaning
            and meaning not in special
            and person_attribute(meaning) is None
            and group_attribute(meaning) is None
        ):
            near = near_attributes(meaning)
            raise invalid(
                f'There is no attribute "{shown(meaning)}" to map {exact} to',
                next_step=f"Did you mean {' or '.join(near)}?" if near else "See: lockstep people attributes",
            )
        found[exact] = meaning
    return found


def _refuse_twice(names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        folded = name if name.startswith("extension_") else name.lower()  # their case matters
        if name and folded in seen:
            raise invalid(
                f'The column "{shown(name)}" occurs twice in the header', next_step="Rename or remove one of the two"
            )
        seen.add(folded)


def _missing(name: str, header: Sequence[str], cure: str, *, why: str = "") -> LockstepError:
    found = f"Its columns are: {_listed(header)}"
    return invalid(
        f"The file has no column {name}",
        why=f"{why}. {found}" if why else found,
        next_step=f"Name the column that holds it: {cure}",
        code="MissingColumn",
    )


def _listed(names: Sequence[str]) -> str:
    short = [shown(name, limit=40) or "(no name)" for name in names[:40]]
    return ", ".join(short) + (f" and {len(names) - 40} more" if len(names) > 40 else "")


def _folded(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
