"""The results of a search, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import TypedDict

from lockstep.actions.search import ApplicationHit, Found, GroupHit, PersonHit


class FoundPersonJson(TypedDict):
    id: str
    displayName: str
    userPrincipalName: str
    department: str
    accountEnabled: bool
    isDeleted: bool


class FoundGroupJson(TypedDict):
    """*members* counts the members."""

    id: str
    displayName: str
    members: int


class FoundApplicationJson(TypedDict):
    id: str
    name: str
    displayName: str


class SearchAnswerJson(TypedDict):
    """The person and the application that a question is about. *explanation* is the address with the answer."""

    user: str
    application: str
    explanation: str


class SearchJson(TypedDict):
    """The first matches of each kind. *isMore* is true if more people match than are listed. *logs* have the form of the provisioning log.

    *answer* is null unless the text names exactly one person and one application.
    """

    isQuestion: bool
    people: list[FoundPersonJson]
    isMore: bool
    groups: list[FoundGroupJson]
    applications: list[FoundApplicationJson]
    logs: Sequence[Mapping[str, Any]]
    answer: SearchAnswerJson | None


def search_json(found: Found, logs: Sequence[Mapping[str, Any]], answer: SearchAnswerJson | None) -> SearchJson:
    """Return the results as JSON. *logs* are the records that were found, already in the form of the provisioning log."""
    return {
        "isQuestion": found.query.is_question,
        "people": [_person(one) for one in found.people],
        "isMore": found.is_more,
        "groups": [_group(one) for one in found.groups],
        "applications": [_application(one) for one in found.applications],
        "logs": logs,
        "answer": answer,
    }


def _person(one: PersonHit) -> FoundPersonJson:
    return {
        "id": one.id,
        "displayName": one.display,
        "userPrincipalName": one.user_principal_name,
        "department": one.department,
        "accountEnabled": one.account_enabled,
        "isDeleted": one.deleted_at is not None,
    }


def _group(one: GroupHit) -> FoundGroupJson:
    return {"id": one.id, "displayName": one.display_name, "members": one.members}


def _application(one: ApplicationHit) -> FoundApplicationJson:
    return {"id": one.id, "name": one.name, "displayName": one.display_name}
