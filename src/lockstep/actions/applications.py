"""Applications: add one from the gallery, show it, remove it."""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.actions.access import needs
from lockstep.actions.context import Context, audit
from lockstep.actions.lookup import find_application
from lockstep.actions.permissions import Permission
from lockstep.configuration.files.names import APPLICATION_RULE, is_application_name
from lockstep.configuration.rules import dependencies
from lockstep.configuration.template import Template
from lockstep.directory.roles import replace_roles
from lockstep.engine.rules.configuration import JobConfiguration, Scope
from lockstep.errors import conflict, invalid
from lockstep.storage import applications, assignments, credentials, instance, jobs
from lockstep.storage.applications import ApplicationRow as ApplicationRow
from lockstep.storage.applications import RoleRow as RoleRow
from lockstep.storage.credentials import CredentialRow


@dataclass(frozen=True, slots=True)
class ApplicationView:
    """An application with everything that its page shows."""

    application: ApplicationRow
    template: Template | None
    roles: list[RoleRow]
    credential: CredentialRow | None
    assignment_count: int
    person_count: int


@needs(Permission.APPLICATIONS_CREATE)
async def add_application(context: Context, template: str, *, name: str = "", display_name: str = "") -> ApplicationRow:
    """Add an application from its gallery entry, with the entry's default configuration, roles and tenant URL. Provisioning is off.

    *template* is the name of the entry or a former name of it. If *name* is "", the application is called *template*, in lower case. Raises
    LockstepError for an unknown template, and for a name that is invalid or taken.
    """
    entry = context.gallery.template(template)
    name = name or template.lower()
    if not is_application_name(name):
        raise invalid(
            f'"{name}" is not a valid application name',
            why=APPLICATION_RULE,
            next_step=f"For example: lockstep apps add {entry.id} --name {entry.id}-2",
        )
    async with context.changing() as edit:
        if await applications.find_application(edit.connection, name):
            raise conflict(
                f"An application called {name} already exists",
                next_step=f"Choose another name: lockstep apps add {entry.id} --name {name}-2",
            )
        app = await applications.insert_application(
            edit.connection,
            name=name,
            display_name=display_name or entry.display_name,
            template=entry.id,
            job_template=entry.id,
            tenant=await instance.tenant_id(edit.connection),
        )
        configuration = entry.configuration()
        await jobs.save_configuration(
            edit.connection,
            app.job,
            entry.provisioning,
            dependencies=dependencies_of(configuration),
            syncs_all=configuration.scope is Scope.ALL,
            author=context.actor.name,
            activity=f"Defaults of the gallery entry {entry.id}",
            comment=context.comment,
        )
        await replace_roles(
            edit, app, [RoleRow(r.id, r.value, r.display_name, is_enabled=r.is_enabled) for r in entry.roles]
        )
        await credentials.save_tenant_url(edit.connection, app.id, entry.tenant_url.default, keeps_secret=False)
        await audit(
            edit, "Add service principal", app.name, after={"template": entry.id, "displayName": app.display_name}
        )
    return app


@needs(Permission.APPLICATIONS_READ, filters=True)
async def list_applications(context: Context) -> list[ApplicationRow]:
    """Return all applications that the caller may read, sorted by name."""
    async with context.reading() as connection:
        found = await applications.list_applications(connection)
    return [one for one in found if context.actor.may(Permission.APPLICATIONS_READ, one.id)]


@needs(Permission.APPLICATIONS_READ, app="name")
async def show_application(context: Context, name: str) -> ApplicationView:
    async with context.reading() as connection:
        app = await find_application(connection, name)
        count, people = await assignments.count_assigned(connection, app.id)
        return ApplicationView(
            application=app,
            template=context.gallery.template(app.template) if app.template in context.gallery.names() else None,
            roles=await applications.read_roles(connection, app.id),
            credential=await credentials.read_credential(connection, app.id),
            assignment_count=count,
            person_count=people,
        )


@needs(Permission.APPLICATIONS_WRITE, app="name")
async def remove_application(context: Context, name: str) -> ApplicationRow:
    """Remove an application with its job, links, assignments and credentials. The accounts in the application are not changed."""
    async with context.changing() as edit:
        app = await find_application(edit.connection, name)
        await applications.delete_application(edit.connection, app.id)
        before = {"template": app.template, "displayName": app.display_name, "job": app.job}
        await audit(edit, "Remove service principal", app.name, before=before)
    return app


def dependencies_of(configuration: JobConfiguration) -> dict[str, list[str]]:
    """Return the directory attributes on which the job's decisions depend. The keys are the kinds of object that the job provisions. The
    job's row stores the result in this form.
    """
    kinds = [mapping.source for mapping in configuration.objects if mapping.enabled]
    return {str(kind): sorted(dependencies(configuration, kind)) for kind in kinds}
