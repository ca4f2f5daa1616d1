"""`lockstep plan`, `apply`, `diff`, `export`, `import` and `fmt`: configuration as files.

A command makes exactly the changes that it showed when it asked for confirmation. If anything has changed since, the command stops.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

import click
import orjson

from lockstep.actions.configuration import ConfigurationPlan, plan_configuration
from lockstep.actions.configuration_apply import MOST_REMOVALS, apply_configuration
from lockstep.actions.configuration_export import export_application, export_entra_schema, export_everything
from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import Consequences
from lockstep.actions.context import Context
from lockstep.cli.config_files import files_of, read_files, resolve_reference, text_of_file
from lockstep.cli.config_import import imported
from lockstep.cli.consent import run_rehearsed
from lockstep.cli.output import Output, confirm, hint, output_option
from lockstep.cli.page_address import APPLICATION, TEMPLATE
from lockstep.cli.plan_file import read_plan, refuse_stale, write_plan
from lockstep.cli.plan_forms import done_text, show_plan
from lockstep.cli.session import run
from lockstep.configuration.files.file import ConfigDocument
from lockstep.configuration.files.write import format_text
from lockstep.errors import LockstepError
from lockstep.vault import Secret
from lockstep.wording import counted

CHANGES_PRESENT = 2

files_argument = click.argument("files", nargs=-1, required=True, metavar="FILES")
comment_option = click.option(
    "--comment", default="", metavar="TEXT", help="Comment on the versions of configurations that this creates."
)
prune_option = click.option("--prune", is_flag=True, help="Remove what is not in the files.")
exitcode_option = click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 if there are changes.")


@click.command("plan")
@files_argument
@prune_option
@exitcode_option
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the plan to this file, for lockstep apply."
)
@output_option
def plan(files: tuple[str, ...], prune: bool, detailed_exitcode: bool, out: Path | None, output: Output) -> None:
    """Show what applying configuration files would change.

    \b
    lockstep plan config/ --detailed-exitcode
    lockstep plan contoso.yaml --out contoso.plan
    lockstep plan config/ -o markdown > comment.md
    """
    documents = read_files(files)
    found = _planned(documents, prune=prune)
    show_plan(found, output, _foreseen(documents, found, prune=prune))
    if out is not None:
        write_plan(out, documents, found, prune=prune)
        hint(f"Apply exactly this plan with: lockstep apply {out}")
    elif found.effective:
        hint(f"Apply with: lockstep apply {' '.join(files)}" + (" --prune" if prune else ""))
    if detailed_exitcode and found.effective:
        raise click.exceptions.Exit(CHANGES_PRESENT)


@click.command("diff")
@files_argument
@exitcode_option
@output_option
def diff(files: tuple[str, ...], detailed_exitcode: bool, output: Output) -> None:
    """Compare configuration files with the current configuration, in both directions.

    \b
    lockstep diff contoso.yaml
    lockstep diff contoso.yaml --detailed-exitcode
    """
    found = _planned(read_files(files), prune=False)
    show_plan(found, output, [])
    if detailed_exitcode and found.changes:
        raise click.exceptions.Exit(CHANGES_PRESENT)


@click.command("apply")
@files_argument
@prune_option
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option(
    "--most-removals",
    type=click.IntRange(0),
    default=MOST_REMOVALS,
    show_default=True,
    help="Refuse to remove more than this many items.",
)
@comment_option
@output_option
def apply(
    files: tuple[str, ...], prune: bool, yes: bool, dry_run: bool, most_removals: int, comment: str, output: Output
) -> None:
    """Apply configuration files, or a saved plan. A plan is refused if the configuration has changed since.

    \b
    lockstep apply contoso.yaml --yes --prune --comment "Merge 4711"
    lockstep apply contoso.plan
    """
    kept = read_plan(files)
    if kept is not None and prune:
        raise click.UsageError("Pass --prune to lockstep plan instead: a saved plan includes the option")
    documents, prune = (kept.documents, kept.prune) if kept is not None else (read_files(files), prune)
    found = _planned(documents, prune=prune)
    if kept is not None:
        refuse_stale(kept, found)
    _apply(
        documents, found, output, prune=prune, yes=yes, dry_run=dry_run, most_removals=most_removals, comment=comment
    )


def apply_documents(
    documents: Sequence[ConfigDocument], output: Output, *, yes: bool, dry_run: bool, restores: int, comment: str
) -> None:
    """Show the changes that applying *documents* would make, including removals. After confirmation, make these changes. *documents* are an
    earlier version of the configuration, and *restores* is the number of that version.
    """
    found = _planned(documents, prune=True)
    removals = len(found.changes)
    _apply(
        documents, found, output, prune=True, yes=yes, dry_run=dry_run, most_removals=removals, restores=restores,
        comment=comment,
    )  # fmt: skip


def _apply(
    documents: Sequence[ConfigDocument], found: ConfigurationPlan, output: Output, *,
    prune: bool, yes: bool, dry_run: bool, most_removals: int, restores: int | None = None, comment: str = "",
) -> None:  # fmt: skip
    effects = _foreseen(documents, found, prune=prune)
    show_plan(found, output, effects)
    if dry_run or not found.effective:
        return
    confirm(" ".join([*consequence_lines(effects), f"Apply {counted(len(found.effective), 'change')}?"]), yes=yes)

    async def work(context: Context) -> ConfigurationPlan:
        return await apply_configuration(
            context,
            documents,
            prune=prune,
            resolve=resolve_reference,
            expected=found.changes,
            most_removals=most_removals,
            restores=restores,
            comment=comment,
        )

    done = run(work)
    hint(f"Applied: {done_text(done)}.")


@click.command("export")
@click.argument("app", required=False, default="", type=APPLICATION)
@click.option("--all", "everything", is_flag=True, help="Export everything: settings, sources, applications.")
@click.option("--format", "form", type=click.Choice(["yaml", "entra-json"]), default="yaml", help="Output format.")
def export(app: str, everything: bool, form: str) -> None:
    """Print one application or everything as a configuration file. One application can also be printed as an Entra schema.

    \b
    lockstep export documo > documo.yaml
    lockstep export --all > contoso.yaml
    lockstep export documo --format entra-json > schema.json
    """
    if bool(app) == everything:
        raise click.UsageError("Name an application, or use --all")
    if everything and form != "yaml":
        raise click.UsageError("An Entra schema describes one application: omit --all and name the application")

    async def work(context: Context) -> str:
        if everything:
            return await export_everything(context)
        if form == "yaml":
            return await export_application(context, app)
        schema = await export_entra_schema(context, app)
        return orjson.dumps(schema, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()

    click.echo(run(work), nl=False)


@click.command("import")
@click.argument("file", metavar="ENTRA.JSON")
@click.option("--app", default="documo", show_default=True, help="The name of the application.")
@click.option(
    "--template",
    default="",
    type=TEMPLATE,
    help="Gallery entry (default: the one with the name APP, otherwise custom).",
)
def import_(file: str, app: str, template: str) -> None:
    """Convert a synchronization schema exported from Entra to a configuration file, with a report.

    \b
    lockstep import entra.json --app documo > documo.yaml
    """
    text, report = imported(text_of_file(file), file, app=app, template=template)
    click.echo(text, nl=False)
    for line in report:
        hint(line)


@click.command("fmt")
@files_argument
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a file would change.")
@click.option("--diff", "shows_diff", is_flag=True, help="Show what would change.")
def fmt(files: tuple[str, ...], check: bool, shows_diff: bool) -> None:
    """Format configuration files. Comments are kept.

    \b
    lockstep fmt contoso.yaml
    lockstep fmt --check config/*.yaml
    """
    differing = 0
    for file in [file for name in files for file in files_of(name)]:
        before = text_of_file(file)
        after = format_text(before, file)
        if file == "-" and not check:
            click.echo(after, nl=False)
            continue
        if before == after:
            continue
        differing += 1
        click.echo(file)
        if shows_diff:
            lines = difflib.unified_diff(before.splitlines(), after.splitlines(), file, file, lineterm="")
            click.echo("\n".join(lines))
        if not check:
            Path(file).write_text(after, encoding="utf-8")
    if check and differing:
        hint(f"{counted(differing, 'file')} not formatted. Format: lockstep fmt FILES")
        raise click.exceptions.Exit(1)


def _planned(documents: Sequence[ConfigDocument], *, prune: bool) -> ConfigurationPlan:
    async def work(context: Context) -> ConfigurationPlan:
        return await plan_configuration(context, documents, prune=prune, resolve=resolve_reference)

    return run(work)


def _foreseen(documents: Sequence[ConfigDocument], found: ConfigurationPlan, *, prune: bool) -> list[Consequences]:
    """Return the effects that applying *documents* would have on people."""
    if not found.effective:
        return []

    async def work(context: Context) -> ConfigurationPlan:
        return await apply_configuration(
            context, documents, prune=prune, resolve=_any_secret, most_removals=len(found.changes)
        )

    try:
        return run_rehearsed(work)
    except LockstepError as error:
        hint(f"Apply would refuse this: {error.detail}")
        return []


def _any_secret(reference: str) -> Secret:
    """Return the secret to which *reference* refers or, if this machine does not have it, a placeholder. With the placeholder, a plan can
    be shown without the secret.
    """
    return resolve_reference(reference) or Secret("rehearsed")
