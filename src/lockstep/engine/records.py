"""The values that a decision reads and returns. All immutable; a decision never asks for anything that is not in them.

Entra's words for people and scope, RFC 7643's for accounts. An account's values are held flat, by target path as mappings name it
(`name.givenName`, `roles[primary eq "True"].value`), because mapping, base and difference are all per path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

Value: TypeAlias = Any  # None, str, bool, int, a tuple of Values (multi-valued), or a mapping (complex); JSON shaped
Values: TypeAlias = Mapping[str, Value]

DEFAULT_ACCESS = "00000000-0000-0000-0000-000000000000"


class ObjectKind(StrEnum):
    USER = "User"
    GROUP = "Group"


class Lifecycle(StrEnum):
    """Where an object of the directory is in its life."""

    ACTIVE = "active"
    SOFT_DELETED = "softDeleted"  # in the recycle bin, may come back
    PURGED = "purged"  # gone for good; only links and logs remember it


@dataclass(frozen=True, slots=True)
class AppRole:
    """A role of an application, in the order of its role list (the order is the precedence)."""

    id: str
    value: str
    display_name: str
    is_enabled: bool = True


@dataclass(frozen=True, slots=True)
class Assignment:
    """Why an object is assigned to the application: directly (*via_group* is None) or as direct member of an assigned group."""

    role_id: str = DEFAULT_ACCESS
    via_group: str | None = None
    via_group_name: str = ""


@dataclass(frozen=True, slots=True)
class SourceObject:
    """A person or group, whole, as one application's decision needs it.

    *attributes* are under Entra's names (userPrincipalName, givenName, extension_<appId>_<name>, ...); absent and None are the same.
    *assignments* are those to the application at hand, ordered by the application's role list. *references* names single-valued
    references to other objects by their directory id (manager).
    """

    kind: ObjectKind
    id: str
    display: str
    attributes: Values
    account_enabled: bool = True
    lifecycle: Lifecycle = Lifecycle.ACTIVE
    deleted_at: datetime | None = None
    version: int = 0
    assignments: tuple[Assignment, ...] = ()
    references: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[
        str, ...
    ] = ()  # ids and display names of the groups it is in; needed only where a filter asks for membership


class LinkState(StrEnum):
    LIVE = "live"
    DISABLED = "disabled"  # we disabled the account; it stays linked
    RELEASED = "released"  # left alone after an unassignment under a policy that leaves accounts; remembered to recognise a rehire
    LOST = "lost"  # the account vanished from the target
    TOMBSTONE = "tombstone"  # we deleted the account


@dataclass(frozen=True, slots=True)
class Link:
    """Which account belongs to which object, and what both sides last agreed on (*base*: target path to value)."""

    kind: ObjectKind
    source_id: str
    target_id: str
    state: LinkState
    base: Values
    desired_hash: str = ""
    config_version: int = 0
    etag: str = ""
    generated: Values = field(default_factory=dict)
    review_at: datetime | None = None
    cause: str = ""  # why it is in this state: unassigned, filtered, disabled, deleted, purged, ...
    display: str = ""  # the object's name when the link was last written
    answers: Mapping[str, Any] = field(default_factory=dict)  # by path: what came back in place of what was sent
    is_forgotten: bool = False  # whoever should have an account is matched anew; whoever should not, loses this one


@dataclass(frozen=True, slots=True)
class Account:
    """What the target said an account is: its id, its raw SCIM resource, its ETag where it has one."""

    kind: ObjectKind
    id: str
    resource: Mapping[str, Any]
    etag: str = ""

    @property
    def display(self) -> str:
        return str(self.resource.get("userName") or self.resource.get("displayName") or self.id)


@dataclass(frozen=True, slots=True)
class Reason:
    """One plain sentence of why, with a stable code (Entra's where it has one) and details for the log."""

    code: str
    text: str
    details: Mapping[str, str] = field(default_factory=dict)
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One target path that is to change. *old* is what the target is believed to hold; None means absent.

    *new* None means clear. *redacted* values are written but shown as `[Redact]`. *added*: of several values only these are new and
    are added; the application may hold others that nobody here knows of.
    """

    path: str
    old: Value
    new: Value
    redacted: bool = False
    added: tuple[Value, ...] = ()

    @property
    def switches(self) -> bool:
        """Whether it is about `active`, under the attribute's plain or its full name."""
        return self.path.rpartition(":")[2].casefold() == "active"

    @property
    def switches_off(self) -> bool:
        """Whether it takes `active` from an account."""
        if not self.switches:
            return False
        return not _is_true(self.new) and not _is_false(self.old)


def _is_true(value: Value) -> bool:
    return value is True or str(value).casefold() == "true"


def _is_false(value: Value) -> bool:
    return value is False or str(value).casefold() == "false"


class Action(StrEnum):
    """What a plan does. Shown with one sign everywhere: + create, ~ update, o disable, - delete, = link, . none, ! refuse."""

    CREATE = "create"
    UPDATE = "update"
    ENABLE = "enable"
    DISABLE = "disable"
    DELETE = "delete"
    LINK = "link"  # an account was found; nothing differs
    RELEASE = "release"  # forget the link, leave the account
    NONE = "none"  # in step already, or nothing to do
    SKIP = "skip"  # not in scope, no account: nothing to do, with the reason
    REFUSE = "refuse"  # cannot be decided without a person: many matches, lost account, missing value
    HELD = "held"  # would be done, but waits for approval

    @property
    def writes(self) -> bool:
        return self in WRITING

    @property
    def is_destructive(self) -> bool:
        return self in (Action.DISABLE, Action.DELETE)


WRITING = frozenset({Action.CREATE, Action.UPDATE, Action.ENABLE, Action.DISABLE, Action.DELETE})


class Lane(StrEnum):
    """Order of work, leavers first. The number is what the database sorts by."""

    LEAVERS = "1"
    ON_DEMAND = "2"
    CREATES = "3"
    UPDATES = "4"
    MEMBERS = "5"
    RECONCILE = "6"

    @property
    def number(self) -> int:
        return int(self.value)


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


@dataclass(frozen=True, slots=True)
class Plan:
    """What should happen to one object in one application, and why. Not yet done; a preview is exactly this.

    *desired* is every mapped value (target path to value) that flows in this situation; *changes* the part that differs from what
    the target holds. *link_to* is set where a match was found and the link is new. *reasons*: the first one is the answer to "why".
    """

    kind: ObjectKind
    source_id: str
    display: str
    action: Action
    reasons: tuple[Reason, ...]
    target_id: str = ""
    link_to: Account | None = None
    desired: Values = field(default_factory=dict)
    desired_hash: str = ""
    changes: tuple[Change, ...] = ()
    generated: Values = field(default_factory=dict)
    steps: tuple[Step, ...] = ()
    link_state: LinkState | None = None  # the state of the link once the plan is carried out
    cause: str = ""
    review_at: datetime | None = None
    missing_references: tuple[
        tuple[str, str], ...
    ] = ()  # (target path, directory id of the object that has no account yet)
    held_action: Action | None = None  # what HELD keeps back
    grants: tuple[str, ...] = ()  # privileged values given to an account that does not hold them: "the role Admin"
    empties: bool = False  # takes away the value of an attribute
    renames: tuple[str, ...] = ()  # the paths by which accounts are matched whose value changes
    names_follow: bool = False  # once access has ended, the account gets the names that its person has now
    takes_over_from: str = ""  # who was deleted and left the account that the object gets now
    withheld: tuple[str, ...] = ()  # paths that differ and are not written, because the application does not keep them
    claims_privileged: bool = False  # links an account with more power there than the object is assigned

    @property
    def ends_access(self) -> bool:
        """Whether somebody who could sign in could not afterwards, by whatever action: deleted, disabled or switched off."""
        if not self.action.writes or self.action is Action.CREATE:
            return False
        return self.action.is_destructive or any(change.switches_off for change in self.changes)

    @property
    def reason(self) -> Reason:
        return self.reasons[0]
