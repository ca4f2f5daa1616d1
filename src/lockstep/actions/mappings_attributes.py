"""The attributes that mappings may write. They come from the gallery, from the application's own description, or from an administrator.

Discovering adds reported attributes to the list, so that mappings write them with the right type. It never changes an entry that an
administrator made.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lockstep.actions.access import needs, needs_also
from lockstep.actions.connection import settings_of_target
from lockstep.actions.context import Context
from lockstep.actions.jobs import new_services, read_job
from lockstep.actions.lookup import find_application, find_person
from lockstep.actions.permissions import Permission
from lockstep.actions.settings import change_configuration
from lockstep.configuration.document.mapping_json import attribute_facts, attribute_to_json
from lockstep.configuration.rules import manager_attributes
from lockstep.directory.objects import read_objects
from lockstep.engine.decisions.mapping import map_account
from lockstep.engine.decisions.prepare import prepare
from lockstep.engine.decisions.steps import REDACTED
from lockstep.engine.plans import MappedAccount
from lockstep.engine.records import ObjectKind
from lockstep.engine.rules.target_attributes import AttributeType, TargetAttribute, attribute_named, is_declared
from lockstep.errors import not_found

ACTIVITY = "Update attribute list"


@needs(Permission.APPLICATIONS_READ, app="app")
async def list_attributes(context: Context, app: str, kind: ObjectKind) -> list[dict[str, Any]]:
    """Return the attributes of the gallery entry, the attribute list and the mappings. Each row contains the declared properties of one
    attribute, such as its type, and says whether a mapping writes the attribute.
    """
    async with context.reading() as connection:
        job = await read_job(context, connection, app)
        template = (await find_application(connection, app)).template
    declared = context.gallery.template(template).attributes.get(kind, ())
    mappings = [mapping for mapping in job.configuration.objects if mapping.source is kind]
    own = [attribute for mapping in mappings for attribute in mapping.attribute_list]
    mapped = {one.target: one for mapping in mappings for one in mapping.attributes}
    matching = {one.target for one in mapped.values() if one.match}
    found: dict[str, TargetAttribute] = {}
    for attribute in (
        *own,  # entries of the administrator or the application take precedence
        *declared,
        *(attribute_named(target, kind, is_matching=target in matching) for target in mapped),
    ):
        found.setdefault(attribute.name.lower(), attribute)
    in_order = dict.fromkeys([*(one.name.lower() for one in declared), *(target.lower() for target in mapped), *found])
    written = {target.lower() for target in mapped}
    return [_row(found[name], is_mapped=name in written) for name in in_order]


def _row(attribute: TargetAttribute, *, is_mapped: bool) -> dict[str, Any]:
    return attribute_facts(attribute) | {"mapped": is_mapped}


@needs(Permission.CONFIGURATION_WRITE, app="app")
async def discover_attributes(context: Context, app: str, kind: ObjectKind) -> list[dict[str, Any]]:
    """Return the attributes that the application publishes at `/Schemas`. Raises LockstepError if it publishes none.

    Attributes that are not in the SCIM schemas known to Lockstep are also added to the attribute list of the mapping, with their types.
    """
    context.refuse_rehearsal()
    await needs_also(context, Permission.CONNECTION_TEST, app=app)
    services = new_services(context)
    _, settings = await settings_of_target(context, services, app)
    known = {str(one["name"]).lower(): one for one in await list_attributes(context, app, kind)}
    found = await services.opener.discover(settings, kind)
    # Take over only how to write the value. An attribute that the application requires does not get a mapping automatically.
    own = [one for one in found if not is_declared(one.name, kind)]
    listed = [TargetAttribute(one.name, one.type, multi_valued=one.multi_valued) for one in own]

    def changed(config: dict[str, Any]) -> None:
        mapping = _mapping(config, kind)
        there = {str(one["name"]).lower() for one in mapping.get("attributeList", [])}
        new = [attribute_to_json(one) for one in listed if one.name.lower() not in there]
        if new:
            mapping["attributeList"] = [*mapping.get("attributeList", []), *new]

    await change_configuration(context, app, changed, activity=ACTIVITY)
    rows = []
    for one in found:
        listed_row = known.get(one.name.lower(), {})
        filterable = bool(listed_row.get("filterable"))  # SCIM schemas do not say which attributes can be filtered by
        rows.append(_row(replace(one, filterable=filterable), is_mapped=bool(listed_row.get("mapped"))))
    return rows


@needs(Permission.CONFIGURATION_WRITE, app="app")
async def add_attribute(
    context: Context, app: str, name: str, kind: ObjectKind, *, type_: AttributeType, multi_valued: bool = False
) -> None:
    """Add an attribute to the list, or change the type of an existing entry."""
    entry = attribute_to_json(replace(TargetAttribute(name), type=type_, multi_valued=multi_valued))

    def changed(config: dict[str, Any]) -> None:
        mapping = _mapping(config, kind)
        rest = [one for one in mapping.get("attributeList", []) if one["name"].lower() != name.lower()]
        mapping["attributeList"] = [*rest, entry]

    await change_configuration(context, app, changed, activity=ACTIVITY)


@needs(Permission.CONFIGURATION_WRITE, app="app")
async def remove_attribute(context: Context, app: str, name: str, kind: ObjectKind) -> None:
    """Remove an attribute from the list. A mapping that writes the attribute is kept."""

    def changed(config: dict[str, Any]) -> None:
        mapping = _mapping(config, kind)
        rest = [one for one in mapping.get("attributeList", []) if one["name"].lower() != name.lower()]
        if len(rest) == len(mapping.get("attributeList", [])):
            raise not_found(f"{name} is not on the list", next_step=f"See it: lockstep map attributes {app}")
        mapping["attributeList"] = rest

    await change_configuration(context, app, changed, activity=ACTIVITY)


@needs(Permission.APPLICATIONS_READ, app="app")
async def evaluate_mappings(context: Context, app: str, user: str, *, creating: bool) -> MappedAccount:
    """Return the values that the mappings give a person now: the values for a new account if *creating* is true, otherwise those for an
    update. Redacted values are replaced by a mark. Does not contact the application.
    """
    async with context.reading() as connection:
        person = await find_person(connection, user)
        job = await read_job(context, connection, app)
        wanted = manager_attributes(job.configuration, ObjectKind.USER)
        found = await read_objects(connection, job.row.app, ObjectKind.USER, [person.id], manager_attributes=wanted)
        obj = found[person.id]
    moment = new_services(context).moment()
    mapping = job.configuration.mapping_for(ObjectKind.USER)
    if mapping is None:
        raise not_found(f"{app} has no mapping for people", next_step=f"See: lockstep map list {app}")
    prepared = prepare(obj, None, job.configuration, moment)
    mapped = map_account(
        obj,
        mapping,
        configuration=job.configuration,
        moment=moment,
        creating=creating,
        is_soft_deleted=False,
        generated={},
        account_ids={},
        record=prepared.record,
    )
    hidden = {one.target for one in mapping.attributes if one.is_redacted}
    shown = {target: REDACTED if target in hidden else value for target, value in mapped.values.items()}
    return replace(mapped, values=shown, generated={}, sealed={})


def _mapping(config: dict[str, Any], kind: ObjectKind) -> dict[str, Any]:
    for mapping in config.get("mappings", []):
        if mapping.get("source", ObjectKind.USER) == kind:
            return mapping  # type: ignore[no-any-return]  # the caller changes this part of the document in place
    raise not_found(f"The application's configuration has no mapping for {kind}s")
