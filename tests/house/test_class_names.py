"""One word, one thing: no two public classes have the same name, and no class is named by a participle alone."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

from tests.support.source import tree_of

SOURCE = Path(__file__).resolve().parents[2] / "src"


def public_classes() -> list[tuple[str, ast.ClassDef]]:
    return [
        (str(file.relative_to(SOURCE)), node)
        for file in sorted(SOURCE.rglob("*.py"))
        for node in tree_of(file).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


def test_a_public_class_name_stands_once_in_both_products() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for file, node in public_classes():
        places[node.name].append(file)

    doubled = {name: files for name, files in places.items() if len(files) > 1}
    assert (len(places) > 1000, doubled) == (True, {}), "name the less central class for what it is"


def error_classes() -> set[str]:
    """The classes that are raised: their names may be participles, such as `Refused`."""
    bases = {node.name: {ast.unparse(base).rpartition(".")[2] for base in node.bases} for _, node in public_classes()}
    errors = {"Exception", "OSError", "ValueError"}
    while more := {name for name, parents in bases.items() if parents & errors} - errors:
        errors |= more
    return errors


def test_a_type_is_named_for_what_it_is_and_not_by_a_participle() -> None:
    errors = error_classes()

    participles = [
        f"{file}: {node.name}"
        for file, node in public_classes()
        if re.fullmatch("[A-Z][a-z]+(ed|aken|nown)", node.name) and node.name not in errors
    ]

    assert participles == []
