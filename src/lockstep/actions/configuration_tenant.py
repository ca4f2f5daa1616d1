"""Store the settings and labels that configuration files contain for the whole organisation."""

from __future__ import annotations

from lockstep.actions.access import needs, require_application
from lockstep.actions.configuration import DocumentPlan
from lockstep.actions.context import Context, audit
from lockstep.actions.permissions import Permission
from lockstep.configuration.files.file import DocumentKind
from lockstep.configuration.files.ldap_sign_in import SECTION
from lockstep.storage import tenant
from lockstep.storage.tenant import TenantRow

ACTIVITY = "Apply configuration file"


@needs(Permission.ORGANISATION_WRITE)
async def save_tenant(context: Context, plan: DocumentPlan) -> None:
    """Store the settings of the organisation. Does not store the settings of the LDAP directory; `apply_ldap` does."""
    own = {key: value for key, value in plan.spec.items() if key != SECTION}
    if not own and not any(change.place.startswith("metadata.") for change in plan.changes):
        return
    document = plan.document
    async with context.changing() as edit:
        stored = await tenant.read_tenant(edit.connection)
        settings = {**stored.settings, **own}
        await tenant.save_tenant(edit.connection, TenantRow(document.name, settings, document.labels or stored.labels))
        before = {"name": stored.name, **stored.settings}
        await audit(edit, ACTIVITY, document.title, before=before, after={"name": document.name, **settings})


@needs(Permission.APPLICATIONS_WRITE, filters=True)
async def save_labels(context: Context, plan: DocumentPlan) -> None:
    """Store the labels of an application or a source. Does nothing for the tenant, whose labels `save_tenant` stores."""
    document = plan.document
    if document.kind is DocumentKind.TENANT:
        return
    async with context.changing() as edit:
        if document.kind is DocumentKind.SOURCE:
            context.actor.require(Permission.SOURCES_WRITE)
        else:
            await require_application(context, edit.connection, document.name, Permission.APPLICATIONS_WRITE)
        before = await tenant.read_labels(edit.connection, document.kind.value, document.name)
        await tenant.save_labels(edit.connection, document.kind.value, document.name, document.labels)
        await audit(edit, ACTIVITY, document.title, before={"labels": before}, after={"labels": dict(document.labels)})
