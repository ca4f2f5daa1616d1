"""`lockstep mail`: the mail server for notifications, and the outbox."""

from __future__ import annotations

import sys
from typing import Any

import click

from lockstep.actions import mail_server as actions
from lockstep.actions import outgoing_mail
from lockstep.actions.context import Context
from lockstep.actions.mail_server import MailServerChange, MailServerView
from lockstep.actions.outgoing_mail import MailState
from lockstep.actions.rows.applications import probe_json
from lockstep.actions.rows.mail import mail_json, mail_server_json
from lockstep.cli import SuggestingGroup
from lockstep.cli.output import Column, Output, confirm, hint, output_option
from lockstep.cli.session import run
from lockstep.cli.times import local_time
from lockstep.errors import EXIT_CODES, Kind, not_found
from lockstep.mail.delivery import MailSecurity
from lockstep.vault import Secret

_COLUMNS = (
    Column("writtenAt", "Written", show=local_time), Column("state", "State"), Column("recipient", "To"),
    Column("subject", "Subject"), Column("attempts", "Attempts"), Column("problem", "Problem"),
    Column("nextAttemptAt", "Next attempt", show=local_time, is_wide=True),
    Column("remedy", "What to do", is_wide=True), Column("id", "Id", is_wide=True),
)  # fmt: skip
_PROBES = (
    Column("result", "Result"),
    Column("name", "Step"),
    Column("sentence", "What happened"),
    Column("remedy", "What to do"),
)


@click.group("mail", cls=SuggestingGroup)
def mail() -> None:
    """Manage the mail server for notifications, and the messages.

    \b
    lockstep mail set --host smtp.contoso.com --from lockstep@contoso.com
    lockstep mail test it@contoso.com
    lockstep mail list
    """


@mail.command("show")
@output_option
def show(output: Output) -> None:
    """Show the mail server.

    \b
    lockstep mail show
    """
    found = run(actions.show_mail_server)
    if found is None:
        raise not_found("No mail server is set up", next_step="Set it up: lockstep mail set --help")
    output.one(mail_server_json(found), text=_lines(found))


@mail.command("set")
@click.option("--host", metavar="NAME", help="The mail server, such as smtp.contoso.com.")
@click.option("--from", "sender", metavar="ADDRESS", help="The address that mails are sent from.")
@click.option(
    "--security",
    type=click.Choice([one.value for one in MailSecurity]),
    help="Encryption of the connection; default: starttls.",
)
@click.option("--port", type=click.IntRange(1, 65535), help="Default: 587 for starttls, 465 for tls, 25 for none.")
@click.option("--user", metavar="NAME", help='The user to sign in as; "" for none.')
@click.option("--password-stdin", is_flag=True, help="Read the password of the user from stdin.")
@output_option
def set_(password_stdin: bool, output: Output, **given: Any) -> None:
    """Set up the mail server, or change the given settings. Nothing is sent.

    \b
    lockstep mail set --host smtp.contoso.com --from lockstep@contoso.com \\
      --user lockstep --password-stdin < password.txt
    """
    password = Secret(sys.stdin.readline().rstrip("\r\n")) if password_stdin else None

    async def work(context: Context) -> MailServerView:
        present = await actions.show_mail_server(context)
        if present is None and not (given["host"] and given["sender"]):
            raise click.UsageError("No mail server is set up yet. Give --host and --from")
        return await actions.set_mail_server(context, _change(present, given), password=password)

    row = run(work)
    output.one(mail_server_json(row), text=_lines(row))
    hint("Try it: lockstep mail test ADDRESS")


@mail.command("remove")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def remove(yes: bool, output: Output) -> None:
    """Remove the mail server and its password. Waiting messages are discarded.

    \b
    lockstep mail remove
    """
    confirm("Remove the mail server and discard all waiting messages?", yes=yes)
    run(actions.remove_mail_server)
    output.one({"removed": True}, text="The mail server was removed. Lockstep sends no mail.")


@mail.command("test")
@click.argument("address")
@output_option
def test(address: str, output: Output) -> int:
    """Send a test mail to ADDRESS now, and show each step.

    \b
    lockstep mail test it@contoso.com
    """
    probes = run(lambda context: actions.send_test_mail(context, address))
    output.many([probe_json(one) for one in probes], _PROBES)
    failed = next((one for one in probes if one.tried and not one.passed), None)
    if failed is None:
        hint(f"The server accepted the mail. Check the mailbox of {address}.")
        return 0
    hint(f"The mail was not sent: {failed.sentence}. {failed.remedy}".strip())
    return EXIT_CODES[Kind.UNREACHABLE]


@mail.command("list")
@click.option("--state", type=click.Choice([one.value for one in MailState]), help="Only messages in this state.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Maximum number of messages."
)
@output_option
def list_(state: str | None, limit: int, output: Output) -> None:
    """List the messages, newest first: which were sent to which address, which wait, and which failed and why.

    \b
    lockstep mail list
    lockstep mail list --state failed -o json
    """
    wanted = MailState(state) if state else None
    found = run(lambda context: outgoing_mail.list_outgoing_mail(context, state=wanted, limit=limit))
    output.many([mail_json(one) for one in found], _COLUMNS, name="id", empty="No messages.")


@mail.command("retry")
@click.argument("message")
@output_option
def retry(message: str, output: Output) -> None:
    """Send MESSAGE again after all attempts failed. To see its id: lockstep mail list -o wide

    \b
    lockstep mail retry 0193a1c2-7d3e-7000-8000-000000000001
    """
    row = run(lambda context: outgoing_mail.retry_mail(context, message))
    output.one(mail_json(row), text=f"{row.subject}: {row.state}")


def _change(present: MailServerView | None, given: dict[str, Any]) -> MailServerChange:
    start = present or MailServerView("", 0, MailSecurity.STARTTLS.value, "", "", has_password=False)
    security = MailSecurity(given["security"] or start.security)
    port = given["port"] or (0 if given["security"] else start.port)
    user = start.user if given["user"] is None else given["user"]
    return MailServerChange(given["host"] or start.host, given["sender"] or start.sender, security, port, user)


def _lines(row: MailServerView) -> list[str]:
    return [
        f"Server    {row.host}:{row.port}",
        f"Security  {row.security}",
        f"From      {row.sender}",
        f"User      {row.user or 'none: Lockstep does not sign in'}",
        f"Password  {'stored' if row.has_password else 'none'}",
    ]
