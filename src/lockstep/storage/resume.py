"""Where the work on a dirty object continues when it is claimed again. Only the resume state decides that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Stage(StrEnum):
    """What comes next for the object."""

    FRESH = "fresh"  # it is planned from the start
    UNANSWERED = "unanswered"  # planned from the start; the application took no request last time
    LOOK_AGAIN = "lookAgain"  # the account is read before anything is planned
    SETTLED = "settled"  # earlier operations are settled; it is planned from the records
    MEMBERS_DUE = "membersDue"  # the group itself is in step; its members are compared
    NAMES_DUE = "namesDue"  # access has ended; the account still needs the current names of its person
    SCHEDULED = "scheduled"  # it has no account and gets one on a future date
    FAILED = "failed"  # it is on the retry list
    HELD = "held"  # it waits for approval


UNDECIDED = frozenset({Stage.UNANSWERED, Stage.LOOK_AGAIN, Stage.SETTLED})


@dataclass(frozen=True, slots=True)
class Resume:
    """The resume state of one dirty object.

    *looks*: failed requests in a row. *did*: what settling found to have happened, as cycles count it. *members_due*: the group's own
    account was dealt with and counted. *refused_members*: directory ids that are sent last. *is_about_references*: it failed although its
    own account is in step. *account*: it failed because this account belongs to another object. *is_slowed*: it waits for the end of a
    quarantine.
    """

    stage: Stage = Stage.FRESH
    looks: int = 0
    did: str = ""
    members_due: bool = False
    refused_members: tuple[str, ...] = ()
    is_about_references: bool = False
    account: str = ""
    is_slowed: bool = False

    @property
    def is_undecided(self) -> bool:
        """Whether the object must be planned again before its result is known."""
        return self.stage in UNDECIDED

    def as_json(self) -> dict[str, Any] | None:
        """The value of the column: the fields that differ from a fresh row; None for a fresh row."""
        given = {key: value for key, value in self._fields().items() if value}
        return {"stage": self.stage.value, **given} if given or self.stage is not Stage.FRESH else None

    def _fields(self) -> dict[str, Any]:
        return {
            "looks": self.looks,
            "did": self.did,
            "membersDue": self.members_due,
            "refusedMembers": self.refused_members,
            "isAboutReferences": self.is_about_references,
            "account": self.account,
            "isSlowed": self.is_slowed,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> Resume:
        if stored is None:
            return cls()
        return cls(
            stage=Stage(stored.get("stage", Stage.FRESH)),
            looks=stored.get("looks", 0),
            did=stored.get("did", ""),
            members_due=stored.get("membersDue", False),
            refused_members=tuple(stored.get("refusedMembers", ())),
            is_about_references=stored.get("isAboutReferences", False),
            account=stored.get("account", ""),
            is_slowed=stored.get("isSlowed", False),
        )


@dataclass(frozen=True, slots=True)
class ShownError:
    """Why an object is not done, as a person reads it. Nothing branches on it."""

    code: str
    reason: str
    next_step: str = ""

    def as_json(self) -> dict[str, str]:
        return {"code": self.code, "reason": self.reason, "nextStep": self.next_step}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> ShownError | None:
        if stored is None:
            return None
        return cls(stored.get("code", ""), stored.get("reason", ""), stored.get("nextStep", ""))
