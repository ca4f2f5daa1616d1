"""The pytest fixture for authors of clients, and the faults that concern time."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import Any

import pytest

from documo.testing import Sandbox, StartSandbox, documo_sandbox

__all__ = ["documo_sandbox"]  # the fixture, imported by its name

USER = "urn:ietf:params:scim:schemas:core:2.0:User"


def ask(
    server: Sandbox, method: str, path: str, body: Any = None, *, token: str = "", patience: float = 30
) -> tuple[int, Any]:
    request = urllib.request.Request(
        server.base_url + path,
        None if body is None else json.dumps(body).encode(),
        {"Authorization": f"Bearer {token or server.token}", "Content-Type": "application/scim+json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=patience) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


def test_sandbox_has_what_was_asked_for_and_ends_with_its_test(documo_sandbox: StartSandbox) -> None:
    server = documo_sandbox(users=3, tenants=2, profile="strict")

    assert server.profile == "strict"
    for tenant in server.tenants:
        assert ask(server, "GET", "/Users", token=tenant.token)[1]["totalResults"] == 3
    assert len({tenant.token for tenant in server.tenants}) == 2
    os.kill(server.pid, 0)


def test_rate_of_the_sandbox_is_kept(documo_sandbox: StartSandbox) -> None:
    server = documo_sandbox(rate=1)

    assert 429 in {ask(server, "GET", "/Users")[0] for _ in range(10)}


def test_sandbox_that_cannot_start_says_why(documo_sandbox: StartSandbox) -> None:
    with pytest.raises(RuntimeError, match="nonsense"):
        documo_sandbox(profile="nonsense")


def test_stale_fault_answers_with_what_was_true_before(documo_sandbox: StartSandbox) -> None:
    server = documo_sandbox(faults=[{"method": "GET", "path": "/Users/", "nth": 2, "do": "stale"}])
    _, made = ask(server, "POST", "/Users", {"schemas": [USER], "userName": "anna@contoso.test", "title": "Before"})
    place = f"/Users/{made['id']}"
    assert ask(server, "GET", place)[1]["title"] == "Before"
    patch = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "title", "value": "After"}],
    }
    ask(server, "PATCH", place, patch)

    assert ask(server, "GET", place)[1]["title"] == "Before"
    assert ask(server, "GET", place)[1]["title"] == "After"


def test_delay_fault_answers_late_and_right(documo_sandbox: StartSandbox) -> None:
    delays = {"/Users": 0.1, "/Groups": 20}
    faults = [{"path": path, "nth": 1, "do": "delay", "seconds": seconds} for path, seconds in delays.items()]
    server = documo_sandbox(users=3, faults=faults)

    status, found = ask(server, "GET", "/Users")
    with pytest.raises(TimeoutError):
        ask(server, "GET", "/Groups", patience=0.5)

    assert (status, found["totalResults"]) == (200, 3)
