"""Requests that a client repeats because the response was lost. For 24 hours, a request with the same idempotency key gets the first
response.

Only the response to a successful request is kept. A refused request has changed nothing and may be repeated with the same key. Responses
are stored encrypted, because a response may contain a new token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from lockstep.actions.access import open_to_all
from lockstep.actions.context import Context
from lockstep.errors import conflict, invalid
from lockstep.storage import api_answers
from lockstep.vault import Secret

KEPT = timedelta(hours=24)
OTHER_REQUEST = "IdempotencyKeyReused"
_ABANDONED = timedelta(minutes=10)
_PURPOSE = "api answer"


@dataclass(frozen=True, slots=True)
class FirstAnswer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@open_to_all
async def claim_key(context: Context, key: str, request: bytes) -> FirstAnswer | None:
    """Claim *key* for a request of the caller; *request* is the digest of that request. If the request was answered before, returns the
    first response. Raises LockstepError if the key belongs to a different request, or if the first request is still being processed.
    """
    async with context.recording() as connection:
        known = await api_answers.claim(connection, context.actor.name, key, request, kept=KEPT, abandoned=_ABANDONED)
    if known is None:
        return None
    if bytes(known.request) != request:
        raise invalid(
            "This idempotency key was used for another request", next_step="Use a new key", code=OTHER_REQUEST
        )
    if known.status is None or known.body is None:
        raise conflict("The first request with this key is still in progress", next_step="Try again in a moment")
    sealed = context.vault.open(bytes(known.body), purpose=_PURPOSE, name=key, shown="the stored response")
    return FirstAnswer(known.status, dict(known.headers or {}), sealed.reveal().encode())


@open_to_all
async def keep_answer(context: Context, key: str, answer: FirstAnswer) -> None:
    """Keep the response to the request that claimed *key*."""
    sealed = context.vault.seal(Secret(answer.body.decode()), purpose=_PURPOSE, name=key)
    async with context.recording() as connection:
        await api_answers.save(
            connection, context.actor.name, key, status=answer.status, headers=answer.headers, body=sealed
        )


@open_to_all
async def free_key(context: Context, key: str) -> None:
    """Release *key* for another attempt. Called if the request was refused and has changed nothing."""
    async with context.recording() as connection:
        await api_answers.forget(connection, context.actor.name, key)
