"""The checks as data: id, client, expectation, and the function that runs the check.

A check reports a problem by raising; it never decides what happens to the other checks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lockstep.targets.conformance.conversation import Conversation

Body = Callable[["Conversation"], Awaitable[None]]


class Client(StrEnum):
    """The client whose requests a check sends."""

    ANY = "any"
    ENTRA = "entra"
    ENTRA_FLAG = "entra-flag"
    OKTA = "okta"


class ConformanceFinding(Exception):
    """A result other than a pass; *str* is one sentence without full stop."""


class Broken(ConformanceFinding):
    """The client would fail here."""


class Doubtful(ConformanceFinding):
    """The client copes, but the specification or good practice requires something else."""


class UnsupportedByServer(ConformanceFinding):
    """The server does not offer this and says so correctly: nothing to check."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: a stable *id*, a *title* that states the requirement, and the client whose requests it sends."""

    id: str
    title: str
    client: Client
    body: Body
    needs_groups: bool = False


CHECKS: list[Check] = []
# Discovery, authentication, errors, filters, pages, versions; then users, groups and Okta.
ORDER = "DAEFPVUGO"


def check(id: str, title: str, client: Client = Client.ANY, *, needs_groups: bool = False) -> Callable[[Body], Body]:
    """Register a check. The letter in front of its *id* names its family."""

    def register(body: Body) -> Body:
        CHECKS.append(Check(id, title, client, body, needs_groups))
        return body

    return register


def checks_of(clients: Iterable[Client]) -> list[Check]:
    """The checks for these clients, and those for any client, family by family."""
    wanted = {Client.ANY, *clients}
    chosen = [each for each in CHECKS if each.client in wanted]
    return sorted(chosen, key=lambda each: ORDER.index(each.id[0]))
