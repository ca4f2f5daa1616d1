"""ARCHITECTURE.md is true as far as a machine can check: what it names exists, and every room is in it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
PROSE = re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL)
ROOMS = re.search(r"^## Rooms\n+```\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
NAMED = sorted(set(re.findall(r"`([A-Za-z_][\w./]*)`", PROSE)))
OUTSIDE = {"datetime.now", "uuid4"}  # of Python, named because they are refused
WORDS = {"pyproject.toml"}
GLOSSARY = {
    *(
        "application",
        "assignment",
        "base",
        "claim",
        "cycle",
        "directory",
        "drain",
        "guard",
        "hold",
        "journal",
        "lane",
        "link",
        "look",
    ),
    *(
        "mapping",
        "match",
        "operation",
        "owner",
        "plan",
        "quarantine",
        "scope",
        "slice",
        "source",
        "target",
        "watermark",
    ),
}


def rooms_in_the_tree(product: str) -> set[str]:
    return {
        f"{path.name}/" if path.is_dir() else path.name
        for path in (SOURCE / product).iterdir()
        if not path.name.startswith("_") and (path.is_dir() or path.suffix == ".py")
    }


def rooms_named(product: str) -> set[str]:
    """The first words of the lines below the line of the product, and every `name.py` in them."""
    assert ROOMS is not None
    _, _, below = ROOMS[1].partition(f"src/{product}/\n")
    lines = re.match(r"(?: +.*\n)*", below)
    assert lines is not None and lines[0], f"no rooms of {product}"
    return set(re.findall(r"^  ([a-z_]+/)", lines[0], re.MULTILINE)) | set(re.findall(r"\b[a-z_]+\.py\b", lines[0]))


def defined_in(file: Path) -> set[str]:
    """The functions and classes of *file*, and the module's constants."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    named = {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    assigned = [
        node.targets if isinstance(node, ast.Assign) else [node.target]
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
    ]
    return named | {target.id for targets in assigned for target in targets if isinstance(target, ast.Name)}


def definitions() -> set[str]:
    return {name for file in SOURCE.rglob("*.py") for name in defined_in(file)}


def in_backticks(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


@pytest.mark.parametrize("product", ["lockstep", "documo"])
def test_every_room_of_the_tree_is_named_and_every_named_room_is_there(product: str) -> None:
    assert rooms_named(product) == rooms_in_the_tree(product)


def test_what_the_text_names_is_there() -> None:
    defined = definitions()

    def is_there(name: str) -> bool:
        if "/" in name or name in WORDS:
            places = (ROOT, SOURCE, SOURCE / "lockstep")
            return any((place / name).exists() for place in places)
        if name.endswith(".py"):
            return (SOURCE / "lockstep" / name).is_file()
        path = SOURCE.joinpath("lockstep", *name.split("."))
        return path.is_dir() or path.with_suffix(".py").is_file() or name in defined

    assert len(NAMED) > 25
    assert [name for name in NAMED if name not in OUTSIDE and not is_there(name)] == []


def test_each_step_of_the_walk_names_functions_of_the_files_beside_it() -> None:
    steps = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", TEXT, re.MULTILINE)
    elsewhere = [
        (number, function)
        for number, functions, files in steps
        for function in in_backticks(functions)
        if function not in {name for file in in_backticks(files) for name in defined_in(SOURCE / "lockstep" / file)}
    ]

    assert [int(number) for number, _, _ in steps] == list(range(1, len(steps) + 1))
    assert len(steps) > 8
    assert elsewhere == []


def test_each_hop_of_one_create_names_a_function_of_its_file_and_files_follow_files() -> None:
    hops = re.findall(r"^(\d+)\. `(\w+)` in `([\w/]+\.py)`", TEXT, re.MULTILINE)

    assert [int(number) for number, _, _ in hops] == list(range(1, len(hops) + 1))
    assert [(name, file) for _, name, file in hops if name not in defined_in(SOURCE / "lockstep" / file)] == []
    assert (hops[0][2], hops[-1][2]) == ("sync/drain/drain.py", "sync/outcome/recorder.py")
    assert len({file for _, _, file in hops}) == len(hops)


def test_the_glossary_has_one_sentence_for_each_word() -> None:
    glossary = TEXT.partition("## Glossary")[2].replace("\n  ", " ")
    entries = re.findall(r"^- \*\*([a-z ]+)\*\*: (.+)$", glossary, re.MULTILINE)
    words = [word for word, _ in entries]

    assert words == sorted(set(words))
    assert [word for word, sentence in entries if not re.fullmatch(r"[A-Z][^.]*\.", sentence)] == []
    assert GLOSSARY - set(words) == set()
