"""The rules of an account that a write must keep: the role Admin, the default role, the last Admin, valid names, and the seats.

Without an Admin, nobody could provision or create keys, so a client that disables everybody is stopped at the last Admin.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from documo.members import ADMIN
from documo.scim_service.request.exchange import ResourcePlace
from documo.scim_service.tenant.tenants import ScimTenant
from documo.store import resources
from documo.store.round_trip import Transaction
from documo.user_names import fault_of
from lockstep.scim.errors import ScimError, invalid_value, mutability_error


def refuse_change_of_role(place: ResourcePlace, document: Mapping[str, Any], tenant: ScimTenant) -> None:
    """Raise ScimError 403 if the resource is the role Admin or the account's default role. Documo needs both roles unchanged."""
    if place.kind == "Role" and document.get("value") in (ADMIN, tenant.account.default_role):
        raise ScimError(
            403, "", f"Documo needs the role {document['value']}, so it cannot be changed or deleted.", "value"
        )


def refuse_bad_name(place: ResourcePlace, document: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> None:
    """Raise ScimError("invalidValue") for a new user name that is invalid. *before* is the resource before the change; its user name is
    always allowed.
    """
    name = document.get("userName")
    if place.kind != "User" or not isinstance(name, str) or (before is not None and before.get("userName") == name):
        return
    fault = fault_of(name)
    if fault:
        raise invalid_value(
            f"userName {name[:200]!r} {fault} (RFC 8265, section 3). Send the name without it.", "userName"
        )


async def seats_error(transaction: Transaction, tenant: ScimTenant, *, wanted: int = 1) -> ScimError | None:
    """Return an error if the account has too few free seats for more active members, otherwise None. *wanted* is the number of additional
    members. Only one transaction per tenant counts at a time.
    """
    seats = tenant.account.seats
    if seats is None:
        return None
    _, counted = await transaction.send(*resources.seats_taken(tenant.id))
    if int(counted[0][0]) + wanted <= seats:
        return None
    return no_seat_left(seats)


def no_seat_left(seats: int) -> ScimError:
    """Return the error for a client that would exceed the account's seats by creating or activating a member."""
    # 402, not 403: clients treat 403 as a credentials problem and stop everything, although only one person has no seat.
    return ScimError(
        402,
        "",
        f"All {seats} seats of the account are taken: deactivate a member, or ask Documo for more seats.",
        "active",
    )


class Admins:
    """Counts the account's active Admins during one transaction. Their number is read from the database at the first change that would
    remove an Admin. From then on, the number is kept up to date in memory.
    """

    def __init__(self, tenant: ScimTenant, transaction: Transaction) -> None:
        self._tenant = tenant
        self._transaction = transaction
        self._counted: int | None = None
        self._changes = 0  # by decisions that have not been written yet

    def is_one(self, role: str | None, *, active: bool) -> bool:
        """Whether a member is an active Admin. A *role* of None means the account's default role."""
        return active and (role or self._tenant.account.default_role) == ADMIN

    async def change(self, *, before: bool, after: bool, name: str, path: str) -> None:
        """Record a change of one member, whose name is *name*. *before* says whether the member was an active Admin before the change.
        *after* says whether the member is one after the change. Raises ScimError("mutability") if the change would remove the last active
        Admin.
        """
        if before and not after:
            if self._counted is None:
                _, counted = await self._transaction.send(
                    *resources.active_admins(self._tenant.id, ADMIN, self._tenant.account.default_role)
                )
                self._counted = int(counted[0][0])
            if self._counted + self._changes <= 1:
                raise mutability_error(
                    f"{name[:200]} is the only active Admin of the account and keeps that role: make another member Admin first.",
                    path,
                )
        self._changes += int(after) - int(before)
