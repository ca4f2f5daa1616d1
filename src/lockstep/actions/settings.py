"""The settings of an application's provisioning: mode, status, scope, notification and interval; its mappings and scoping filters.

Every change that affects decisions creates a new version of the configuration. Lockstep then re-evaluates everybody, and writes only values
that differ to the application.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any

from lockstep.actions import provisioning
from lockstep.actions.access import needs, needs_also
from lockstep.actions.applications import dependencies_of
from lockstep.actions.context import Context, audit
from lockstep.actions.email_addresses import checked_email
from lockstep.actions.jobs import job_row, new_services
from lockstep.actions.lookup import find_group
from lockstep.actions.mappings import refuse_unknown_names
from lockstep.actions.permissions import Permission
from lockstep.actions.settings_view import SettingsView, view_of
from lockstep.configuration.document.filter_json import groups_named
from lockstep.configuration.document.mapping_json import with_changes
from lockstep.configuration.rules import AttributeMapping, JobConfiguration, Scope
from lockstep.engine.records import ObjectKind
from lockstep.engine.rules.configuration import NotificationDelivery
from lockstep.engine.rules.durations import print_duration
from lockstep.engine.rules.mappings import attribute_of
from lockstep.errors import conflict, invalid, not_found
from lockstep.storage import jobs
from lockstep.storage.jobs import JobRow
from lockstep.storage.mail_server import has_server
from lockstep.sync.cycle.frame import mark_everybody
from lockstep.sync.services import Job

Config = dict[str, Any]
CONCERN_PEOPLE = frozenset({"scope", "nested_groups"})  # settings that affect decisions about people
SHORTEST_INTERVAL = timedelta(minutes=1)


@needs(Permission.APPLICATIONS_READ, app="app")
async def show_settings(context: Context, app: str) -> SettingsView:
    async with context.reading() as connection:
        row = await job_row(connection, app)
        view = view_of(await new_services(context).compiled(connection, row))
        return replace(view, mail_is_sent=await has_server(connection))


@needs(Permission.CONFIGURATION_WRITE, app="app")
async def change_settings(
    context: Context,
    app: str,
    *,
    mode: str | None = None,
    status: str | None = None,
    scope: str | None = None,
    notification_email: str | None = None,
    email_on_failure: bool | None = None,
    notification_delivery: str | None = None,
    interval: timedelta | None = None,
    nested_groups: bool | None = None,
    deletion_threshold: int | None = None,
    deletion_percent: int | None = None,
    members_per_patch: int | None = None,
    creates_per_request: int | None = None,
) -> SettingsView:
    """Change the given settings and no others. Raises LockstepError and changes nothing if a value is invalid.

    If the scope changes from *all* to *assigned*, everybody who is not assigned becomes a leaver. Changing the status calls `start` or
    `pause` and needs the permission of that action. A *deletion_threshold* of 0 disables the whole guard. A *deletion_percent* of 0
    disables only the percentage limit.
    """
    if status is not None:
        await needs_also(context, Permission.PROVISIONING_CONTROL, app=app)
    _refuse_impossible(mode=mode, status=status, scope=scope, interval=interval, delivery=notification_delivery)
    given: Config = {
        "mode": mode, "scope": scope, "emailOnFailure": email_on_failure, "nestedGroups": nested_groups,
        "notificationDelivery": notification_delivery,
    }  # fmt: skip
    parts: dict[str, Config] = {
        "schedule": {"interval": print_duration(interval) if interval is not None else None},
        "deletions": {"threshold": deletion_threshold, "thresholdPercent": deletion_percent},
        "limits": {"membersPerPatch": members_per_patch, "createsPerRequest": creates_per_request},
    }
    if notification_email is not None:
        given["notificationEmail"] = checked_email(notification_email)

    def changed(config: Config) -> None:
        config.update({key: value for key, value in given.items() if value is not None})
        for part, values in parts.items():
            if wanted := {key: value or None for key, value in values.items() if value is not None}:
                config[part] = {**config.get(part, {}), **wanted}

    async with context.together() as inner:
        await change_configuration(inner, app, changed, activity="Update provisioning setting or credentials")
        if context.rehearsal is None and status is not None:
            await (provisioning.start if status == "on" else provisioning.pause)(inner, app)
    return await show_settings(context, app)


def _refuse_impossible(
    *, mode: str | None, status: str | None, scope: str | None, interval: timedelta | None, delivery: str | None
) -> None:
    if mode is not None and mode != "automatic":
        raise invalid(
            f'Unknown mode "{mode}"', next_step="The only mode is automatic; to pause provisioning: --status off"
        )
    if status is not None and status not in ("on", "off"):
        raise invalid(f'Unknown status "{status}"', next_step='The status must be "on" or "off"')
    if scope is not None and scope not in tuple(Scope):
        raise invalid(f'Unknown scope "{scope}"', next_step='The scope must be "assigned" or "all"')
    if delivery is not None and delivery not in tuple(NotificationDelivery):
        raise invalid(
            f'Unknown notification delivery "{delivery}"',
            next_step='The notification delivery must be "immediate" or "digest"',
        )
    if interval is not None and interval < SHORTEST_INTERVAL:
        raise invalid(
            "The interval is too short",
            next_step="The minimum is 1m; changes are sent immediately, whatever the interval",
        )


@needs(Permission.CONFIGURATION_WRITE, app="app")
async def set_mapping(
    context: Context, app: str, target: str, changes: Mapping[str, Any] | None, *, kind: ObjectKind = ObjectKind.USER
) -> AttributeMapping | None:
    """Add or change the mapping of the attribute *target*. The keys of *changes* are those of an application's configuration file (source,
    expression, constant, default, match, ...).

    A value of None removes the key. If *changes* is None, the whole mapping of *target* is removed. Raises LockstepError for a mistake,
    with its place in the configuration. Also raises it if no matching attribute would remain.
    """

    def changed(config: Config) -> None:
        attributes = _object_mapping(config, kind).setdefault("attributes", [])
        known = next((one for one in attributes if one.get("target", "").lower() == target.lower()), None)
        if changes is None:
            if known is None:
                raise not_found(f"{target} has no mapping", next_step=f"See: lockstep map list {app}")
            attributes.remove(known)
            return
        if known is None:
            attributes.append(with_changes({"target": target, **guarded}, changes))
        else:
            attributes[attributes.index(known)] = with_changes(known, changes)

    def checked(config: Config) -> None:
        had_a_match = _has_match(config, kind)
        changed(config)
        if had_a_match and not _has_match(config, kind):
            raise conflict(
                f"{target} is the only matching attribute",
                why="Without a matching attribute, no one can be matched and no one is created",
                next_step=f"Choose another matching attribute first: lockstep map set {app} ATTRIBUTE --match 1",
            )

    guarded = await _guarded_values(context, app, target, kind)
    job = await change_configuration(context, app, checked, activity="Update attribute mappings or scope")
    mapping = job.configuration.mapping_for(kind)
    return mapping.by_target.get(target) if mapping is not None else None


async def _guarded_values(context: Context, app: str, target: str, kind: ObjectKind) -> Config:
    """Return the privileged values that the gallery lists for the attribute. With these values, a mapping that is removed and added again
    is guarded as before.
    """
    async with context.reading() as connection:
        template = (await job_row(connection, app)).template
    mapping = (
        context.gallery.template(template).configuration().mapping_for(kind)
        if template in context.gallery.names()
        else None
    )
    privileges = mapping.privileges if mapping is not None else {}
    found = next(
        (values for path, values in privileges.items() if attribute_of(path) == attribute_of(target) and values), {}
    )
    return {"privileged": list(found.values())} if found else {}


def _has_match(config: Config, kind: ObjectKind) -> bool:
    return any(one.get("match") for one in _object_mapping(config, kind).get("attributes", []))


@needs(Permission.APPLICATIONS_READ, app="app")
async def show_scope(
    context: Context, app: str, *, kind: ObjectKind = ObjectKind.USER
) -> tuple[str, list[dict[str, Any]]]:
    """Return the scope ("assigned" or "all"), and the scoping filters for one kind of object. The filters have the form of an application's
    configuration file.
    """
    async with context.reading() as connection:
        row = await job_row(connection, app)
        job = await new_services(context).compiled(connection, row)
    return job.configuration.scope.value, list(_object_mapping(dict(row.config), kind).get("scopingFilters", []))


@needs(Permission.CONFIGURATION_WRITE, app="app")
async def set_scope(
    context: Context, app: str, filters: Sequence[Mapping[str, Any]], *, kind: ObjectKind = ObjectKind.USER
) -> JobConfiguration:
    """Replace all scoping filters for one kind of object by *filters*. Without filters, no object is filtered out.

    Raises LockstepError for a mistake in a filter. Also raises it for an unknown group, because a filter for the members of such a group
    would exclude everybody.
    """
    async with context.reading() as connection:
        for name in dict.fromkeys(named for one in filters for named in groups_named(one)):
            await find_group(connection, name)

    def changed(config: Config) -> None:
        _object_mapping(config, kind)["scopingFilters"] = [dict(one) for one in filters]

    return (
        await change_configuration(context, app, changed, activity="Update attribute mappings or scope")
    ).configuration


@needs(Permission.CONFIGURATION_WRITE, app="app")
async def change_configuration(context: Context, app: str, change: Callable[[Config], None], *, activity: str) -> Job:
    """Apply *change* to the configuration and save the result as a new version. Saves nothing if the result is the same.

    Raises LockstepError and saves nothing if the result does not compile.
    """
    services = new_services(context)
    async with context.changing() as edit:
        row = await job_row(edit.connection, app)
        before = deepcopy(dict(row.config))
        after = deepcopy(before)
        change(after)
        if _with_mode(after) == _with_mode(before):
            return await services.compiled(edit.connection, row)
        stored = await services.compiled(edit.connection, row)
        job = await services.compiled(edit.connection, _with(row, after))
        refuse_unknown_names(stored.configuration, job.configuration)
        await jobs.save_configuration(
            edit.connection,
            row.id,
            after,
            dependencies=dependencies_of(job.configuration),
            syncs_all=job.configuration.scope is Scope.ALL,
            author=context.actor.name,
            activity=activity,
            comment=context.comment,
        )
        if context.rehearsal is not None:
            context.rehearsal.whole_jobs.update({row.id} if deciding_part(before) != deciding_part(after) else ())
        elif row.started and deciding_part(before) != deciding_part(after):
            await mark_everybody(edit.connection, job, cycle=None, reason="configuration")
        await audit(edit, activity, row.app_name, before=_difference(before, after), after=_difference(after, before))
    await context.after_commit(frozenset({row.id}))
    return job


def _with(row: JobRow, config: Config) -> JobRow:
    return replace(row, config=config, config_version=row.config_version + 1)


def _with_mode(config: Config) -> Config:
    """Return *config* with its mode, which a new application does not contain."""
    return {"mode": "automatic", **config}


def deciding_part(config: Config) -> Config:
    """Return the part of *config* that affects decisions about objects: mappings, scope, and limits on disables and deletes."""
    return {key: value for key, value in config.items() if key not in NOT_DECIDING}


NOT_DECIDING = frozenset(
    {"mode", "status", "schedule", "notificationEmail", "emailOnFailure", "notificationDelivery", "limits", "guards"}
)


def _difference(one: Config, other: Config) -> Config:
    return {key: value for key, value in one.items() if other.get(key) != value}


def _object_mapping(config: Config, kind: ObjectKind) -> Config:
    for mapping in config.get("mappings", []):
        if mapping.get("source", ObjectKind.USER) == kind:
            return mapping  # type: ignore[no-any-return]  # the caller changes this part of the document in place
    raise not_found(f"The application's configuration has no mapping for {kind}s")
