"""Event streams of an account: the receivers of changes, and the way of delivery. The events themselves are in `security_events`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from documo.identifiers import read_id
from documo.security_events import Signer, StreamEvent, claims_of, webhook_secret
from documo.store import events as table
from documo.store import secrets as secrets_table
from documo.store.database import Store
from documo.store.events import StreamRow
from lockstep.errors import invalid, not_found
from lockstep.http.outbound import Blocked, OutboundRules
from lockstep.scim.registry import SchemaRegistry

DELIVERIES = ("poll", "push", "webhook")
MOST_STREAMS = 20  # per account: every change is stored once for each stream


@dataclass(frozen=True, slots=True)
class NewStream:
    """A stream that was just created. *secret* is the webhook's secret, or "" for other streams."""

    stream: StreamRow
    secret: str = ""


@dataclass(frozen=True)
class EventKeys:
    """The keys that sign events, shared by all processes of the service."""

    seed: bytes
    webhook_master: bytes

    @cached_property
    def signer(self) -> Signer:
        """The signer, which is created on first use."""
        return Signer(self.seed)


async def event_keys(store: Store) -> EventKeys:
    async with store.control() as connection:
        seed = await secrets_table.secret(connection, "event signing", 32)
        return EventKeys(seed, await secrets_table.secret(connection, "webhooks", 32))


async def add_stream(
    store: Store,
    tenant_id: int,
    *,
    delivery: str,
    url: str = "",
    audience: str = "",
    name: str = "",
    rules: OutboundRules | None = None,
) -> NewStream:
    """Add a receiver, to which every change from now on is sent.

    Raises LockstepError for an unknown delivery method, for a URL that is missing, superfluous or not allowed, and if the account already
    has MOST_STREAMS streams.
    """
    if delivery not in DELIVERIES:
        raise invalid(f"{delivery!r} is not a delivery method", next_step=f"Choose one of: {', '.join(DELIVERIES)}")
    if bool(url) != (delivery != "poll"):
        raise invalid("A polled stream must have no URL; a push or webhook stream must have one")
    if url:
        try:
            (rules or OutboundRules()).check_url(url)
        except Blocked as refused:
            raise invalid(str(refused), next_step=refused.next_step) from None
    keys = await event_keys(store)
    async with store.control() as connection:
        if len(await table.rows(connection, tenant_id)) >= MOST_STREAMS:
            raise invalid(f"An account has at most {MOST_STREAMS} streams", next_step="documo events remove ID")
        stream = await table.insert(
            connection, tenant_id, name=name or delivery, delivery=delivery, url=url, audience=audience or url or name or "poll"
        )  # fmt: skip
    return NewStream(stream, webhook_secret(keys.webhook_master, stream.id) if delivery == "webhook" else "")


async def list_streams(store: Store, tenant_id: int) -> list[StreamRow]:
    async with store.control() as connection:
        return await table.rows(connection, tenant_id)


async def remove_stream(store: Store, tenant_id: int, stream_id: str) -> None:
    """Delete a stream and its waiting events. Raises LockstepError if the account has no stream with this id."""
    wanted = read_id(stream_id)
    async with store.control() as connection:
        if wanted is None or not await table.remove(connection, tenant_id, wanted):
            raise not_found(f"There is no stream {stream_id[:40]!r}", next_step="documo events list")


def claims(event: StreamEvent, stream: StreamRow, registry: SchemaRegistry, issuer: str) -> dict[str, object]:
    """Return the claims of one event for one stream."""
    known = registry.resource_types.get(event.kind.lower())
    endpoint = known.endpoint if known is not None else f"/{event.kind}s"
    return claims_of(event, endpoint=endpoint, issuer=issuer, audience=stream.audience)
