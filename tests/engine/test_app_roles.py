"""Application roles: the manifest, and which of several assignments counts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lockstep.configuration.document.manifest import roles_from_manifest
from lockstep.configuration.rules import ConfigurationError
from lockstep.engine.decisions.source_record import source_record
from lockstep.engine.records import DEFAULT_ACCESS, AppRole, Assignment, ObjectKind, SourceObject
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.engine.rules.roles import order_assignments, roles_of
from tests.engine.decision_cases import ADMIN, MEMBER

ROLES = (ADMIN, MEMBER)


def manifest_entry(role: AppRole) -> dict[str, Any]:
    return {"id": role.id, "displayName": role.display_name, "isEnabled": role.is_enabled, "value": role.value}


def test_order_of_the_role_list_is_the_precedence() -> None:
    default, member, admin = Assignment(DEFAULT_ACCESS), Assignment(MEMBER.id), Assignment(ADMIN.id, "g", "Admins")

    assert order_assignments([default, member, admin], ROLES) == (admin, member, default)
    assert order_assignments([default, member, admin], (MEMBER, ADMIN)) == (member, admin, default)


def test_direct_assignment_comes_before_an_inherited_one() -> None:
    inherited, direct = Assignment(MEMBER.id, "g", "All"), Assignment(MEMBER.id)

    assert order_assignments([inherited, direct], ROLES) == (direct, inherited)


def test_each_role_is_seen_once_and_default_access_is_none() -> None:
    several = (
        Assignment(MEMBER.id, "g", "All"),
        Assignment(MEMBER.id),
        Assignment(DEFAULT_ACCESS),
        Assignment(ADMIN.id),
    )

    assert [role["value"] for role in roles_of(several, ROLES)] == ["Admin", "Member"]


def test_disabled_role_is_sent_to_no_application() -> None:
    roles = (replace(ADMIN, is_enabled=False), MEMBER)
    configuration = JobConfiguration(version=0, roles=roles)

    assert [role["value"] for role in roles_of((Assignment(ADMIN.id), Assignment(MEMBER.id)), roles)] == ["Member"]
    for held in ((Assignment(ADMIN.id),), (Assignment(ADMIN.id), Assignment(DEFAULT_ACCESS))):
        anna = SourceObject(ObjectKind.USER, "1", "anna", {}, assignments=held)
        assert source_record(anna, configuration, is_soft_deleted=False)["appRoleAssignments"] == ()


def test_role_that_no_longer_exists_is_no_role() -> None:
    assert roles_of((Assignment("00000000-0000-4000-8000-00000000dead"),), ROLES) == ()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"id": "1"}, "appRoles[0].id"),
        ({"id": DEFAULT_ACCESS}, "appRoles[0].id"),
        ({"displayName": ""}, "appRoles[0].displayName"),
        ({"value": "x" * 121}, "appRoles[0].value"),
        ({"isEnabled": "yes"}, "appRoles[0].isEnabled"),
    ],
)
def test_role_that_cannot_be_used_is_refused(change: dict[str, Any], place: str) -> None:
    entry = manifest_entry(ADMIN)

    with pytest.raises(ConfigurationError) as raised:
        roles_from_manifest([entry | change])

    assert raised.value.place == place


@pytest.mark.parametrize("other", [AppRole(ADMIN.id, "Other", "Other"), AppRole(MEMBER.id, "ADMIN", "Other")])
def test_two_roles_may_not_share_id_or_value(other: AppRole) -> None:
    with pytest.raises(ConfigurationError, match=r"appRoles\[1\]"):
        roles_from_manifest([manifest_entry(ADMIN), manifest_entry(other)])


def test_what_is_no_manifest_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="must be a list of roles"):
        roles_from_manifest({"roles": []})
