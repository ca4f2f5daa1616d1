"""A department that provisions itself: a rule, a group, an application."""

from __future__ import annotations

from tests.support.command_line import DocumoThere, Lockstep
from tests.support.hub import upn

SALES = 'Sales: department EQUALS "Sales"'
SUPPORT = 'Support: department EQUALS "Support"'


def test_who_comes_to_match_a_rule_gets_an_account_and_who_stops_loses_it(
    started: Lockstep, documo: DocumoThere
) -> None:
    made = started("groups", "create", "support", "--filter", SUPPORT, "-o", "json")
    assert (made.code, made.json["members"], made.json["membershipType"]) == (0, 0, "dynamic")
    started("assign", "documo", "--group", "support", "--role", "Member")

    started("people", "set", upn("kim.berg"), "department=Support")
    started("run", "documo", "--wait")
    assert documo.users()[upn("kim.berg")]["active"] is True

    started("people", "set", upn("kim.berg"), "department=Sales")
    started("run", "documo", "--wait")
    assert documo.users()[upn("kim.berg")]["active"] is False


def test_the_effect_of_a_rule_is_told_before_anybody_leaves(contoso: Lockstep) -> None:
    contoso("groups", "create", "team", "--filter", SALES)

    tried = contoso("groups", "rule", "test", "team", "--filter", SUPPORT, "-o", "json").json
    assert (tried["members"], tried["leaversCount"], tried["joinersCount"]) == (0, 3, 0)
    asked = contoso("groups", "rule", "set", "team", "--filter", SUPPORT)
    assert asked.code != 0
    assert "3 members would leave team" in asked.err
    assert len(contoso("groups", "show", "team", "-o", "json").json["members"]) == 3

    assert contoso("groups", "rule", "set", "team", "--filter", SUPPORT, "--yes").code == 0
    assert contoso("groups", "show", "team", "-o", "json").json["members"] == []


def test_a_rule_says_why_somebody_is_no_member(contoso: Lockstep) -> None:
    contoso("groups", "create", "team", "--filter", SUPPORT)

    said = contoso("groups", "rule", "test", "team", "--user", upn("anna"))

    assert said.code == 0
    assert 'department is "Sales", must EQUAL "Support"' in said.out
    assert "Support: department EQUALS" in contoso("groups", "rule", "show", "team").out


def test_members_by_rule_are_not_added_by_hand(contoso: Lockstep) -> None:
    contoso("groups", "create", "team", "--filter", SUPPORT)

    refused = contoso("groups", "add-member", "team", upn("anna"))

    assert refused.code == 7
    assert "lockstep groups rule clear team" in refused.err
    assert contoso("groups", "rule", "clear", "team").code == 0
    assert contoso("groups", "add-member", "team", upn("anna")).code == 0
