"""Convert an exported synchronization schema into a configuration file, with a report of what was converted."""

from __future__ import annotations

import orjson

from lockstep.actions.configuration_export import token_reference
from lockstep.actions.mappings import SOURCE_NAMES
from lockstep.configuration.document.strict_json import Part
from lockstep.configuration.entra.schema import ImportedSchema, import_schema
from lockstep.configuration.files.file import ConfigDocument, DocumentKind
from lockstep.configuration.files.sections import provisioning_from_json
from lockstep.configuration.files.write import write_documents
from lockstep.configuration.findings import Finding
from lockstep.errors import invalid
from lockstep.gallery.loader import load_gallery
from lockstep.wording import counted

USUAL_TEMPLATE = "custom"


def imported(text: str, file: str, *, app: str, template: str = "") -> tuple[str, list[str]]:
    """Convert the exported schema *text*. Returns the configuration file as YAML, and the lines of the report. *file* is the name for error
    messages. Raises LockstepError if *text* is not a schema.
    """
    try:
        schema = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise invalid(f"{file}:{error.lineno}:{error.colno}: this is not valid JSON: {error.msg}") from None
    gallery = load_gallery()
    entry = gallery.template(template or (app if app in gallery.names() else USUAL_TEMPLATE))
    found = import_schema(schema, SOURCE_NAMES)
    url = {"tenantUrl": entry.tenant_url.default} if entry.tenant_url.default else {}
    credentials = {"authentication": "bearer", **url, "secretTokenRef": token_reference(app)}
    spec = {
        "template": entry.id,
        "credentials": credentials,
        "provisioning": provisioning_from_json(Part(found.provisioning, "provisioning")),
    }
    return write_documents([ConfigDocument(DocumentKind.APPLICATION, app, spec)]), _report(found, credentials)


def _report(found: ImportedSchema, credentials: dict[str, str]) -> list[str]:
    groups = {
        severity: [one for one in found.findings if one.severity == severity]
        for severity in ("error", "warning", "kept")
    }
    lines = [
        f"Mapped {counted(found.mapped, 'attribute')}.",
        *_listed("need a decision", groups["error"]),
        *_listed("to review", groups["warning"]),
        *_listed("kept for export, but not used by Lockstep", groups["kept"]),
    ]
    secret = f"Secret to supply: the application's token, in {credentials['secretTokenRef']}."
    return [*lines, secret, *([] if "tenantUrl" in credentials else ["Tenant URL to supply: credentials.tenantUrl."])]


def _listed(what: str, findings: list[Finding]) -> list[str]:
    return [
        f"{counted(len(findings), 'item')} {what}{':' if findings else '.'}",
        *(f"  {one.place}: {one.message}" for one in findings),
    ]
