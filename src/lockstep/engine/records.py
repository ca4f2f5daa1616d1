"""The immutable values that decisions read and return. Decisions read nothing else.

People and scope use Entra's terms, accounts those of RFC 7643. An account's values are a flat mapping from target path to value, because
mapping, base and difference all work per path. Paths are written as in mappings: `name.givenName`, `roles[primary eq "True"].value`.
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
    """The stage of a directory object's life."""

    ACTIVE = "active"
    SOFT_DELETED = "softDeleted"  # in the recycle bin, can be restored
    PURGED = "purged"  # permanently deleted; only links and logs still mention it


@dataclass(frozen=True, slots=True)
class AppRole:
    """A role of an application. Roles that come earlier in the application's list take precedence."""

    id: str
    value: str
    display_name: str
    is_enabled: bool = True


@dataclass(frozen=True, slots=True)
class Assignment:
    """One assignment of an object to the application: direct (*via_group* is None), or through an assigned group of which the object is a
    direct member.
    """

    role_id: str = DEFAULT_ACCESS
    via_group: str | None = None
    via_group_name: str = ""


@dataclass(frozen=True, slots=True)
class SourceObject:
    """A person or group with everything that the decision for one application needs.

    *attributes* have Entra's names (userPrincipalName, givenName, extension_<appId>_<name>, ...); absent and None mean the same.
    *assignments* are the assignments to this application, in the order of its role list. *references* maps single-valued references
    (manager) to the directory ids of the referenced objects.
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
    groups: tuple[str, ...] = ()  # ids and display names of its groups; needed only if a filter asks for membership


class LinkState(StrEnum):
    LIVE = "live"
    DISABLED = "disabled"  # we disabled the account; it stays linked
    RELEASED = "released"  # unassigned under a policy that keeps accounts; the link is kept to recognise a rehire
    LOST = "lost"  # the account no longer exists in the target
    TOMBSTONE = "tombstone"  # we deleted the account


@dataclass(frozen=True, slots=True)
class Link:
    """The record of an object's account. *base* holds the values that both sides last agreed on, by target path."""

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
    answers: Mapping[str, Any] = field(
        default_factory=dict
    )  # by path: the value that the application returned instead of the sent one
    matched_by: str = (
        ""  # the target attribute that led to the account; "" if we created it or an administrator chose it
    )
    gone_at: datetime | None = (
        None  # only for a tombstone whose account Lockstep did not delete: since when the application has not shown it
    )
    is_forgotten: bool = False  # if an account is wanted, match again; otherwise end the present one

    @property
    def is_sought(self) -> bool:
        """Whether Lockstep looks for the account again. This is the case if the account is gone but may come back, and its person should
        not have it.
        """
        return self.state is LinkState.TOMBSTONE and self.gone_at is not None


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the target returned it: its id, its raw SCIM resource, and its ETag if it has one."""

    kind: ObjectKind
    id: str
    resource: Mapping[str, Any]
    etag: str = ""

    @property
    def display(self) -> str:
        return str(self.resource.get("userName") or self.resource.get("displayName") or self.id)


@dataclass(frozen=True, slots=True)
class Reason:
    """The reason for a decision: a plain sentence, a stable code (Entra's if it has one) and details for the log."""

    code: str
    text: str
    details: Mapping[str, str] = field(default_factory=dict)
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one target path. *old* is the value that the target is believed to have, or None if the value is absent.

    If *new* is None, the value is cleared. *redacted* values are written but shown as `[Redact]`. *added* lists the new values of a
    multi-valued attribute: only these are added, because the application may have others that Lockstep does not know.
    """

    path: str
    old: Value
    new: Value
    redacted: bool = False
    added: tuple[Value, ...] = ()

    @property
    def switches(self) -> bool:
        """Whether the change concerns `active`, under the attribute's short or full name."""
        return self.path.rpartition(":")[2].casefold() == "active"

    @property
    def switches_off(self) -> bool:
        """Whether the change sets `active` of an account to false."""
        if not self.switches:
            return False
        return not _is_true(self.new) and not _is_false(self.old)


def _is_true(value: Value) -> bool:
    return value is True or str(value).casefold() == "true"


def _is_false(value: Value) -> bool:
    return value is False or str(value).casefold() == "false"


class Action(StrEnum):
    """The action of a plan. The signs are the same everywhere: + create, ~ update, o disable, - delete, = link, . none, ! refuse."""

    CREATE = "create"
    UPDATE = "update"
    ENABLE = "enable"
    DISABLE = "disable"
    DELETE = "delete"
    LINK = "link"  # a matching account was found and nothing differs
    RELEASE = "release"  # forget the link, leave the account
    NONE = "none"  # already in step, or nothing to do
    SKIP = "skip"  # not in scope and no account: nothing to do, with the reason
    REFUSE = "refuse"  # an administrator must decide: several matches, a lost account, a missing value
    HELD = "held"  # kept back for approval

    @property
    def writes(self) -> bool:
        return self in WRITING

    @property
    def is_destructive(self) -> bool:
        return self in (Action.DISABLE, Action.DELETE)


WRITING = frozenset({Action.CREATE, Action.UPDATE, Action.ENABLE, Action.DISABLE, Action.DELETE})


class Lane(StrEnum):
    """The priority of an object in the queue: leavers are processed first. The database sorts by *number*."""

    LEAVERS = "1"
    ON_DEMAND = "2"
    CREATES = "3"
    UPDATES = "4"
    MEMBERS = "5"
    RECONCILE = "6"

    @property
    def number(self) -> int:
        return int(self.value)
