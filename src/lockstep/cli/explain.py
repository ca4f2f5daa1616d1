"""`lockstep explain`: why a person has or does not have an account in an application."""

from __future__ import annotations

import click

from lockstep.actions import explaining
from lockstep.actions.context import Context
from lockstep.actions.explaining import ExplainedObject
from lockstep.actions.previews import change_json
from lockstep.actions.rows.plans import explanation_json
from lockstep.cli.output import Output, output_option, safe
from lockstep.cli.page_address import APPLICATION, PERSON, application_in
from lockstep.cli.plans import change_lines
from lockstep.cli.session import run
from lockstep.engine.decisions.explain import Explanation, GateState
from lockstep.engine.plans import Plan


@click.command("explain")
@click.argument("address", metavar="USER|URL")
@click.argument("app", required=False, default="", type=APPLICATION)
@click.option("--app", "named", default="", type=APPLICATION, help="The application (same as APP).")
@output_option
def explain(address: str, app: str, named: str, output: Output) -> int:
    """Explain, check by check, why someone is or is not provisioned, and what would change it. Nothing is written.

    APP can be omitted if there is only one application. If the application cannot be reached, the command explains
    what is known without it and exits with 4 or 69. URL is the address of the page that explains the person.

    \b
    lockstep explain kim.berg@contoso.test
    lockstep explain kim.berg@contoso.test documo -o json
    """
    if app and named:
        raise click.UsageError("Name the application once: as APP or with --app")
    user = PERSON.convert(address, None, click.get_current_context())
    app = app or named or application_in(address)

    async def work(context: Context) -> tuple[str, ExplainedObject]:
        name = app or await explaining.only_application(context)
        return name, await explaining.explain_person(context, user, name)

    app, found = run(work)
    plan, why = found.plan, found.why
    output.one(explanation_json(app, plan, why), text=[safe(line) for line in _lines(plan, why)])
    return found.failed.exit_code if found.failed is not None else 0


def _lines(plan: Plan, why: Explanation) -> list[str]:
    lines = [why.sentence, *_gates(why)]
    if plan.action.writes:
        lines += change_lines([change_json(change) for change in plan.changes])
    return lines + [text for text in (*why.notes, why.counterfactual, why.next_step) if text]


def _gates(why: Explanation) -> list[str]:
    reached = [gate for gate in why.gates if gate.state is not GateState.NOT_REACHED]
    lines = [f"  {gate.state.value:<5} {gate.name:<9} {gate.text}" for gate in reached]
    missed = [gate.name for gate in why.gates if gate.state is GateState.NOT_REACHED]
    return [*lines, f"  -     {', '.join(missed)}   not reached"] if missed else lines
