from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from lockstep.actions import applications, overview
from tests.support.hub import Hub


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The statements that were sent."""
    statements: list[str] = []
    execute: Any = psycopg.AsyncCursor.execute

    async def noting(cursor: Any, query: Any, *rest: Any, **named: Any) -> Any:
        statements.append(str(query))
        return await execute(cursor, query, *rest, **named)

    monkeypatch.setattr(psycopg.AsyncCursor, "execute", noting)
    yield statements


async def test_overview_of_many_applications_takes_as_many_statements_as_of_one(hub: Hub, sent: list[str]) -> None:
    await applications.add_application(hub.context, "documo", name="first")
    sent.clear()
    assert [app.status.app for app in await overview.list_overview(hub.context)] == ["first"]
    of_one = len(sent)

    for name in ("second", "third", "fourth"):
        await applications.add_application(hub.context, "documo", name=name)
    sent.clear()
    found = await overview.list_overview(hub.context)

    assert sorted(app.status.app for app in found) == ["first", "fourth", "second", "third"]
    assert len(sent) == of_one
