"""`lockstep push`: provision people and groups on demand, or show what that would do."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lockstep.actions import previews, provisioning
from lockstep.actions.rows.plans import plan_json
from lockstep.actions.rows.provisioning import push_json, push_problem
from lockstep.cli.output import Column, Output, hint, output_option
from lockstep.cli.page_address import APPLICATION, GROUP, PERSON
from lockstep.cli.plans import done_lines, plan_lines
from lockstep.cli.session import run
from lockstep.engine.plans import Plan
from lockstep.engine.records import Action
from lockstep.errors import EXIT_CODES, Kind

_COLUMNS = [Column("name", "Name"), Column("status", "Status"), Column("action", "Action"), Column("reason", "Reason")]
_PLAN_COLUMNS = [Column("name", "Name"), Column("action", "Action"), Column("reason", "Reason")]


@click.command("push")
@click.argument("app", type=APPLICATION)
@click.argument("users", nargs=-1, metavar="USER...", type=PERSON)
@click.option("--group", "groups", type=GROUP, multiple=True, metavar="NAME", help="Group, by name or id. Repeatable.")
@click.option("--again", is_flag=True, help="Also send values that the application accepted but did not keep.")
@click.option("--dry-run", is_flag=True, help="Only show what would be done; nothing is written.")
@output_option
def push(app: str, users: tuple[str, ...], groups: tuple[str, ...], again: bool, dry_run: bool, output: Output) -> int:
    """Provision people now, before all others, and show what was done and why.

    \b
    lockstep push documo kim.berg@contoso.test
    lockstep push documo kim.berg@contoso.test --dry-run
    """
    if not users and not groups:
        raise click.UsageError("Name a person (USER) or a group (--group NAME)")
    if again and dry_run:
        raise click.UsageError(
            "Use --again or --dry-run, not both: whether the application keeps a value is known only after sending it"
        )
    if dry_run:
        return _preview(app, users, groups, output)
    done = run(lambda context: provisioning.push(context, app, users=users, groups=groups, again=again))
    rows = [push_json(app, name, one) for name, one in zip((*users, *groups), done, strict=True)]
    if output.form == "table" and not output.quiet:
        for name, one in zip((*users, *groups), done, strict=True):
            lines = done_lines(one.record) if one.record else [f"  ! waiting  {name}   {push_problem(app, one)}"]
            click.echo("\n".join(_printable(line) for line in lines))
    else:
        output.many(rows, _COLUMNS)
    has_failed = any(row["status"] not in ("success", "skipped") for row in rows)
    return EXIT_CODES[Kind.PARTIAL] if has_failed else 0


def _preview(app: str, users: Sequence[str], groups: Sequence[str], output: Output) -> int:
    plans = run(lambda context: previews.preview(context, app, users=users, groups=groups))
    if output.form == "table" and not output.quiet:
        for plan in plans:
            click.echo("\n".join(_printable(line) for line in plan_lines(plan)))
        hint(f"{_summary(plans)} Nothing was written.")
    else:
        output.many([plan_json(plan) for plan in plans], _PLAN_COLUMNS)
    return EXIT_CODES[Kind.PARTIAL] if any(plan.action is Action.REFUSE for plan in plans) else 0


def _summary(plans: Sequence[Plan]) -> str:
    writes = sum(plan.action.writes for plan in plans)
    return f"Plan: {writes} to write, {len(plans) - writes} unchanged."


def _printable(line: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in line)
