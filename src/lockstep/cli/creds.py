"""`lockstep creds`: the credentials for an application. A token is read from stdin or a file, never from an argument."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from lockstep.actions import connection
from lockstep.actions import credentials as actions
from lockstep.actions.context import Context
from lockstep.actions.credentials import Authentication, AuthenticationMethod, CredentialView
from lockstep.actions.outbound import list_places
from lockstep.actions.rows.applications import credentials_json, probe_json
from lockstep.cli import SuggestingGroup
from lockstep.cli.application_argument import app_argument
from lockstep.cli.config_files import text_of_file
from lockstep.cli.output import Column, Output, confirm, hint, output_option
from lockstep.cli.session import run, settings_of
from lockstep.errors import EXIT_CODES, Kind
from lockstep.http.outbound import Blocked, OutboundRules
from lockstep.ports import Probe
from lockstep.vault import Secret
from lockstep.wiring import own_application


@click.group(cls=SuggestingGroup)
def creds() -> None:
    """Manage the tenant URL and secret token of an application.

    \b
    lockstep creds set documo --tenant-url https://api.documo.com/scim/v2 --token-stdin < key.txt
    lockstep creds show documo
    """


def _refuse_argument(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise click.UsageError(
            "A secret on the command line is visible to everyone on this machine and stays in the shell history: "
            "use --token-stdin or --token-file. Treat this token as compromised and replace it"
        )


@creds.command("set")
@app_argument
@click.option("--tenant-url", help="Tenant URL, such as https://api.documo.com/scim/v2.")
@click.option("--token-stdin", is_flag=True, help="Read the secret token from stdin.")
@click.option(
    "--token-file", type=click.Path(path_type=Path, dir_okay=False), help="Read the secret token from a file."
)
@click.option("--token", hidden=True, callback=_refuse_argument, expose_value=False)
@click.option(
    "--method",
    type=click.Choice([str(one.value) for one in AuthenticationMethod]),
    metavar="METHOD",
    help="bearer (default), oauth2ClientCredentials or basic.",
)
@click.option("--client-id", default="", help="The client id, or the user name for basic.")
@click.option("--token-url", default="", help="URL that issues access tokens.")
@click.option("--scope", default="", help="OAuth scope to request.")
@click.option("--test", "must_work", is_flag=True, help="Store the credentials only if the connection test passes.")
@click.option("--yes", is_flag=True, help="Replace working credentials without asking.")
@output_option
def set_(
    app: str,
    tenant_url: str | None,
    token_stdin: bool,
    token_file: Path | None,
    method: str | None,
    client_id: str,
    token_url: str,
    scope: str,
    must_work: bool,
    yes: bool,
    output: Output,
) -> None:
    """Store the tenant URL, the secret, or both. The secret is never shown again.

    New credentials are tested first: the command asks before it replaces working
    credentials with failing ones. With --method, the secret is that of the client or user.

    \b
    lockstep creds set documo --tenant-url https://x.test/scim/v2 --token-stdin
    lockstep creds set documo --method oauth2ClientCredentials --client-id ID \\
      --token-url https://x.test/oauth/token --token-stdin
    """
    token = _read_token(from_stdin=token_stdin, file=token_file)
    authentication = _authentication(method, client_id, token_url, scope)

    def agree(failed: Probe) -> None:
        confirm(
            f"The stored credentials work, but the new ones do not: {failed.sentence}. Replace them anyway?",
            yes=yes,
        )

    async def work(context: Context) -> CredentialView:
        if yes and not must_work:
            return await actions.set_credentials(
                context, app, tenant_url=tenant_url, secret_token=token, authentication=authentication
            )
        return await connection.set_tested_credentials(
            context, app, tenant_url=tenant_url, secret_token=token, authentication=authentication, must_work=must_work,
            agree=agree,
        )  # fmt: skip

    view = run(work)
    output.one(credentials_json(app, view), text=_lines(app, view))
    if view.was_cleared:
        hint("The tenant URL now points to a different server, so the stored token was cleared.")
        hint(f"Next: lockstep creds set {app} --token-stdin")


@creds.command("show")
@app_argument
@output_option
def show(app: str, output: Output) -> None:
    """Show the tenant URL and whether a token is stored.

    \b
    lockstep creds show documo
    """
    view = run(lambda context: actions.show_credentials(context, app))
    output.one(credentials_json(app, view), text=_lines(app, view))


@creds.command("test")
@app_argument
@click.option(
    "--deep",
    is_flag=True,
    help="Also test writing: create two users and a group named lockstep-check-..., then delete them.",
)
@click.option("--yes", is_flag=True, help="Skip the confirmation prompt of --deep.")
@output_option
def test(app: str, deep: bool, yes: bool, output: Output) -> int:
    """Test the connection step by step. Nothing is written to the application without --deep.

    \b
    lockstep creds test documo
    lockstep creds test documo --deep
    """
    if deep:
        confirm(f"Create two users and a group in {app} and delete them again?", yes=yes)
        return _shown_deeply(run(lambda context: connection.test_deeply(context, app)), output)
    own: tuple[str, ...] = ()

    async def work(context: Context) -> Sequence[Probe]:
        nonlocal own
        probes = await connection.test_connection(context, app)
        own = await _allowed_here_alone(context, app)
        return probes

    probes = run(work)
    _show_probes(probes, output)
    failed = next((probe for probe in probes if probe.tried and not probe.passed), None)
    if failed is None:
        hint(f"The connection works: {sum(probe.tried for probe in probes)} of {len(probes)} probes passed.")
        for origin in own:
            hint(
                f"{origin} is allowed only by the environment of this shell. To allow it for all processes: lockstep outbound add {origin}"
            )
        return 0
    hint(f"The connection does not work: {failed.sentence}. {failed.remedy}".strip())
    return EXIT_CODES[Kind.UNAUTHORIZED if failed.name == "Authentication" else Kind.UNREACHABLE]


async def _allowed_here_alone(context: Context, app: str) -> tuple[str, ...]:
    """Return the application's origin if only the environment of this shell permits connecting to it. A server without this environment
    would refuse to connect to that origin. Otherwise, the result is empty.
    """
    settings = settings_of()
    if not settings.outbound_allow:
        return ()
    listed = [one.entry for one in await list_places(context)]
    rules = OutboundRules((*listed, *own_application(settings.data)))
    url = (await actions.show_credentials(context, app)).tenant_url
    try:
        rules.check_url(url)
    except Blocked:
        return (OutboundRules(settings.outbound_allow).check_url(url).origin,)
    return ()


def _shown_deeply(probes: Sequence[Probe], output: Output) -> int:
    _show_probes(probes, output)
    failed = sum(probe.tried and not probe.passed for probe in probes)
    passed = sum(probe.passed and probe.is_verified for probe in probes)
    unverified = sum(not probe.is_verified for probe in probes)
    untried = sum(not probe.tried for probe in probes)
    hint(f"{passed} passed, {failed} failed, {unverified} not verifiable, {untried} not tried.")
    return EXIT_CODES[Kind.PARTIAL] if failed else 0


def _show_probes(probes: Sequence[Probe], output: Output) -> None:
    rows = [probe_json(probe) for probe in probes]
    columns = [Column("result", "Result"), Column("name", "Probe"), Column("sentence", "Result"),
               Column("remedy", "What to do"), Column("seconds", "Seconds", is_wide=True)]  # fmt: skip
    output.many(rows, columns)


def _read_token(*, from_stdin: bool, file: Path | None) -> Secret | None:
    if from_stdin and file:
        raise click.UsageError("Use --token-stdin or --token-file, not both")
    if file:
        return Secret(text_of_file(str(file)).strip())
    if not from_stdin:
        return None
    if sys.stdin.isatty():
        return Secret(click.prompt("Secret token", hide_input=True, err=True).strip())
    return Secret(sys.stdin.readline().strip())


def _authentication(method: str | None, client_id: str, token_url: str, scope: str) -> Authentication | None:
    if method is None:
        if client_id or token_url or scope:
            raise click.UsageError("Also name the method: --method oauth2ClientCredentials or --method basic")
        return None
    return Authentication(AuthenticationMethod(method), client_id, token_url, scope)


def _lines(app: str, view: CredentialView) -> list[str]:
    given = view.authentication
    parts = [
        ("tenant URL", view.tenant_url or "not set"),
        ("secret token", view.secret_token or "not set"),
        ("method", given.method.value if given.client_id else ""),
        ("user name" if given.method is AuthenticationMethod.BASIC else "client ID", given.client_id),
        ("token URL", given.token_url),
        ("scope", given.scope),
    ]
    return [app, *(f"  {name:<12}  {value}" for name, value in parts if value)]
