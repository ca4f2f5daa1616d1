"""The mapping of one kind of object as a whole, trials of a mapping that is not saved, and previews of a change, as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typing_extensions import TypedDict

from lockstep.actions.change_preview import ChangePreview
from lockstep.actions.mapping_pages import MappingView, TriedValue
from lockstep.actions.rows.configuration import FindingJson, finding_json
from lockstep.configuration.document.mapping_json import ACTIONS


class ObjectMappingJson(TypedDict):
    """*kind* is `user` or `group`. *actions* are the operations that the mapping may do: create, update, delete. *findings* are mistakes
    and probable mistakes. If *hasDefaults* is true, the application's gallery entry has a mapping of this kind, which can be restored.
    """

    application: str
    kind: str
    name: str
    isEnabled: bool
    actions: list[str]
    attributes: Sequence[Mapping[str, Any]]
    scopingFilters: Sequence[Mapping[str, Any]]
    findings: list[FindingJson]
    hasDefaults: bool


class TriedValueJson(TypedDict):
    """*value* is the value that the mapping would give. If there is none, *note* or *error* says why."""

    name: str
    displayName: str
    value: Any
    note: str
    error: str


class ForeseenValueJson(TypedDict):
    """The value of one attribute before and after the change, as text. *old* is "" if no current value is known."""

    attribute: str
    old: str
    new: str


class ForeseenObjectJson(TypedDict):
    """One person or group whose account the change affects. Only the first few objects of each action have *values*. *reason* says why the
    object cannot be provisioned; "" if it can be provisioned.
    """

    name: str
    values: list[ForeseenValueJson]
    reason: str


class ForeseenActionJson(TypedDict):
    """The people and groups that the change affects in the same way. *action* is `create`, `enable`, `update`, `disable`, `delete`,
    `release` (the account stays, but is no longer managed) or `refuse` (the object cannot be provisioned). *count* counts all of these
    people and groups; *objects* contains the first of them.
    """

    action: str
    count: int
    objects: list[ForeseenObjectJson]


class ChangePreviewJson(TypedDict):
    """The effects of a change of the configuration. *evaluated* counts the people and groups that were planned. *unchanged* counts those of
    them that the change does not affect.
    """

    evaluated: int
    unchanged: int
    actions: list[ForeseenActionJson]


def object_mapping_json(view: MappingView) -> ObjectMappingJson:
    findings = [*view.findings, *(one for some in view.by_target.values() for one in some)]
    return {
        "application": view.app,
        "kind": view.kind.lower(),
        "name": view.mapping.name,
        "isEnabled": view.mapping.enabled,
        "actions": [one for one in ACTIONS if one in view.mapping.actions],
        "attributes": view.rows,
        "scopingFilters": view.filters,
        "findings": [finding_json(one) for one in findings],
        "hasDefaults": view.has_defaults,
    }


def tried_value_json(one: TriedValue) -> TriedValueJson:
    return {
        "name": one.name,
        "displayName": one.display,
        "value": one.value,
        "note": one.note,
        "error": one.error,
    }


def change_preview_json(found: ChangePreview) -> ChangePreviewJson:
    return {
        "evaluated": found.evaluated,
        "unchanged": found.unchanged,
        "actions": [
            {
                "action": action.action.value,
                "count": action.total,
                "objects": [
                    {
                        "name": one.name,
                        "values": [{"attribute": each.path, "old": each.old, "new": each.new} for each in one.values],
                        "reason": one.reason,
                    }
                    for one in action.objects
                ],
            }
            for action in found.actions
        ],
    }
