"""The contract suite of a port tests the obligations that its docstrings list. A test has the name of its sentence, without the article."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PORTS = {
    "target_contract.py": ("src/lockstep/ports.py", {"AccountReader", "TargetReader", "Target"}),
    "source_contract.py": ("src/lockstep/directory/rows.py", {"SourcePass"}),
}


def classes(file: str) -> dict[str, ast.ClassDef]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def name_of_test(sentence: str) -> str:
    return "test_" + re.sub(r"[^a-z0-9]+", "_", re.sub(r"^(a|an|the) ", "", sentence.lower())).strip("_")


@pytest.mark.parametrize("suite", PORTS)
def test_every_obligation_has_its_test_and_every_test_its_obligation(suite: str) -> None:
    file, protocols = PORTS[suite]
    found = classes(file)
    listed = [
        name_of_test(line)
        for name in protocols
        for line in re.findall(r"^- (.+)$", ast.get_docstring(found[name]) or "", re.MULTILINE)
    ]

    [contract] = [
        one for name, one in classes(f"tests/contracts/{suite}").items() if name.endswith("Contract") and one.body[1:]
    ]
    tests = [one.name for one in contract.body if isinstance(one, ast.AsyncFunctionDef)]

    assert len(listed) > 10
    assert sorted(listed) == sorted(tests)
