"""The policies for leavers' accounts, and the number of changes that need no approval."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class OnLeaving(StrEnum):
    """The action on the account when its person is out of scope, disabled, deleted or purged."""

    DISABLE = "disable"
    DELETE = "delete"
    KEEP = "keep"  # out of scope: release the account (SkipOutOfScopeDeletions); otherwise leave it as it is


class OnLost(StrEnum):
    """The reaction when a linked account no longer exists in the application."""

    REPORT = "report"  # report a failure; the person has no account until an administrator forgets the link
    RECREATE = "recreate"
    FORGET = "forget"


@dataclass(frozen=True, slots=True)
class DeletionPolicy:
    """The policy for leavers' accounts, and the number of accounts that may be disabled or deleted without approval.

    If *threshold* is None, the guard is switched off. A percentage, here or in `Guards`, applies only if at least *percent_from* operations
    have the effect.
    """

    threshold: int | None = 500
    threshold_percent: int | None = 20
    percent_from: int = 10
    on_out_of_scope: OnLeaving = OnLeaving.DISABLE
    on_source_disabled: OnLeaving = OnLeaving.DISABLE
    on_source_deleted: OnLeaving = OnLeaving.DISABLE
    on_purged: OnLeaving = OnLeaving.DELETE
    delete_after: timedelta | None = timedelta(days=30)  # counted from the deletion in the source
    delete_after_purge: bool = False  # also delete accounts that were released when their person left the scope
    on_lost: OnLost = OnLost.REPORT


@dataclass(frozen=True, slots=True)
class Guards:
    """The numbers of accounts that may, without approval, gain a privileged value, lose a value, or change a matching value. *percent*
    limits each of these numbers too.
    """

    privilege_grants: int | None = 50
    emptied_attributes: int | None = 500
    matching_values: int | None = 500
    percent: int | None = 20
