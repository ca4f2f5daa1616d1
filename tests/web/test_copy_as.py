"""Copy as: the addresses of the API that pages name exist."""

from __future__ import annotations

import re
from pathlib import Path

import lockstep.web.pages
from lockstep.api.app import ROOT, api_app

_HOLE = re.compile(r"\{[^}]*\}")


def test_every_address_of_the_api_that_a_page_names_can_be_read() -> None:
    paths = api_app(lambda _: None).openapi()["paths"]  # type: ignore[arg-type, return-value]
    known = {_HOLE.sub("{}", ROOT + path) for path, methods in paths.items() if "get" in methods}
    named = [
        (file.name, address)
        for file in Path(next(iter(lockstep.web.pages.__path__))).rglob("*.py")
        for address in re.findall(r'(?:api=|api_list\(\s*)f?"([^"?]+)', file.read_text(encoding="utf-8"))
    ]

    assert named
    assert [one for one in named if _HOLE.sub("{}", one[1]) not in known] == []
