"""What becomes of accounts whose people leave, and how much may happen before somebody has to approve."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class OnLeaving(StrEnum):
    """What happens to the account of a person who is out of scope, disabled, deleted or purged."""

    DISABLE = "disable"
    DELETE = "delete"
    KEEP = "keep"  # out of scope: release the account (SkipOutOfScopeDeletions); otherwise leave it as it is


class OnLost(StrEnum):
    """What happens when a linked account has vanished from the application."""

    REPORT = "report"  # the failure is reported; the person has no account until somebody forgets the link
    RECREATE = "recreate"
    FORGET = "forget"


@dataclass(frozen=True, slots=True)
class DeletionPolicy:
    """What becomes of leavers' accounts, and how many may go before somebody has to approve.

    *threshold* None switches the guard off. *percent* counts from *percent_from* operations on.
    """

    threshold: int | None = 500
    threshold_percent: int | None = 20
    percent_from: int = 10
    on_out_of_scope: OnLeaving = OnLeaving.DISABLE
    on_source_disabled: OnLeaving = OnLeaving.DISABLE
    on_source_deleted: OnLeaving = OnLeaving.DISABLE
    on_purged: OnLeaving = OnLeaving.DELETE
    delete_after: timedelta | None = timedelta(days=30)  # counted from the deletion in the source
    delete_after_purge: bool = False  # also accounts that were released when their person left the scope
    on_lost: OnLost = OnLost.REPORT


@dataclass(frozen=True, slots=True)
class Guards:
    """How many may get a privileged value, lose a value, or change what they are matched by, before somebody has to approve."""

    privilege_grants: int | None = 50
    emptied_attributes: int | None = 500
    matching_values: int | None = 500
    percent: int | None = 20
