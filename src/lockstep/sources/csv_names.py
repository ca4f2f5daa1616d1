"""The names in a CSV header: clean them, find them in any spelling, and apply the administrator's map."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lockstep.directory.attributes import (
    INVERSE_OF_ENABLED,
    PERSON_ATTRIBUTES,
    group_attribute,
    person_attribute,
    plain,
    shown,
    squeezed,
)
from lockstep.errors import LockstepError, invalid
from lockstep.wording import did_you_mean

KEY = "id"
MANAGER = "manager"
MEMBER_END = "member"
BLOCK_CREDENTIAL = "blockCredential"  # the opposite of accountEnabled
ENABLED = "accountEnabled"

ColumnMap = Mapping[str, str | Sequence[str]]  # column to one attribute or several

# Names that exports use for the columns of groups, members and keys, as `squeezed` returns them.
GROUP_ENDS = ("groupid", "groupobjectid", "group", "groupdisplayname", "groupname")
MEMBER_ENDS = (
    "memberid",
    "memberobjectid",
    "memberobjectidorupn",
    "userid",
    "id",
    "objectid",
    "member",
    "userprincipalname",
    "username",
    "memberuserprincipalname",
    "upn",
)
KEYS = ("id", "objectid")
MANAGERS = ("manager", "managerid", "manageruserprincipalname", "managerupn")
_IN_BRACKETS = re.compile(r"\[([A-Za-z][A-Za-z0-9_]*)\]")


def clean_names(header: Sequence[str]) -> list[str]:
    """Return the names in *header* without invisible characters."""
    return [plain(name) for name in header]


def bare_name(name: str) -> str:
    """Return the name in a column header: the attribute in its brackets, as in Entra's templates, otherwise the header itself.

    The header `Block sign in (Yes/No) [accountEnabled] Required` names an attribute, but its column contains the opposite values.
    """
    found = _IN_BRACKETS.search(name)
    if found is None:
        return name
    if squeezed(found[1]) == squeezed(ENABLED) and squeezed(name[: found.start()]).startswith("block"):
        return BLOCK_CREDENTIAL
    return found[1]


def mapped_names(names: list[str], mapping: ColumnMap) -> dict[str, tuple[str, ...]]:
    """Return the administrator's map with the exact names of the columns as keys. Raises LockstepError for an unknown column or
    attribute.
    """
    found: dict[str, tuple[str, ...]] = {}
    for column, given in mapping.items():
        exact = find_column(names, column)
        meanings = (given,) if isinstance(given, str) else tuple(given)
        for meaning in meanings:
            _check_meaning(exact, meaning)
        found[exact] = (*found.get(exact, ()), *meanings)
    return found


def find_column(names: Sequence[str], column: str) -> str:
    """Return the column in *names* that *column* refers to. Raises LockstepError, listing the most similar names, if there is none."""
    wanted = plain(column)
    by_likeness = (
        lambda name: name == wanted,
        lambda name: name.lower() == wanted.lower(),
        lambda name: squeezed(name) == squeezed(wanted) != "",
    )
    for is_like in by_likeness:
        if exact := next((name for name in names if is_like(name)), None):
            return exact
    raise invalid(
        f'The file has no column "{shown(column)}"',
        why=f"Its columns are: {listed(names)}",
        next_step=did_you_mean(column, names, otherwise="Correct the name of the column"),
        code="NoSuchColumn",
    )


def _check_meaning(column: str, meaning: str) -> None:
    special = {squeezed(one) for one in (*KEYS, *MANAGERS, *GROUP_ENDS, *MEMBER_ENDS, MANAGER, *INVERSE_OF_ENABLED)}
    known = not meaning or squeezed(meaning) in special
    if known or person_attribute(meaning) is not None or group_attribute(meaning) is not None:
        return
    raise invalid(
        f'Cannot map {column}: unknown attribute "{shown(meaning)}"',
        next_step=did_you_mean(meaning, PERSON_ATTRIBUTES, most=3, otherwise="See: lockstep people attributes"),
    )


def refuse_twice(names: list[str]) -> None:
    seen: set[str] = set()
    for name in names:
        folded = name if name.startswith("extension_") else name.lower()  # extension attributes are case-sensitive
        if name and folded in seen:
            raise invalid(
                f'The column "{shown(name)}" occurs twice in the header', next_step="Rename or remove one of the two"
            )
        seen.add(folded)


def missing_column(name: str, header: Sequence[str], cure: str, *, why: str = "") -> LockstepError:
    found = f"Its columns are: {listed(header)}"
    return invalid(
        f"The file has no column {name}",
        why=f"{why}. {found}" if why else found,
        next_step=f"Name the column that contains it: {cure}",
        code="MissingColumn",
    )


def listed(names: Sequence[str]) -> str:
    short = [shown(name, limit=40) or "(no name)" for name in names[:40]]
    return ", ".join(short) + (f" and {len(names) - 40} more" if len(names) > 40 else "")
