"""Text from a directory, an application, a log or a browser is text on every page: it never becomes an element, an attribute or a link."""

from __future__ import annotations

from psycopg.types.json import Jsonb

from lockstep.actions.single_sign_on.settings import change_sign_on
from lockstep.postgres.pool import transaction
from tests.support.admin_centre import Browser, Centre
from tests.support.hostile_text import HOSTILE, hostile, made_of_text, with_text
from tests.support.hub import Hub
from tests.web.test_statements import add, addresses

# Columns whose text comes from outside: from a directory, an application, a browser, an address, or what an administrator typed.
COLUMNS = {
    "access_token": ["name", "created_by"],
    "administrator": ["display_name", "created_by"],
    "administrator_session": ["device"],
    "app_role": ["value", "display_name", "description"],
    "application": ["display_name"],
    "audit_log": ["actor", "object"],
    "config_version": ["author", "comment"],
    "credential": ["last_four", "set_by"],
    "grp": ["anchor", "display_name"],
    "job": ["paused_by"],
    "link": ["target_id", "display", "etag"],
    "outbound_place": ["reason", "added_by"],
    "operation": ["target_id", "decided_by", "decision"],
    "person": ["anchor", "user_principal_name"],
    "person_session": ["device", "address"],
    "provisioning_log": ["source_display", "target_id", "target_display", "reason", "initiated_by"],
    "sign_in_log": ["person_display", "app_display", "address", "device", "detail"],
    "source": ["display_name"],
    "source_run": ["actor", "file_name", "failure"],
}  # fmt: skip

_IN_RECORD = {
    "before",
    "after",
    "old",
    "new",
    "reason",
    "nextStep",
    "display",
    "source_display",
    "target_display",
    "detail",
}

# Documents in which every text under one of the names comes from outside.
DOCUMENTS = {
    "person": ("attributes", None),
    "grp": ("attributes", None),
    "dirty": ("last_error", {"reason", "nextStep"}),
    "audit_log": ("after", None),
    "provisioning_log": ("record", _IN_RECORD),
}  # fmt: skip


async def test_text_from_outside_is_text_on_every_page(centre: Centre, admin: Browser) -> None:
    await add(centre.hub, 1, len(HOSTILE))
    await change_sign_on(centre.hub.context, f"app-{len(HOSTILE)}", {"mode": "saml"})
    paths = {
        route: path.replace("app-2", f"app-{len(HOSTILE)}") for route, path in (await addresses(centre.hub)).items()
    }
    await _poison(centre.hub)

    found, shown, seen = {}, 0, 0
    for route, path in paths.items():
        page = await admin.get(path)
        assert page.status < 500, f"{path} answered {page.status}"
        assert "xss-probe" not in page.headers.get("Set-Cookie", ""), path
        shown += page.status == 200
        if "html" in page.headers.get("Content-Type", ""):
            seen += "xss-probe" in page.html
            if made := made_of_text(page.html):
                found[route] = made

    assert found == {}
    assert shown > 0.9 * len(paths)
    assert seen > 30, "the hostile texts stand on many pages, otherwise this test proves nothing"


async def _poison(hub: Hub) -> None:
    """Write the hostile texts into every column and document in which text from outside is kept, each row another one."""
    async with transaction(hub.pool) as connection:
        await connection.execute("insert into outbound_place (entry, reason, added_by) values ('10.0.0.0/8', 'x', 'x')")
        number = 0
        for table, columns in COLUMNS.items():
            for column in columns:
                keys = [
                    row[0] for row in await (await connection.execute(f"select ctid::text from {table}")).fetchall()
                ]
                number += len(keys)
                for place, key in enumerate(keys):
                    text = hostile(number + place)
                    await connection.execute(f"update {table} set {column} = %s where ctid = %s::tid", (text, key))
        for table, (column, names) in DOCUMENTS.items():
            rows = await (
                await connection.execute(f"select ctid::text, {column} from {table} where {column} is not null")
            ).fetchall()
            for place, (key, document) in enumerate(rows):
                written = with_text(document, hostile(place), names)
                await connection.execute(
                    f"update {table} set {column} = %s where ctid = %s::tid", (Jsonb(written), key)
                )
