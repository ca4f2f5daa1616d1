"""The resume state. It alone determines where the work on a dirty object continues when the object is claimed again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Stage(StrEnum):
    """The next step in the work on an object."""

    FRESH = "fresh"  # plan it from the start
    UNANSWERED = "unanswered"  # plan it from the start; the application did not take the last request
    LOOK_AGAIN = "lookAgain"  # read the account before planning
    SETTLED = "settled"  # its earlier operations are settled; plan it from the records
    MEMBERS_DUE = "membersDue"  # the group itself is in step; compare its members
    NAMES_DUE = "namesDue"  # access has ended; give the account the current names of its person
    SCHEDULED = "scheduled"  # it has no account yet and gets one on a future date
    FAILED = "failed"  # retry it later
    HELD = "held"  # wait for approval


UNDECIDED = frozenset({Stage.UNANSWERED, Stage.LOOK_AGAIN, Stage.SETTLED})


@dataclass(frozen=True, slots=True)
class Resume:
    """The resume state of one dirty object.

    *looks* counts consecutive attempts without a result. *rereads* counts how many of these attempts got a clear response, such as a
    conflict, after which the account must be read again. *did* is the action that settling found to have taken effect, written like the
    keys of a cycle's counts. *members_due* is true if the group's own account was processed and counted.

    *refused_members* are the directory ids of members to send last. *refused_in* is the cycle that counted these members. *held_in* is the
    cycle that counted the object as held. *is_about_references* is true if the object failed although its own account is in step.

    *account* is the account of another object that caused the failure. *is_slowed* is true if the object waits for the end of a quarantine.
    *is_left* is true if the object waits for the end of a cycle that applies a preview.
    """

    stage: Stage = Stage.FRESH
    looks: int = 0
    rereads: int = 0
    did: str = ""
    members_due: bool = False
    refused_members: tuple[str, ...] = ()
    refused_in: int | None = None
    held_in: int | None = None
    is_about_references: bool = False
    account: str = ""
    is_slowed: bool = False
    is_left: bool = False

    @property
    def is_undecided(self) -> bool:
        """Whether the object must be planned again before its result is known."""
        return self.stage in UNDECIDED

    def as_json(self) -> dict[str, Any] | None:
        """Return the value of the column: the fields that differ from a fresh row, or None for a fresh row."""
        given = {key: value for key, value in self._fields().items() if value}
        return {"stage": self.stage.value, **given} if given or self.stage is not Stage.FRESH else None

    def _fields(self) -> dict[str, Any]:
        return {
            "looks": self.looks,
            "rereads": self.rereads,
            "did": self.did,
            "membersDue": self.members_due,
            "refusedMembers": self.refused_members,
            "refusedIn": self.refused_in,
            "heldIn": self.held_in,
            "isAboutReferences": self.is_about_references,
            "account": self.account,
            "isSlowed": self.is_slowed,
            "isLeft": self.is_left,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> Resume:
        if stored is None:
            return cls()
        return cls(
            stage=Stage(stored.get("stage", Stage.FRESH)),
            looks=stored.get("looks", 0),
            rereads=stored.get("rereads", 0),
            did=stored.get("did", ""),
            members_due=stored.get("membersDue", False),
            refused_members=tuple(stored.get("refusedMembers", ())),
            refused_in=stored.get("refusedIn"),
            held_in=stored.get("heldIn"),
            is_about_references=stored.get("isAboutReferences", False),
            account=stored.get("account", ""),
            is_slowed=stored.get("isSlowed", False),
            is_left=stored.get("isLeft", False),
        )


@dataclass(frozen=True, slots=True)
class Pin:
    """The only plan that a cycle may carry out for an object while the cycle applies *preview*. If the fingerprint is "", no plan is
    allowed.
    """

    preview: int
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class ShownError:
    """The explanation that people see until the work on an object is finished. No code decides anything by reading this text."""

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
