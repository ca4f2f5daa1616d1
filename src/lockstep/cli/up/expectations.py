"""Compute what Documo must contain from the CSV files alone. This code is deliberately independent of the engine, because the engine is
checked against it.

The rules: an enabled person who is assigned, directly or as a direct member of an assigned group, has an active account with user name,
names and a role. If their assignments have several roles, the account gets the role that comes first in the application's role list. All
others have no account.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DemoAssignment:
    """One assignment that `up` makes: a group (by display name) or a person (by user principal name), with a role value."""

    principal: str
    is_group: bool
    role: str


@dataclass(slots=True)
class Expectation:
    """The expected contents of a person's account. If *active* is None, there must be no account. If *role* is "", there must be no
    role.
    """

    user_name: str
    given_name: str
    family_name: str
    role: str
    active: bool | None = True


@dataclass(slots=True)
class Contoso:
    """The demo organisation Contoso, read from its CSV files."""

    people: dict[str, Mapping[str, str]] = field(default_factory=dict)  # by lower-case user principal name
    members: dict[str, set[str]] = field(default_factory=dict)  # group display name -> lower-case user principal names

    @classmethod
    def read(cls, people: Path, members: Path) -> Contoso:
        """Read both files in the column format of Entra's downloads."""
        contoso = cls()
        for row in rows(people):
            contoso.people[row["userPrincipalName"].lower()] = row
        for row in rows(members):
            contoso.members.setdefault(row["groupDisplayName"], set()).add(row["userPrincipalName"].lower())
        return contoso

    def holders(self, assignment: DemoAssignment) -> Iterable[str]:
        """Return the people that one assignment reaches."""
        if assignment.is_group:
            return (name for name in self.members.get(assignment.principal, ()) if name in self.people)
        return [assignment.principal.lower()]


def rows(file: Path) -> Iterable[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        yield from csv.DictReader(stream)


def expect_accounts(
    contoso: Contoso, assignments: Sequence[DemoAssignment], role_order: Sequence[str]
) -> dict[str, Expectation]:
    """Return the expectation for every assigned person, by lower-case user principal name. For disabled people, *active* is None."""
    roles: dict[str, set[str]] = {}
    for assignment in assignments:
        for name in contoso.holders(assignment):
            roles.setdefault(name, set()).add(assignment.role)
    expected = {}
    for name, held in roles.items():
        row = contoso.people[name]
        expected[name] = Expectation(
            user_name=row["userPrincipalName"],
            given_name=row["givenName"],
            family_name=row["surname"],
            role=next((role for role in role_order if role in held), ""),
            active=True if row["accountEnabled"] == "True" else None,
        )
    return expected
