"""Plan what configuration files would change. Planning writes nothing.

A file changes only the sections and applications that it contains; all others stay unchanged. The exception is a set of files with the
Tenant document: such files describe the whole organisation, so items that are missing from them can be removed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lockstep.actions.access import needs, require_application
from lockstep.actions.configuration_application import Resolve, label_changes, no_secrets, plan_application
from lockstep.actions.configuration_groups import plan_group
from lockstep.actions.configuration_plan import ConfigurationPlan as ConfigurationPlan
from lockstep.actions.configuration_plan import DocumentPlan as DocumentPlan
from lockstep.actions.configuration_sign_in import ldap_spec, plan_ldap
from lockstep.actions.configuration_state import (
    source_config,
    source_spec,
    with_absolute_paths,
)
from lockstep.actions.context import Context
from lockstep.actions.permissions import Permission
from lockstep.actions.source_files import named_files, placed_files
from lockstep.configuration.files.change import ConfigChange, Sign
from lockstep.configuration.files.difference import difference
from lockstep.configuration.files.file import ConfigDocument, DocumentKind, refuse_doubles
from lockstep.configuration.files.names import LOCAL_SOURCE
from lockstep.errors import LockstepError
from lockstep.postgres.pool import Connection
from lockstep.storage import applications, sources, tenant
from lockstep.storage.mail_server import has_server
from lockstep.storage.sources import SourceRecord

_UNREAD = f"The plan did not check whether its files can be read: that needs the permission {Permission.SOURCES_WRITE}."


@needs(Permission.APPLICATIONS_READ, filters=True)
async def plan_configuration(
    context: Context, documents: Sequence[ConfigDocument], *, prune: bool = False, resolve: Resolve = no_secrets
) -> ConfigurationPlan:
    """Return the changes that applying *documents* would make. Writes nothing. Raises LockstepError with file, line and column if the
    documents cannot be applied: for example, because a name is unknown, or because an application was created from another template.
    """
    refuse_doubles(documents)
    order = list(DocumentKind)
    plans = []
    coming = frozenset(one.name.lower() for one in documents if one.kind is DocumentKind.GROUP)
    async with context.reading() as connection:
        for document in sorted(documents, key=lambda one: order.index(one.kind)):
            match document.kind:
                case DocumentKind.TENANT:
                    plans.append(await _tenant(context, connection, document, resolve, prune=prune))
                case DocumentKind.SOURCE:
                    plans.append(await _source(context, connection, document, prune=prune))
                case DocumentKind.GROUP:
                    plans.append(await plan_group(connection, document))
                case DocumentKind.APPLICATION:
                    if not context.actor.everywhere(Permission.APPLICATIONS_READ):
                        await require_application(context, connection, document.name, Permission.APPLICATIONS_READ)
                    plans.append(
                        await plan_application(context, connection, document, coming, prune=prune, resolve=resolve)
                    )
        if any(one.kind is DocumentKind.TENANT for one in documents):
            context.actor.require(Permission.APPLICATIONS_READ)
            plans += await _not_named(connection, documents, prune=prune)
        sends_mail = await has_server(connection)
    return ConfigurationPlan(tuple(one.with_file_notes(sends_mail=sends_mail) for one in plans))


async def _not_named(connection: Connection, documents: Sequence[ConfigDocument], *, prune: bool) -> list[DocumentPlan]:
    """Return plans for the stored applications and sources that no document describes, applications first."""
    named = {(one.kind, one.name) for one in documents}
    there = [
        *((DocumentKind.APPLICATION, app.name) for app in await applications.list_applications(connection)),
        *(
            (DocumentKind.SOURCE, one.name)
            for one in await sources.list_sources(connection)
            if one.name != LOCAL_SOURCE
        ),
    ]
    gone = [ConfigDocument(kind, name, {}) for kind, name in there if (kind, name) not in named]
    return [
        DocumentPlan(one, False, (ConfigChange(Sign.REMOVE, one.title, "", is_kept=not prune),), {}, {}, is_gone=True)
        for one in gone
    ]


async def _tenant(
    context: Context, connection: Connection, document: ConfigDocument, resolve: Resolve, *, prune: bool
) -> DocumentPlan:
    stored = await tenant.read_tenant(connection)
    secret, notes = await plan_ldap(context, connection, document, resolve)
    current = {**stored.settings, **await ldap_spec(connection)}
    found = difference(document, current, prune=prune)
    changes = list(found.changes)
    if (stored.name or tenant.UNNAMED) != document.name:
        changes.insert(
            0, ConfigChange(Sign.CHANGE, document.title, "metadata.name", stored.name or None, document.name)
        )
    changes += [*secret, *label_changes(document, stored.labels)]
    return DocumentPlan(document, False, tuple(changes), found.spec, current, tuple(notes))


async def _source(context: Context, connection: Connection, document: ConfigDocument, *, prune: bool) -> DocumentPlan:
    known = await sources.read_source(connection, document.name)
    try:
        spec = _named_spec(context, document, known)
    except LockstepError as error:
        raise document.wrong("spec.connection", error) from None
    document = ConfigDocument(document.kind, document.name, spec, document.labels, document.origin)
    if known is None:
        added = ConfigChange(Sign.ADD, document.title, "", new={"type": spec["type"]})
        plan = DocumentPlan(document, True, (added,), spec, {})
    else:
        current = source_spec(known)
        found = difference(document, current, prune=prune)
        labels = label_changes(document, await tenant.read_labels(connection, "Source", document.name))
        plan = DocumentPlan(document, False, (*found.changes, *labels), found.spec, current)
    if plan.changes and not context.actor.may(Permission.SOURCES_WRITE):
        # The files are on the server, and an error in one shows its first line.
        return replace(plan, notes=(*plan.notes, _UNREAD))
    if plan.changes:
        try:
            context.open_source(spec["type"], source_config({**plan.current, **spec}), {})
        except LockstepError as error:
            raise document.wrong("spec.connection", error) from None
    return plan


def _named_spec(context: Context, document: ConfigDocument, known: SourceRecord | None) -> Mapping[str, Any]:
    """Return the spec of a source, with absolute paths of its files. Raises LockstepError for a file that the caller may not name."""
    if context.actor.is_operator:
        return with_absolute_paths(document)
    if not (connection := document.spec.get("connection")):
        return document.spec
    may_name = context.actor.may(Permission.SOURCES_WRITE)
    placed = named_files(context, connection, known).config if may_name else placed_files(context, connection)
    return {**document.spec, "connection": placed}
