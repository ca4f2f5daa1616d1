"""An application as a configuration file, or as the synchronization schema that Entra would have for it.

A file plans to no changes. Its secret is a reference: the value is never read, so the reference may have to be adjusted.
"""

from __future__ import annotations

from typing import Any

from lockstep.actions.configuration_state import application_spec
from lockstep.actions.context import Context
from lockstep.actions.jobs import job_row
from lockstep.actions.lookup import find_application
from lockstep.engine.config_file import ConfigDocument, DocumentKind
from lockstep.engine.config_write import write_documents
from lockstep.engine.entra_schema import export_schema
from lockstep.engine.rules import configuration_from_json
from lockstep.storage import credentials


async def export_application(context: Context, name: str) -> str:
    """The application as YAML. Raises LockstepError for one that there is not."""
    async with context.reading() as connection:
        app = await find_application(connection, name)
        spec = await application_spec(connection, app, await job_row(connection, app.name))
        credential = await credentials.read_credential(connection, app.id)
        if credential is not None and credential.has_secret:
            spec["credentials"]["secretTokenRef"] = token_reference(app.name)
    return write_documents([ConfigDocument(DocumentKind.APPLICATION, app.name, spec)])


async def export_entra_schema(context: Context, name: str) -> dict[str, Any]:
    """The synchronization schema. Raises LockstepError where a filter uses what Entra does not have."""
    async with context.reading() as connection:
        row = await job_row(connection, name)
    return export_schema(configuration_from_json(row.config, version=row.config_version))


def token_reference(app: str) -> str:
    """The variable that a file of ours expects the token in."""
    variable = "".join(letter if letter.isalnum() else "_" for letter in app).upper()
    return f"env:{variable}_SCIM_TOKEN"
