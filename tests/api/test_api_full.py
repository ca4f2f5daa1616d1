"""Schemathesis against the whole API: no request brings a server error, and no answer is one that the description does not name."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.conftest import Client

EXAMPLES = 10  # for each operation
# A stream without end; and several YAML documents, of which Schemathesis reads one.
NOT_CALLED = {"events", "export"}
CHECKS: list[Any] = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
]  # fmt: skip


@pytest.mark.full
@pytest.mark.timeout(1800)
async def test_no_request_brings_a_server_error_or_an_undocumented_answer(client: Client) -> None:
    schema = schemathesis.openapi.from_dict((await client.get("/api/openapi.json")).body)
    schema.config.update(base_url=f"{client.origin}/api/v1")
    headers = {"Authorization": f"Bearer {client.token}"}
    steady = settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip
    called, wrong = 0, []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.definition.raw["operationId"] in NOT_CALLED:
            continue
        called += 1

        def call(case: Any) -> None:
            case.call_and_validate(headers=headers, checks=CHECKS, timeout=30)

        try:
            await asyncio.to_thread(steady(given(case=operation.as_strategy())(call)))
        except (Exception, BaseExceptionGroup) as failed:
            wrong.append(f"{operation.label}: {failed}")

    assert not wrong, "\n\n".join(wrong)
    assert called > 90
