"""The mapping of one kind of object as a whole: its settings, the gallery's defaults, and Entra's schema. Also trials and previews of
mappings and filters that are not saved.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import orjson
from fastapi import Path, Request
from pydantic import Field

from lockstep.actions import change_preview, mapping_changes, mapping_pages, mappings, settings
from lockstep.actions.configuration import plan_configuration
from lockstep.actions.configuration_apply import apply_configuration
from lockstep.actions.context import Context
from lockstep.actions.rows.configuration import FindingJson, finding_json
from lockstep.actions.rows.object_mappings import (
    ChangePreviewJson,
    ObjectMappingJson,
    TriedValueJson,
    change_preview_json,
    object_mapping_json,
    tried_value_json,
)
from lockstep.api.changes import Consenting, Effects, changed
from lockstep.api.conditions import Unchanged, tagged
from lockstep.api.door import Asked, router_of
from lockstep.api.routes.configuration import FilterList, MappingChange, OfKind, TargetPath, changes_of
from lockstep.api.routes.configuration_files import Files, documents_in
from lockstep.api.shapes import KINDS, AppName, Body, KindName, Name

router = router_of("Configuration")
MappedKindName = Annotated[KindName, Path(description="Mappings of people or of groups")]
MappingAction = Literal["create", "update", "delete"]


class ObjectMappingChange(Body):
    """Omitted fields keep their values."""

    name: Name | None = None
    is_enabled: bool | None = Field(None, examples=[True])
    actions: Annotated[list[MappingAction], Field(max_length=3)] | None = None


class MappingTrial(MappingChange):
    """A mapping to try for these people or groups."""

    names: Annotated[list[Name], Field(min_length=1, max_length=20)] = Field(examples=[["kim.berg@contoso.test"]])


class FiltersTrial(Body):
    scoping_filters: FilterList = Field(
        examples=[[{"title": "Sales only", "all": [{"attribute": "department", "operator": "EQUALS", "value": "Sales"}]}]]
    )  # fmt: skip


@router.get("/applications/{app}/object-mappings")
async def list_object_mappings(context: Asked, request: Request, app: AppName) -> list[ObjectMappingJson]:
    """List the mappings, one for each kind of object, with the mistakes and probable mistakes in each."""
    found = await _mappings(context, app)
    return tagged(request, found, state=[_lasting(one) for one in found])


@router.get("/applications/{app}/object-mappings/{kind}")
async def show_object_mapping(
    context: Asked, request: Request, app: AppName, kind: MappedKindName
) -> ObjectMappingJson:
    found = await _mapping(context, app, kind)
    return tagged(request, found, state=_lasting(found))


@router.patch("/applications/{app}/object-mappings/{kind}")
async def change_object_mapping(
    context: Asked, unchanged: Unchanged, consent: Consenting, app: AppName, kind: MappedKindName, body: ObjectMappingChange
) -> Effects[ObjectMappingJson]:  # fmt: skip
    """Change the name of a mapping, enable or disable it, or change which operations it may do."""

    async def work(inner: Context) -> ObjectMappingJson:
        async with inner.together() as one:
            before = (await mapping_pages.show_mapping(one, app, KINDS[kind])).mapping
            await mapping_changes.set_object_mapping(
                one, app, KINDS[kind],
                name=before.name if body.name is None else body.name,
                is_enabled=before.enabled if body.is_enabled is None else body.is_enabled,
                actions=before.actions if body.actions is None else body.actions,
            )  # fmt: skip
            return await _mapping(one, app, kind)

    return await changed(context, consent, unchanged.matched(lambda inner: _state(inner, app, kind), work))


@router.post("/applications/{app}/object-mappings/{kind}/restore")
async def restore_default_mapping(
    context: Asked, unchanged: Unchanged, consent: Consenting, app: AppName, kind: MappedKindName
) -> Effects[ObjectMappingJson]:
    """Replace a mapping, with its scoping filters and attribute list, by the default mapping of the application's gallery entry."""

    async def work(inner: Context) -> ObjectMappingJson:
        async with inner.together() as one:
            await mapping_changes.restore_default_mappings(one, app, KINDS[kind])
            return await _mapping(one, app, kind)

    return await changed(context, consent, unchanged.matched(lambda inner: _state(inner, app, kind), work))


@router.post("/applications/{app}/mappings/move")
async def move_mapping(
    context: Asked, unchanged: Unchanged, consent: Consenting, app: AppName, target: TargetPath, to: TargetPath,
    body: MappingChange, kind: OfKind = "user",
) -> Effects[ObjectMappingJson]:  # fmt: skip
    """Let the mapping of the attribute *target* write the attribute *to* instead, with the changes in the body. Values that the application
    already has in *target* are kept.
    """
    changes = changes_of(body)

    async def work(inner: Context) -> ObjectMappingJson:
        async with inner.together() as one:
            await mapping_changes.move_mapping(one, app, target, to, changes, kind=KINDS[kind])
            return await _mapping(one, app, kind)

    return await changed(context, consent, unchanged.matched(lambda inner: _state(inner, app, kind), work))


@router.post("/applications/{app}/mappings/try")
async def try_mapping(
    context: Asked, app: AppName, target: TargetPath, body: MappingTrial, kind: OfKind = "user"
) -> list[TriedValueJson]:
    """Show which value a mapping would give each of these people or groups. Nothing is stored."""
    changes = changes_of(body)
    tried = await mapping_pages.try_mapping(context, app, KINDS[kind], target, changes, body.names)
    return [tried_value_json(one) for one in tried]


@router.post("/applications/{app}/mappings/preview")
async def preview_mapping(
    context: Asked, app: AppName, target: TargetPath, body: MappingChange, kind: OfKind = "user"
) -> ChangePreviewJson:
    """Show the people and groups whose accounts would be created, updated or disabled by a change of a mapping, with the new values for the
    first of them. Nothing is stored, and the application is not contacted.
    """
    changes = changes_of(body)

    async def work(inner: Context) -> object:
        return await settings.set_mapping(inner, app, target, changes, kind=KINDS[kind])

    return change_preview_json(await change_preview.preview_change(context, app, work))


@router.post("/applications/{app}/configuration/preview", tags=["Configuration as code"])
async def preview_configuration(context: Asked, app: AppName, body: Files) -> ChangePreviewJson:
    """Show the people and groups whose accounts in one application would be created, updated or disabled if these documents were applied,
    with the new values for the first of them. Nothing is stored, and the application is not contacted.
    """
    documents = await documents_in(body.yaml)

    async def work(inner: Context) -> object:
        found = await plan_configuration(inner, documents, prune=body.prune)
        return await apply_configuration(inner, documents, prune=body.prune, most_removals=len(found.changes))

    return change_preview_json(await change_preview.preview_change(context, app, work))


@router.post("/applications/{app}/scope/findings")
async def lint_filters(context: Asked, app: AppName, body: FiltersTrial, kind: OfKind = "user") -> list[FindingJson]:
    """List mistakes and probable mistakes in scoping filters that are not saved."""
    return [finding_json(one) for one in await mappings.lint_filters(context, app, KINDS[kind], body.scoping_filters)]


@router.put("/applications/{app}/schema", tags=["Configuration as code"])
async def import_entra_schema(
    context: Asked, unchanged: Unchanged, consent: Consenting, app: AppName, body: dict[str, Any]
) -> Effects[list[FindingJson]]:
    """Replace all mappings and scoping filters by those of an Entra synchronization schema. Requires If-Match with the ETag of
    `/applications/{app}/object-mappings`. The result lists what had to be changed or left out.
    """
    text = orjson.dumps(body).decode()

    async def work(inner: Context) -> list[FindingJson]:
        return [finding_json(one) for one in await mapping_changes.import_entra_schema(inner, app, text)]

    async def read(inner: Context) -> list[dict[str, Any]]:
        return [_lasting(one) for one in await _mappings(inner, app)]

    return await changed(context, consent, unchanged.matched(read, work, is_needed=True))


async def _mapping(context: Context, app: str, kind: KindName) -> ObjectMappingJson:
    return object_mapping_json(await mapping_pages.show_mapping(context, app, KINDS[kind]))


async def _mappings(context: Context, app: str) -> list[ObjectMappingJson]:
    kinds = await mapping_pages.kinds_of(context, app)
    return [object_mapping_json(await mapping_pages.show_mapping(context, app, kind)) for kind in kinds]


async def _state(context: Context, app: str, kind: KindName) -> dict[str, Any]:
    return _lasting(await _mapping(context, app, kind))


def _lasting(found: ObjectMappingJson) -> dict[str, Any]:
    """Return the part that the ETag identifies. It leaves out the findings, which also depend on the responses of the application."""
    return {name: value for name, value in found.items() if name != "findings"}
