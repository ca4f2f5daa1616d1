"""Determine whether a request really changes the members of a group, from the rows of the locked groups.

A request that changes nothing leaves version and time unchanged (RFC 7644, section 3.5.2.1). Only the members that the request names are
looked up, so the cost does not depend on the size of the group. A request that replaces all members also needs the number of present
members.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from documo.store import group_members
from documo.store.round_trip import Rows, Statement


def questions(tenant_id: int, named: Mapping[str, Iterable[str]], replaced: Sequence[str]) -> list[Statement]:
    """Return the queries for `Memberships`. *named* maps each group to the member ids in its changes. *replaced* are the groups whose
    members are replaced.
    """
    pairs = [(group_id, member) for group_id, members in named.items() for member in members]
    sizes = (
        [group_members.sizes(tenant_id, replaced)] if replaced else []
    )  # adding or removing one member, the most common change, needs one query
    return [group_members.present(tenant_id, pairs), *sizes]


class Memberships:
    """The members of the groups in one batch, updated as changes are applied. *answers* are the rows that the queries of `questions`
    returned.
    """

    def __init__(self, answers: Sequence[Rows]) -> None:
        present = answers[0] if answers else ()
        sizes = answers[1] if len(answers) > 1 else ()
        self._present: dict[str, set[str]] = {}
        for group_id, member in present:
            self._present.setdefault(group_id, set()).add(member)
        self._unnamed = {group_id: size - len(self._present.get(group_id, ())) for group_id, size in sizes}

    def add(self, group_id: str, members: set[str]) -> bool:
        """Add *members*. Returns whether one of them was not a member before."""
        present = self._present.setdefault(group_id, set())
        if members <= present:
            return False
        present |= members
        return True

    def remove(self, group_id: str, members: set[str]) -> bool:
        """Remove *members*. Returns whether one of them was a member before."""
        present = self._present.setdefault(group_id, set())
        if present.isdisjoint(members):
            return False
        present -= members
        return True

    def replace(self, group_id: str, members: set[str]) -> bool:
        """Replace all members with *members*. Returns whether that changes anything."""
        if not self._unnamed.get(group_id) and self._present.get(group_id, set()) == members:
            return False
        self._present[group_id], self._unnamed[group_id] = set(members), 0
        return True
