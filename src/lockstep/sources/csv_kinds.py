"""Decide from the header of a CSV file whether it contains people, groups, or members of groups."""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.directory.attributes import squeezed
from lockstep.directory.rows import PassKind
from lockstep.errors import LockstepError, invalid
from lockstep.sources.csv_columns import attribute_of_people
from lockstep.sources.csv_names import (
    ENABLED,
    GROUP_ENDS,
    MEMBER_ENDS,
    ColumnMap,
    bare_name,
    clean_names,
    listed,
    mapped_names,
)

_ONLY_PEOPLE = frozenset(
    {"givenname", "firstname", "surname", "lastname", "usertype", "jobtitle", "department", "accountenabled", "usagelocation",
     "employeeid", "mobilephone", "mobile", "manager"}
)  # fmt: skip
_DOWNLOADED_MEMBERS = frozenset({"isuser", "isgroup", "isguest"})  # Entra: Download members
_TEMPLATE_MEMBER = "memberobjectidorupn"  # Entra: Bulk import of group members


def guess_kind(header: Sequence[str], mapping: ColumnMap) -> PassKind:
    """Decide from the header and the administrator's map what a file contains. Raises LockstepError if it is none of the known kinds.

    A file with a column that only people have is a list of people. If such a file has no key column, it is refused; it is never read as a
    list of groups.
    """
    columns = clean_names(header)
    mapped = mapped_names(columns, mapping)
    names = {squeezed(meaning) for name in columns for meaning in mapped.get(name, (bare_name(name),))}
    if names & set(GROUP_ENDS) and names & set(MEMBER_ENDS):
        return PassKind.MEMBERS
    known = {attribute.name for name in names if (attribute := attribute_of_people(name))}
    if "userPrincipalName" in known or names & _ONLY_PEOPLE or ENABLED in known:
        if names & _DOWNLOADED_MEMBERS or _TEMPLATE_MEMBER in names:
            raise _members_of_which_group()
        return PassKind.PEOPLE
    if _TEMPLATE_MEMBER in names:
        raise _members_of_which_group()
    if "displayname" in names:
        return PassKind.GROUPS
    raise invalid(
        "The file is not a list of people, groups or members",
        why=f"Its columns are: {listed(header)}",
        next_step="Specify what it contains and map its columns: --kind people --map COLUMN=userPrincipalName",
        code="UnknownHeader",
    )


def _members_of_which_group() -> LockstepError:
    return invalid(
        "The file lists group members but does not name the group",
        why='Its columns are those of Entra\'s "Download members" file',
        next_step="Name the group: --group NAME. If the file lists all people: --kind people",
    )
