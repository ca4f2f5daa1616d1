"""People and groups, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import TypedDict

from lockstep.actions.group_pages import MemberRow
from lockstep.actions.group_rules import RuleEffect
from lockstep.actions.groups import GroupRow, GroupView
from lockstep.actions.people import PersonRow, PersonView
from lockstep.actions.rows.times import iso, iso_time
from lockstep.directory.attributes import DirectoryAttribute

_MOST_NAMED = 1000


class PersonJson(TypedDict):
    id: str
    userPrincipalName: str
    displayName: str
    mail: str | None
    department: str | None
    jobTitle: str | None
    accountEnabled: bool
    source: str
    deletedAt: str | None


class NamedGroupJson(TypedDict):
    id: str
    displayName: str


class GrantJson(TypedDict):
    application: str
    role: str


class StandingJson(TypedDict):
    application: str
    assigned: list[str]
    everybodyInScope: bool
    account: str
    accountId: str
    isHeld: bool


class HistoryJson(TypedDict):
    at: str
    what: str
    changed: list[str]
    actor: str


class PersonDetailsJson(PersonJson):
    attributes: Mapping[str, Any]
    manager: str | None
    groups: list[NamedGroupJson]
    assignments: list[GrantJson]
    applications: list[StandingJson]
    history: list[HistoryJson]


class AttributeJson(TypedDict):
    name: str
    type: str
    maxLength: int | None


class GroupJson(TypedDict):
    id: str
    displayName: str
    description: str | None
    source: str
    membershipType: str
    membershipRule: Sequence[Mapping[str, Any]] | None
    deletedAt: str | None


class CountedGroupJson(GroupJson):
    members: int


class MemberJson(TypedDict):
    id: str
    kind: str
    name: str
    isDeleted: bool


class GroupDetailsJson(GroupJson):
    members: list[MemberJson]
    assignments: list[GrantJson]


class GroupMemberJson(TypedDict):
    """A direct member. *userPrincipalName* is "" for a group."""

    id: str
    kind: str
    displayName: str
    userPrincipalName: str
    accountEnabled: bool
    isDeleted: bool


class RuleEffectJson(TypedDict):
    group: str
    members: int
    joiners: list[str]
    leavers: list[str]
    joinersCount: int
    leaversCount: int


def person_json(person: PersonRow) -> PersonJson:
    attributes = person.attributes
    return {
        "id": person.id,
        "userPrincipalName": person.user_principal_name,
        "displayName": person.display,
        "mail": attributes.get("mail"),
        "department": attributes.get("department"),
        "jobTitle": attributes.get("jobTitle"),
        "accountEnabled": person.account_enabled,
        "source": person.source,
        "deletedAt": iso(person.deleted_at),
    }


def person_details_json(view: PersonView) -> PersonDetailsJson:
    return {
        **person_json(view.person),
        "attributes": dict(view.person.attributes),
        "manager": view.manager.user_principal_name if view.manager else None,
        "groups": [{"id": group, "displayName": name} for group, name in view.groups],
        "assignments": [{"application": one.app_name, "role": one.role_name} for one in view.assignments],
        "applications": [
            {
                "application": one.app,
                "assigned": list(one.ways),
                "everybodyInScope": one.in_everybodys_scope,
                "account": one.account,
                "accountId": one.account_id,
                "isHeld": one.is_held,
            }
            for one in view.applications
        ],
        "history": [
            {"at": iso_time(one.at), "what": one.what, "changed": list(one.changed), "actor": one.actor}
            for one in view.history
        ],
    }


def attribute_json(one: DirectoryAttribute) -> AttributeJson:
    return {"name": one.name, "type": one.type.value, "maxLength": one.max_length}


def group_json(group: GroupRow) -> GroupJson:
    return {
        "id": group.id,
        "displayName": group.display_name,
        "description": group.attributes.get("description"),
        "source": group.source,
        "membershipType": "dynamic" if group.is_dynamic else "assigned",
        "membershipRule": group.rule,
        "deletedAt": iso(group.deleted_at),
    }


def counted_group_json(group: GroupRow, members: int) -> CountedGroupJson:
    return {**group_json(group), "members": members}


def member_json(one: Mapping[str, Any]) -> MemberJson:
    return {"id": one["id"], "kind": one["kind"], "name": one["name"], "isDeleted": one["is_deleted"]}


def group_details_json(view: GroupView) -> GroupDetailsJson:
    return {
        **group_json(view.group),
        "members": [member_json(one) for one in view.members],
        "assignments": [{"application": one.app_name, "role": one.role_name} for one in view.assignments],
    }


def group_member_json(one: MemberRow) -> GroupMemberJson:
    return {
        "id": one.id,
        "kind": one.kind,
        "displayName": one.name,
        "userPrincipalName": one.detail,
        "accountEnabled": one.account_enabled,
        "isDeleted": one.is_deleted,
    }


def rule_effect_json(group: str, effect: RuleEffect) -> RuleEffectJson:
    """Return the effect of a rule as JSON. The JSON lists at most 1,000 people who join and at most 1,000 people who leave. The counts are
    complete.
    """
    return {
        "group": group,
        "members": effect.members,
        "joiners": list(effect.joiners.values())[:_MOST_NAMED],
        "leavers": list(effect.leavers.values())[:_MOST_NAMED],
        "joinersCount": len(effect.joiners),
        "leaversCount": len(effect.leavers),
    }
