"""Schemathesis against the whole API: no request causes a server error, and every response is one that the description names.

The organisation has been in use for a while: a Documo that answers, people with accounts, cycles, a log, an administrator, an upload.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from documo.testing import Sandbox, StartSandbox, documo_sandbox
from lockstep.actions import access_tokens, administrators, following, job_previews, provisioning
from lockstep.actions import settings as settings_actions
from lockstep.actions.context import Actor
from lockstep.actions.credentials import set_credentials
from lockstep.actions.permissions import Role
from lockstep.api.documents import example_of
from lockstep.vault import Secret
from tests.api.conftest import Client
from tests.support.hub import person, upn, write_csv

__all__ = ["documo_sandbox"]  # the fixture, imported by its name

EXAMPLES = 10  # for each operation
# A stream without end; and several YAML documents, of which Schemathesis reads one.
NOT_CALLED = {"events", "export", "show_version"}
CHECKS: list[Any] = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
]  # fmt: skip
NEVER_DONE = {
    # The password of the example is nobody's, and its action has a single result.
    "sign_in", "begin_action", "stream_action",
    # A token makes no tokens and no administrators, and does not decide who may sign in.
    "show_identity_provider", "set_identity_provider", "remove_identity_provider",
    "create_token", "list_tokens", "revoke_token", "invite", "remove_administrator", "reset_password",
    # They need what their example does not have: a file of YAML, an account, a file on the server, an ETag, a write that is held.
    "apply", "plan", "choose_link", "register_source", "set_scope", "set_manifest", "approve", "reject",
    "confirm_source", "reject_source", "set_credentials", "rename_source", "remove_source", "import_metadata",
    "activate_certificate", "remove_certificate",
    # The group and the person are not in the recycle bin.
    "restore_group", "purge",
    # Something with the name in the request is there; a body that is a file has no example; the next key is not an hour old.
    "create_group", "upload_file", "roll_signing_keys",
    # Nothing with the name in the request is there.
    "remove_attribute", "remove_outbound", "show_run", "unassign", "end_session", "remove_factor",
    # The preview of the example has ended, and the configuration was changed after it.
    "stop_preview", "apply_preview",
    # The application of the example signs people in with SAML.
    "add_client_secret", "remove_client_secret",
    # No mail server is set up, and no message was given up.
    "show_mail_server", "send_test_mail", "retry_mail",
    "show_webhook", "send_test_webhook",
    # No LDAP directory answers here, and no identity provider is set up.
    "show_ldap", "set_ldap", "remove_ldap", "find_in_ldap", "test_identity_provider", "sign_out_administrator",
    # The file has no such column; the schema of the example is empty; a mapping cannot move to the attribute that it has.
    "rekey_source", "rekey_with_upload", "import_entra_schema", "move_mapping",
    # Several YAML documents are expected.
    "preview_configuration",
}  # fmt: skip


@pytest.fixture
def documo(documo_sandbox: StartSandbox) -> Sandbox:
    return documo_sandbox()


@pytest.fixture
def allowed(documo: Sandbox) -> tuple[str, ...]:
    return ("/".join(documo.base_url.split("/")[:3]),)


@pytest.fixture
async def real(client: Client, documo: Sandbox, tmp_path: Path) -> AsyncIterator[dict[str, Any]]:
    """The names of things that exist, by the name of the path parameter; and `q_...` by that of the query parameter."""
    context = client.contexts(Actor("tests"))
    await set_credentials(context, "documo", tenant_url=documo.base_url, secret_token=Secret(documo.token))
    await settings_actions.change_settings(context, "documo", scope="all", status="on", deletion_threshold=0)
    cycle = await provisioning.run(context, "documo")
    async for state in following.follow(context, cycle):
        cycle = state
    preview = await job_previews.begin_preview(context, "documo")
    assert await job_previews.make_due_preview(context)
    await administrators.invite(context, upn("admin"), [Role.AUDITOR])
    token = await access_tokens.create_service_token(context, "spare", ["directory.read"])
    (change,) = (await client.get("logs", limit=1)).body["items"]
    file = write_csv(tmp_path / "staff.csv", [person("new")]).read_bytes()
    upload = await client.http.post(
        f"{client.origin}/api/v1/sources/hr/uploads", data=file, headers=_headers(client) | {"Content-Type": "text/csv"}
    )
    assert upload.status in (200, 201), await upload.text()
    yield {
        "app": "documo", "person": upn("anna"), "user": upn("anna"), "group": "all-sales", "source": "hr", "cycle": cycle.id,
        "operation": f"cycle-{cycle.id}", "email": upn("admin"), "token": token.id, "change": change["changeId"], "old": 1, "new": 2,
        "upload": (await upload.json())["id"], "role": "Editor", "entry": 1, "action": "people.show_person", "preview": preview.id,
        "version": 1, "kind": "user", "permission": "people.write",
    }  # fmt: skip


@pytest.mark.full
@pytest.mark.timeout(1800)
async def test_no_request_brings_a_server_error_or_an_undocumented_answer(client: Client, real: dict[str, Any]) -> None:
    described = (await client.get("/api/openapi.json")).body
    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=f"{client.origin}/api/v1")
    headers = _headers(client)
    steady = settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip
    done: set[str] = set()
    wrong = []
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    names = {one.definition.raw["operationId"] for one in operations} - NOT_CALLED
    for operation in sorted(operations, key=_what_removes_comes_last):
        name = operation.definition.raw["operationId"]
        if name in NOT_CALLED:
            continue

        def call(case: Any) -> int:
            status: int = case.call_and_validate(headers=headers, checks=CHECKS, timeout=30).status_code
            return status

        def call_any(case: Any, is_real: bool) -> None:
            case.path_parameters = {**case.path_parameters, **(_known(case.path_parameters, real) if is_real else {})}
            call(case)

        try:
            # Only the documented request counts as done: whether a generated one succeeds is left to chance.
            if await asyncio.to_thread(call, _usual(operation, described, real)) < 300:
                done.add(name)
            await asyncio.to_thread(steady(given(case=operation.as_strategy(), is_real=st.booleans())(call_any)))
        except (Exception, BaseExceptionGroup) as failed:
            wrong.append(f"{operation.label}: {failed}")

    assert not wrong, "\n\n".join(wrong)
    assert names - done <= NEVER_DONE
    assert len(names) > 90


def _headers(client: Client) -> dict[str, str]:
    return {"Authorization": f"Bearer {client.token}"}


def _what_removes_comes_last(operation: Any) -> tuple[bool, bool, int]:
    """Revoking the token of all these requests is the very last."""
    is_sign_out = operation.definition.raw["operationId"] == "revoke_this_token"
    return is_sign_out, operation.method.upper() == "DELETE", -operation.path.count("/")


def _known(parameters: dict[str, Any], real: dict[str, Any]) -> dict[str, Any]:
    return {name: real[name] for name in parameters if name in real}


def _usual(operation: Any, described: dict[str, Any], real: dict[str, Any]) -> Any:
    """The request that the documentation shows, to things that exist."""
    raw = operation.definition.raw
    path = {one["name"]: real.get(one["name"], "x") for one in raw.get("parameters", []) if one["in"] == "path"}
    query = {
        one["name"]: real.get(one["name"], "displayName")
        for one in raw.get("parameters", [])
        if one["in"] == "query" and one["required"]
    }
    if any(one["name"] == "confirm" for one in raw.get("parameters", [])):
        query["confirm"] = True
    content = raw.get("requestBody", {}).get("content", {})
    given: dict[str, Any] = {"path_parameters": path, "query": query}
    if "application/json" in content:
        given |= {
            "body": example_of(content["application/json"]["schema"], described),
            "media_type": "application/json",
        }
    return operation.Case(**given)
