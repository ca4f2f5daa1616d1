"""The checks as data: each has an id, the client that it imitates, the requirement that it checks, and the function that runs it.

A check reports a problem by raising an exception. It never decides whether other checks run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from lockstep.targets.conformance.conversation import Conversation

CheckBody = Callable[[Conversation], Awaitable[None]]


class EmulatedClient(StrEnum):
    """The identity provider whose requests a check sends."""

    ANY = "any"
    ENTRA = "entra"
    ENTRA_FLAG = "entra-flag"
    OKTA = "okta"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: a stable *id*, a *title* that states the requirement, and the identity provider whose requests it imitates."""

    id: str
    title: str
    client: EmulatedClient
    body: CheckBody
    needs_groups: bool = False


CHECKS: list[Check] = []
# Families: discovery, authentication, errors, filters, pages, versions; then users, groups and Okta.
ORDER = "DAEFPVUGO"


def check(
    id: str, title: str, client: EmulatedClient = EmulatedClient.ANY, *, needs_groups: bool = False
) -> Callable[[CheckBody], CheckBody]:
    """Register the decorated function as a check. The letter at the beginning of *id* names the family of the check."""

    def register(body: CheckBody) -> CheckBody:
        CHECKS.append(Check(id, title, client, body, needs_groups))
        return body

    return register


def checks_of(clients: Iterable[EmulatedClient]) -> list[Check]:
    """Return the checks for *clients* and those for any client, ordered by family."""
    wanted = {EmulatedClient.ANY, *clients}
    chosen = [each for each in CHECKS if each.client in wanted]
    return sorted(chosen, key=lambda each: ORDER.index(each.id[0]))
