"""`lockstep assign`: who gets access to an application."""

from __future__ import annotations

from typing import Any

import click

from lockstep.actions import assignment_forecast
from lockstep.actions import assignments as actions
from lockstep.actions.assignment_forecast import AssignmentForecast
from lockstep.actions.assignments import AssignmentRow
from lockstep.actions.context import Context
from lockstep.actions.rows.applications import assignment_forecast_json, assignment_json
from lockstep.actions.rows.plans import EffectJson
from lockstep.cli import SuggestingGroup
from lockstep.cli.application_argument import app_argument
from lockstep.cli.consent import run_consented
from lockstep.cli.output import Column, Output, hint, output_option, safe
from lockstep.cli.page_address import GROUP, PERSON
from lockstep.cli.session import run
from lockstep.cli.times import local_time
from lockstep.wording import counted

_COLUMNS = [Column("principal", "Name"), Column("kind", "Kind"), Column("role", "Role"),
            Column("since", "Since", is_wide=True, show=local_time),
            Column("id", "Id", is_wide=True)]  # fmt: skip


class AssignGroup(SuggestingGroup):
    """Reads `lockstep assign APP ...` as `lockstep assign add APP ...`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["add", *args]
        return super().parse_args(ctx, args)


@click.group(cls=AssignGroup)
def assign() -> None:
    """Assign people and groups to an application.

    \b
    lockstep assign documo --group all-sales --role Member
    lockstep assign remove documo --user kim.berg@contoso.test
    """


def _principals(command: Any) -> Any:
    for option in (
        click.option("--role", help="Role, by value or name."),
        click.option(
            "--group", "groups", type=GROUP, multiple=True, metavar="NAME", help="Group, by name or id. Repeatable."
        ),
        click.option(
            "--user",
            "users",
            type=PERSON,
            multiple=True,
            metavar="UPN",
            help="Person, by user principal name or id. Repeatable.",
        ),
    ):
        command = option(command)
    return command


_yes = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


@assign.command("add")
@app_argument
@_principals
@click.option("--look-up", is_flag=True, help="Only show who already has an account there; nothing is assigned.")
@_yes
@output_option
def add(
    app: str,
    users: tuple[str, ...],
    groups: tuple[str, ...],
    role: str | None,
    look_up: bool,
    yes: bool,
    output: Output,
) -> None:
    """Assign people or groups; without --role they get default access. Of a group, only direct members count.

    \b
    lockstep assign add documo --group all-sales --role Member
    lockstep assign add documo --group all-sales --look-up
    """
    if look_up:
        found = run(
            lambda context: assignment_forecast.forecast_assignment(context, app, users=users, groups=groups, role=role)
        )
        output.one(dict(assignment_forecast_json(found)), text=[safe(line) for line in _forecast_lines(found)])
        return
    new, effects = run_consented(
        lambda context: actions.assign(context, app, users=users, groups=groups, role=role), yes=yes, named=len(users)
    )
    _show(output, app, new, effects, "assigned to")
    _warn(app, role)
    if already := len(users) + len(groups) - len(new):
        as_role = f" with the role {role}" if role else ""
        hint(f"Nothing changed for {counted(already, 'person') if not groups else already}: already assigned{as_role}.")


def _forecast_lines(found: AssignmentForecast) -> list[str]:
    lines = [f"{found.sentence}."]
    for one in found.found:
        by = f", found by {one.attribute}" if one.attribute else ""
        lines.append(f"  = {one.name}  account {one.account}{by}")
    return lines + [f"{text}." for text in (found.limits, found.next_step.rstrip(".")) if text]


@assign.command("set")
@app_argument
@_principals
@_yes
@output_option
def set_(
    app: str, users: tuple[str, ...], groups: tuple[str, ...], role: str | None, yes: bool, output: Output
) -> None:
    """Replace all roles with the given one, in one step. No account is disabled in between.

    \b
    lockstep assign set documo --user kim.berg@contoso.test --role Editor
    """
    (new, gone), effects = run_consented(
        lambda context: actions.reassign(context, app, users=users, groups=groups, role=role), yes=yes, named=len(users)
    )
    taken = [f"{row.principal} no longer has {row.role_name}" for row in gone]
    text = [f"{row.principal} is assigned to {row.app_name} ({row.role_name})" for row in new] + taken
    rows = {"assignments": [assignment_json(row) for row in new], "removed": [assignment_json(row) for row in gone]}
    output.one(
        {"application": app, **rows, "effects": effects}, text=text or "Nothing changed: they already have this role."
    )
    _warn(app, role)


@assign.command("remove")
@app_argument
@_principals
@_yes
@output_option
def remove(
    app: str, users: tuple[str, ...], groups: tuple[str, ...], role: str | None, yes: bool, output: Output
) -> None:
    """Remove assignments: all of them, or only those with one role. Asks for confirmation if people who are not named would lose accounts
    too.

    \b
    lockstep assign remove documo --user kim.berg@contoso.test
    """
    gone, effects = run_consented(
        lambda context: actions.unassign(context, app, users=users, groups=groups, role=role), yes=yes, named=len(users)
    )
    _show(output, app, gone, effects, "no longer assigned to")


@assign.command("list")
@app_argument
@output_option
def list_(app: str, output: Output) -> None:
    """List the assignments of an application.

    \b
    lockstep assign list documo
    """
    rows = run(lambda context: _read(context, app))
    empty = f"No assignments yet. Add one: lockstep assign {app} --group GROUP"
    output.many([assignment_json(row) for row in rows], _COLUMNS, name="principal", empty=empty)


async def _read(context: Context, app: str) -> list[AssignmentRow]:
    """Read all assignments page by page, and return them."""
    found: list[AssignmentRow] = []
    while True:
        after = found[-1].place if found else ()
        rows = await actions.list_assignments(context, app, after=after, limit=actions.PAGE)
        found += rows
        if len(rows) < actions.PAGE:
            return found


def _warn(app: str, role: str | None) -> None:
    if role and (warning := run(lambda context: actions.role_warning(context, app, role))):
        hint(f"warning: {warning}")


def _show(output: Output, app: str, rows: list[AssignmentRow], effects: list[EffectJson], what: str) -> None:
    text = [f"{row.principal} is {what} {row.app_name} ({row.role_name})" for row in rows]
    output.one(
        {"application": app, "assignments": [assignment_json(row) for row in rows], "effects": effects}, text=text
    )
