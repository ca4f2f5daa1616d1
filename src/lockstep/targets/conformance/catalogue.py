"""The checks as data: id, who sends it, what it expects, and the function that tries it.

A check says what is wrong by raising; it never decides what happens to the others.
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
    """Whose requests a check sends."""

    ANY = "any"
    ENTRA = "entra"
    ENTRA_FLAG = "entra-flag"
    OKTA = "okta"


class Finding(Exception):
    """Something is not as the client needs it; *str* says what, in one sentence without full stop."""


class Broken(Finding):
    """The client would fail here."""


class Doubtful(Finding):
    """The client copes, but the specification or good manners ask for something else."""


class Unsupported(Finding):
    """The server does not offer this, and says so honestly: nothing to check."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: a stable *id*, a *title* that says what must hold, whose shape it has."""

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
    """The checks that these clients' requests are in, and those that are anybody's, family by family."""
    wanted = {Client.ANY, *clients}
    chosen = [each for each in CHECKS if each.client in wanted]
    return sorted(chosen, key=lambda each: ORDER.index(each.id[0]))
