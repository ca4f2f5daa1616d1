"""`lockstep admins`: who may use the admin centre, and what they may do in it."""

from __future__ import annotations

from typing import Any

import click

from lockstep.actions import administrators as actions
from lockstep.actions.administrators import LINK_VALID, AdministratorView, NewLink
from lockstep.actions.context import Context
from lockstep.actions.permissions import MEANINGS, ROLE_NAMES, TABLE, Permission, Role
from lockstep.cli import SuggestingGroup
from lockstep.cli.admins_sso import sso
from lockstep.cli.output import Column, Output, confirm, hint, output_option
from lockstep.cli.page_address import ADMINISTRATOR, APPLICATION
from lockstep.cli.session import run, served_at
from lockstep.cli.times import iso, local_stamp, local_time
from lockstep.errors import conflict
from lockstep.wording import counted

_ROLE = click.option(
    "--role",
    "roles",
    type=click.Choice([role.value for role in Role], case_sensitive=False),
    multiple=True,
    required=True,
    metavar="ROLE",
    help="Role; repeatable. See: lockstep admins roles",
)
_APP = click.option(
    "--app",
    "owns",
    type=APPLICATION,
    multiple=True,
    metavar="APP",
    help="Application that an applicationOwner owns; repeatable.",
)
_COLUMNS = (
    Column("email", "E-mail"),
    Column("displayName", "Name"),
    Column("roles", "Roles"),
    Column("status", "Status"),
    Column("lastSignIn", "Last sign-in", show=local_time),
    Column("createdBy", "Invited by", is_wide=True),
)


@click.group("admins", cls=SuggestingGroup)
def admins() -> None:
    """Manage the administrators of Lockstep: who may use the admin centre, and with which roles.

    \b
    lockstep admins invite anna@contoso.com --role operator
    lockstep admins set anna@contoso.com --role applicationOwner --app documo
    lockstep admins roles
    """


@admins.command("invite")
@click.argument("email", required=False, default="")
@click.option("--name", default="", metavar="TEXT", help="Display name.")
@click.option(
    "--role",
    "roles",
    type=click.Choice([role.value for role in Role], case_sensitive=False),
    multiple=True,
    metavar="ROLE",
    help="Role; repeatable. See: lockstep admins roles",
)
@_APP
@output_option
def invite(email: str, name: str, roles: tuple[str, ...], owns: tuple[str, ...], output: Output) -> None:
    """Print a one-time link that makes EMAIL an administrator. Without EMAIL, print the link for the first administrator.

    \b
    lockstep admins invite
    lockstep admins invite anna@contoso.com --role operator --role helpDesk
    """

    async def work(context: Context) -> NewLink:
        if email:
            return await actions.invite(context, email, _roles(roles), owns=owns, display_name=name)
        path = await actions.first_link(context)
        if path is None:
            raise conflict(
                "An administrator already exists",
                next_step="Name the new one: lockstep admins invite EMAIL --role ROLE",
            )
        return NewLink("", context.now() + LINK_VALID, path)

    _show_link(run(work), output)


@admins.command("list")
@output_option
def list_(output: Output) -> None:
    """List administrators with their roles.

    \b
    lockstep admins list
    lockstep admins list -o json
    """
    rows = [_row(one) for one in run(actions.list_administrators)]
    output.many(rows, _COLUMNS, name="email", empty="No administrators yet. Invite the first: lockstep admins invite")


@admins.command("roles")
@output_option
def roles_(output: Output) -> None:
    """Print which role has which permission. An applicationOwner has these permissions only in their own applications.

    \b
    lockstep admins roles
    lockstep admins roles -o json
    """
    is_read = output.form in ("table", "wide", "markdown")
    rows: list[dict[str, Any]] = [
        {"permission": permission.value, "meaning": MEANINGS[permission]}
        | {
            role.value: ("yes" if role in TABLE[permission] else "") if is_read else role in TABLE[permission]
            for role in Role
        }
        for permission in Permission
    ]
    columns = [Column("permission", "Permission"), *(Column(role.value, ROLE_NAMES[role]) for role in Role)]
    columns.append(Column("meaning", "What it allows", is_wide=True))
    output.many(rows, columns, name="permission")


@admins.command("set")
@click.argument("email", type=ADMINISTRATOR)
@_ROLE
@_APP
@output_option
def set_(email: str, roles: tuple[str, ...], owns: tuple[str, ...], output: Output) -> None:
    """Replace all roles of EMAIL with the given ones. The administrator has to sign in again.

    \b
    lockstep admins set anna@contoso.com --role globalAdministrator
    lockstep admins set anna@contoso.com --role applicationOwner --app documo
    """
    changed = run(lambda context: actions.change_roles(context, email, _roles(roles), owns=owns))
    row = _row(changed)
    output.one(row, text=f"{changed.email}: {row['roles']}.")


@admins.command("disable")
@click.argument("email", type=ADMINISTRATOR)
@output_option
def disable(email: str, output: Output) -> None:
    """Disable an administrator: sessions end, tokens are refused. Undo with: lockstep admins enable EMAIL

    \b
    lockstep admins disable anna@contoso.com
    """
    changed = run(lambda context: actions.set_enabled(context, email, is_enabled=False))
    output.one(_row(changed), text=f"{changed.email} is disabled.")


@admins.command("enable")
@click.argument("email", type=ADMINISTRATOR)
@output_option
def enable(email: str, output: Output) -> None:
    """Enable an administrator who was disabled.

    \b
    lockstep admins enable anna@contoso.com
    """
    changed = run(lambda context: actions.set_enabled(context, email, is_enabled=True))
    output.one(_row(changed), text=f"{changed.email} is enabled.")


@admins.command("remove")
@click.argument("email", type=ADMINISTRATOR)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def remove(email: str, yes: bool, output: Output) -> None:
    """Remove an administrator, end their sessions and delete their personal tokens.

    \b
    lockstep admins remove anna@contoso.com
    """
    confirm(f"Remove the administrator {email}?", yes=yes)
    run(lambda context: actions.remove(context, email))
    output.one({"email": email}, text=f"{email} is no longer an administrator.")


@admins.command("reset-password")
@click.argument("email", type=ADMINISTRATOR)
@click.option("--second-factor", is_flag=True, help="Also remove the second factor.")
@output_option
def reset_password(email: str, second_factor: bool, output: Output) -> None:
    """Invalidate the password and print a one-time link that sets a new one. Also ends a lockout.

    \b
    lockstep admins reset-password anna@contoso.com
    """
    _show_link(run(lambda context: actions.reset_password(context, email, second_factor=second_factor)), output)


@admins.command("sign-out")
@click.argument("email", type=ADMINISTRATOR)
@output_option
def sign_out(email: str, output: Output) -> None:
    """End all sessions of an administrator.

    \b
    lockstep admins sign-out anna@contoso.com
    """
    ended = run(lambda context: actions.sign_out_everywhere(context, email))
    output.one({"email": email, "sessions": ended}, text=f"{counted(ended, 'session')} of {email} ended.")


admins.add_command(sso)


def _roles(names: tuple[str, ...]) -> list[Role]:
    return [Role(name) for name in names]


def _row(one: AdministratorView) -> dict[str, Any]:
    owned = f" ({', '.join(one.owns)})" if one.owns else ""
    names = [ROLE_NAMES[role] + (owned if role is Role.APPLICATION_OWNER else "") for role in one.roles]
    status = "invited" if not one.has_accepted else "enabled"
    return {
        "email": one.email,
        "displayName": one.display_name,
        "roles": ", ".join(names),
        "status": status if one.is_enabled else "disabled",
        "lastSignIn": iso(one.last_sign_in_at),
        "createdBy": one.created_by,
    }


def _show_link(link: NewLink, output: Output) -> None:
    output.one(
        {"email": link.email, "path": link.path, "expiresAt": iso(link.expires_at)},
        text=served_at() + link.path,
    )
    hint(
        f"The link works once, until {local_stamp(link.expires_at)}. "
        "If browsers reach the admin centre at another address, change the beginning of the link."
    )
