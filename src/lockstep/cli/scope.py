"""`lockstep scope`: show and change who is provisioned. This is either assigned people or everyone, limited by scoping filters."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lockstep.actions import mappings
from lockstep.actions import settings as actions
from lockstep.actions.consequence_words import some
from lockstep.actions.mappings import ScopeCounts
from lockstep.actions.rows.configuration import ScopeDecisionJson, scope_counts_json, scope_decision_json
from lockstep.actions.rows.plans import EffectJson
from lockstep.cli import SuggestingGroup
from lockstep.cli.application_argument import app_argument
from lockstep.cli.consent import run_consented
from lockstep.cli.output import Output, hint, output_option, safe
from lockstep.cli.page_address import GROUP, PERSON
from lockstep.cli.scope_text import Filters, filters_given
from lockstep.cli.session import run
from lockstep.configuration.document.filter_text import filter_text
from lockstep.configuration.rules import Scope
from lockstep.engine.records import ObjectKind
from lockstep.wording import counted

_KINDS = {"user": ObjectKind.USER, "group": ObjectKind.GROUP}


@click.group("scope", cls=SuggestingGroup)
def scope() -> None:
    """Show and change who is provisioned: the scope and its scoping filters.

    \b
    lockstep scope set documo --filter 'Sales only: department EQUALS "Sales"'
    lockstep scope test documo --user kim.berg@contoso.test
    """


@scope.command("show")
@app_argument
@click.option("--kind", type=click.Choice(list(_KINDS)), default="user", show_default=True)
@output_option
def show(app: str, kind: str, output: Output) -> None:
    """Show the scope and its filters. A person is in scope if all clauses of at least one filter pass.

    \b
    lockstep scope show documo
    lockstep scope show documo -o yaml
    """
    found, filters = run(lambda context: actions.show_scope(context, app, kind=_KINDS[kind]))
    _show(app, found, filters, output)


@scope.command("set")
@app_argument
@click.option(
    "--filter", "texts", multiple=True, metavar="TEXT", help="TITLE: ATTRIBUTE OPERATOR VALUE and ... Repeatable."
)
@click.option("--file", metavar="YAML", help="A file with a list of filters; - reads stdin.")
@click.option("--clear", is_flag=True, help="Remove all filters.")
@click.option("--kind", type=click.Choice(list(_KINDS)), default="user", show_default=True)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def set_(app: str, texts: tuple[str, ...], file: str | None, clear: bool, kind: str, yes: bool, output: Output) -> None:
    """Replace the scoping filters. A person is in scope if one filter matches. Asks for confirmation if people would leave the scope.

    \b
    lockstep scope set documo --filter 'Sales only: department EQUALS "Sales" and country IS NOT NULL'
    lockstep scope set documo --file filters.yaml
    """
    filters = filters_given(texts, file)
    if (filters is None) != clear:
        raise click.UsageError("Use one of --filter, --file and --clear")
    wanted = filters or []
    _, effects = run_consented(lambda context: actions.set_scope(context, app, wanted, kind=_KINDS[kind]), yes=yes)
    found, stored = run(lambda context: actions.show_scope(context, app, kind=_KINDS[kind]))
    _show(app, found, stored, output, effects)


@scope.command("test")
@app_argument
@click.option("--user", default="", type=PERSON, metavar="UPN", help="Test one person, clause by clause.")
@click.option("--group", default="", type=GROUP, metavar="NAME", help="Test one group, clause by clause.")
@click.option("--filter", "texts", multiple=True, metavar="TEXT", help="Test these filters instead; nothing is stored.")
@click.option("--file", metavar="YAML", help="Test the filters in this file instead.")
@click.option(
    "--scope",
    "tried",
    type=click.Choice([one.value for one in Scope]),
    help="Test this scope instead; nothing is stored.",
)
@output_option
def test(
    app: str, user: str, group: str, texts: tuple[str, ...], file: str | None, tried: str | None, output: Output
) -> None:
    """Show how many people are in scope, or why one person or group is or is not in scope. Nothing is written.

    \b
    lockstep scope test documo --user kim.berg@contoso.test
    lockstep scope test documo --filter 'Sales only: department EQUALS "Sales"'
    lockstep scope test documo --scope assigned
    """
    if user and group:
        raise click.UsageError("Use --user or --group, not both")
    filters, scope_tried = filters_given(texts, file), Scope(tried) if tried else None
    if user or group:
        kind = _KINDS["group" if group else "user"]
        name, decision = run(
            lambda context: mappings.decide_for(
                context, app, user or group, kind=kind, filters=filters, scope=scope_tried
            )
        )
        row = scope_decision_json(name, decision)
        output.one(row, text=[safe(line) for line in _decision_lines(row)])
        return
    counts = run(lambda context: mappings.count_scope(context, app, filters=filters, scope=scope_tried))
    output.one(scope_counts_json(app, counts), text=_count_lines(counts))
    if counts.leavers:
        hint(f"They have an account and would lose it: {some(counts.leavers)}")


def _show(app: str, found: str, filters: Filters, output: Output, effects: Sequence[EffectJson] = ()) -> None:
    who = "Everybody" if found == "all" else "Assigned people and groups"
    lines = [f"{who}, {'narrowed by ' + counted(len(filters), 'scoping filter') if filters else 'no scoping filter'}"]
    lines += [f"  {safe(filter_text(one))}" for one in filters]
    row = {"application": app, "scope": found, "scopingFilters": filters}
    output.one(row | ({"effects": list(effects)} if effects else {}), text=lines)


def _decision_lines(row: ScopeDecisionJson) -> list[str]:
    lines = [f"{row['name']} is {'IN SCOPE' if row['inScope'] else 'NOT IN SCOPE'}: {row['reason']}"]
    lines += [f"  {'ok' if one['passed'] else 'FAIL':<5} {one['clause']}" for one in row["clauses"]]
    return lines + ([row["nextStep"]] if row["nextStep"] else [])


def _count_lines(counts: ScopeCounts) -> list[str]:
    return [
        f"{counts.in_scope:,} of {counted(counts.people, 'person')} in scope",
        f"  {counts.unassigned:,} not assigned",
        f"  {counts.filtered:,} excluded by the scoping filters",
        f"  {len(counts.leavers):,} with an account, who would leave the scope",
        f"  {counts.already_out:,} with an account, already out of scope",
    ]
