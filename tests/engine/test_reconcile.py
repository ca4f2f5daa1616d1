"""How an account stands to its link, and who may own one that nobody owns."""

from __future__ import annotations

import pytest
from decision_cases import account, configuration, link, person, users

from lockstep.engine.reconcile import Standing, Suggestion, duplicates, reconcile, suggest_owners
from lockstep.engine.records import Change, SourceObject

MAPPING = users(configuration())
BASE = {"userName": "anna@contoso.com", "active": True, "name.givenName": "Anna"}


def test_account_that_holds_what_was_agreed_is_equal() -> None:
    found = reconcile(account(active=True, name={"givenName": "Anna"}), link(base=BASE), MAPPING)

    assert (found.standing, found.changes) == (Standing.EQUAL, ())


def test_account_that_holds_something_else_has_drifted() -> None:
    found = reconcile(account(active=True, name={"givenName": "Other"}), link(base=BASE), MAPPING)

    assert (found.standing, found.changes) == (Standing.DRIFT, (Change("name.givenName", "Other", "Anna"),))


def test_attribute_that_the_application_does_not_return_is_no_drift() -> None:
    assert reconcile(account(active=True), link(base=BASE), MAPPING).standing is Standing.EQUAL


@pytest.mark.parametrize("state", ["live", "disabled"])
def test_linked_account_that_is_not_there_is_lost(state: str) -> None:
    assert reconcile(None, link(state, base=BASE), MAPPING).standing is Standing.LOST


@pytest.mark.parametrize("state", ["released", "tombstone", "lost"])
def test_account_that_we_let_go_of_is_not_lost_again(state: str) -> None:
    assert reconcile(None, link(state, base=BASE), MAPPING).standing is Standing.EQUAL


@pytest.mark.parametrize(("people", "standing"), [(0, Standing.ORPHAN), (1, Standing.UNMANAGED), (2, Standing.ORPHAN)])
def test_account_without_link_is_unmanaged_only_if_one_person_matches(people: int, standing: Standing) -> None:
    assert reconcile(account(), None, MAPPING, matching_people=people).standing is standing
    assert reconcile(account(), link("released"), MAPPING, matching_people=people).standing is standing


def test_account_that_shares_its_matching_value_is_a_duplicate() -> None:
    assert reconcile(account(), link(base=BASE), MAPPING, same_matching_value=2).standing is Standing.DUPLICATE


def test_duplicates_fold_case_as_applications_do() -> None:
    one, two, three = account("u-1"), account("u-2", userName="ANNA@contoso.com"), account("u-3", userName="lee@x")

    assert duplicates([one, two, three], "userName") == {"anna@contoso.com": [one, two]}


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
