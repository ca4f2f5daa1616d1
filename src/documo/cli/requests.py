"""`documo requests`."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from documo.accounts import only_account
from documo.cli.members import account_option
from documo.cli.output import DocumoOutput, data_option, output_option, with_store
from documo.settings import DocumoSettings
from documo.store import request_log as table
from documo.store.database import Store
from lockstep.endings import ends_with_reader
from lockstep.errors import invalid, not_found
from lockstep.wording import read_length

TAIL_SECONDS = 0.5


@click.group(invoke_without_command=True)
@click.option("--tail", is_flag=True, help="Keep showing requests as they arrive.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Number of newest requests to show."
)
@click.option("--status", metavar="STATUS", default="", help="Only requests with this response status: 401, 4xx, 5xx.")
@click.option(
    "--since", metavar="TIME", default="", help="Only requests since TIME: 15m, 2h or 3d ago, or an ISO 8601 time."
)
@account_option
@data_option
@output_option
@click.pass_context
def requests(
    context: click.Context, tail: bool, limit: int, status: str, since: str, account: str | None, settings: DocumoSettings,
    output: DocumoOutput,
) -> None:  # fmt: skip
    """Show the SCIM requests of the last seven days."""
    if context.invoked_subcommand is not None:
        return
    if tail and output.format in ("json", "yaml"):
        raise invalid(
            "With --tail the list never ends, so it cannot be one JSON or YAML document",
            next_step="Use -o jsonl with --tail",
        )
    wanted = _Wanted(limit, _statuses(status), moment_of(since))
    with_store(settings, lambda store: _show(store, account, output, wanted, tail=tail))


@requests.command()
@click.argument("request_id")
@account_option
@data_option
@output_option
def show(request_id: str, account: str | None, settings: DocumoSettings, output: DocumoOutput) -> None:
    """Show one request and its response in full. REQUEST_ID is the id or the beginning of it."""
    output.one(with_store(settings, lambda store: _entry(store, account, request_id)))


@requests.command()
@click.argument("request_id")
@account_option
@data_option
def curl(request_id: str, account: str | None, settings: DocumoSettings) -> None:
    """Print a request as a curl command. Set $DOCUMO_API_URL to Documo's address (https://...) and $DOCUMO_KEY to the key."""
    from documo.replay import as_curl  # it loads the SCIM service, which lists do not need

    entry = with_store(settings, lambda store: _entry(store, account, request_id))
    click.echo(as_curl(entry))


@requests.command()
@click.argument("request_id")
@account_option
@data_option
@output_option
def replay(request_id: str, account: str | None, settings: DocumoSettings, output: DocumoOutput) -> None:
    """Repeat a request on the current data, in a transaction that is rolled back, and show the response."""
    from documo.replay import replay_request  # it loads the SCIM service, which lists do not need

    async def work(store: Store) -> dict[str, Any]:
        tenant = await only_account(store, account)
        return await replay_request(store, tenant.id, await _entry(store, account, request_id))

    answer = with_store(settings, work)
    output.one(answer, text=f"{answer['status']}  (was {answer['was']})\n{answer['body']}")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The filters of the list."""

    limit: int
    statuses: tuple[int, int]
    since: datetime | None


def _statuses(text: str) -> tuple[int, int]:
    """Return the lowest and highest status that a string such as `404` or `4xx` covers; "" covers all."""
    if not text:
        return 0, 999
    if not re.fullmatch(r"[1-5](\d\d|xx)", text.lower(), re.ASCII):
        raise invalid(f"{text[:20]!r} is not a status", next_step="Write it as 404 or 4xx")
    return int(text.lower().replace("xx", "00")), int(text.lower().replace("xx", "99"))


def moment_of(text: str) -> datetime | None:
    """Return the time that `15m`, `2h`, `3d` or an ISO 8601 text stands for. Without a zone, the text is taken as UTC."""
    if not text:
        return None
    ago = read_length(text.lower())
    if ago is not None:
        return datetime.now(UTC) - ago
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(
            f"{text[:40]!r} is not a time", next_step="Write it as 15m, 2h, 3d or 2026-01-31T08:30:00"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


async def _show(store: Store, account: str | None, output: DocumoOutput, wanted: _Wanted, *, tail: bool) -> None:
    tenant = await only_account(store, account)
    after = ""
    with ends_with_reader():
        while True:
            async with store.tenant(tenant.id) as connection:
                found = await table.rows(
                    connection, tenant.id, after=after, limit=wanted.limit, statuses=wanted.statuses, since=wanted.since
                )
            output.lines("requests", found, _line)
            after = found[-1]["id"] if found else after
            if not tail:
                if not found and output.format == "table":
                    click.echo("No requests match.", err=True)
                return
            sys.stdout.flush()
            await asyncio.sleep(TAIL_SECONDS)


async def _entry(store: Store, account: str | None, request_id: str) -> dict[str, Any]:
    tenant = await only_account(store, account)
    async with store.tenant(tenant.id) as connection:
        entry = await table.entry(connection, tenant.id, request_id)
    if entry is None:
        raise not_found(f"There is no request {request_id[:60]!r} in the last seven days", next_step="documo requests")
    return entry


def _line(entry: Mapping[str, Any]) -> str:
    notes = f"  [{', '.join(entry['tolerances'])}]" if entry["tolerances"] else ""
    if entry["status"] == 401:
        notes += f"  [{_ended(entry)}]"
    line = (
        f"{entry['at']:%Y-%m-%d %H:%M:%S}  {entry['status']}  {entry['milliseconds']:7.1f} ms  {entry['client']:<10}"
        f"  {entry['method']:<6} {entry['path']}{notes}  {entry['id']}"
    )
    return "".join(c if c.isprintable() else "\ufffd" for c in line)


def _ended(entry: Mapping[str, Any]) -> str:
    """Describe the revoked or expired key with which a request was refused."""
    if entry["key_ends_at"] is None:
        return "the key was revoked or has expired"
    return f"key {entry['key_name']} {str(entry['key_id'])[:8]} ended {entry['key_ends_at']:%Y-%m-%d %H:%M}"
