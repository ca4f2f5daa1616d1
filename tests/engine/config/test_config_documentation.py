"""The examples of the documentation are read as they stand."""

from __future__ import annotations

import re
from pathlib import Path

from lockstep.configuration.files.file import read_documents
from lockstep.configuration.files.write import format_text

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "configuration.md"


def test_the_example_of_the_documentation_can_be_read_and_formatted() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

    assert [document.title for document in read_documents(text, "a.yaml")] == ["Source hr", "Application documo"]
    assert read_documents(format_text(text, "a.yaml"), "a.yaml") == read_documents(text, "a.yaml")
