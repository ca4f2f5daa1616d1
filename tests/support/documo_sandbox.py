"""A throw-away Documo in a separate process, and a target for each tenant."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson

from lockstep.engine.records import ObjectKind
from lockstep.http.client import HttpClient
from lockstep.http.outbound import OutboundRules
from lockstep.ports import TargetSettings
from lockstep.targets.scim_target import ScimTarget
from lockstep.vault import Secret


@asynccontextmanager
async def sandbox_targets(tenants: int = 1, *, profile: str = "strict") -> AsyncIterator[list[ScimTarget]]:
    """The tenants of a fresh Documo, each empty."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("documo"),
        "sandbox",
        "--profile",
        profile,
        "--tenants",
        str(tenants),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            ready = orjson.loads(await process.stdout.readline())
        url = str(ready["base_url"])
        client = HttpClient(OutboundRules(("/".join(url.split("/")[:3]),)))
        yield [ScimTarget(_settings(url, tenant["token"]), client) for tenant in ready["tenants"]]
        await client.close()
    finally:
        process.terminate()
        await process.wait()


def _settings(url: str, token: str) -> TargetSettings:
    return TargetSettings(
        app="documo",
        display_name="Documo",
        tenant_url=url,
        secret=Secret(token),
        deadline_seconds=10.0,
        kinds=(ObjectKind.USER, ObjectKind.GROUP),
    )
