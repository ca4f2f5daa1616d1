"""The baseline for the cycle benchmark: a loop that only sends the same creates to the same server with the same concurrency."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import orjson


async def send_creates(base_url: str, token: str, bodies: Sequence[Mapping[str, Any]], *, concurrency: int) -> float:
    """POST every body to /Users and return the seconds it took. Raises RuntimeError if a response is not 201."""
    todo = iter(bodies)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}

    async def worker(session: aiohttp.ClientSession) -> None:
        for body in todo:
            async with session.post(f"{base_url}/Users", data=orjson.dumps(body)) as response:
                answer = await response.read()
                if response.status != 201:
                    raise RuntimeError(f"HTTP {response.status}: {answer[:200]!r}")
                orjson.loads(answer)

    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        began = time.perf_counter()
        await asyncio.gather(*(worker(session) for _ in range(concurrency)))
        return time.perf_counter() - began
