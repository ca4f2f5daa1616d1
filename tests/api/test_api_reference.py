"""The examples of the reference work as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import orjson

from tests.api.conftest import Client

REFERENCE = Path(__file__).resolve().parents[2] / "docs/reference/api.md"
BLOCK = re.compile(r"```http\n(.*?)```", re.DOTALL)
REQUEST = re.compile(r"(GET|POST) (/api/v1\S*(?: [^\n]*)?)\n(?:Authorization: [^\n]*\n)?(\{.*\}\n)?(\d{3}\n)?")
NEEDS_A_RUNNING_JOB = "/api/v1/applications/documo/cycles"


async def test_examples_of_the_reference_are_answered_as_it_says(client: Client) -> None:
    requests = [found for block in BLOCK.findall(REFERENCE.read_text()) for found in REQUEST.findall(block)]

    answers = [
        (
            path,
            await client.call(method, f"{client.origin}{path}", orjson.loads(body) if body else None),
            status.strip(),
        )
        for method, path, body, status in requests
    ]

    assert len(answers) >= 7
    for path, answer, status in answers:
        expected = status or ("409" if path == NEEDS_A_RUNNING_JOB else "200")
        assert str(answer.status) == expected, (path, answer.body)
