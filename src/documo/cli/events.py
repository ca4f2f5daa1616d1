"""`documo events`."""

from __future__ import annotations

from dataclasses import asdict

import click

from documo.accounts import only_account
from documo.cli.members import account_option
from documo.cli.output import DocumoOutput, data_option, output_option, with_store
from documo.events import streams as rules
from documo.settings import OUTBOUND_ADVICE, DocumoSettings
from documo.store.database import Store
from documo.store.events import StreamRow
from lockstep.http.outbound import OutboundRules

COLUMNS = ("id", "name", "delivery", "url", "waiting", "delivered", "lost", "failures", "last_error", "next_try_at")


@click.group()
def events() -> None:
    """Send changes to receivers: signed event tokens (RFC 9967), pushed or polled, and webhooks.

    \b
    documo events add --poll --audience https://app.example
    documo events add --webhook https://app.example/hooks/documo
    """


@events.command()
@click.option("--poll", is_flag=True, help="The receiver polls for events (RFC 8936).")
@click.option("--push", metavar="URL", default="", help="Push events to URL as signed tokens (RFC 8935).")
@click.option("--webhook", metavar="URL", default="", help="Post events to URL as JSON with an HMAC signature.")
@click.option(
    "--audience",
    default="",
    help="Audience of the tokens (claim aud); default: the URL, or the stream's name if it is polled.",
)
@click.option("--name", default="", help="Name of the stream, for example its purpose.")
@account_option
@data_option
@output_option
def add(
    poll: bool, push: str, webhook: str, audience: str, name: str, account: str | None, settings: DocumoSettings, output: DocumoOutput
) -> None:  # fmt: skip
    """Send every change from now on to a receiver."""
    if sum(map(bool, (poll, push, webhook))) != 1:
        raise click.UsageError("Give exactly one of --poll, --push URL and --webhook URL")
    delivery = "poll" if poll else "push" if push else "webhook"

    async def work(store: Store) -> rules.NewStream:
        tenant = await only_account(store, account)
        return await rules.add_stream(
            store, tenant.id, delivery=delivery, url=push or webhook, audience=audience, name=name,
            rules=OutboundRules(settings.outbound_allow, advice=OUTBOUND_ADVICE),
        )  # fmt: skip

    made = with_store(settings, work)
    shown = asdict(made.stream) | ({"secret": made.secret} if made.secret else {})
    output.one(shown, text=made.secret or made.stream.id)
    if made.secret:
        click.echo("This is the webhook's secret. The receiver uses it to verify signatures.", err=True)
    elif poll:
        click.echo(f"Poll it with POST /events/{made.stream.id} and an Admin's key.", err=True)


@events.command("list")
@account_option
@data_option
@output_option
def list_(account: str | None, settings: DocumoSettings, output: DocumoOutput) -> None:
    """List streams with the number of waiting events and the state of delivery."""

    async def work(store: Store) -> list[StreamRow]:
        return await rules.list_streams(store, (await only_account(store, account)).id)

    output.many("streams", [asdict(stream) for stream in with_store(settings, work)], COLUMNS)


@events.command()
@click.argument("stream")
@account_option
@data_option
def remove(stream: str, account: str | None, settings: DocumoSettings) -> None:
    """Delete a stream, with the events that its receiver has not received yet."""

    async def work(store: Store) -> None:
        await rules.remove_stream(store, (await only_account(store, account)).id, stream)

    with_store(settings, work)
