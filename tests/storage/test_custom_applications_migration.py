"""Applications that were added before the gallery entry "custom" had that name keep everything but the name of the entry."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lockstep.storage.migrations as migrations
from lockstep.actions import applications, assignments
from lockstep.actions.single_sign_on import settings
from tests.support.hub import Hub

SCRIPT = Path(migrations.__path__[0]) / "versions" / "0046_custom_applications.sql"
ROWS = "select to_jsonb(application) - 'template' from application order by name"


async def rows(hub: Hub) -> list[dict[str, Any]]:
    return [json.loads(json.dumps(row, default=str)) for (row,) in await hub.fetch(ROWS)]


async def test_applications_of_the_old_entry_get_the_new_one_and_nothing_else_changes(hub: Hub) -> None:
    for name, template in (("wiki", "custom"), ("files", "custom"), ("documo", "documo")):
        await applications.add_application(hub.context, template, name=name)
    await settings.change_sign_on(
        hub.context, "wiki", {"mode": "oidc", "openIdConnect": {"redirectUris": ["https://w.test/cb"]}}
    )
    await hub.fetch("update application set template = 'custom-scim' where name in ('wiki', 'files') returning 1")
    before = await rows(hub)
    script = SCRIPT.read_text(encoding="utf-8")

    for _ in range(2):  # a migration that was interrupted begins again
        async with hub.pool.connection() as connection:
            await connection.execute(script.encode())

    templates = await hub.fetch("select name, template from application order by name")
    assert templates == [("documo", "documo"), ("files", "custom"), ("wiki", "custom")]
    assert await rows(hub) == before


async def test_an_application_of_the_old_entry_works_after_the_migration(hub: Hub) -> None:
    await applications.add_application(hub.context, "custom", name="wiki")
    await hub.fetch("update application set template = 'custom-scim' returning 1")

    async with hub.pool.connection() as connection:
        await connection.execute(SCRIPT.read_text(encoding="utf-8").encode())

    assert (await applications.show_application(hub.context, "wiki")).application.template == "custom"
    view = await settings.change_sign_on(
        hub.context, "wiki", {"mode": "saml", "identifiers": ["x:wiki"], "replyUrls": ["https://w.test/acs"]}
    )
    assert view.settings.identifiers == ("x:wiki",)
    assert await assignments.list_assignments(hub.context, "wiki") == []
