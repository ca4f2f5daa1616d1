"""Read back what was written to a group: an application can accept members and not keep them.

Every comparison of a whole group is read back, a sample of the small changes, and any change whose answer shows other members than it
should. Large groups are left alone. What an application does not show cannot be verified: that is told, and is no failure.
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
    """Why nothing is known of the members that were written: they are not shown, or were not read this time."""

    NOT_SHOWN = "not shown"
    NOT_READ = "not read"


@dataclass(frozen=True, slots=True)
class UnkeptMembers:
    """*missing*: by directory id, the account of members that were accepted and are not there; *remaining*: removed, and there."""

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
    """Whether a small change of this member is read back: one member of sixteen, always the same ones."""
    return zlib.crc32(member_id.encode()) % ONE_OF == 0


def shows_otherwise(answer: Answer, *, added: Collection[str], removed: Collection[str]) -> bool:
    """Whether the group in *answer* lacks an account that was added with it, or has one that was removed."""
    shown = shown_members(answer.account.resource) if answer.account is not None else None
    # An empty list is what many show who leave the members out.
    return shown is not None and bool(shown) and not (shown.issuperset(added) and shown.isdisjoint(removed))


async def read_back(
    pool: Pool, job: str, group: str, group_account: str, target: Target, *, removed: Collection[str]
) -> tuple[UnkeptMembers, int] | Unseen:
    """What the application did not keep, and how many members it should have."""
    async with pool.connection() as connection:
        expected = await target_members.held_members(connection, job, group, limit=LARGEST_VERIFIED + 1)
    if len(expected) > LARGEST_VERIFIED:
        return Unseen.NOT_READ
    try:
        held = await target.members_of(group_account)
    except TargetError:
        return Unseen.NOT_READ
    # Some applications always show an empty list: then nothing can be said of any member.
    if held is None or (not held and expected):
        return Unseen.NOT_SHOWN
    missing = {member: account for member, account in expected if account not in held}
    return UnkeptMembers(missing, frozenset(removed) & held), len(expected)
