"""Suggested owners of an account without a link."""

from __future__ import annotations

from lockstep.engine.decisions.owners import Suggestion, suggest_owners
from lockstep.engine.records import SourceObject
from tests.engine.decision_cases import account, person


def somebody(source_id: str, **attributes: str) -> SourceObject:
    return SourceObject(person().kind, source_id, attributes.get("displayName", source_id), attributes)


def test_owner_is_suggested_with_what_agrees() -> None:
    orphan = account("u-9", userName="zoe.berg@old-domain.com", name={"givenName": "Zoe", "familyName": "Berg"})
    zoe = somebody("p-1", userPrincipalName="zoe.berg@contoso.com", givenName="Zoë", surname="Berg")
    other = somebody("p-2", userPrincipalName="kim@contoso.com", givenName="Kim", surname="Berg")

    assert suggest_owners(orphan, [other, zoe]) == (
        Suggestion("p-1", "p-1", 84, "the same name before the @, the same first and last name"),
    )


def test_best_suggestion_comes_first_and_there_are_three_at_most() -> None:
    orphan = account("u-9", userName="kim@contoso.com", displayName="Kim Berg")
    namesakes = [somebody(f"p-{n}", displayName="Kim Berg") for n in range(5)]
    owner = somebody("p-9", userPrincipalName="kim@contoso.com", displayName="Kim Berg")

    suggested = suggest_owners(orphan, [*namesakes, owner])

    assert [suggestion.source_id for suggestion in suggested] == ["p-9", "p-0", "p-1"]


def test_nobody_is_suggested_rather_than_a_wild_guess() -> None:
    orphan = account("u-9", userName="x1", name={"givenName": "Kim", "familyName": "Berg"})

    assert suggest_owners(orphan, [somebody("p-1", givenName="Kim", surname="Lund"), somebody("p-2")]) == ()
