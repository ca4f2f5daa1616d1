"""Every route that changes something refuses the change if the object has changed since the client read it, and a POST may be repeated."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import aiohttp

from lockstep.api.app import api_app
from lockstep.api.door import DoorRoute, FrontRoute
from tests.api.conftest import Answer, Client
from tests.api.test_identity_providers_api import session_headers
from tests.support.hub import upn

# Routes that overwrite or remove nothing that a caller has read before, each with the reason.
UNCONDITIONAL = {
    "unassign": "names the assignments that it removes",
    "clear_quarantine": "a command: try now",
    "forget_link": "a decision about one account, of which there is one link",
    "revoke_this_token": "ends access, which is never too late",
    "revoke_token": "ends access, which is never too late",
    "sign_out": "ends access, which is never too late",
    "end_session": "ends access, which is never too late",
    "remove_client_secret": "ends access, which is never too late",
    "discard_preview": "removes one result, which never changes after it was read",
    "comment_on_version": "a note, which takes no part in any decision",
    "remove_factor": "ends access, which is never too late",
}
ADMIN = upn("second")
SIGN_ON = {"singleSignOn": {"mode": "disabled"}}
LDAP = {"url": "ldaps://dc1.contoso.test", "baseDn": "dc=contoso", "bindDn": "cn=x"}
PROVIDER = {"name": "x", "issuer": "https://id.contoso.test", "clientId": "x"}
# A request for each of the others: its address, and its body.
STALE: dict[str, tuple[str, Any]] = {
    "remove_application": ("applications/documo", None),
    "set_credentials": ("applications/documo/credentials", {"tenantUrl": "https://x.test/scim"}),
    "change_role": ("applications/documo/roles/Member", {"isEnabled": False}),
    "remove_role": ("applications/documo/roles/Member", None),
    "set_manifest": ("applications/documo/manifest", {"appRoles": []}),
    "set_mapping": ("applications/documo/mappings?target=displayName", {"source": "mail"}),
    "remove_mapping": ("applications/documo/mappings?target=displayName", None),
    "remove_attribute": ("applications/documo/attributes?name=displayName", None),
    "set_scope": ("applications/documo/scope", {"scope": "all"}),
    "change_settings": ("applications/documo/settings", {"interval": "PT20M"}),
    "change_object_mapping": ("applications/documo/object-mappings/user", {"isEnabled": False}),
    "import_entra_schema": ("applications/documo/schema", {"synchronizationRules": []}),
    "set_public_address": ("settings/public-address", {"address": "https://id.contoso.test"}),
    "change_sign_on": ("applications/documo/single-sign-on", SIGN_ON),
    "remove_certificate": ("applications/documo/signing-certificates/AA", None),
    "set_person": (f"people/{upn('anna')}", {"attributes": {"department": "x"}}),
    "delete_group": ("groups/all-sales", None),
    "set_rule": ("groups/all-sales/rule", {"membershipRule": None}),
    "remove_source": ("sources/hr", None),
    "remove_outbound": ("outbound?entry=https://x.test", None),
    "change_organisation": ("organisation", {"name": "Contoso"}),
    "set_retention": ("retention", {"cycles": 30}),
    "change_upload": ("uploads/{upload}/reading", {}),
    "discard_upload": ("uploads/{upload}", None),
    "set_ldap": ("settings/people-sign-in/ldap", LDAP),
    "remove_ldap": ("settings/people-sign-in/ldap", None),
    "change_setting": ("settings/people-sign-in", {"contact": "x"}),
    "change_administrator": (f"administrators/{ADMIN}", {"isEnabled": False}),
    "remove_administrator": (f"administrators/{ADMIN}", None),
    "set_identity_provider": ("single-sign-on", PROVIDER),
    "remove_identity_provider": ("single-sign-on", None),
    "set_mail_server": ("mail-server", {"host": "x.test", "sender": "a@x.test"}),
    "remove_mail_server": ("mail-server", None),
    "set_webhook": ("webhook", {"url": "https://hooks.test/x"}),
    "remove_webhook": ("webhook", None),
}


def routes(*methods: str) -> Iterator[tuple[str, DoorRoute]]:
    for route in api_app(lambda _: None).routes:  # type: ignore[arg-type,return-value]  # no request is made
        if isinstance(route, DoorRoute):
            for method in (route.methods or set()) & set(methods):
                yield method, route


def test_every_write_of_configuration_honours_if_match_or_is_listed_with_its_reason() -> None:
    honouring = {route.name for _, route in routes("PUT", "PATCH", "DELETE") if route.honours_if_match}
    others = {route.name for _, route in routes("PUT", "PATCH", "DELETE")} - honouring

    assert (honouring, others) == (set(STALE), set(UNCONDITIONAL))


async def test_a_write_of_what_was_changed_since_it_was_read_is_refused_and_changes_nothing(client: Client) -> None:
    headers = await session_headers(client)
    await client.hub.fetch("update administrator_session set stepped_up_at = now()")
    await send(client, headers, "POST", "administrators", {"email": ADMIN, "roles": ["auditor"]})
    upload = (await send(client, headers, "POST", "sources/staff/uploads", {"id": 1})).body["id"]
    before = await client.hub.fetch("select count(*), max(seq) from audit_log")

    answers = {
        route.name: await send(
            client,
            headers | {"If-Match": '"stale"'},
            method,
            STALE[route.name][0].format(upload=upload),
            STALE[route.name][1],
        )
        for method, route in routes("PUT", "PATCH", "DELETE")
        if route.honours_if_match
    }

    assert {name: one for name, one in answers.items() if one.status != 412} == {}
    assert await client.hub.fetch("select count(*), max(seq) from audit_log") == before


async def test_what_was_read_may_be_changed(client: Client) -> None:
    """The ETag of a read is the one that the write compares."""
    pairs = {
        "applications/documo/roles": ("PATCH", "applications/documo/roles/Member", {"isEnabled": False}),
        "applications/documo/single-sign-on": ("PATCH", "applications/documo/single-sign-on", SIGN_ON),
        "settings/people-sign-in": ("PATCH", "settings/people-sign-in", {"contact": "the help desk"}),
        "groups/all-sales": ("DELETE", "groups/all-sales", None),
        "applications/documo": ("DELETE", "applications/documo", None),
    }
    for read, (method, path, body) in pairs.items():
        tag = (await client.get(read)).headers["etag"]
        done = await client.call(
            method, path, body, headers={"If-Match": tag}, **({"confirm": True} if method != "PUT" else {})
        )
        assert done.status == 200, (path, done)


async def test_if_match_is_refused_where_it_is_not_looked_at(client: Client) -> None:
    answer = await client.call("DELETE", "applications/documo/quarantine", headers={"If-Match": '"x"'})

    assert (answer.status, "If-Match" in answer.body["detail"]) == (400, True)


async def test_every_post_honours_an_idempotency_key(client: Client) -> None:
    """A key that belongs to another request is refused by each, before the body is looked at."""
    key = {"Idempotency-Key": "walk"}
    await client.post("groups", {"displayName": "first"}, headers=key)

    answers = {
        route.name: (await client.post(re.sub(r"\{\w+\}", "x", route.path).lstrip("/"), {}, headers=key)).status
        for _, route in routes("POST")
        if not isinstance(route, FrontRoute)  # before signing in, there is no caller to whom an answer could belong
    }

    assert len(answers) > 40 and {name: status for name, status in answers.items() if status != 422} == {}


async def send(client: Client, headers: dict[str, str], method: str, path: str, body: Any) -> Answer:
    """A request of a page, with its session."""
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
        http.request(method, f"{client.origin}/api/v1/{path}", json=body, headers=headers) as answer,
    ):
        is_json = "json" in answer.headers.get("Content-Type", "")
        return Answer(answer.status, dict(answer.headers), await answer.json(content_type=None) if is_json else None)
