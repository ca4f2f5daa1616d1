"""One word, one thing: a reader who meets a class name must not ask which of two classes it is."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

from tests.support.source import tree_of

SOURCE = Path(__file__).resolve().parents[2] / "src"


@pytest.mark.parametrize("product", ["lockstep", "documo"])
def test_a_public_class_name_stands_once_in_a_product(product: str) -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for file in sorted((SOURCE / product).rglob("*.py")):
        for node in tree_of(file).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(file.relative_to(SOURCE)))

    doubled = {name: files for name, files in places.items() if len(files) > 1}
    assert (len(places) > 80, doubled) == (True, {}), "name the less central class for what it is"
