"""`lockstep expr`: evaluate, look up and test mapping expressions.

Everything except `--user` works without a data folder. Values go to stdout, everything else to stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
import orjson

from lockstep.actions.expression_trials import attributes_from
from lockstep.actions.rows.expressions import explained_json, function_json
from lockstep.cli.expr_repl import run_repl
from lockstep.cli.expr_show import (
    explained_lines,
    function_text,
    value_text,
)
from lockstep.cli.page_address import PERSON
from lockstep.configuration.source_names import unknown_in_expression
from lockstep.engine.expressions import EvaluationContext, compile_expression, explain
from lockstep.engine.expressions.cases import CaseFailure, Report, plain, run_cases
from lockstep.engine.expressions.catalogue import CATALOGUE
from lockstep.engine.expressions.dates import parse_date
from lockstep.engine.moment import Moment
from lockstep.engine.records import ObjectKind
from lockstep.errors import invalid
from lockstep.wording import did_you_mean

USAGE = 64
Result = TypeVar("Result")


class ExprGroup(click.Group):
    """Gives every usage error the exit code for usage errors, even if the group is not run through the command `lockstep`."""

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        return _with_usage_code(lambda: super(ExprGroup, self).make_context(*arguments, **more))

    def invoke(self, ctx: click.Context) -> Any:
        return _with_usage_code(lambda: super(ExprGroup, self).invoke(ctx))


def _with_usage_code(call: Callable[[], Result]) -> Result:
    try:
        return call()
    except click.UsageError as error:
        error.exit_code = USAGE  # type: ignore[misc]  # click reads it from the instance
        raise


@click.group("expr", cls=ExprGroup)
def expr() -> None:
    """Evaluate and test mapping expressions.

    \b
    Examples:
      lockstep expr eval 'Join(" ", [givenName], [surname])' --set givenName=Anna --set surname=Lindqvist
      lockstep expr test mappings.jsonl
    """


@expr.command("eval")
@click.argument("expression")
@click.option("--user", type=PERSON, help="A person in the directory, by user principal name.")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Attribute and value; repeat it for several values."
)
@click.option("--now", help="The time that Now() returns, in UTC (default: the current time).")
@click.option("--taken", multiple=True, metavar="VALUE", help="A value already in use in the application. Repeatable.")
@click.option("--explain", "explains", is_flag=True, help="Show the value of every sub-expression.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@click.pass_context
def evaluate(
    ctx: click.Context,
    expression: str,
    user: str | None,
    settings: tuple[str, ...],
    now: str | None,
    taken: tuple[str, ...],
    explains: bool,
    output: str,
) -> None:
    """Evaluate an expression for a person or for given attributes.

    \b
    Examples:
      lockstep expr eval 'Left([mail], 4)' --set mail=anna@contoso.com
      lockstep expr eval 'Coalesce([mail], [userPrincipalName])' --user anna@contoso.com --explain
    """
    record = dict(_person(ctx, user)) if user else {}
    record.update(_settings(settings))
    context = EvaluationContext(Moment(_time(now), expression.encode("utf-8", "replace")), taken=frozenset(taken))
    _check_names(expression, record, has_person=bool(user))
    if explains:
        told = explain(expression, record, context)
        click.echo(_json(explained_json(told)) if output == "json" else "\n".join(explained_lines(told)))
        if told.error:
            ctx.exit(USAGE)
        return
    value = compile_expression(expression).evaluate(record, context)
    click.echo(_json({"value": plain(value)}) if output == "json" else value_text(value))


@expr.command("functions")
@click.argument("name", required=False)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
def functions(name: str | None, output: str) -> None:
    """List the expression functions, or describe one.

    \b
    Examples:
      lockstep expr functions
      lockstep expr functions Switch
    """
    if name is None:
        every = sorted(CATALOGUE.values(), key=lambda function: function.name.lower())
        if output == "json":
            click.echo(_json([function_json(function) for function in every]))
            return
        for function in every:
            click.echo(f"{function.signature}\n    {function.meaning}")
        return
    found = CATALOGUE.get(name)
    if found is None:
        meant = did_you_mean(name, CATALOGUE, otherwise="See: lockstep expr functions")
        raise click.UsageError(f"Unknown function {name}. {meant}")
    click.echo(_json(function_json(found)) if output == "json" else function_text(found))


@expr.command("repl")
@click.option("--user", type=PERSON, help="A person in the directory, by user principal name.")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Attribute that is set from the start. Repeatable."
)
@click.pass_context
def repl(ctx: click.Context, user: str | None, settings: tuple[str, ...]) -> None:
    """Evaluate expressions interactively.

    \b
    Examples:
      lockstep expr repl
      lockstep expr repl --set mail=anna@contoso.com
    """
    record = dict(_person(ctx, user)) if user else {}
    record.update(_settings(settings))
    run_repl(record, sys.stdin, now=lambda: datetime.now(UTC))


@expr.command("test")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@click.pass_context
def test(ctx: click.Context, files: tuple[str, ...], output: str) -> None:
    """Run expression test cases: JSON lines with expr, in, out; `-` reads stdin.

    \b
    Examples:
      lockstep expr test mappings.jsonl
      echo '{"expr": "Left([mail], 2)", "in": {"mail": "anna"}, "out": "an"}' | lockstep expr test -
    """
    now = datetime.now(UTC)
    reports = [_report(file, now) for file in files]
    passed = sum(report.passed for report in reports)
    failures = [failure for report in reports for failure in report.failures]
    malformed = [line for report in reports for line in report.malformed]
    for line in malformed:
        click.echo(f"{line.file}:{line.line}: not a valid case: {line.detail}", err=True)
    if output == "json":
        for failure in (one for one in failures if one.detail):
            click.echo(f"{failure.file}:{failure.line}: {failure.detail}", err=True)
        click.echo(_json(_report_as_json(passed, failures)))
    else:
        for failure in failures:
            click.echo(_failure_text(failure))
        click.echo(f"{passed} passed, {len(failures)} failed")
    ctx.exit(USAGE if malformed else 1 if failures else 0)


def _report(file: str, now: datetime) -> Report:
    try:
        with click.open_file(file, encoding="utf-8") as lines:
            return run_cases(lines, file=file, now=now)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not valid UTF-8"
        raise click.UsageError(f"Cannot read {file}: {reason}") from None


def _failure_text(failure: CaseFailure) -> str:
    name = f" {failure.id}" if failure.id else ""
    actual = _line(failure.actual) + (f"  {failure.detail}" if failure.detail else "")
    return (
        f"{failure.file}:{failure.line}:{name} {failure.expression}\n"
        f"    expected {_line(failure.expected)}\n"
        f"    actual   {actual}"
    )


def _report_as_json(passed: int, failures: list[CaseFailure]) -> dict[str, Any]:
    rows = [
        {
            "file": failure.file,
            "line": failure.line,
            "id": failure.id,
            "expr": failure.expression,
            "expected": failure.expected,
            "actual": failure.actual,
        }
        for failure in failures
    ]
    return {"passed": passed, "failed": len(failures), "failures": rows}


def _line(value: Any) -> str:
    return orjson.dumps(value).decode()


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _time(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    time = parse_date(text)
    if time is None:
        raise click.BadParameter(
            f"{text!r} is not a valid date or time such as 2021-07-02T15:33:38Z", param_hint="--now"
        )
    return time


def _check_names(expression: str, record: Mapping[str, Any], *, has_person: bool) -> None:
    """Check that all names in *expression* are attributes of people. If there is a person, an unknown name is an error. Otherwise, only a
    note is printed: the name evaluates as empty.
    """
    from lockstep.actions.mappings import SOURCE_NAMES, refuse_unknown

    unknown = list(unknown_in_expression(expression, "the expression", SOURCE_NAMES[ObjectKind.USER] | record.keys()))
    if has_person:
        refuse_unknown(unknown)
    for found in unknown:
        click.echo(f"note: {found.message} It evaluates as empty.", err=True)


def _settings(settings: tuple[str, ...]) -> dict[str, Any]:
    try:
        return attributes_from(settings)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--set") from None


def _person(ctx: click.Context, user: str) -> Mapping[str, Any]:
    """Return the person's attributes. The function that reads them is `resolve_user` of the click context's object. Raises LockstepError if
    there is no such function.
    """
    shared: Any = ctx.obj
    resolve = shared.get("resolve_user") if isinstance(shared, Mapping) else getattr(shared, "resolve_user", None)
    if resolve is None:
        raise invalid(
            "--user needs a data folder with people, and there is none here.",
            next_step="Set attributes instead, for example: --set mail=anna@contoso.com",
        )
    found: Mapping[str, Any] = resolve(user)
    return found
