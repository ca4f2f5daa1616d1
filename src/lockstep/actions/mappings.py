"""Check mappings and scoping filters for mistakes, and find out who would be in scope with changed scoping filters. Nothing is stored: the
changed filters are compiled instead of the stored ones, and evaluated for everybody in the directory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.context import Context
from lockstep.actions.jobs import new_services, read_job
from lockstep.actions.lookup import find_group
from lockstep.actions.permissions import Permission
from lockstep.actions.previews import find_anybody
from lockstep.actions.unkept import unkept_in
from lockstep.configuration.document.filter_json import filter_from_json
from lockstep.configuration.document.mapping_json import mapping_to_json
from lockstep.configuration.document.strict_json import Part
from lockstep.configuration.findings import Finding
from lockstep.configuration.lint import lint
from lockstep.configuration.lint_privileges import PrivilegeCounts
from lockstep.configuration.rules import JobConfiguration, ObjectMapping, Scope, manager_attributes
from lockstep.configuration.source_names import unknown_source_names
from lockstep.directory.attributes import GROUP_ATTRIBUTES, PERSON_ATTRIBUTES
from lockstep.directory.objects import read_objects
from lockstep.engine.decisions.effects import predicted_plan
from lockstep.engine.decisions.scope import FILTERED, UNASSIGNED, ScopeDecision, decide_scope
from lockstep.engine.decisions.source_record import OF_MANAGER
from lockstep.engine.moment import Moment
from lockstep.engine.records import DEFAULT_ACCESS, Assignment, Lifecycle, ObjectKind, SourceObject
from lockstep.engine.rules.conditions import MEMBER_OF, attributes_of
from lockstep.errors import invalid, not_found
from lockstep.postgres.pool import Connection
from lockstep.storage import link_list, people, touched
from lockstep.storage.alike_people import alike_people
from lockstep.storage.people import PersonFilter
from lockstep.sync.planning import planner
from lockstep.sync.services import Job

_SLICE = 500
# Attributes that filters see as they are stored. The others are computed from other objects or for each application.
_AS_STORED = frozenset(PERSON_ATTRIBUTES) - {"userPrincipalName", "originalUserPrincipalName"}
_MOST_LINTED = 10_000  # people; fewer are enough to reveal a mapping that gives a privilege to everyone


@dataclass(frozen=True, slots=True)
class ScopeCounts:
    """Numbers of people in the directory. *leavers* contains the names of people with an active account who are in scope by the stored
    rules but not by the tested ones. *already_out* is the number of people with an active account who are in scope by neither.
    """

    people: int
    in_scope: int
    unassigned: int
    filtered: int
    leavers: tuple[str, ...]
    already_out: int = 0


@needs(Permission.APPLICATIONS_READ, app="app")
async def read_mappings(context: Context, app: str) -> list[dict[str, Any]]:
    """Return the mappings for each kind of object, in the form of an application's configuration file."""
    async with context.reading() as connection:
        job = await read_job(context, connection, app)
    return [mapping_to_json(mapping) for mapping in job.configuration.objects]


@needs(Permission.APPLICATIONS_READ, app="app")
async def lint_mappings(context: Context, app: str) -> tuple[Finding, ...]:
    """Return findings about settings that cannot work or are probably a mistake."""
    async with context.reading() as connection:
        job = await read_job(context, connection, app)
        given = await _count_privileges(context, connection, job)
    found = lint(job.configuration, source_attributes=SOURCE_NAMES, given=given)
    return (*found, *unkept_in(job).values())


async def _count_privileges(context: Context, connection: Connection, job: Job) -> PrivilegeCounts | None:
    """Count the privileges that people in scope would get. Only the first _MOST_LINTED people are evaluated. Returns None if no mapping can
    grant a privilege.
    """
    mapping = job.configuration.mapping_for(ObjectKind.USER)
    if mapping is None or not any(mapping.privileges.values()):
        return None
    given, moment = PrivilegeCounts(), new_services(context).moment()
    is_all = job.configuration.scope is Scope.ALL
    ids = await touched.concerned(connection, job.id, job.row.app, ObjectKind.USER.value, everybody=is_all)
    for start in range(0, min(len(ids), _MOST_LINTED), _SLICE):
        known = await planner.load(connection, job, ObjectKind.USER, ids[start : start + _SLICE])
        for obj in known.objects.values():
            given.count(predicted_plan(obj, None, job.configuration, moment, known.account_ids), mapping)
    return given


def source_names(kind: ObjectKind) -> frozenset[str]:
    """Return the attributes that objects of *kind* can have in the directory, including the attributes of the manager."""
    if kind is ObjectKind.GROUP:
        return frozenset({"id", *GROUP_ATTRIBUTES})
    return frozenset(
        {"id", *PERSON_ATTRIBUTES, *(OF_MANAGER + name for name in (*PERSON_ATTRIBUTES, "accountEnabled"))}
    )


SOURCE_NAMES = {kind: source_names(kind) for kind in ObjectKind}


def new_unknown_names(before: JobConfiguration | None, after: JobConfiguration) -> tuple[Finding, ...]:
    """Return a finding for each unknown source attribute in *after* that *before* did not use. Callers refuse a change that adds an unknown
    attribute.

    An unknown attribute that is stored already does not make other changes fail; `map lint` reports it.
    """
    known = set() if before is None else {one.message for one in unknown_source_names(before, SOURCE_NAMES)}
    return tuple(one for one in unknown_source_names(after, SOURCE_NAMES) if one.message not in known)


def refuse_unknown_names(before: JobConfiguration | None, after: JobConfiguration) -> None:
    """Raise LockstepError for the first finding of `new_unknown_names`."""
    refuse_unknown(new_unknown_names(before, after))


def refuse_unknown(findings: Iterable[Finding]) -> None:
    """Raise LockstepError for the first of *findings*, each of which is about an unknown source attribute."""
    for found in findings:
        raise invalid(
            f"{found.message[0].upper()}{found.message[1:]}",
            why=f"It is used in {found.place} and would be empty for everyone",
            next_step="See: lockstep people attributes",
        )


@needs(Permission.APPLICATIONS_READ, app="app")
async def decide_for(
    context: Context,
    app: str,
    name: str,
    *,
    kind: ObjectKind = ObjectKind.USER,
    filters: Sequence[Mapping[str, Any]] | None = None,
    scope: Scope | None = None,
) -> tuple[str, ScopeDecision]:
    """Decide whether one person or group is in scope. *filters* and *scope*, if given, replace the stored settings. Returns the name of the
    object and the decision.
    """
    async with context.reading() as connection:
        job = _with_scope(await read_job(context, connection, app), scope)
        mapping = _mapping(job, kind, filters)
        found = await (find_anybody if kind is ObjectKind.USER else find_group)(connection, name)
        wanted = _of_manager(job, mapping)
        objects = await read_objects(connection, job.row.app, kind, [found.id], manager_attributes=wanted)
        obj = objects[found.id]
    moment = new_services(context).moment()
    return obj.display, decide_scope(obj, mapping, job.configuration, moment=moment)


@needs(Permission.APPLICATIONS_READ, app="app")
async def count_scope(
    context: Context,
    app: str,
    *,
    filters: Sequence[Mapping[str, Any]] | None = None,
    scope: Scope | None = None,
) -> ScopeCounts:
    """Count the people who are in scope, according to *filters* and *scope*. The stored settings are used for whichever of the two is None.
    Also find the people with an active account who would leave the scope.
    """
    counts = {"": 0, UNASSIGNED: 0, FILTERED: 0}
    leavers: list[str] = []
    already_out = 0
    moment = new_services(context).moment()
    async with context.reading() as connection:
        job = await read_job(context, connection, app)
        tried = _with_scope(job, scope)
        saved, mapping = _mapping(job, ObjectKind.USER, None), _mapping(tried, ObjectKind.USER, filters)
        is_tried = mapping is not saved or tried is not job
        everybody = Scope.ALL in (job.configuration.scope, tried.configuration.scope)
        async for obj, count, linked in _everybody(connection, job, saved, mapping, everybody=everybody):
            decision = _decide(obj, mapping, tried, moment)
            counts[decision.cause] += count
            if decision.in_scope or not linked:
                continue
            if is_tried and _decide(obj, saved, job, moment).in_scope:
                leavers += linked
            else:
                already_out += len(linked)
    numbers = (sum(counts.values()), counts[""], counts[UNASSIGNED], counts[FILTERED])
    return ScopeCounts(*numbers, tuple(sorted(leavers, key=str.lower)), already_out)


async def _everybody(
    connection: Connection, job: Job, *mappings: ObjectMapping, everybody: bool
) -> AsyncIterator[tuple[SourceObject, int, Sequence[str]]]:
    """Divide all people into sets whose members get the same result from every filter of *mappings*. Yields three values for each set: an
    object that stands for all members, the number of members, and the names of the members who have an active account.

    If *everybody* is false, people without an assignment are out of scope in any case. They may therefore share a set even if their
    attributes differ.
    """
    names = frozenset[str]().union(*(attributes_of(one.condition) for each in mappings for one in each.scoping_filters))
    if names <= _AS_STORED:
        for alike in await alike_people(connection, job.id, job.row.app, sorted(names), everybody=everybody):
            values = {name: tuple(one) if isinstance(one, list) else one for name, one in alike.attributes.items()}
            held = (Assignment(DEFAULT_ACCESS),) if alike.is_assigned else ()
            obj = SourceObject(ObjectKind.USER, "", "", values, account_enabled=alike.account_enabled, assignments=held)
            yield obj, alike.count, alike.linked
        return
    linked = set(await link_list.active_people(connection, job.id))
    wanted = frozenset[str]().union(*(_of_manager(job, one) for one in mappings))
    concerned = await touched.concerned(connection, job.id, job.row.app, ObjectKind.USER.value, everybody=everybody)
    rest = await people.count_people(connection, PersonFilter())
    for start in range(0, len(concerned), _SLICE):
        ids = concerned[start : start + _SLICE]
        found = await read_objects(
            connection, job.row.app, ObjectKind.USER, ids, with_groups=MEMBER_OF in names, manager_attributes=wanted
        )
        for obj in found.values():
            if obj.lifecycle is Lifecycle.ACTIVE:
                rest -= 1
                yield obj, 1, (obj.display,) if obj.id in linked else ()
    yield SourceObject(ObjectKind.USER, "", "", {}), rest, ()


def _with_scope(job: Job, scope: Scope | None) -> Job:
    return job if scope is None else replace(job, configuration=replace(job.configuration, scope=scope))


def _of_manager(job: Job, mapping: ObjectMapping) -> frozenset[str]:
    """Return the manager's attributes that *mapping* reads. The mapping may contain the filters that are being tested."""
    return manager_attributes(replace(job.configuration, objects=(mapping,)), ObjectKind.USER)


def _decide(obj: SourceObject, mapping: ObjectMapping, job: Job, moment: Moment) -> ScopeDecision:
    return decide_scope(obj, mapping, job.configuration, moment=moment)


def _mapping(job: Job, kind: ObjectKind, filters: Sequence[Mapping[str, Any]] | None) -> ObjectMapping:
    mapping = job.configuration.mapping_for(kind)
    if mapping is None:
        what = "people" if kind is ObjectKind.USER else "groups"
        raise not_found(f"The configuration of {job.row.app_display_name} has no mapping for {what}")
    if filters is None:
        return mapping
    compiled = tuple(filter_from_json(Part(one, f"scopingFilters[{place}]")) for place, one in enumerate(filters))
    tried = replace(mapping, scoping_filters=compiled)
    refuse_unknown_names(job.configuration, replace(job.configuration, objects=(tried,)))
    return tried


@needs(Permission.APPLICATIONS_READ, app="app")
async def lint_filters(
    context: Context, app: str, kind: ObjectKind, filters: Sequence[Mapping[str, Any]]
) -> tuple[Finding, ...]:
    """Return findings about *filters* that cannot work or are probably a mistake. Raises LockstepError if the filters do not compile."""
    async with context.reading() as connection:
        job = await read_job(context, connection, app)
    tried = replace(_mapping(job, kind, filters), enabled=True)
    found = lint(replace(job.configuration, objects=(tried,)), source_attributes=SOURCE_NAMES)
    return tuple(one for one in found if ".scopingFilters[" in one.place)
