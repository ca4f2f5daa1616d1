"""The configuration in force, in the form of configuration files. Planning and exporting share this form.

Assignments of people in the recycle bin are left out, because a file cannot name those people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from lockstep.actions.credentials import authentication_of
from lockstep.configuration.document.strict_json import Json, Part
from lockstep.configuration.files.file import ConfigDocument
from lockstep.configuration.files.sections import PROVISIONING_KEYS
from lockstep.configuration.rules import configuration_from_json, configuration_to_json
from lockstep.configuration.single_sign_on import sign_on_from_json, sign_on_to_json
from lockstep.configuration.template import Template
from lockstep.engine.records import DEFAULT_ACCESS
from lockstep.postgres.pool import Connection
from lockstep.storage import application_sso, applications, assignments, credentials, groups
from lockstep.storage.applications import ApplicationRow, RoleRow
from lockstep.storage.assignments import AssignmentRow
from lockstep.storage.credentials import CredentialRow
from lockstep.storage.jobs import JobRow
from lockstep.storage.sources import SourceRecord

MOST_KEPT = 256  # applications
_LONGEST_KEPT = 64 * 1024  # bytes of a provisioning configuration whose canonical form is kept
# Keys of a stored source that have separate sections in files.
_SOURCE_SECTIONS = {"map": "attributes", "delta": "delta"}


@dataclass(frozen=True, slots=True)
class StoredAssignments:
    """The assignments of an application, groups first. *digest* changes whenever *users* change; it is None if the assignments changed
    while they were read.
    """

    groups: Sequence[Json] = ()
    users: Sequence[Json] = ()
    digest: str | None = ""


@dataclass(frozen=True, slots=True)
class StoredParts:
    """The stored data of an application, except the application's own row and the row of its job."""

    credential: CredentialRow | None
    roles: Sequence[RoleRow]
    assignments: StoredAssignments
    sign_on: Mapping[str, Any] | None


async def read_parts(connection: Connection, apps: Sequence[str]) -> dict[str, StoredParts]:
    """Return the stored parts of *apps*. Runs the same number of SQL statements for many applications as for one."""
    roles = await applications.read_all_roles(connection)
    stored = await credentials.read_credentials(connection, apps)
    assigned = await _assignments(connection, apps)
    sign_ons = {app: row.config for app, row in (await application_sso.read_sign_ons(connection, apps)).items()}
    return {app: StoredParts(stored.get(app), roles.get(app, ()), assigned[app], sign_ons.get(app)) for app in apps}


def application_spec(app: ApplicationRow, job: JobRow, parts: StoredParts) -> Json:
    """Return the spec of an application, without the reference to its secret."""
    spec: Json = {
        "template": app.template,
        "displayName": app.display_name,
        "credentials": _authentication(parts.credential),
        "roles": [role_to_json(role) for role in parts.roles],
        "assignments": [*parts.assignments.groups, *parts.assignments.users],
        **({"singleSignOn": sign_on_spec(parts.sign_on)} if parts.sign_on is not None else {}),
        "provisioning": provisioning_spec(job.config, status=job.status),
    }
    if parts.credential is not None and parts.credential.tenant_url:
        spec["credentials"]["tenantUrl"] = parts.credential.tenant_url
    return spec


def sign_on_spec(config: Mapping[str, Any]) -> Json:
    """Return stored single sign-on settings in canonical form."""
    return sign_on_to_json(sign_on_from_json(Part(config, "singleSignOn")))


def _authentication(row: credentials.CredentialRow | None) -> Json:
    given = authentication_of(row)
    parts = {"clientId": given.client_id, "tokenUrl": given.token_url, "scope": given.scope}
    return {"authentication": given.method.value} | {name: value for name, value in parts.items() if value}


def template_spec(template: Template) -> Json:
    """Return the spec that an application has directly after it was added from *template*."""
    roles = [RoleRow(r.id, r.value, r.display_name, is_enabled=r.is_enabled) for r in template.roles]
    return {
        "template": template.id,
        "displayName": template.display_name,
        "credentials": {"authentication": "bearer", "tenantUrl": template.tenant_url.default},
        "roles": [role_to_json(role) for role in roles],
        "assignments": [],
        "singleSignOn": sign_on_to_json(template.sign_on),
        "provisioning": provisioning_spec(template.provisioning, status="off"),
    }


def provisioning_spec(config: Mapping[str, Any], *, status: str) -> Json:
    """Return a stored provisioning configuration in canonical form, with the keys in the order of configuration files."""
    written = _canonical(config)
    written |= {"mode": written.get("mode", "automatic"), "status": status}
    return {key: written[key] for key in PROVISIONING_KEYS if key in written}


def _canonical(config: Mapping[str, Any]) -> Json:
    """Return *config* in canonical form. The caller may change the result."""
    try:
        text = orjson.dumps(config)
    except TypeError:  # for example a whole number of more than 64 bits
        return _parsed(config)
    kept = _kept_canonical(text) if len(text) <= _LONGEST_KEPT else None
    return _parsed(config) if kept is None else dict(orjson.loads(kept))


@lru_cache(maxsize=MOST_KEPT)
def _kept_canonical(config: bytes) -> bytes | None:
    """Return the canonical form of *config* as JSON, or None if JSON cannot represent it exactly. It is cached, because few applications
    change their configuration between two exports.
    """
    written = _parsed(orjson.loads(config))
    try:
        text = orjson.dumps(written)
    except TypeError:
        return None
    return text if orjson.loads(text) == written else None


def _parsed(config: Mapping[str, Any]) -> Json:
    return configuration_to_json(configuration_from_json(config, version=0))


def role_to_json(role: RoleRow) -> Json:
    found: Json = {"value": role.value, "displayName": role.display_name}
    if role.description and role.description != role.display_name:
        found["description"] = role.description
    if not role.is_enabled:
        found["enabled"] = False
    if list(role.allowed_member_types) != ["User"]:
        found["memberTypes"] = list(role.allowed_member_types)
    return found


def source_spec(source: SourceRecord) -> Json:
    sections = {name: source.config[key] for key, name in _SOURCE_SECTIONS.items() if source.config.get(key)}
    connection = {key: value for key, value in source.config.items() if key not in _SOURCE_SECTIONS}
    if files := connection.get("files"):
        connection["files"] = [{key: value for key, value in file.items() if value} for file in files]
    return {"type": source.kind, "displayName": source.display_name, "connection": connection, **sections}


def source_config(spec: Mapping[str, Any]) -> Json:
    """Convert the spec of a source to the form in which it is stored."""
    sections = {key: spec[name] for key, name in _SOURCE_SECTIONS.items() if spec.get(name)}
    return {**spec.get("connection", {}), **sections}


def with_absolute_paths(document: ConfigDocument) -> Json:
    """Return the spec of a source, in which relative paths are replaced by absolute ones. Relative paths start at the folder of the
    configuration file.
    """
    spec = dict(document.spec)
    files = spec.get("connection", {}).get("files")
    if document.origin is None or not isinstance(files, list):
        return spec
    folder = Path(document.origin.file).absolute().parent
    named = [
        {**one, "path": str(folder / one["path"])} if isinstance(one, Mapping) and "path" in one else one
        for one in files
    ]
    return {**spec, "connection": {**spec["connection"], "files": named}}


async def name_of_group(connection: Connection, group_id: str, display_name: str) -> str:
    """Return the display name of the group. If several groups have this name, return the id of the group instead."""
    return display_name if await groups.names_that_find_one(connection, [display_name]) else group_id


@dataclass(frozen=True, slots=True)
class _Rows:
    """The assignments of an application in the form in which they are cached. *users* are JSON. *groups* are rows, because the name of a
    group in a file depends on the names of other groups.
    """

    groups: Sequence[AssignmentRow]
    users: Sequence[Json]
    digest: str | None = None  # None if they changed while they were read


def drop_oldest(kept: dict[Any, Any], *, most: int) -> None:
    """Remove the oldest entries of the cache *kept*, so that at most *most* remain. Other threads may remove entries at the same time."""
    for key in list(kept)[: max(0, len(kept) - most)]:
        kept.pop(key, None)


@dataclass
class _KeptRows:
    """A cache of the assignments of applications, by application and digest, with at most MOST_KEPT entries. The cache saves work because
    few applications change their assignments between two exports.
    """

    kept: dict[tuple[str, str], _Rows]

    async def read(self, connection: Connection, digests: Mapping[str, str]) -> dict[str, _Rows]:
        found = {app: rows for app, digest in digests.items() if (rows := self.kept.pop((app, digest), None))}
        missing = [app for app in digests if app not in found]
        if missing:
            fresh = await _read_rows(connection, missing)
            # An assignment that was committed in between must not be kept under the digest without it.
            again = await assignments.digests_of_applications(connection, missing)
            found |= {
                app: replace(fresh[app], digest=digests[app] if again.get(app) == digests[app] else None)
                for app in missing
            }
        self.kept |= {(app, rows.digest): rows for app, rows in found.items() if rows.digest is not None}
        drop_oldest(self.kept, most=MOST_KEPT)
        return found


async def _read_rows(connection: Connection, apps: Sequence[str]) -> dict[str, _Rows]:
    groups_of: dict[str, list[AssignmentRow]] = {app: [] for app in apps}
    users_of: dict[str, list[Json]] = {app: [] for app in apps}
    for row in await assignments.assignments_of_applications(connection, apps):
        if row.is_deleted:
            continue
        if row.kind == "Group":
            groups_of[row.app].append(row)
        else:
            users_of[row.app].append(_assignment(row))
    return {app: _Rows(groups_of[app], users_of[app]) for app in apps}


_KEPT = _KeptRows({})


async def _assignments(connection: Connection, apps: Sequence[str]) -> dict[str, StoredAssignments]:
    digests = await assignments.digests_of_applications(connection, apps)
    rows = await _KEPT.read(connection, digests)
    names = [one.principal for each in rows.values() for one in each.groups]
    unmistakable = await groups.names_that_find_one(connection, names) if names else frozenset()
    found = {app: StoredAssignments() for app in apps}
    for app, each in rows.items():
        of_groups = [_assignment(one, is_clear=one.principal.lower() in unmistakable) for one in each.groups]
        found[app] = StoredAssignments(of_groups, each.users, each.digest)
    return found


def _assignment(row: AssignmentRow, *, is_clear: bool = True) -> Json:
    one: Json = {"group" if row.kind == "Group" else "user": row.principal if is_clear else row.principal_id}
    if row.role_id != DEFAULT_ACCESS:
        one["role"] = row.role_value or row.role_name
    return one
