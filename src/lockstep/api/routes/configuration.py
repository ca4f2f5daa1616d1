"""Mappings, attribute lists, scope and settings."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import Field
from typing_extensions import TypedDict

from lockstep.actions import mappings, mappings_attributes, settings
from lockstep.actions.context import Context
from lockstep.actions.rows.configuration import (
    FindingJson,
    MappedValueJson,
    ScopeCountsJson,
    ScopeDecisionJson,
    SettingsJson,
    finding_json,
    mapped_values_json,
    scope_counts_json,
    scope_decision_json,
    settings_json,
)
from lockstep.actions.settings_view import SettingsView
from lockstep.api.changes import Consenting, Effects, changed
from lockstep.api.conditions import IfMatch, Unchanged, tagged
from lockstep.api.door import Asked, router_of
from lockstep.api.shapes import KINDS, AppName, Body, KindName, Name, Text
from lockstep.configuration.rules import Scope
from lockstep.engine.rules.configuration import MOST_CREATES_PER_REQUEST
from lockstep.engine.rules.durations import parse_duration, print_duration
from lockstep.engine.rules.target_attributes import AttributeType
from lockstep.errors import invalid

router = router_of("Configuration")
OfKind = Annotated[KindName, Query(description="Mappings of people or of groups")]
FilterList = Annotated[list[dict[str, Any]], Field(max_length=100)]
TargetPath = Annotated[str, Query(description="The target attribute", max_length=400, examples=["userName"])]


class ScopeJson(TypedDict):
    application: str
    scope: str
    scopingFilters: list[dict[str, Any]]


class MappingChange(Body):
    """Changes of one mapping. Omitted fields keep their values; null removes a value. Give at most one of *source*, *expression* and
    *constant*.
    """

    source: Text | None = Field(None, examples=["jobTitle"])
    expression: Annotated[str, Field(max_length=20_000)] | None = None
    constant: Text | None = None
    default: Text | None = None
    match: Annotated[int, Field(ge=0, le=99)] | None = None
    apply: Text | None = None


class NewAttribute(Body):
    name: Name = Field(examples=["urn:example:1.0:User:badge"])
    type: AttributeType = AttributeType("String")
    multi_valued: bool = False


class NewScope(Body):
    """The new scope. Omitted fields keep their values. If the list of filters is empty, everybody in *scope* passes."""

    scoping_filters: FilterList | None = Field(
        None,
        examples=[[{"title": "Sales only", "all": [{"attribute": "department", "operator": "EQUALS", "value": "Sales"}]}]],
    )  # fmt: skip
    scope: Scope | None = None


class ScopeTrial(Body):
    """Filters and a scope to try. For omitted fields, the stored values are used."""

    scoping_filters: FilterList | None = None
    scope: Scope | None = None


class Trial(ScopeTrial):
    name: Name = Field(examples=["kim.berg@contoso.test"])


class SettingsChange(Body):
    """Changes of the settings. Omitted fields keep their values. *interval* is an ISO 8601 duration. A *deletionThreshold* of 0 switches
    the guard off; a *deletionThresholdPercent* of 0 switches off only the percentage. *notificationDelivery* is `immediate`, or `digest`
    for one mail a day; a quarantine and its end are always mailed at once.
    """

    mode: Text | None = None
    status: Text | None = Field(None, examples=["on"])
    scope: Text | None = Field(None, examples=["assigned"])
    notification_email: Text | None = None
    email_on_failure: bool | None = None
    notification_delivery: Text | None = Field(None, examples=["digest"])
    interval: Text | None = Field(None, examples=["PT40M"])
    nested_groups: bool | None = None
    deletion_threshold: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    deletion_threshold_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    members_per_patch: Annotated[int, Field(ge=1, le=1000)] | None = None
    creates_per_request: Annotated[int, Field(ge=1, le=MOST_CREATES_PER_REQUEST)] | None = None


@router.get("/applications/{app}/mappings")
async def read_mappings(context: Asked, request: Request, app: AppName, kind: OfKind = "user") -> list[dict[str, Any]]:
    """Return the mappings of one kind of object in their order, in the form of an application's configuration file."""
    return tagged(request, await _attributes(context, app, kind))


@router.patch("/applications/{app}/mappings")
async def set_mapping(
    context: Asked, unchanged: Unchanged, consent: Consenting, app: AppName, target: TargetPath, body: MappingChange, kind: OfKind = "user"
) -> Effects[list[dict[str, Any]]]:  # fmt: skip
    """Add or change the mapping of one target attribute. The result is the whole list."""
    return await changed(context, consent, _mapping_work(unchanged, app, target, changes_of(body), kind))


@router.delete("/applications/{app}/mappings")
async def remove_mapping(
    context: Asked, unchanged: Unchanged, consent: Consenting, app: AppName, target: TargetPath, kind: OfKind = "user"
) -> Effects[list[dict[str, Any]]]:
    """Remove the mapping of one target attribute. Values in the application are kept."""
    return await changed(context, consent, _mapping_work(unchanged, app, target, None, kind))


def changes_of(body: MappingChange) -> dict[str, Any]:
    """Return the changes in *body*. Raises LockstepError if there are none, or more than one of *source*, *expression* and *constant*."""
    given = body.model_dump(exclude_unset=True, include=set(MappingChange.model_fields))
    if len({"source", "expression", "constant"} & {key for key, value in given.items() if value is not None}) > 1:
        raise invalid("Use only one of source, expression and constant")
    if not given:
        raise invalid("The body contains no change")
    return given


def _mapping_work(unchanged: IfMatch, app: str, target: str, changes: dict[str, Any] | None, kind: KindName) -> Any:
    async def work(inner: Context) -> list[dict[str, Any]]:
        await settings.set_mapping(inner, app, target, changes, kind=KINDS[kind])
        return await _attributes(inner, app, kind)

    return unchanged.matched(lambda inner: _attributes(inner, app, kind), work)


@router.get("/applications/{app}/mappings/findings")
async def lint_mappings(context: Asked, app: AppName) -> list[FindingJson]:
    """List mistakes and probable mistakes in the mappings and filters."""
    return [finding_json(one) for one in await mappings.lint_mappings(context, app)]


@router.get("/applications/{app}/mappings/values")
async def evaluate_mappings(
    context: Asked, app: AppName, user: Annotated[str, Query(max_length=400)], updating: bool = False
) -> list[MappedValueJson]:
    """Return the values that the mappings produce for a person now. The application is not contacted."""
    targets = [str(one["target"]) for one in await _attributes(context, app, "user")]
    mapped = await mappings_attributes.evaluate_mappings(context, app, user, creating=not updating)
    return mapped_values_json(mapped, targets)


@router.get("/applications/{app}/attributes")
async def list_attributes(
    context: Asked, request: Request, app: AppName, kind: OfKind = "user", discover: bool = False
) -> list[dict[str, Any]]:
    """Return the attribute list of the application. With *discover*, return the list that the application publishes at `/Schemas`."""
    if discover:
        return await mappings_attributes.discover_attributes(context, app, KINDS[kind])
    return tagged(request, await mappings_attributes.list_attributes(context, app, KINDS[kind]))


@router.post("/applications/{app}/attributes")
async def add_attribute(
    context: Asked, app: AppName, body: NewAttribute, kind: OfKind = "user"
) -> list[dict[str, Any]]:
    """Add an attribute to the list, or change its type. The result is the whole list."""
    await mappings_attributes.add_attribute(
        context, app, body.name, KINDS[kind], type_=body.type, multi_valued=body.multi_valued
    )
    return await mappings_attributes.list_attributes(context, app, KINDS[kind])


@router.delete("/applications/{app}/attributes")
async def remove_attribute(
    context: Asked,
    unchanged: Unchanged,
    app: AppName,
    name: Annotated[str, Query(max_length=400)],
    kind: OfKind = "user",
) -> list[dict[str, Any]]:
    """Remove an attribute from the list. Mappings that write the attribute are kept. The result is the whole list."""

    async def read(inner: Context) -> list[dict[str, Any]]:
        return await mappings_attributes.list_attributes(inner, app, KINDS[kind])

    async def work(inner: Context) -> list[dict[str, Any]]:
        await mappings_attributes.remove_attribute(inner, app, name, KINDS[kind])
        return await read(inner)

    return await unchanged.matched(read, work)(context)


@router.get("/applications/{app}/scope")
async def show_scope(context: Asked, request: Request, app: AppName, kind: OfKind = "user") -> ScopeJson:
    return tagged(request, await _scope(context, app, kind))


@router.put("/applications/{app}/scope")
async def set_scope(
    context: Asked, unchanged: Unchanged, consent: Consenting, app: AppName, body: NewScope, kind: OfKind = "user"
) -> Effects[ScopeJson]:
    """Replace the scoping filters, the scope, or both. Requires If-Match."""

    async def work(inner: Context) -> ScopeJson:
        async with inner.together() as one:
            if body.scope is not None:
                await settings.change_settings(one, app, scope=body.scope.value)
            if body.scoping_filters is not None:
                await settings.set_scope(one, app, body.scoping_filters, kind=KINDS[kind])
            return await _scope(one, app, kind)

    return await changed(
        context, consent, unchanged.matched(lambda inner: _scope(inner, app, kind), work, is_needed=True)
    )


@router.post("/applications/{app}/scope/count")
async def count_scope(context: Asked, app: AppName, body: ScopeTrial) -> ScopeCountsJson:
    """Count the people in scope, and those who would lose an account. Nothing is stored."""
    return scope_counts_json(
        app, await mappings.count_scope(context, app, filters=body.scoping_filters, scope=body.scope)
    )


@router.post("/applications/{app}/scope/test")
async def test_scope(context: Asked, app: AppName, body: Trial, kind: OfKind = "user") -> ScopeDecisionJson:
    """Test whether one person or group is in scope, clause by clause. Nothing is stored."""
    name, decision = await mappings.decide_for(
        context, app, body.name, kind=KINDS[kind], filters=body.scoping_filters, scope=body.scope
    )
    return scope_decision_json(name, decision)


@router.get("/applications/{app}/settings")
async def show_settings(context: Asked, request: Request, app: AppName) -> SettingsJson:
    return tagged(request, await settings_of(context, app))


@router.patch("/applications/{app}/settings")
async def change_settings(
    context: Asked, unchanged: Unchanged, consent: Consenting, app: AppName, body: SettingsChange
) -> Effects[SettingsJson]:
    given = body.model_dump(exclude_none=True)
    if "interval" in given:
        try:
            given["interval"] = parse_duration(given["interval"])
        except (ValueError, OverflowError):
            raise invalid(f'"{body.interval}" is not an ISO 8601 duration', next_step="For example: PT40M") from None
    if "deletion_threshold_percent" in given:
        given["deletion_percent"] = given.pop("deletion_threshold_percent")

    async def work(inner: Context) -> SettingsJson:
        return _settings(await settings.change_settings(inner, app, **given))

    return await changed(context, consent, unchanged.matched(lambda inner: settings_of(inner, app), work))


async def settings_of(context: Context, app: str) -> SettingsJson:
    return _settings(await settings.show_settings(context, app))


async def _attributes(context: Context, app: str, kind: KindName) -> list[dict[str, Any]]:
    wanted = KINDS[kind].value
    return [
        one
        for mapping in await mappings.read_mappings(context, app)
        if mapping["source"] == wanted
        for one in mapping.get("attributes", [])
    ]


async def _scope(context: Context, app: str, kind: KindName) -> ScopeJson:
    scope, filters = await settings.show_scope(context, app, kind=KINDS[kind])
    return {"application": app, "scope": scope, "scopingFilters": filters}


def _settings(view: SettingsView) -> SettingsJson:
    return settings_json(view, interval=print_duration(view.interval) if view.interval else None)
