"""Rules for every file of the tree. The list comes from git, so ignored files do not count."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

from tests.support.source import nodes_of

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / name for name in subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).split("\n") if name]
# Written in pieces, so that this file does not contain what it searches for.
REGISTRY_HOSTS = re.compile(
    "|".join(
        [
            r"pypi\." + "org",
            "python" + "hosted",
            r"registry\." + "npmjs",
            r"npmjs\." + "com",
            r"deb\." + "debian",
            r"crates\." + "io",
        ]
    )
)
MACHINE_PATHS = re.compile(r"(?<![\w.])/(" + "work|fa" + r"rm)/")
BUILT = re.compile(r"\.(min\.(js|css)|bundle\.js|map|woff2?|ttf|whl|so|dll|exe|jar|pyc)$")
UNFINISHED = re.compile(r"\b(TO" + "DO|FIX" + "ME|XX" + r"X)\b")
MOST_LINES, MOST_FUNCTION_LINES = 300, 50


def texts() -> list[tuple[Path, str]]:
    found = []
    for file in FILES:
        try:
            found.append((file.relative_to(ROOT), file.read_text(encoding="utf-8")))
        except (UnicodeDecodeError, FileNotFoundError):
            continue
    return found


def holding(pattern: re.Pattern[str]) -> list[str]:
    return [f"{name}: {match.group()}" for name, text in texts() if (match := pattern.search(text))]


def test_no_file_names_a_package_registrys_host() -> None:
    assert holding(REGISTRY_HOSTS) == []


def test_no_file_carries_a_path_of_one_machine() -> None:
    assert holding(MACHINE_PATHS) == []


def test_one_module_says_how_cookies_are_kept() -> None:
    kept = re.compile(r"\.(set|delete)_cookie\(")

    found = {str(name) for name, text in texts() if name.parts[0] == "src" and kept.search(text)}
    assert found == {"src/lockstep/kit/cookies.py"}


def test_statements_of_lockstep_stand_in_storage() -> None:
    """The rooms below storage keep their own. Statements without a table may stand anywhere."""
    rooms = {"storage", "postgres", "credentials"}

    elsewhere = [
        f"{name}: {ast.unparse(node.args[0])[:80]}"
        for name, _ in texts()
        if name.suffix == ".py" and name.parts[:2] == ("src", "lockstep") and name.parts[2] not in rooms
        for node in nodes_of(ROOT / name)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "execute"
        and node.args
        if isinstance(node.args[0], ast.Constant | ast.JoinedStr)
    ]

    allowed = {"'select 1'", "f'listen {CHANNEL}'"}
    assert [row for row in elsewhere if row.partition(": ")[2] not in allowed] == []


def test_no_module_of_the_product_is_named_like_a_test() -> None:
    names = [file.name for file in FILES if file.suffix == ".py" and file.is_relative_to(ROOT / "src")]

    assert [name for name in names if name.startswith("test_") or name.endswith("_test.py")] == []


def test_no_third_party_built_file_is_committed() -> None:
    assert [str(file.relative_to(ROOT)) for file in FILES if BUILT.search(file.name)] == []
    assert [str(file.relative_to(ROOT)) for file in FILES if file.name in ("uv.lock", "node_modules")] == []


def test_nothing_is_left_for_later_in_the_code() -> None:
    assert [row for row in holding(UNFINISHED) if row.split(":")[0].endswith(".py")] == []


def test_files_and_functions_of_the_product_stay_readable() -> None:
    files, functions = [], []
    for name, text in texts():
        if name.suffix != ".py" or name.parts[0] != "src":
            continue
        if (lines := text.count("\n")) > MOST_LINES:
            files.append(f"{name}: {lines} lines")
        for node in nodes_of(ROOT / name):
            if (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                and (size := (node.end_lineno or 0) - node.lineno + 1) > MOST_FUNCTION_LINES
            ):
                functions.append(f"{name}:{node.lineno} {node.name}: {size} lines")

    assert files == [], "split them by the question that a reader asks"
    assert functions == [], "split them by meaning"


def test_every_requirement_is_pinned_with_a_hash_and_no_index() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-env.txt"):
        text = (ROOT / name).read_text()
        assert "index-url" not in text
        for line in text.splitlines():
            if line and not line.startswith((" ", "#")):
                assert "==" in line, f"{name}: {line}"
        assert text.count("--hash=sha256:") >= len(
            [line for line in text.splitlines() if line and not line.startswith(" ")]
        )


def test_migrations_are_one_chain() -> None:
    """With two revisions of one number, every database would stay at the older one."""
    for folder in ("src/lockstep/storage/migrations/versions", "src/documo/migrations/versions"):
        found = [
            (name.group(1), before.group(1) if before else "")
            for file in sorted((ROOT / folder).glob("[0-9]*.py"))
            if (name := re.search(r'^revision = "(\d+)"', text := file.read_text(), re.M))
            for before in (re.search(r'^down_revision = "(\d+)"', text, re.M),)
        ]
        assert [before for _, before in found] == ["", *(name for name, _ in found[:-1])]
        assert [name for name, _ in found] == sorted({name for name, _ in found})


def test_every_case_is_run_by_a_test() -> None:
    """A test names the case, or reads a pattern that it matches (`csv-05*`, `documo-*`)."""
    tests = "\n".join(text for name, text in texts() if name.parts[0] == "tests" and name.suffix == ".py")
    cases = [file for file in FILES if file.parent == ROOT / "tests" / "cases"]

    unread = [
        case.name
        for case in cases
        if not any(form in tests for form in (case.name.split(".")[0], case.name[:6], f"{case.name.split('-')[0]}-*"))
    ]

    assert (len(cases) > 40, unread) == (True, [])
