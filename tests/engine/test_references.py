"""Which references wait for whom."""

from __future__ import annotations

from decision_cases import ATTRIBUTES, configuration, person

from lockstep.engine.references import Waiting, maps_members, referred_to, satisfied_by, waiting_for
from lockstep.engine.rules import configuration_from_json


def test_managers_account_is_needed_where_the_manager_is_mapped() -> None:
    mapped = configuration(*ATTRIBUTES, {"target": "manager", "source": "manager"})
    who = person(references={"manager": "p-9"})

    assert referred_to(who, mapped) == {"p-9"}
    assert referred_to(who, configuration()) == frozenset()
    assert referred_to(person(), mapped) == frozenset()


def test_holder_is_looked_at_again_when_the_other_has_an_account() -> None:
    waiting = (*waiting_for("p-1", [("manager", "p-9")]), *waiting_for("p-2", [("manager", "p-8")]))

    assert waiting[0] == Waiting("p-1", "manager", "p-9")
    assert satisfied_by(waiting, {"p-9"}) == {"p-1"}


def test_members_are_mapped_only_where_the_group_mapping_says_so() -> None:
    def groups(**more: object) -> object:
        attributes = [
            {"target": "displayName", "source": "displayName", "match": 1},
            {"target": "members", "source": "members"},
        ]
        return {"mappings": [{"name": "Groups", "source": "Group", "attributes": attributes, **more}]}

    assert maps_members(configuration_from_json(groups(), version=1))  # type: ignore[arg-type]
    assert not maps_members(configuration_from_json(groups(enabled=False), version=1))  # type: ignore[arg-type]
    assert not maps_members(configuration())
