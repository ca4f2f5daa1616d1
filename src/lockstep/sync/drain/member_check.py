"""Read back the members written to a group, because an application can accept members and not keep them.

Members are read back after every comparison of a whole group, after a sample of the small changes, and after any change whose response
shows unexpected members. Large groups are not read back. If the application does not show members, they cannot be verified; this is
reported, but is not a failure.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from lockstep.ports import Answer, Target, TargetError
from lockstep.postgres.pool import Pool
from lockstep.scim.members import shown_members
from lockstep.storage import target_members
from lockstep.sync.outcome.outcomes import Failure
from lockstep.wording import counted

LARGEST_VERIFIED = 1_000
ONE_OF = 16


class Unseen(Enum):
    """The reason why the members in the application are unknown: the application does not show them, or they were not read this time."""

    NOT_SHOWN = "not shown"
    NOT_READ = "not read"


@dataclass(frozen=True, slots=True)
class UnkeptMembers:
    """Changes that the application accepted but did not keep. *missing* maps the directory id of each added member that is not in the group
    to the member's account. *remaining* contains the accounts of removed members that are still in the group.
    """

    missing: dict[str, str]
    remaining: frozenset[str]

    def failure(self, expected: int) -> Failure:
        what = f"{len(self.missing)} of {counted(expected, 'member')} that it accepted are not in the group"
        if not self.missing:
            what = f"{counted(len(self.remaining), 'member')} that it removed are still in the group"
        return Failure(
            "MembersNotKept",
            f"The application reported success, but {what}.",
            "Ask the vendor how members are changed. See the exchange: lockstep logs show",
        )


def is_sampled(member_id: str) -> bool:
    """Whether a small change of this member is read back. The sample is one member in sixteen, always the same ones."""
    return zlib.crc32(member_id.encode()) % ONE_OF == 0


def shows_otherwise(answer: Answer, *, added: Collection[str], removed: Collection[str]) -> bool:
    """Whether the group in *answer* lacks an account that the request added, or contains one that it removed."""
    shown = shown_members(answer.account.resource) if answer.account is not None else None
    # An empty list proves nothing: many applications show one instead of leaving the members out.
    return shown is not None and bool(shown) and not (shown.issuperset(added) and shown.isdisjoint(removed))


async def read_back(
    pool: Pool, job: str, group: str, group_account: str, target: Target, *, removed: Collection[str]
) -> tuple[UnkeptMembers, int] | Unseen:
    """Return the changes that the application did not keep, and the expected number of members. If the members are unknown, return the
    reason instead.
    """
    async with pool.connection() as connection:
        expected = await target_members.held_members(connection, job, group, limit=LARGEST_VERIFIED + 1)
    if len(expected) > LARGEST_VERIFIED:
        return Unseen.NOT_READ
    try:
        held = await target.members_of(group_account)
    except TargetError:
        return Unseen.NOT_READ
    # Some applications always show an empty list, which proves nothing about any member.
    if held is None or (not held and expected):
        return Unseen.NOT_SHOWN
    missing = {member: account for member, account in expected if account not in held}
    return UnkeptMembers(missing, frozenset(removed) & held), len(expected)
