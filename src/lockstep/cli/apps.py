"""`lockstep apps`: applications from the gallery, and their roles."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import orjson

from lockstep.actions import applications as actions
from lockstep.actions import roles as role_actions
from lockstep.actions.applications import ApplicationView
from lockstep.actions.rows.applications import (
    application_details_json,
    application_json,
    placed_roles_json,
    role_json,
    template_json,
)
from lockstep.cli import SuggestingGroup
from lockstep.cli.consent import run_consented
from lockstep.cli.output import Column, Output, confirm, hint, output_option, safe
from lockstep.cli.page_address import APPLICATION, TEMPLATE
from lockstep.cli.session import run
from lockstep.errors import CHECK_READING, invalid
from lockstep.gallery.loader import load_gallery
from lockstep.wording import counted


@click.group(cls=SuggestingGroup)
def apps() -> None:
    """Manage applications and their roles.

    \b
    lockstep apps templates
    lockstep apps add documo
    """


@apps.command("templates")
@output_option
def templates(output: Output) -> None:
    """List the gallery: applications that can be added.

    \b
    lockstep apps templates
    """
    gallery = load_gallery()
    rows = [template_json(gallery.template(name)) for name in gallery.names()]
    columns = [Column("name", "Name"), Column("displayName", "Application"), Column("description", "Description"),
               Column("tenantUrl", "Tenant URL", is_wide=True), Column("documentation", "Documentation", is_wide=True)]  # fmt: skip
    output.many(rows, columns)


@apps.command("add")
@click.argument("template", type=TEMPLATE)
@click.option("--name", default="", help="Name used in commands (default: the template's name).")
@click.option("--display-name", default="", help="Display name.")
@output_option
def add(template: str, name: str, display_name: str, output: Output) -> None:
    """Add an application from the gallery.

    \b
    lockstep apps add documo
    lockstep apps add documo --name documo-test --display-name "Documo (test)"
    """
    app = run(
        lambda context: actions.add_application(context, template, name=name, display_name=display_name), creates=True
    )
    output.one(application_json(app), text=f"{app.display_name} was added as {app.name}. Provisioning is off.")
    connect = f"lockstep creds set {app.name} --tenant-url URL --token-stdin"
    hint(f"Next: {connect}   then   lockstep assign {app.name} --group GROUP")


@apps.command("list")
@output_option
def list_(output: Output) -> None:
    """List the applications.

    \b
    lockstep apps list -o json
    """
    rows = [application_json(app) for app in run(actions.list_applications)]
    columns = [Column("name", "Name"), Column("displayName", "Application"), Column("status", "Provisioning"),
               Column("scope", "Scope"), Column("template", "Template", is_wide=True), Column("id", "Id", is_wide=True)]  # fmt: skip
    output.many(rows, columns, empty="No application yet. Add one: lockstep apps add documo")


@apps.command("show")
@click.argument("app", type=APPLICATION)
@output_option
def show(app: str, output: Output) -> None:
    """Show one application.

    \b
    lockstep apps show documo
    """
    view = run(lambda context: actions.show_application(context, app))
    output.one(application_details_json(view), text=_lines(view))


@apps.command("delete")
@click.argument("app", type=APPLICATION)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def delete(app: str, yes: bool, output: Output) -> None:
    """Remove an application. Accounts in it are left unchanged.

    \b
    lockstep apps delete documo-2
    """
    view = run(lambda context: actions.show_application(context, app))
    name = view.application.display_name
    confirm(
        f"Remove {name} with {counted(view.assignment_count, 'assignment')}? Accounts in it are left unchanged.",
        yes=yes,
    )
    removed = run(lambda context: actions.remove_application(context, app))
    output.one({"name": removed.name, "id": removed.id}, text=f"{name} was removed. No account was changed.")


_yes = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


@apps.group("roles", cls=SuggestingGroup)
def roles() -> None:
    """Manage the roles of an application. If a person has several, the first in the list counts.

    \b
    lockstep apps roles list documo
    lockstep apps roles add documo Auditor
    """


@roles.command("list")
@click.argument("app", type=APPLICATION)
@output_option
def roles_list(app: str, output: Output) -> None:
    """List the roles, highest rank first.

    \b
    lockstep apps roles list documo
    """
    found = run(lambda context: role_actions.list_roles(context, app))
    rows = placed_roles_json(found)
    columns = [Column("position", "#"), Column("value", "Value"), Column("displayName", "Role"), Column("isEnabled", "Enabled"),
               Column("description", "Description", is_wide=True), Column("id", "Id", is_wide=True)]  # fmt: skip
    output.many(rows, columns, name="value", empty="No roles: everyone gets default access.")


@roles.command("add")
@click.argument("app", type=APPLICATION)
@click.argument("value")
@click.option("--display-name", default="", help="Display name (default: the value).")
@click.option("--description", default="")
@click.option("--position", type=click.IntRange(1), help="Rank; 1 is the highest (default: last).")
@output_option
def roles_add(app: str, value: str, display_name: str, description: str, position: int | None, output: Output) -> None:
    """Add a role.

    \b
    lockstep apps roles add documo auditor --display-name Auditor
    """
    role = run(
        lambda context: role_actions.add_role(
            context, app, value, display_name=display_name, description=description, position=position
        )
    )
    output.one(role_json(role), text=f"Role {role.display_name} was added to {app}.")


@roles.command("remove")
@click.argument("app", type=APPLICATION)
@click.argument("role")
@_yes
@output_option
def roles_remove(app: str, role: str, yes: bool, output: Output) -> None:
    """Remove a role that is not assigned to anyone.

    \b
    lockstep apps roles remove documo auditor
    """
    _, effects = run_consented(lambda context: role_actions.remove_role(context, app, role), yes=yes)
    output.one({"value": role, "effects": effects}, text=f"Role {role} was removed from {app}.")


@roles.command("enable")
@click.argument("app", type=APPLICATION)
@click.argument("role")
@_yes
@output_option
def roles_enable(app: str, role: str, yes: bool, output: Output) -> None:
    """Enable a role.

    \b
    lockstep apps roles enable documo auditor
    """
    _switch_role(output, app, role, is_enabled=True, yes=yes)


@roles.command("disable")
@click.argument("app", type=APPLICATION)
@click.argument("role")
@_yes
@output_option
def roles_disable(app: str, role: str, yes: bool, output: Output) -> None:
    """Disable a role: it is no longer sent.

    \b
    lockstep apps roles disable documo auditor
    """
    _switch_role(output, app, role, is_enabled=False, yes=yes)


def _switch_role(output: Output, app: str, role: str, *, is_enabled: bool, yes: bool) -> None:
    _, effects = run_consented(
        lambda context: role_actions.set_role_enabled(context, app, role, is_enabled=is_enabled), yes=yes
    )
    text = f"Role {role} is {'on' if is_enabled else 'off'}."
    output.one({"value": role, "isEnabled": is_enabled, "effects": effects}, text=text)


@roles.command("move")
@click.argument("app", type=APPLICATION)
@click.argument("role")
@click.argument("position", type=click.IntRange(1))
@_yes
@output_option
def roles_move(app: str, role: str, position: int, yes: bool, output: Output) -> None:
    """Change the rank of a role; 1 is the highest.

    \b
    lockstep apps roles move documo auditor 1
    """
    place, effects = run_consented(
        lambda context: role_actions.move_role(context, app, role, position=position), yes=yes
    )
    output.one({"value": role, "position": place, "effects": effects}, text=f"Role {role} now has rank {place}.")


@roles.command("manifest")
@click.argument("app", type=APPLICATION)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@_yes
@output_option
def roles_manifest(app: str, file: Path | None, yes: bool, output: Output) -> None:
    """Print the roles as an Entra manifest, or replace them with those in FILE (- reads stdin).

    \b
    lockstep apps roles manifest documo > roles.json
    lockstep apps roles manifest documo roles.json
    """
    if file is None:
        click.echo(
            orjson.dumps(run(lambda context: role_actions.export_manifest(context, app)), option=orjson.OPT_INDENT_2)
        )
        return
    manifest = _read_json(file)
    taken, effects = run_consented(lambda context: role_actions.import_manifest(context, app, manifest), yes=yes)
    output.one(
        {"roles": [role_json(role) for role in taken], "effects": effects},
        text=f"{app} has {counted(len(taken), 'role')} now.",
    )


def _read_json(file: Path) -> Any:
    try:
        return orjson.loads(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    except OSError as refused:
        raise invalid(f"{file} cannot be read", why=refused.strerror or "", next_step=CHECK_READING) from None
    except orjson.JSONDecodeError as wrong:
        raise invalid(f"{file} is not valid JSON: {wrong}") from None


def _lines(view: ApplicationView) -> list[str]:
    row = application_details_json(view)
    lines = [f"{row['displayName']}  ({row['name']})"]
    pairs = [
        ("provisioning", row["status"]), ("scope", row["scope"]), ("tenant URL", row["tenantUrl"] or "not set"),
        ("secret token", row["secretToken"] or "not set"), ("roles", ", ".join(role.display_name for role in view.roles)),
        ("assigned", f"{counted(view.assignment_count, 'assignment')}, {counted(view.person_count, 'person')}"), ("job", row["job"]),
        ("more", row["documentation"]),
    ]  # fmt: skip
    return lines + [f"  {label:<13} {safe(text)}" for label, text in pairs if text]
