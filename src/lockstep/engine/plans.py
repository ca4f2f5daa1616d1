"""The plan: what should happen to one object in one application, and why. It includes the desired account, the steps, and the effects
that are limited by guards.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from typing import Final

import orjson

from lockstep.engine.records import Account, Action, Change, LinkState, ObjectKind, Reason, Values


@dataclass(frozen=True)
class MappedAccount:
    """The desired account. *problem* says why the object is skipped or cannot be mapped.

    *values* contains only attributes that have a value. *cleared* are the paths that a mapping empties on purpose. *dropped* are the paths
    whose mappings produce no value this time.
    """

    values: Values
    cleared: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()
    missing_references: tuple[
        tuple[str, str], ...
    ] = ()  # (target path, directory id) of objects that have no account yet
    generated: Values = field(default_factory=dict)
    redacted: frozenset[str] = frozenset()
    problem: Reason | None = None
    sealed: Values = field(default_factory=dict)  # the hashes of secret values
    is_excluded: bool = False  # a mapping excludes the object on purpose, which is no failure

    @cached_property
    def digest(self) -> str:
        """A digest of the desired account. Accounts with equal digests need no comparison."""
        return desired_hash({**self.values, **self.sealed} if self.sealed else self.values, self.cleared)


def desired_hash(values: Values, cleared: Collection[str] = ()) -> str:
    """A short digest of the desired account. Accounts with equal digests need no comparison."""
    document = {**values, **dict.fromkeys(cleared)}
    try:
        text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        # A lone surrogate or a number beyond 64 bits is not valid JSON, but must still be hashed.
        text = repr(sorted(document.items(), key=lambda item: item[0])).encode("utf-8", "surrogatepass")
    return sha256(text).hexdigest()[:32]


NOT_MAPPED: Final = MappedAccount({})


class StepType(StrEnum):
    IMPORT = "import"
    SCOPING = "scoping"
    MATCHING = "matching"
    PROCESSING = "processing"
    REFERENCE_RESOLUTION = "referenceResolution"
    EXPORT = "export"


class StepStatus(StrEnum):
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the provisioning log's *Steps* tab (Graph: provisioningStep)."""

    name: str  # EntryImport, EntrySynchronizationScoping, EntryExportAdd, ...
    type: StepType
    status: StepStatus
    description: str
    details: Mapping[str, str] = field(default_factory=dict)


class BlockedBy(StrEnum):
    """A reason why a plan cannot be carried out now. Only obstacles that determine the next step for the object have a value here."""

    REJECTION = "rejection"  # an administrator decided that it is not sent
    ACCOUNT_UNDER_WAY = "accountUnderWay"  # the account is being given to another object at this moment
    FORMER_OWNER = "formerOwner"  # the account belongs to a deleted object, which is about to lose it


class GuardCode(StrEnum):
    """A reason why a write is held. Either too many writes have the same effect, which a guard limits, or the match is doubtful. The value
    is the code of the `Reason`.
    """

    LOSSES = "TooManyDeletes"  # accounts disabled, switched off or deleted
    GRANTS = "TooManyGrants"  # accounts that gain a privileged value
    EMPTIED = "TooManyEmptied"  # accounts that lose a value
    RENAMES = "TooManyRenames"  # accounts whose matching value changes
    MATCH = "PrivilegedMatch"  # a match would link a more privileged account
    FORMER_OWNER = "AnothersAccount"  # the account of a deleted person, who is known to be a different person


@dataclass(frozen=True, slots=True)
class Draft:
    """The decision for one object. *reasons* and *steps* concern this decision alone; a `Plan` adds those of the earlier decisions.

    *mapped* has all values that the mappings produce in this situation. It is empty if nothing may be written (`not_written`). *changes*
    has only the values that differ from those in the application. *link_to* is the account if the plan makes or restores a link.
    *matched_by* is the target attribute by which a match found this account, even if the account was gone in between. It is "" if the link
    to a lost or released account is restored.
    """

    action: Action
    reasons: tuple[Reason, ...] = ()
    link_state: LinkState | None = None  # the state of the link after the plan was carried out
    target_id: str = ""
    link_to: Account | None = None
    matched_by: str = ""
    mapped: MappedAccount = NOT_MAPPED
    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()
    cause: str = ""
    takes_over_from: str = ""  # the deleted object whose former account this object gets
    claims_anothers: bool = False  # links the former account of a deleted person, who is known to be a different person
    withheld: tuple[str, ...] = ()  # paths that differ but are not written, because the application does not keep them
    names_follow: bool = False  # after access has ended, the account's names are updated to the person's current ones
    gone_at: datetime | None = None  # since when the application has not shown the account of a leaver
    reports_drift: bool = (
        False  # the only thing to report is a value that the application changed and that is left unchanged
    )
    blocked_by: BlockedBy | None = None


@dataclass(frozen=True, slots=True)
class Plan(Draft):
    """The decision about one object in one application, with reasons. Nothing has been sent yet; a preview shows exactly this.

    A plan completes a draft: it adds the object, all steps and reasons (the first one answers "why"), and the facts that the guards need.
    """

    _: KW_ONLY
    kind: ObjectKind
    source_id: str
    display: str
    review_at: datetime | None = None
    held_action: Action | None = None  # the action that HELD keeps back
    held_by: GuardCode | None = None  # the guard that keeps it back
    grants: tuple[str, ...] = ()  # privileged values that the account does not have yet: "the role Admin"
    empties: bool = False  # removes the value of an attribute
    renames: tuple[str, ...] = ()  # the matching attributes (target paths) whose value changes
    claims_privileged: bool = False  # links an account that has more privileges than the object's assignment gives

    @property
    def desired_hash(self) -> str:
        """The digest of the account that both sides agree on after the plan was carried out, or "" if no digest must be stored.

        If values were withheld, no digest is stored: those values are still wanted, and with a digest they would count as agreed and never
        be written.
        """
        return self.mapped.digest if self.mapped is not NOT_MAPPED and not self.withheld else ""

    @property
    def needs_approval(self) -> bool:
        """Whether the plan is held regardless of the limits, because it links an account that may not belong to this object."""
        return self.link_to is not None and (self.claims_privileged or self.claims_anothers)

    @property
    def ends_access(self) -> bool:
        """Whether the plan ends the access of an existing account, by deleting or disabling the account."""
        if not self.action.writes or self.action is Action.CREATE:
            return False
        return self.action.is_destructive or any(change.switches_off for change in self.changes)

    @property
    def reason(self) -> Reason:
        return self.reasons[0]
