"""Text from a directory, an application, a log or a browser is text on every page: it never becomes an element, an attribute or a link."""

from __future__ import annotations

from typing import Any

import lxml.html
from psycopg.types.json import Jsonb

from lockstep.actions.single_sign_on.settings import change_sign_on
from lockstep.postgres.pool import transaction
from tests.support.admin_centre import Browser, Centre
from tests.support.hub import Hub
from tests.web.test_statements import add, addresses

# What each way out of its place would make: an element, an attribute after a quote of either kind, the end of a script, style, title,
# text area or comment, an expression of the template language, a new line of a header or a script, a change of the reading direction.
HOSTILE = (
    "<xss-probe>{n}</xss-probe>",
    "\" xss-probe=\"{n}\" x=\"",
    "' xss-probe='{n}' x='",
    " xss-probe={n} ",
    "</script><xss-probe>{n}",
    "</style></title></textarea><xss-probe>{n}",
    "--><xss-probe>{n}",
    "<svg/onload=xssProbe({n})>",
    "<img src=x onerror=xssProbe({n})>",
    "&lt;xss-probe&gt;{n}",
    "javascript:xssProbe({n})",
    "{{{{ 7 * 191 }}}}{{% raw %}}{n}",
    "\r\nSet-Cookie: xss-probe={n}",
    "\u202exss\u200bprobe\ufeff{n}",
    "`${{xssProbe({n})}}`",
)  # fmt: skip

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
            if made := _made_of_text(page.html):
                found[route] = made

    assert found == {}
    assert shown > 0.9 * len(paths)
    assert seen > 30, "the hostile texts stand on many pages, otherwise this test proves nothing"


def _made_of_text(html: str) -> list[str]:
    """What a reader of HTML made out of the hostile texts in *html*: elements, attributes, addresses that run a script."""
    made = ["1337"] if "1337" in html else []
    for element in lxml.html.document_fromstring(html).iter():
        if not isinstance(element.tag, str):
            continue
        if "xss" in element.tag or "onload" in element.tag:
            made.append(f"<{element.tag}>")
        for name, value in element.attrib.items():
            is_script = name in ("href", "src", "action", "formaction", "xlink:href") and _runs(str(value))
            if "xss" in name or name.startswith("on") or is_script:
                made.append(f"<{element.tag} {name}={value!r}>")
    return made


def _runs(address: str) -> bool:
    return address.strip().lower().startswith(("javascript:", "data:", "vbscript:"))


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
                    text = HOSTILE[place % len(HOSTILE)].format(n=number + place)
                    await connection.execute(f"update {table} set {column} = %s where ctid = %s::tid", (text, key))
        for table, (column, names) in DOCUMENTS.items():
            rows = await (
                await connection.execute(f"select ctid::text, {column} from {table} where {column} is not null")
            ).fetchall()
            for place, (key, document) in enumerate(rows):
                written = _with_text(document, HOSTILE[place % len(HOSTILE)].format(n=place), names)
                await connection.execute(
                    f"update {table} set {column} = %s where ctid = %s::tid", (Jsonb(written), key)
                )


def _with_text(value: Any, text: str, names: set[str] | None, *, inside: bool = False) -> Any:
    if isinstance(value, dict):
        return {
            name: _with_text(one, text, names, inside=inside or names is None or name in names)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [_with_text(one, text, names, inside=inside) for one in value]
    return text if isinstance(value, str) and inside else value
