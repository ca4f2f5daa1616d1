"""`documo events`."""

from __future__ import annotations

from dataclasses import asdict

import click

from documo.accounts import only_account
from documo.cli.members import account_option
from documo.cli.output import Output, data_option, output_option, with_store
from documo.events import streams as rules
from documo.settings import OUTBOUND_ADVICE, Settings
from documo.store.database import Store
from documo.store.events import StreamRow
from lockstep.http.outbound import OutboundRules

COLUMNS = ("id", "name", "delivery", "url", "waiting", "delivered", "lost", "failures", "last_error", "next_try_at")


@click.group()
def events() -> None:
    """Tell others of changes: signed event tokens (RFC 9967), pushed or polled, and webhooks.

    \b
    documo events add --poll --audience https://app.example
    documo events add --webhook https://app.example/hooks/documo
    """


@events.command()
@click.option("--poll", is_flag=True, help="The receiver fetches them (RFC 8936).")
@click.option("--push", metavar="URL", default="", help="They are sent there as signed tokens (RFC 8935).")
@click.option("--webhook", metavar="URL", default="", help="They are sent there as JSON, with an HMAC signature.")
@click.option("--audience", default="", help="For whom the tokens are; by default the URL.")
@click.option("--name", default="", help="What the stream is for.")
@account_option
@data_option
@output_option
def add(
    poll: bool, push: str, webhook: str, audience: str, name: str, account: str | None, settings: Settings, output: Output
) -> None:  # fmt: skip
    """Tell a receiver of every change from now on."""
    if sum(map(bool, (poll, push, webhook))) != 1:
        raise click.UsageError("Give --poll, --push URL or --webhook URL, one of them")
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
        click.echo("The secret of the webhook: its signatures are checked with it.", err=True)
    elif poll:
        click.echo(f"Poll it with POST /events/{made.stream.id} and an Admin's key.", err=True)


@events.command("list")
@account_option
@data_option
@output_option
def list_(account: str | None, settings: Settings, output: Output) -> None:
    """List streams with what waits in them, and how delivery goes."""

    async def work(store: Store) -> list[StreamRow]:
        return await rules.list_streams(store, (await only_account(store, account)).id)

    output.many("streams", [asdict(stream) for stream in with_store(settings, work)], COLUMNS)


@events.command()
@click.argument("stream")
@account_option
@data_option
def remove(stream: str, account: str | None, settings: Settings) -> None:
    """End a stream. What its receiver has not taken is forgotten."""

    async def work(store: Store) -> None:
        await rules.remove_stream(store, (await only_account(store, account)).id, stream)

    with_store(settings, work)
