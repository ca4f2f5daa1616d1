"""Export an application as a configuration file, or as a synchronization schema in Entra's format.

Applying an exported file changes nothing. Exporting never reads a secret. The file refers to the secret by the name of an environment
variable, which the administrator may have to adjust.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from lockstep.actions.access import needs
from lockstep.actions.configuration_groups import own_groups
from lockstep.actions.configuration_sign_in import EXPORTED_REFERENCE, ldap_spec
from lockstep.actions.configuration_state import (
    MOST_KEPT,
    StoredAssignments,
    application_spec,
    drop_oldest,
    read_parts,
    source_spec,
)
from lockstep.actions.context import Context
from lockstep.actions.jobs import job_row
from lockstep.actions.lookup import find_application
from lockstep.actions.permissions import Permission
from lockstep.configuration.document.strict_json import Part
from lockstep.configuration.entra.schema_export import export_schema
from lockstep.configuration.files.file import ConfigDocument, DocumentKind
from lockstep.configuration.files.ldap_sign_in import PASSWORD, SECTION
from lockstep.configuration.files.names import LOCAL_SOURCE
from lockstep.configuration.files.sections import tenant_from_json
from lockstep.configuration.files.write import join_texts, write_documents
from lockstep.configuration.rules import configuration_from_json
from lockstep.postgres.pool import Connection
from lockstep.storage import applications, jobs, sources, tenant
from lockstep.storage.applications import ApplicationRow

_TEXTS: dict[bytes | None, str] = {}


@needs(Permission.APPLICATIONS_READ, app="name")
async def export_application(context: Context, name: str) -> str:
    """Return the application as YAML. Raises LockstepError if it does not exist."""
    async with context.reading() as connection:
        stored = await _applications(connection, [await find_application(connection, name)])
    return await asyncio.to_thread(_written, [], stored)


@needs(Permission.APPLICATIONS_READ)
async def export_everything(context: Context) -> str:
    """Return the whole organisation as YAML: tenant settings, sources, groups created in Lockstep, applications. People and the groups of
    sources are not configuration.
    """
    async with context.reading() as connection:
        stored = await tenant.read_tenant(connection)
        directory = await ldap_spec(connection) if context.actor.may(Permission.DIRECTORY_READ) else {}
        if directory:
            directory[SECTION] = {**directory[SECTION], PASSWORD: EXPORTED_REFERENCE}
        settings = tenant_from_json(Part({**stored.settings, **directory}, "spec"))  # keys in the order of files
        documents = [ConfigDocument(DocumentKind.TENANT, stored.name or tenant.UNNAMED, settings, stored.labels)]
        labels = await tenant.read_all_labels(connection, "Source")
        for source in await sources.list_sources(connection):
            if source.name != LOCAL_SOURCE:
                documents.append(
                    ConfigDocument(DocumentKind.SOURCE, source.name, source_spec(source), labels.get(source.name, {}))
                )
        documents += await own_groups(connection)
        stored_apps = await _applications(connection, await applications.list_applications(connection))
    # A large organisation has tens of thousands of lines, so other requests are served in between.
    return await asyncio.to_thread(_written, documents, stored_apps)


@dataclass(frozen=True, slots=True)
class _StoredApplication:
    """The document of an application. *digest* changes whenever the document changes; it is None if no digest is known."""

    document: ConfigDocument
    digest: bytes | None


def _written(documents: Sequence[ConfigDocument], apps: Sequence[_StoredApplication]) -> str:
    """Return the text of all these documents. Reuses the cached texts of applications that have not changed, and caches the newest
    MOST_KEPT texts.
    """
    texts = [write_documents([document]) for document in documents]
    for app in apps:
        text = _TEXTS.pop(app.digest, None) or write_documents([app.document])
        texts.append(text)
        if app.digest is not None:
            _TEXTS[app.digest] = text
    drop_oldest(_TEXTS, most=MOST_KEPT)
    return join_texts(texts)


async def _applications(connection: Connection, apps: Sequence[ApplicationRow]) -> list[_StoredApplication]:
    """Return the documents of *apps*. Runs the same number of SQL statements for many applications as for one."""
    parts = await read_parts(connection, [app.id for app in apps])
    rows = await jobs.read_jobs_of(connection, [app.id for app in apps])
    labels = await tenant.read_all_labels(connection, "Application")
    documents = []
    for app in apps:
        spec = application_spec(app, rows[app.id], parts[app.id])
        credential = parts[app.id].credential
        if credential is not None and credential.has_secret:
            spec["credentials"]["secretTokenRef"] = token_reference(app.name)
        document = ConfigDocument(DocumentKind.APPLICATION, app.name, spec, labels.get(app.name, {}))
        documents.append(_StoredApplication(document, _digest(document, parts[app.id].assignments)))
    return documents


def _digest(document: ConfigDocument, assigned: StoredAssignments) -> bytes | None:
    if assigned.digest is None:
        return None
    short = {**document.spec, "assignments": [assigned.groups, assigned.digest]}
    try:
        return blake2b(orjson.dumps([document.name, short, document.labels]), digest_size=32).digest()
    except TypeError:  # a whole number of more than 64 bits
        return None


@needs(Permission.APPLICATIONS_READ, app="name")
async def export_entra_schema(context: Context, name: str) -> dict[str, Any]:
    """Return the synchronization schema of an application. Raises LockstepError if a scoping filter uses something that Entra does not
    have.
    """
    async with context.reading() as connection:
        row = await job_row(connection, name)
    return export_schema(configuration_from_json(row.config, version=row.config_version))


def token_reference(app: str) -> str:
    """Return the name of the environment variable in which an exported file of *app* expects the token."""
    variable = "".join(letter if letter.isalnum() else "_" for letter in app).upper()
    return f"env:{variable}_SCIM_TOKEN"
