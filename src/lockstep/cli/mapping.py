"""`lockstep map`: how attributes of the directory become attributes of an application."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from lockstep.actions import mappings
from lockstep.actions import settings as actions
from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.context import Context
from lockstep.actions.lookup import unknown
from lockstep.actions.rows.configuration import finding_json
from lockstep.actions.rows.plans import effects_json
from lockstep.actions.unkept import unkept_attributes
from lockstep.cli import SuggestingGroup
from lockstep.cli.application_argument import app_argument
from lockstep.cli.consent import run_consented, run_rehearsed
from lockstep.cli.mapping_attributes import attributes, evaluate
from lockstep.cli.output import Column, Output, hint, output_option, safe
from lockstep.cli.page_address import APPLICATION, MAPPING
from lockstep.cli.session import run
from lockstep.configuration.findings import Finding
from lockstep.engine.records import ObjectKind
from lockstep.errors import EXIT_CODES, Kind

_KINDS = {"user": ObjectKind.USER, "group": ObjectKind.GROUP}
_COLUMNS = [Column("target", "Target attribute"), Column("value", "Source"), Column("match", "Match"),
            Column("apply", "Apply"), Column("default", "Default", is_wide=True), Column("kind", "Kind", is_wide=True)]  # fmt: skip


@click.group("map", cls=SuggestingGroup)
def map_() -> None:
    """Manage the attribute mappings of an application.

    \b
    lockstep map list documo
    lockstep map set documo title --source jobTitle
    """


def _kind_option(command: Any) -> Any:
    return click.option("--kind", type=click.Choice(list(_KINDS)), default="user", show_default=True)(command)


@map_.command("list")
@app_argument
@_kind_option
@output_option
def list_(app: str, kind: str, output: Output) -> None:
    """List the mappings in their order.

    \b
    lockstep map list documo
    lockstep map list documo --kind group -o json
    """
    rows = run(lambda context: mappings.read_mappings(context, app))
    found = [one | _texts(one, kind) for one in _attributes(rows, kind)]
    output.many(found, _COLUMNS, name="target", empty=f"{app} has no mappings for {kind}s.")


@map_.command("show")
@click.argument("app", type=APPLICATION)
@click.argument("target", type=MAPPING)
@_kind_option
@output_option
def show(app: str, target: str, kind: str, output: Output) -> None:
    """Show the mapping of one attribute of the application.

    \b
    lockstep map show documo userName
    lockstep map show documo 'emails[type eq "work"].value'
    """

    async def read(context: Context) -> tuple[list[dict[str, Any]], Mapping[tuple[str, str], Finding]]:
        return await mappings.read_mappings(context, app), await unkept_attributes(context, app)

    found, unkept = run(read)
    rows = _attributes(found, kind)
    row = next((one for one in rows if str(one["target"]).lower() == target.lower()), None)
    if row is None:
        raise unknown(
            "mapping of", target, [str(one["target"]) for one in rows], otherwise=f"See: lockstep map list {app}"
        )
    problem = unkept.get((_KINDS[kind].value, row["target"]))
    if problem is None:
        output.one(row, text=_lines(row))
        return
    told = {"notKept": problem.message, "nextStep": problem.next_step}
    output.one(row | told, text=[*_lines(row), f"  {safe(problem.message)}.", f"  {safe(problem.next_step)}"])


@map_.command("set")
@click.argument("app", type=APPLICATION)
@click.argument("target", type=MAPPING)
@click.option("--source", help="Source attribute in the directory.")
@click.option("--expression", help="Source expression.")
@click.option("--constant", help="Constant source value.")
@click.option("--default", help='Default if the value is empty ("" removes the default).')
@click.option(
    "--match", type=click.IntRange(0, 99), metavar="NUMBER", help="Matching precedence; 0 = not used for matching."
)
@click.option("--apply", metavar="WHEN", help="When to write: always, or createOnly (only on creation).")
@click.option("--remove", is_flag=True, help="Remove the mapping.")
@click.option("--dry-run", is_flag=True, help="Only show the effect on people; nothing is saved.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@_kind_option
@output_option
def set_(
    app: str, target: str, kind: str, remove: bool, dry_run: bool, yes: bool, output: Output, **given: Any
) -> None:
    """Add, change or remove the mapping of one attribute of the application.

    \b
    lockstep map set documo title --source jobTitle --default Employee
    lockstep map set documo displayName --expression 'Join(" ", [givenName], [surname])'
    """
    changes = {key: value for key, value in given.items() if value is not None}
    if len({"source", "expression", "constant"} & changes.keys()) > 1:
        raise click.UsageError("Use only one of --source, --expression and --constant")
    if remove == bool(changes):
        raise click.UsageError("Use either --remove or options that change the mapping, such as --source")
    if changes.get("default") == "":
        changes["default"] = None

    async def work(context: Context) -> None:
        await actions.set_mapping(context, app, target, None if remove else changes, kind=_KINDS[kind])

    if dry_run:
        found = run_rehearsed(work)
        lines = consequence_lines(found) or ["No one would lose an account, gain privileges or be renamed."]
        output.one({"target": target, "effects": effects_json(found)}, text=[*lines, "Nothing changed."])
        return
    _, effects = run_consented(work, yes=yes)
    if remove:
        output.one(
            {"target": target, "removed": True, "effects": effects},
            text=f"{target} is no longer written. Existing values in the application stay.",
        )
        return
    rows = _attributes(run(lambda context: mappings.read_mappings(context, app)), kind)
    row = next(one for one in rows if str(one["target"]).lower() == target.lower())
    output.one(row | {"effects": effects}, text=_lines(row))
    hint(f"Everyone is re-evaluated; only differences are written. Check it: lockstep map lint {app}")


@map_.command("lint")
@app_argument
@output_option
def lint(app: str, output: Output) -> int:
    """Check mappings and filters for errors and likely mistakes.

    \b
    lockstep map lint documo
    lockstep map lint documo -o json
    """
    found = run(lambda context: mappings.lint_mappings(context, app))
    rows = [finding_json(one) for one in found]
    columns = [
        Column("severity", "Severity"),
        Column("place", "Where"),
        Column("message", "What"),
        Column("nextStep", "What to do"),
    ]
    output.many(rows, columns, name="place", empty="No problems found.")
    return EXIT_CODES[Kind.INTERNAL] if any(one.severity == "error" for one in found) else 0


map_.add_command(attributes)
map_.add_command(evaluate)


def _attributes(rows: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    wanted = _KINDS[kind].value
    return [one for mapping in rows if mapping["source"] == wanted for one in mapping.get("attributes", [])]


def _texts(row: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"kind": kind, "value": _value(row), "match": row.get("match", ""), "apply": row.get("apply", "always")}


def _value(row: dict[str, Any]) -> str:
    if "source" in row:
        return f"[{row['source']}]"
    return str(row["expression"]) if "expression" in row else f'"{row["constant"]}"' if "constant" in row else "nothing"


def _lines(row: dict[str, Any]) -> list[str]:
    rest = {key: value for key, value in row.items() if key not in ("target", "source", "expression", "constant")}
    return [
        f"{safe(row['target'])} = {safe(_value(row))}",
        *(f"  {key:<9} {safe(value)}" for key, value in rest.items()),
    ]
