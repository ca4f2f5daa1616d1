"""Test the SCIM service itself: create, read, change and delete one user, as a directory does, in a transaction that is rolled back.

The test needs no key and leaves no user, seat, event or log entry behind. It tests neither the network nor the key.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from documo.replay import answer_in, as_admin
from documo.scim_service.request.exchange import Request, ScimAnswer
from documo.scim_service.tenant.tenants import ScimTenant, Tenants
from documo.settings import SCIM_PATH
from documo.store.database import DatabaseRehearsal, Store, rehearsing

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
_ID = re.compile(r"[0-9a-f-]{36}")
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


@dataclass(frozen=True, slots=True)
class SelfTestStep:
    """One request of the test: its purpose, its response, and why it failed ("" if it passed)."""

    title: str
    request: str
    status: int
    problem: str = ""

    @property
    def is_passed(self) -> bool:
        return not self.problem


class _Stopped(Exception):
    """Raised if a step fails, because the following steps depend on it."""


async def run_self_test(store: Store, tenant_id: int, *, base_url: str) -> list[SelfTestStep]:
    """Run the test and return its steps. It stops at the first failed step. Addresses in the responses begin with *base_url*."""
    tenant = await Tenants(store, rate_override=0).tenant(tenant_id)
    async with rehearsing(store) as rehearsal:
        test = _Test(rehearsal, tenant, base_url)
        with suppress(_Stopped):
            await test.run()
        return test.steps


class _Test:
    def __init__(self, rehearsal: DatabaseRehearsal, tenant: ScimTenant, base_url: str) -> None:
        self.steps: list[SelfTestStep] = []
        self._rehearsal = rehearsal
        self._caller = as_admin(tenant)
        self._base_url = base_url

    async def run(self) -> None:
        name = f"self-test-{secrets.token_hex(8)}@documo.invalid"
        body = {
            "schemas": [USER],
            "userName": name,
            "name": {"givenName": "Self", "familyName": "Test"},
            "active": True,
        }
        await self._step("Describe the service", "GET", "/ServiceProviderConfig", 200)
        made = await self._step("Create a user", "POST", "/Users", 201, body, lambda user: bool(user.get("id")))
        place = f"/Users/{made.get('id')}"
        await self._step("Refuse the same user again", "POST", "/Users", 409, body)
        await self._step("Read the user", "GET", place, 200, holds=lambda user: user.get("userName") == name)
        query = f'filter=userName eq "{name}"'
        await self._step(
            "Find the user by name",
            "GET",
            "/Users",
            200,
            query=query,
            holds=lambda found: found.get("totalResults") == 1,
        )
        await self._patch("Change an attribute", "Read the changed attribute", place, "displayName", "Changed")
        await self._patch("Deactivate the user", "Check that the user is inactive", place, "active", False)
        await self._step("Delete the user", "DELETE", place, 204)
        await self._step("Check that the user no longer exists", "GET", place, 404)

    async def _patch(self, title: str, title_of_reading: str, place: str, path: str, value: object) -> None:
        """Change one attribute, and check that it has the new value."""
        operation = {"op": "replace", "path": path, "value": value}
        changes = {"schemas": [PATCH], "Operations": [operation]}
        await self._step(title, "PATCH", place, (200, 204), changes)
        await self._step(title_of_reading, "GET", place, 200, holds=lambda user: user.get(path) == value)

    async def _step(
        self,
        title: str,
        method: str,
        path: str,
        expected: int | tuple[int, ...],
        body: Mapping[str, Any] | None = None,
        holds: Callable[[Mapping[str, Any]], bool] = lambda _: True,
        query: str = "",
    ) -> Mapping[str, Any]:
        statuses = (expected,) if isinstance(expected, int) else expected
        answer = await self._ask(method, path, query, orjson.dumps(body) if body is not None else b"")
        said: Mapping[str, Any] = orjson.loads(answer.body) if answer.body else {}
        problem = ""
        if answer.status not in statuses:
            problem = (
                str(said.get("detail", "")) or f"The response has the status {answer.status} instead of {statuses[0]}."
            )
        elif not holds(said):
            problem = "The response does not contain the value that was sent."
        self.steps.append(SelfTestStep(title, f"{method} {_ID.sub('{id}', path)}", answer.status, problem))
        if problem:
            raise _Stopped
        return said

    async def _ask(self, method: str, path: str, query: str, body: bytes) -> ScimAnswer:
        headers = {b"content-type": b"application/scim+json"}
        encoded = query.replace(" ", "%20").encode("ascii")
        request = Request(method, SCIM_PATH + path, encoded, headers, body, self._base_url, self._caller)
        return await answer_in(self._rehearsal, request)
