"""The content of the page of one mapping: its settings, its attributes with the findings about each, and sample objects with the values
that the mapping gives them.

Everything is read from the directory and the links; the application is not contacted.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.jobs import new_services, read_job
from lockstep.actions.lookup import find_group
from lockstep.actions.mappings import SOURCE_NAMES
from lockstep.actions.permissions import Permission
from lockstep.actions.previews import find_anybody
from lockstep.actions.unkept import unkept_in
from lockstep.configuration.document.mapping_json import mapping_from_json, mapping_to_json, with_changes
from lockstep.configuration.document.strict_json import Part
from lockstep.configuration.findings import Finding
from lockstep.configuration.lint import lint
from lockstep.configuration.rules import JobConfiguration, ObjectMapping, Scope
from lockstep.directory.attributes import GROUP_ATTRIBUTES, PERSON_ATTRIBUTES
from lockstep.engine.decisions.mapping import map_account
from lockstep.engine.decisions.prepare import prepare
from lockstep.engine.plans import MappedAccount
from lockstep.engine.records import ObjectKind, Value, Values
from lockstep.errors import not_found
from lockstep.postgres.pool import Connection
from lockstep.storage import groups, link_list, people, touched
from lockstep.storage.people import PersonFilter
from lockstep.sync.planning import planner
from lockstep.sync.services import Job

MOST_SAMPLES = 5
_NUMBER = re.compile(r"mappings\[(\d+)\](?:\.attributes\[(\d+)\])?")


@dataclass(frozen=True, slots=True)
class MappingView:
    """One mapping. *rows* are its attributes, and *filters* its scoping filters, both in the form of an application's configuration file.

    *by_target* has the findings about single attributes. *findings* has those about the whole mapping. *kinds* lists the kinds of object
    for which the application has mappings.
    """

    app: str
    app_name: str
    kind: ObjectKind
    mapping: ObjectMapping
    rows: Sequence[Mapping[str, Any]]
    filters: Sequence[Mapping[str, Any]]
    by_target: Mapping[str, Sequence[Finding]]
    findings: Sequence[Finding]
    kinds: Sequence[ObjectKind]
    scope: Scope
    has_defaults: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """A person or group with the values that the mappings give it now. *held* contains the values on which Lockstep and the application
    last agreed; None if the object has no account.

    *hidden* names the attributes whose values are not shown.
    """

    name: str
    display: str
    mapped: MappedAccount
    held: Values | None = None
    hidden: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class TriedValue:
    """The value that a mapping would give one object while the mapping is being edited. *note* says why there is no value."""

    name: str
    display: str
    value: Value = None
    note: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class SampleName:
    name: str
    display: str


@dataclass(slots=True)
class _Places:
    by_target: dict[str, list[Finding]] = field(default_factory=dict)
    others: list[Finding] = field(default_factory=list)


@needs(Permission.APPLICATIONS_READ, app="app")
async def show_mapping(context: Context, app: str, kind: ObjectKind) -> MappingView:
    """Return the mapping for one kind of object. Raises LockstepError if the application has no mapping for this kind."""
    async with context.reading() as connection:
        job = await read_job(context, connection, app)
    mapping = mapping_of(job, kind)
    document = mapping_to_json(mapping)
    found = (*lint(job.configuration, source_attributes=SOURCE_NAMES), *unkept_in(job).values())
    places = _placed(found, job.configuration, mapping)
    return MappingView(
        app=job.row.app_name,
        app_name=job.row.app_display_name,
        kind=kind,
        mapping=mapping,
        rows=document.get("attributes", []),
        filters=document.get("scopingFilters", []),
        by_target=places.by_target,
        findings=places.others,
        kinds=[one for one in ObjectKind if job.configuration.mapping_for(one) is not None],
        scope=job.configuration.scope,
        has_defaults=_default_mapping(context, job, kind) is not None,
    )


@needs(Permission.APPLICATIONS_READ, app="app")
async def kinds_of(context: Context, app: str) -> list[ObjectKind]:
    """Return the kinds of object for which the application has a mapping."""
    async with context.reading() as connection:
        job = await read_job(context, connection, app)
    return [one for one in ObjectKind if job.configuration.mapping_for(one) is not None]


@needs(Permission.APPLICATIONS_READ, app="app")
async def count_concerned(context: Context, app: str, kind: ObjectKind) -> int:
    """Return how many objects are re-evaluated if the mapping changes."""
    async with context.reading() as connection:
        job = await read_job(context, connection, app)
        everybody = job.configuration.scope is Scope.ALL
        return len(await touched.concerned(connection, job.id, job.row.app, kind.value, everybody=everybody))


@needs(Permission.APPLICATIONS_READ, app="app")
async def sample_names(context: Context, app: str, kind: ObjectKind, *, most: int = MOST_SAMPLES) -> list[SampleName]:
    """Return some objects for which a page can try a mapping. People with an account, whose present values can be compared, come first;
    then assigned people; then others.
    """
    async with context.reading() as connection:
        if kind is ObjectKind.GROUP:
            return [SampleName(row.id, row.display_name) for row, _ in await groups.list_groups(connection, limit=most)]
        job = await read_job(context, connection, app)
        linked = await link_list.page_of_links(
            connection, job.id, search="", state="live", after=("", "", ""), limit=most
        )
        by_id = await people.read_people(connection, [row.source_id for row in linked if row.kind == "User"])
        found = [one for one in by_id.values() if one.deleted_at is None]
        for wanted in (PersonFilter(app=job.row.app, limit=most), PersonFilter(limit=most)):
            if len(found) < most:
                found += [one for one in await people.list_people(connection, wanted) if one not in found]
    return [SampleName(one.user_principal_name, one.display) for one in found[:most]]


@needs(Permission.APPLICATIONS_READ, app="app")
async def show_sample(context: Context, app: str, kind: ObjectKind, name: str) -> Sample:
    """Return the values that the mappings give one person or group now. Raises LockstepError, with suggestions, for an unknown name."""
    async with context.reading() as connection:
        job = await read_job(context, connection, app)
        mapping = mapping_of(job, kind)
        (found,) = await _mapped(context, connection, job, mapping, [name])
    hidden = {one.target for one in mapping.attributes if one.is_redacted}
    return replace(found, hidden=hidden)


@needs(Permission.APPLICATIONS_READ, app="app")
async def try_mapping(
    context: Context, app: str, kind: ObjectKind, target: str, changes: Mapping[str, Any], names: Sequence[str]
) -> list[TriedValue]:
    """Return, for each of *names*, the value that the mapping of *target* would give after *changes*. Stores nothing.

    *changes* have the form that `set_mapping` takes.

    Raises LockstepError if the mapping does not compile or a name is unknown.
    """
    async with context.reading() as connection:
        job = await read_job(context, connection, app)
        stored = mapping_of(job, kind)
        document = mapping_to_json(stored)
        attributes: list[dict[str, Any]] = document.get("attributes", [])
        known = next((one for one in attributes if one["target"].lower() == target.lower()), {})
        one = with_changes({"target": target, **known}, changes)
        entry = context.gallery.template(job.row.template) if job.row.template in context.gallery.names() else None
        tried = mapping_from_json(
            Part({**document, "scopingFilters": [], "attributes": [one]}, "the mapping"),
            entry.attributes if entry is not None else {},
        )
        samples = await _mapped(context, connection, job, tried, names)
    attribute = tried.attributes[0]
    return [_tried(sample, attribute.target, is_hidden=attribute.is_redacted) for sample in samples]


def mapping_of(job: Job, kind: ObjectKind) -> ObjectMapping:
    mapping = job.configuration.mapping_for(kind)
    if mapping is None:
        what = "people" if kind is ObjectKind.USER else "groups"
        raise not_found(f"The configuration of {job.row.app_display_name} has no mapping for {what}")
    return mapping


def _default_mapping(context: Context, job: Job, kind: ObjectKind) -> Mapping[str, Any] | None:
    if job.row.template not in context.gallery.names():
        return None
    mappings = context.gallery.template(job.row.template).provisioning["mappings"]
    return next((one for one in mappings if one["source"] == kind), None)


def source_choices(kind: ObjectKind) -> list[str]:
    """Return the source attributes that a form offers, sorted by name."""
    known = GROUP_ATTRIBUTES if kind is ObjectKind.GROUP else PERSON_ATTRIBUTES
    computed = ("members",) if kind is ObjectKind.GROUP else ("IsSoftDeleted", "accountEnabled", "manager")
    return sorted({"objectId", *known, *computed}, key=str.lower)


def _placed(found: Sequence[Finding], configuration: JobConfiguration, mapping: ObjectMapping) -> _Places:
    """Group the findings about *mapping* by the attribute that they concern."""
    places = _Places()
    index = next(number for number, one in enumerate(configuration.objects) if one is mapping)
    for one in found:
        at = _NUMBER.match(one.place)
        if at is None or int(at[1]) != index:
            continue
        if at[2] is None:
            places.others.append(one)
        else:
            places.by_target.setdefault(mapping.attributes[int(at[2])].target, []).append(one)
    return places


async def _mapped(
    context: Context, connection: Connection, job: Job, mapping: ObjectMapping, names: Sequence[str]
) -> list[Sample]:
    """Return a sample for each object in *names*, in the same order: the object, and the values that *mapping* produces for it."""
    kind = mapping.source
    ids: dict[str, SampleName] = {}
    holders = await people.holders_of(connection, names) if kind is ObjectKind.USER else {}
    rows = await people.read_people(connection, list(holders.values())) if holders else {}
    for name in names:
        if kind is ObjectKind.USER:
            person = rows.get(holders.get(name.lower(), "")) or await find_anybody(connection, name)
            ids[person.id] = SampleName(person.user_principal_name, person.display)
        else:
            group = await find_group(connection, name)
            ids[group.id] = SampleName(name, group.display_name)
    own = replace(job.configuration, objects=(mapping,))
    known = await planner.load(connection, replace(job, configuration=own), kind, list(ids))
    moment = new_services(context).moment()
    samples = []
    for source_id, who in ids.items():
        obj, link = known.objects[source_id], known.links.get(source_id)
        mapped = map_account(
            obj,
            mapping,
            configuration=job.configuration,
            moment=moment,
            creating=True,
            is_soft_deleted=False,
            generated=link.generated if link is not None else {},
            account_ids=known.account_ids,
            record=prepare(obj, link, job.configuration, moment).record,
        )
        samples.append(Sample(who.name, who.display, mapped, link.base if link is not None else None))
    return samples


def _tried(sample: Sample, target: str, *, is_hidden: bool) -> TriedValue:
    mapped = sample.mapped
    if mapped.problem is not None:
        return TriedValue(sample.name, sample.display, error=mapped.problem.text)
    if target not in mapped.values:
        note = "cleared" if target in mapped.cleared else "not written" if target in mapped.dropped else "no value"
        return TriedValue(sample.name, sample.display, note=note)
    return TriedValue(sample.name, sample.display, "[Redact]" if is_hidden else mapped.values[target])
