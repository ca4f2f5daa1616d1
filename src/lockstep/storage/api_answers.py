"""Stored responses to requests with an idempotency key. A repeated request gets the first response and has no second effect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg.rows import class_row

from lockstep.postgres.pool import Connection
from lockstep.storage.batches import as_json


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """The response to the first request with an idempotency key. *status* is None until that request has been answered. *request* is a
    digest of the request.
    """

    request: bytes
    status: int | None
    headers: Mapping[str, Any] | None
    body: bytes | None


async def claim(
    connection: Connection, caller: str, key: str, request: bytes, *, kept: timedelta, abandoned: timedelta
) -> ApiAnswer | None:
    """Claim *key* for *request*. Returns None if the key is new, otherwise the stored response to the first request with that key.

    Deletes responses older than *kept*, and claims that are older than *abandoned* and still unanswered, because their process must have
    died.
    """
    await connection.execute(
        "delete from api_answer where created_at < now() - %s or (status is null and created_at < now() - %s)",
        (kept, abandoned),
    )
    cursor = await connection.execute(
        "insert into api_answer (caller, key, request) values (%s, %s, %s) on conflict do nothing",
        (caller, key, request),
    )
    if cursor.rowcount == 1:
        return None
    async with connection.cursor(row_factory=class_row(ApiAnswer)) as reading:
        await reading.execute(
            "select request, status, headers, body from api_answer where caller = %s and key = %s", (caller, key)
        )
        return await reading.fetchone()


async def save(
    connection: Connection, caller: str, key: str, *, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    await connection.execute(
        "update api_answer set status = %s, headers = %s, body = %s where caller = %s and key = %s",
        (status, as_json(headers), body, caller, key),
    )


async def forget(connection: Connection, caller: str, key: str) -> None:
    await connection.execute("delete from api_answer where caller = %s and key = %s", (caller, key))
