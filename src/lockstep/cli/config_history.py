"""`lockstep config`: the versions of an application's configuration."""

from __future__ import annotations

import click

from lockstep.actions import configuration_history as actions
from lockstep.actions.configuration_edit import text_of_version
from lockstep.actions.rows.configuration import change_json, version_json
from lockstep.cli import SuggestingGroup
from lockstep.cli.application_argument import app_argument
from lockstep.cli.config import apply_documents, comment_option
from lockstep.cli.output import Column, Output, hint, output_option, safe, with_sign_colour
from lockstep.cli.page_address import APPLICATION
from lockstep.cli.session import run
from lockstep.cli.times import local_time
from lockstep.configuration.files.file import read_documents
from lockstep.wording import counted

_COLUMNS = [Column("version", "Version"), Column("at", "Time", show=local_time), Column("author", "Who"),
            Column("activity", "Activity"), Column("comment", "Comment")]  # fmt: skip


@click.group("config", cls=SuggestingGroup)
def config() -> None:
    """Show, restore and comment on earlier versions of an application's configuration.

    \b
    lockstep config history documo
    lockstep config diff documo 3
    lockstep config restore documo 3
    lockstep config comment documo 3 "Titles for the new branch, change 4711"
    """


@config.command("history")
@app_argument
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Maximum number of versions."
)
@click.option("--below", type=click.IntRange(1), metavar="VERSION", help="Continue with versions older than this one.")
@output_option
def history(app: str, limit: int, below: int | None, output: Output) -> None:
    """List the versions of an application's configuration, the current one first.

    \b
    lockstep config history documo
    """
    found = run(lambda context: actions.list_versions(context, app, below=below, limit=limit + 1))
    output.many([version_json(one) for one in found[:limit]], _COLUMNS, name="version")
    if len(found) > limit:
        hint(f"There are older versions. Continue with: --below {found[limit - 1].version}")


@config.command("diff")
@click.argument("app", type=APPLICATION)
@click.argument("version", type=click.IntRange(1))
@click.argument("other", type=click.IntRange(0), required=False)
@output_option
def diff(app: str, version: int, other: int | None, output: Output) -> None:
    """Show the changes that a version made, or its differences from OTHER.

    \b
    lockstep config diff documo 3
    lockstep config diff documo 3 7
    """
    old, new = (version - 1, version) if other is None else (version, other)
    changes = run(lambda context: actions.compare_versions(context, app, old, new))
    same = f"Versions {old} and {new} are the same."
    head = f"{app}: version {old} -> {new}, {counted(len(changes), 'change')}"
    output.one(
        {"application": app, "old": old, "new": new, "changes": [change_json(change) for change in changes]},
        text=[head, *(with_sign_colour(safe(f"  {change.line}")) for change in changes)] if changes else same,
    )


@config.command("restore")
@click.argument("app", type=APPLICATION)
@click.argument("version", type=click.IntRange(1))
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@comment_option
@output_option
def restore(app: str, version: int, yes: bool, dry_run: bool, comment: str, output: Output) -> None:
    """Restore an earlier version of an application's configuration, as a new version.

    Shows the changes and their effect on people first. Provisioning stays on or off, as it is.

    \b
    lockstep config restore documo 3 --dry-run
    lockstep config restore documo 3 --comment "Back to the titles of May"
    """
    edited = run(lambda context: text_of_version(context, app, version))
    documents = read_documents(edited.text, f"version {version}")
    apply_documents(documents, output, yes=yes, dry_run=dry_run, restores=version, comment=comment)


@config.command("comment")
@click.argument("app", type=APPLICATION)
@click.argument("version", type=click.IntRange(1))
@click.argument("text")
def comment(app: str, version: int, text: str) -> None:
    """Replace the comment on a version. An empty TEXT removes it.

    \b
    lockstep config comment documo 3 "Titles for the new branch, change 4711"
    """
    run(lambda context: actions.comment_on_version(context, app, version, text))
    hint(f"Version {version} of {app}: {'comment saved' if text.strip() else 'no comment'}.")
