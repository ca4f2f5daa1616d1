"""`lockstep scim`: check a SCIM server with the requests that Entra and Okta send.

The token is read from stdin or the environment, never from an argument. The checks delete what they create.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click

from lockstep.cli import SuggestingGroup
from lockstep.cli.output import Column, Output, hint, output_option, safe
from lockstep.errors import EXIT_CODES, Kind, invalid
from lockstep.http.client import HttpClient
from lockstep.http.outbound import Blocked, OutboundRules
from lockstep.targets.conformance.catalogue import EmulatedClient
from lockstep.targets.conformance.report import as_curl, as_json, as_junit
from lockstep.targets.conformance.run import CheckReport, CheckResult, CheckVerdict, run_checks
from lockstep.vault import Secret

VARIABLE = "SCIM_TOKEN"
SIGNS = {CheckVerdict.OK: "ok", CheckVerdict.WARN: "warning", CheckVerdict.FAIL: "FAILED", CheckVerdict.SKIP: "skipped"}
COLUMNS = (Column("id", "CHECK"), Column("client", "CLIENT"), Column("verdict", "VERDICT"), Column("title", "WHAT"))
LONGEST_BODY = 2000


@click.group("scim", cls=SuggestingGroup)
def scim() -> None:
    """Check any SCIM server for conformance.

    \b
    SCIM_TOKEN=... lockstep scim check https://api.example.com/scim/v2
    """


@scim.command("check")
@click.argument("url")
@click.option("--token-stdin", is_flag=True, help=f"Read the token from stdin instead of the environment's {VARIABLE}.")
@click.option(
    "--client",
    "clients",
    multiple=True,
    type=click.Choice([client.value for client in EmulatedClient if client is not EmulatedClient.ANY]),
    help="Run only the checks for this client and those common to all clients. Repeatable.",
)
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Also write JUnit XML to this file.")
@click.option("--timeout", type=click.FloatRange(0.1, 300), default=15.0, help="Timeout per request, in seconds.")
@output_option
@click.pass_context
def check(
    ctx: click.Context,
    url: str,
    token_stdin: bool,
    clients: tuple[str, ...],
    junit: Path | None,
    timeout: float,
    output: Output,
) -> None:
    """Send the requests of Entra and Okta to a SCIM server and check its responses.

    Use a test tenant: the checks create people and groups (named lockstep-check-...) and delete them again.
    Exits with 0 if no check failed, and with 3 otherwise.

    \b
    SCIM_TOKEN=... lockstep scim check https://api.example.com/scim/v2
    lockstep scim check https://api.example.com/scim/v2 --token-stdin --junit scim.xml < token.txt
    """
    url = url.strip().rstrip("/")
    token = _token(from_stdin=token_stdin)
    rules = _rules_for(url)
    wanted = [EmulatedClient(client) for client in clients] or list(EmulatedClient)
    report = asyncio.run(_checked(rules, url, token, wanted, timeout))
    if junit is not None:
        junit.write_bytes(as_junit(report))
    _show(report, output)
    if report.left_behind:
        hint(f"Not deleted; please delete by hand: {', '.join(report.left_behind)}")
    ctx.exit(0 if report.passed else EXIT_CODES[Kind.PARTIAL])


async def _checked(
    rules: OutboundRules, url: str, token: Secret, clients: list[EmulatedClient], timeout: float
) -> CheckReport:
    client = HttpClient(rules)

    def tell(result: CheckResult) -> None:
        click.echo(f"\r{result.check.id:<9}", err=True, nl=False)

    try:
        return await run_checks(
            client,
            url,
            token,
            clients=clients,
            deadline_seconds=timeout,
            tell=tell if sys.stderr.isatty() else lambda _: None,
        )
    finally:
        await client.close()
        if sys.stderr.isatty():
            click.echo("\r" + " " * 9 + "\r", err=True, nl=False)


def _token(*, from_stdin: bool) -> Secret:
    text = sys.stdin.read() if from_stdin else os.environ.get(VARIABLE, "")
    if not text.strip():
        where = "stdin" if from_stdin else f"the environment's {VARIABLE}"
        raise invalid(
            f"No token was given in {where}",
            next_step=f"Set it: {VARIABLE}=... lockstep scim check URL, or use --token-stdin",
        )
    return Secret(text.strip())


def _rules_for(url: str) -> OutboundRules:
    """Return outbound rules that allow only the origin of *url*, even if it is private: a person at a shell can reach a private address
    anyway. Raises LockstepError if *url* cannot be checked.
    """
    origin = "/".join(url.split("/")[:3]).partition("?")[0]
    try:
        rules = OutboundRules([origin] if "://" in url else [])
        place = rules.check_url(url)
    except (Blocked, ValueError) as refused:
        raise invalid(f"{url} cannot be checked: {refused}", next_step=getattr(refused, "next_step", "")) from None
    if place.scheme == "http" and place.host not in ("127.0.0.1", "localhost", "::1"):
        hint("Note: the URL uses http, so the token is sent unencrypted.")
    return rules


def _show(report: CheckReport, output: Output) -> None:
    if output.form in ("json", "jsonl", "yaml"):
        output.one(as_json(report), text="")
        return
    rows = [
        {
            "id": result.check.id,
            "client": result.check.client.value,
            "verdict": SIGNS[result.verdict],
            "title": result.check.title + (f": {result.sentence}" if result.sentence else ""),
        }
        for result in report.results
    ]
    output.many(rows, COLUMNS, name="id")
    if output.quiet or output.form not in ("table", "wide"):
        return
    for result in report.results:
        if result.verdict is CheckVerdict.FAIL and result.exchange is not None:
            click.echo("")
            for line in _exchange_lines(result):
                click.echo(safe(line))
    click.echo("")
    counts = ", ".join(f"{report.count(verdict)} {SIGNS[verdict]}" for verdict in CheckVerdict)
    click.echo(f"{counts}; {report.requests} requests in {report.seconds:.1f} s")


def _exchange_lines(result: CheckResult) -> list[str]:
    exchange = result.exchange
    if exchange is None:
        return []
    status = f"HTTP {exchange.status}" if exchange.status is not None else "no response"
    body = exchange.received[:LONGEST_BODY]
    return [f"{result.check.id}: {result.sentence}", f"  {as_curl(exchange)}", f"  # {status} {body}".rstrip()]
