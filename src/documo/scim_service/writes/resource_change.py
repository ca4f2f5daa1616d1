"""One change of a resource, as an operation requests it, and the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from documo.identifiers import read_id
from documo.scim_service.request.exchange import Conditions
from documo.scim_service.tenant.tenants import ScimTenant
from documo.store.resources import LockedResource, ResourceColumns, ResourceRow
from lockstep.scim.members import (
    AddMembers,
    Member,
    MemberChange,
    RemoveAllMembers,
    RemoveMembers,
    ReplaceMembers,
)


@dataclass(frozen=True, slots=True)
class ChangeDecision:
    """The new state of a resource. If *document* is None, the resource does not change. *columns* are derived from the new document.

    Members are changed separately, by `ResourceChange.members`.
    """

    document: dict[str, Any] | None = None
    columns: ResourceColumns | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One change. *decide* is called while the resource is locked and may raise ScimError. All changes of a batch are of one tenant."""

    tenant: ScimTenant
    kind: str
    id: str
    decide: Callable[[LockedResource], ChangeDecision]
    members: tuple[MemberChange, ...] = ()
    conditions: Conditions = Conditions()  # noqa: RUF009 -- frozen
    tolerances: list[str] = field(default_factory=list)
    operations: int = 1  # number of operations that `decide` applies
    key: str | None = None

    def named_members(self) -> set[str]:
        """Return the ids of the members that the change adds or sets."""
        return {found for members in self._lists() for member in members if (found := read_id(member.value))}

    def touched_members(self) -> set[str]:
        """Return the ids that the change mentions: members to add, to set or to remove.

        If the change replaces all members, the members that lose their membership are not mentioned.
        """
        removed = [value for c in self.members if isinstance(c, RemoveMembers) for value in c.values]
        return self.named_members() | {found for value in removed if (found := read_id(value))}

    @property
    def replaces_members(self) -> bool:
        return any(isinstance(c, ReplaceMembers | RemoveAllMembers) for c in self.members)

    @property
    def new_members(self) -> int:
        """The largest number of membership rows that this change can add."""
        return sum(len(members) for members in self._lists())

    def _lists(self) -> list[tuple[Member, ...]]:
        return [c.members for c in self.members if isinstance(c, AddMembers | ReplaceMembers)]


class ChangedResource(NamedTuple):
    """The resource after the change. If it is a small group, the (id, kind) pairs of its members are included."""

    row: ResourceRow
    members: list[tuple[str, str]] | None
