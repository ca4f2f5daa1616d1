"""`lockstep webhook`: the webhook that notifications are sent to."""

from __future__ import annotations

import sys

import click

from lockstep.actions import webhook as actions
from lockstep.actions.rows.applications import probe_json
from lockstep.actions.rows.mail import webhook_json
from lockstep.actions.webhook import WebhookView
from lockstep.cli import SuggestingGroup
from lockstep.cli.output import Column, Output, confirm, hint, output_option
from lockstep.cli.session import run
from lockstep.errors import EXIT_CODES, Kind, not_found
from lockstep.vault import Secret

_PROBES = (
    Column("result", "Result"), Column("name", "Step"), Column("sentence", "What happened"), Column("remedy", "What to do"),
)  # fmt: skip


@click.group("webhook", cls=SuggestingGroup)
def webhook() -> None:
    """Manage the webhook that notifications are sent to. To list what was sent: lockstep mail list

    \b
    lockstep webhook set --url-stdin < address.txt
    lockstep webhook test
    """


@webhook.command("show")
@output_option
def show(output: Output) -> None:
    """Show where notifications are sent, and whether they are signed.

    \b
    lockstep webhook show
    """
    found = run(actions.show_webhook)
    if found is None:
        raise not_found("No webhook is set up", next_step="Set it up: lockstep webhook set --help")
    output.one(webhook_json(found), text=_lines(found))


@webhook.command("set")
@click.option("--url-stdin", is_flag=True, help="Read the address from the first line of stdin.")
@click.option("--secret-stdin", is_flag=True, help="Read the signing secret from the next line of stdin.")
@click.option("--no-secret", is_flag=True, help="Forget the signing secret: requests are no longer signed.")
@output_option
def set_(url_stdin: bool, secret_stdin: bool, no_secret: bool, output: Output) -> None:
    """Set up the webhook, or change its address or secret. Nothing is sent.

    The address is read from stdin, because it can be a secret itself. Slack addresses need no signing secret.

    \b
    lockstep webhook set --url-stdin < address.txt
    cat address.txt secret.txt | lockstep webhook set --url-stdin --secret-stdin
    """
    if not (url_stdin or secret_stdin or no_secret):
        raise click.UsageError("Nothing to change. Give --url-stdin, --secret-stdin or --no-secret")
    if secret_stdin and no_secret:
        raise click.UsageError("--secret-stdin and --no-secret exclude each other")
    url = _line() if url_stdin else None
    secret = Secret("") if no_secret else _line() if secret_stdin else None
    row = run(lambda context: actions.set_webhook(context, url=url, secret=secret))
    output.one(webhook_json(row), text=_lines(row))
    hint("Try it: lockstep webhook test")


@webhook.command("remove")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def remove(yes: bool, output: Output) -> None:
    """Remove the webhook with its secrets. Notifications that are waiting for it are discarded.

    \b
    lockstep webhook remove
    """
    confirm("Remove the webhook, and discard the notifications that are waiting for it?", yes=yes)
    run(actions.remove_webhook)
    output.one({"removed": True}, text="The webhook was removed.")


@webhook.command("test")
@output_option
def test(output: Output) -> int:
    """Send a test notification to the webhook now, and show each step.

    \b
    lockstep webhook test
    """
    probes = run(actions.send_test_webhook)
    output.many([probe_json(one) for one in probes], _PROBES)
    failed = next((one for one in probes if one.tried and not one.passed), None)
    if failed is None:
        hint("The receiver accepted the notification.")
        return 0
    hint(f"The notification was not sent: {failed.sentence}. {failed.remedy}".strip())
    return EXIT_CODES[Kind.UNREACHABLE]


def _line() -> Secret:
    return Secret(sys.stdin.readline().strip())


def _lines(row: WebhookView) -> list[str]:
    return [f"Address   {row.origin}/...", f"Signed    {'yes' if row.is_signed else 'no'}"]
