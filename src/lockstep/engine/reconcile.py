"""Compare what the application holds with what we believe it holds: in step, drifted, lost, unmanaged, orphaned, twice.

This only names the state of one account. Repairing goes through the same plan and the same guards as everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lockstep.engine.configuration import ObjectMapping
from lockstep.engine.diff import changes_between
from lockstep.engine.expressions.diacritics import without_diacritics
from lockstep.engine.mapping import held_values
from lockstep.engine.matching import matching_value
from lockstep.engine.operators import text_of
from lockstep.engine.records import Account, Change, Link, LinkState, SourceObject, Values
from lockstep.scim.target_values import MISSING, read_path

LEAST_SCORE = 50
MOST_SUGGESTIONS = 3


class Standing(StrEnum):
    """How an account stands to its link."""

    EQUAL = "equal"
    DRIFT = "drift"  # holds something else than both sides agreed on
    LOST = "lost"  # linked, but no longer there
    UNMANAGED = "unmanaged"  # never linked, and exactly one person matches
    ORPHAN = "orphan"  # nobody owns it
    DUPLICATE = "duplicate"  # another account answers to the same matching value


@dataclass(frozen=True, slots=True)
class Reconciled:
    """*changes* would take a drifted account back to what was agreed; their *old* is what it holds."""

    standing: Standing
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A person who may own an account. *score* is 0 to 100, *why* says what agrees."""

    source_id: str
    display: str
    score: int
    why: str


def reconcile(
    account: Account | None,
    link: Link | None,
    mapping: ObjectMapping,
    *,
    matching_people: int = 0,
    same_matching_value: int = 1,
) -> Reconciled:
    """Name the state of one account. *account* None: the link's account is not there.

    *matching_people* and *same_matching_value* count who, and how many accounts, answer to the account's matching value.
    """
    is_linked = link is not None and link.state in (LinkState.LIVE, LinkState.DISABLED)
    if account is None:
        return Reconciled(Standing.LOST if is_linked else Standing.EQUAL)
    if same_matching_value > 1:
        return Reconciled(Standing.DUPLICATE)
    if link is None or not is_linked:
        return Reconciled(Standing.UNMANAGED if matching_people == 1 else Standing.ORPHAN)
    changes = drift(link.base, account, mapping)
    return Reconciled(Standing.DRIFT if changes else Standing.EQUAL, changes)


def drift(base: Values, account: Account, mapping: ObjectMapping) -> tuple[Change, ...]:
    """What differs from the base, in mapped attributes. What the application leaves out of its answers is no drift."""
    held = held_values(mapping, account.resource)
    agreed = {path: value for path, value in base.items() if path in held}
    return changes_between(agreed, held, mapping=mapping)


def duplicates(accounts: Iterable[Account], attribute: str) -> Mapping[str, Sequence[Account]]:
    """The accounts that share a value of the matching *attribute*, by that value."""
    found: dict[str, list[Account]] = {}
    for account in accounts:
        value = matching_value(account.resource, attribute)
        if value is not None:
            found.setdefault(value, []).append(account)
    return {value: sharing for value, sharing in found.items() if len(sharing) > 1}


def suggest_owners(account: Account, people: Iterable[SourceObject]) -> tuple[Suggestion, ...]:
    """The people who most probably own an account that nobody owns, best first; nobody rather than a wild guess."""
    marks = _marks_of_account(account)
    found = [suggestion for person in people if (suggestion := _compare(marks, person)).score >= LEAST_SCORE]
    return tuple(sorted(found, key=lambda suggestion: (-suggestion.score, suggestion.display))[:MOST_SUGGESTIONS])


def search_words(account: Account) -> frozenset[str]:
    """By which words a directory is searched for those who may own *account*: whoever has none of them is no suggestion."""
    marks = _marks_of_account(account)
    family = read_path(account.resource, "name.familyName")
    words = marks["address"] | marks["alias"] | marks["display"] | marks["number"]
    return words if family is MISSING else words | {_folded(family)}


# What is compared, how much an agreement says, and how it is told.
_POINTS = {"address": 90, "alias": 60, "names": 60, "display": 50, "number": 90}
_TOLD = {
    "address": "the same address",
    "alias": "the same name before the @",
    "names": "the same first and last name",
    "display": "the same display name",
    "number": "the same employee number",
}


def _compare(marks: Mapping[str, frozenset[str]], person: SourceObject) -> Suggestion:
    theirs = _marks_of_person(person)
    agreeing = [name for name in _POINTS if not marks[name].isdisjoint(theirs[name])]
    # Agreements add up, but two weak ones are never certain.
    doubt = 1.0
    for name in agreeing:
        doubt *= 1 - _POINTS[name] / 100
    return Suggestion(person.id, person.display, round((1 - doubt) * 100), ", ".join(_TOLD[name] for name in agreeing))


def _marks_of_account(account: Account) -> Mapping[str, frozenset[str]]:
    def read(*paths: str) -> list[object]:
        return [value for path in paths if (value := read_path(account.resource, path)) is not MISSING]

    addresses = read("userName", 'emails[type eq "work"].value', "emails.value")
    names = read("name.givenName", "name.familyName")
    number = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber"
    return _marks(addresses, names, read("displayName", "name.formatted"), read("externalId", number))


def _marks_of_person(person: SourceObject) -> Mapping[str, frozenset[str]]:
    def read(*names: str) -> list[object]:
        return [value for name in names if (value := person.attributes.get(name))]

    addresses = read("userPrincipalName", "mail")
    return _marks(addresses, read("givenName", "surname"), read("displayName"), read("employeeId", "mailNickname"))


def _marks(
    addresses: Sequence[object], names: Sequence[object], displays: Sequence[object], numbers: Sequence[object]
) -> Mapping[str, frozenset[str]]:
    folded = frozenset(_folded(address) for address in addresses)
    return {
        "address": folded,
        "alias": frozenset(alias for address in folded if len(alias := address.partition("@")[0]) > 2),
        "names": frozenset({" ".join(map(_folded, names))} if len(names) == 2 else ()),
        "display": frozenset(_folded(display) for display in displays),
        "number": frozenset(_folded(number) for number in numbers if len(_folded(number)) > 2),
    }


def _folded(value: object) -> str:
    return " ".join(without_diacritics(text_of(value)[:256]).casefold().split())
