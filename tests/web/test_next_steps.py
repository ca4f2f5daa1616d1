"""Next steps on a page name pages, not commands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import documo
import lockstep
from documo.web.command_pages import STEPS as DOCUMO
from lockstep.kit.page_steps import PageSteps
from lockstep.web.command_pages import STEPS as LOCKSTEP
from tests.support.admin_centre import Browser

# What no page can do: it concerns the processes, the disk or the key of the server, or another machine.
ON_THE_SERVER = {
    "backup", "context", "doctor", "import", "key", "login", "logout", "migrate", "restore", "scim", "serve", "up", "whoami", "worker",
    "accounts", "events", "sandbox", "gateway",
}  # fmt: skip
_STEP_NAMES = {"next_step", "remedy", "otherwise", "why"}


def steps_in(package: Path) -> Iterator[str]:
    """The texts of next steps in the source, with X for what is put in."""
    for file in sorted(package.rglob("*.py")):
        if "/cli/" in str(file):  # what only the command line shows
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.keyword) and node.arg in _STEP_NAMES:
                yield from _texts(node.value)


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(one.value) if isinstance(one, ast.Constant) else "X" for one in node.values)
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)


@pytest.mark.parametrize(
    ("package", "steps", "program"), [(lockstep, LOCKSTEP, "lockstep"), (documo, DOCUMO, "documo")]
)
def test_every_next_step_has_a_page_for_each_command_or_is_only_for_the_server(
    package: object, steps: PageSteps, program: str
) -> None:
    folder = Path(str(package.__file__)).parent  # type: ignore[attr-defined]
    texts = [one for one in steps_in(folder) if re.search(rf"\b{program} [a-z]", one)]
    unknown = {
        command
        for text in texts
        for command in re.findall(rf"\b{program}(?: --\w+ \w+)* ([a-z][a-z-]*)", text)
        if command not in ON_THE_SERVER and steps.on_page(f"{program} {command}") == steps.on_page(f"{program} backup")
    }

    assert len(texts) > 5 and unknown == set()
    assert [text for text in texts if re.search(rf"\b{program} [a-z]", steps.on_page(text))] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("See: lockstep people list", "See: People"),
        ("If that is wrong: lockstep links documo --user anna@contoso.test --forget",
         "If that is wrong: Enterprise applications > the application > Provisioning > Links"),
        ("First: lockstep sources remove hr; then try again", "First: Sources > the source > Remove; then try again"),
        ("Put your copy of the key back; if it is lost: lockstep key new",
         "Put your copy of the key back; if it is lost: the command line of the server"),
        ('Give a key: lockstep sources rekey hr --key "Personnel no" --file FILE', "Give a key: Sources"),
        ("Create a key, then run: lockstep creds set documo --token-stdin",
         "Create a key, then go to Enterprise applications > the application > Provisioning > Settings > Admin Credentials"),
        ("Free disk space, then run: lockstep doctor", "Free disk space, then use the command line of the server"),
        ("Run: lockstep people list", "Go to People"),
        ("Ask a Lockstep administrator", "Ask a Lockstep administrator"),
    ],
)  # fmt: skip
def test_a_command_with_its_arguments_becomes_the_page(text: str, said: str) -> None:
    assert LOCKSTEP.on_page(text) == said


async def test_pages_of_errors_name_pages(admin: Browser) -> None:
    missing = [await admin.get(path) for path in ("/sources/none", "/logs/audit/999999", "/groups/none", "/users/none")]

    assert {page.status for page in missing} == {404}
    assert [page.text for page in missing if re.search(r"lockstep [a-z]", page.text)] == []


def test_python_code_of_pages_takes_next_steps_only_as_pages_say_them() -> None:
    folder = Path(str(lockstep.__file__)).parent / "web" / "pages"
    lines = [
        line
        for file in folder.glob("*.py")
        for line in file.read_text().splitlines()
        if re.search(r"\w\.next_step\b", line)
    ]

    assert [line for line in lines if "STEPS.on_page(" not in line and "step = problem.next_step" not in line] == []
