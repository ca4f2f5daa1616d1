"""Change a whole mapping: its name, whether it is enabled, and which operations it may do. Also restore the default mapping, and import a
schema.

Each change creates a new version of the configuration, after which everybody is re-evaluated.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import deepcopy
from typing import Any

import orjson

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.jobs import job_row
from lockstep.actions.mappings import SOURCE_NAMES
from lockstep.actions.permissions import Permission
from lockstep.actions.settings import change_configuration, set_mapping
from lockstep.configuration.document.mapping_json import ACTIONS
from lockstep.configuration.entra.schema import import_schema
from lockstep.configuration.findings import Finding
from lockstep.engine.records import ObjectKind
from lockstep.errors import invalid, not_found

ACTIVITY = "Update attribute mappings or scope"
_OURS = ("privileged", "redact", "drift")  # properties of an attribute that Entra's schema does not have


@needs(Permission.CONFIGURATION_WRITE, app="app")
async def set_object_mapping(
    context: Context, app: str, kind: ObjectKind, *, name: str, is_enabled: bool, actions: Collection[str]
) -> None:
    """Set the name of a mapping, whether it is enabled, and which of the operations create, update and delete it may do. Raises
    LockstepError if the name is empty.
    """
    if not name.strip():
        raise invalid("A mapping needs a name", next_step="Enter a name")
    allowed = [one for one in ACTIONS if one in actions]

    def changed(config: dict[str, Any]) -> None:
        _mapping(config, kind).update(name=name.strip(), enabled=is_enabled, actions=allowed)

    await change_configuration(context, app, changed, activity=ACTIVITY)


@needs(Permission.CONFIGURATION_WRITE, app="app")
async def move_mapping(
    context: Context, app: str, old: str, target: str, changes: Mapping[str, Any], *, kind: ObjectKind
) -> None:
    """Let the mapping of the attribute *old* write the attribute *target* instead, and apply *changes* to the mapping. Values that were
    already written to *old* stay in the application.

    Raises LockstepError if *old* and *target* are the same attribute, because the mapping would then be lost.
    """
    if old.lower() == target.lower():
        raise invalid(f"The mapping writes {target} already", next_step="Name another attribute, or change the mapping")
    async with context.together() as inner:
        await set_mapping(inner, app, target, changes, kind=kind)
        await set_mapping(inner, app, old, None, kind=kind)


@needs(Permission.CONFIGURATION_WRITE, app="app")
async def restore_default_mappings(context: Context, app: str, kind: ObjectKind) -> None:
    """Replace the mapping of one kind of object by the mapping of the gallery entry, including its scoping filters and its attribute list.

    Raises LockstepError if the gallery entry has no mapping for this kind.
    """
    async with context.reading() as connection:
        template = (await job_row(connection, app)).template
    entry = context.gallery.template(template)
    default = next((one for one in entry.provisioning["mappings"] if one["source"] == kind), None)
    if default is None:
        raise not_found(f"The gallery entry {entry.display_name} has no default mapping for {kind.lower()}s")

    def changed(config: dict[str, Any]) -> None:
        mappings = config["mappings"]
        mappings[mappings.index(_mapping(config, kind))] = deepcopy(dict(default))

    await change_configuration(context, app, changed, activity="Restore default mappings")


@needs(Permission.CONFIGURATION_WRITE, app="app")
async def import_entra_schema(context: Context, app: str, text: str) -> list[Finding]:
    """Replace all mappings by those of a synchronization schema in Entra's JSON format. Returns findings about parts that had to be changed
    or left out.

    An attribute that was mapped before keeps the settings that Entra's schema cannot express: privileged values, redaction and drift.
    Raises LockstepError if *text* is not a schema.
    """
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise invalid(f"Line {error.lineno}, column {error.colno}: this is not valid JSON: {error.msg}") from None
    found = import_schema(document, SOURCE_NAMES)
    if not found.provisioning["mappings"]:
        raise invalid(
            "The schema has no mappings",
            next_step="Paste a schema in the format of Microsoft Graph, with synchronizationRules",
        )

    def changed(config: dict[str, Any]) -> None:
        before = {
            (mapping.get("source", ObjectKind.USER), one["target"].lower()): one
            for mapping in config.get("mappings", [])
            for one in mapping.get("attributes", [])
        }
        for mapping in found.provisioning["mappings"]:
            for one in mapping["attributes"]:
                known = before.get((mapping["source"], one["target"].lower()), {})
                one.update({key: known[key] for key in _OURS if key in known and key not in one})
        config.update(found.provisioning)

    await change_configuration(context, app, changed, activity="Import synchronization schema")
    return found.findings


def _mapping(config: dict[str, Any], kind: ObjectKind) -> dict[str, Any]:
    for mapping in config.get("mappings", []):
        if mapping.get("source", ObjectKind.USER) == kind:
            return mapping  # type: ignore[no-any-return]  # the caller changes this part of the document in place
    raise not_found(f"The application's configuration has no mapping for {kind.lower()}s")
