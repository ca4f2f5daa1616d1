"""Suggest who may own an account that has no link."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lockstep.engine.expressions.diacritics import without_diacritics
from lockstep.engine.records import Account, SourceObject
from lockstep.engine.rules.operators import text_of
from lockstep.scim.target_values import MISSING, read_path

LEAST_SCORE = 50
MOST_SUGGESTIONS = 3


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A person who may own an account. *score* is between 0 and 100. *why* lists the values that agree."""

    source_id: str
    display: str
    score: int
    why: str


def suggest_owners(account: Account, people: Iterable[SourceObject]) -> tuple[Suggestion, ...]:
    """Return the most probable owners of an account without a link, best first; empty if there is no good evidence."""
    marks = _marks_of_account(account)
    found = [suggestion for person in people if (suggestion := _compare(marks, person)).score >= LEAST_SCORE]
    return tuple(sorted(found, key=lambda suggestion: (-suggestion.score, suggestion.display))[:MOST_SUGGESTIONS])


def search_words(account: Account) -> frozenset[str]:
    """Return the words with which to search the directory for possible owners of *account*. People who have none of these words are not
    suggested.
    """
    marks = _marks_of_account(account)
    family = read_path(account.resource, "name.familyName")
    words = marks["address"] | marks["alias"] | marks["display"] | marks["number"]
    return words if family is MISSING else words | {_folded(family)}


# For each comparison: what is compared, its points, and its description.
_POINTS = {"address": 90, "alias": 60, "names": 60, "display": 50, "number": 90}
_DESCRIPTIONS = {
    "address": "the same address",
    "alias": "the same name before the @",
    "names": "the same first and last name",
    "display": "the same display name",
    "number": "the same employee number",
}


def _compare(marks: Mapping[str, frozenset[str]], person: SourceObject) -> Suggestion:
    theirs = _marks_of_person(person)
    agreeing = [name for name in _POINTS if not marks[name].isdisjoint(theirs[name])]
    # Points add up, but two weak agreements never amount to certainty.
    uncertainty = 1.0
    for name in agreeing:
        uncertainty *= 1 - _POINTS[name] / 100
    return Suggestion(
        person.id, person.display, round((1 - uncertainty) * 100), ", ".join(_DESCRIPTIONS[name] for name in agreeing)
    )


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
