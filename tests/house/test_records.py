"""Records are types, and nothing branches on text that is written for people.

What storage receives is a dataclass with one builder, so a new column is a new field that the type checker follows. Codes, texts and the
stored error say why something is so; separate fields say what happens next.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

from lockstep.engine.plans import Draft, MappedAccount, Plan
from tests.support.source import nodes_of, tree_of

SOURCE = Path(__file__).resolve().parents[2] / "src" / "lockstep"
# What the recording transaction calls, by module.
RECORDING = {
    "storage/cycles.py": {"count"},
    "storage/dirty.py": {"fence", "finish", "postpone"},
    "storage/dirty_marks.py": {"wake_for_accounts"},
    "storage/journal.py": {"write_entries", "settle", "reopen", "hold"},
    "storage/links.py": {"save_links", "bury_links"},
    "storage/operations.py": {"withdraw_held"},
    "storage/provisioning_log.py": {"append"},
    "storage/references.py": {"replace_waiting", "wake_ready", "wake_holders"},
    "storage/rejections.py": {"end_rejections"},
    "storage/taking.py": {"lock"},
    "storage/target_members.py": {"mark_unsure", "forget_members", "hand_over", "note_groups_of"},
    "storage/unkept.py": {"note_kept", "note_missing"},
}
FOR_PEOPLE = {"code", "text", "detail", "sentence", "last_error"}
# The text of an expression says which expression it is, and the one of a filter is what a person searches for.
IDENTITIES = {"compiled.text", "wanted.text"}


def annotations_of(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.AnnAssign | ast.arg) and part.annotation is not None:
            yield ast.unparse(part.annotation)


def is_untyped(annotation: str) -> bool:
    return "Row" in annotation.replace("[", " ").replace("]", " ").split() or "Mapping[str, Any]" in annotation


def parsed(path: str) -> ast.Module:
    return tree_of(SOURCE / path)


def test_outcome_holds_types_and_no_rows() -> None:
    [outcome] = [
        node
        for node in ast.walk(parsed("sync/outcome/outcomes.py"))
        if isinstance(node, ast.ClassDef) and node.name == "Outcome"
    ]

    found = list(annotations_of(outcome))

    assert len(found) > 15
    assert [annotation for annotation in found if is_untyped(annotation)] == []


def test_outcomes_are_built_in_the_room_that_records_them() -> None:
    """A drain asks for one by what happened. Changing one that exists is allowed."""
    built = {
        str(file.relative_to(SOURCE).parent)
        for file in SOURCE.rglob("*.py")
        for node in nodes_of(file)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Outcome"
    }

    assert built == {"sync/outcome"}


def test_everything_that_the_recording_transaction_is_given_has_a_type() -> None:
    untyped, seen = [], set()
    for path, names in RECORDING.items():
        for node in parsed(path).body:
            if isinstance(node, ast.AsyncFunctionDef) and node.name in names:
                seen.add((path, node.name))
                untyped += [f"{path}: {node.name}: {one}" for one in annotations_of(node.args) if is_untyped(one)]

    assert seen == {(path, name) for path, names in RECORDING.items() for name in names}
    assert untyped == []


def test_plan_holds_the_mapped_account_whole_and_copies_none_of_its_fields() -> None:
    assert {one.name for one in fields(Plan)} & {one.name for one in fields(MappedAccount)} == set()


def test_plan_is_a_draft_completed_and_names_none_of_its_fields_again() -> None:
    assert issubclass(Plan, Draft)
    assert set(Plan.__annotations__) & {one.name for one in fields(Draft)} == set()


def is_for_people(node: ast.expr) -> bool:
    """Whether *node* reads something that is written for people, as it is or lowered, stripped and the like."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value
    return isinstance(node, ast.Attribute) and node.attr in FOR_PEOPLE and ast.unparse(node) not in IDENTITIES


def branches(nodes: Iterable[ast.AST]) -> int:
    """How many comparisons, matches and searches test a code, a text or a stored error. Testing whether there is one is allowed."""
    return sum(map(is_branch, nodes))


def is_branch(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare):
        is_about_none = all(isinstance(one, ast.Constant) and one.value is None for one in node.comparators)
        return any(map(is_for_people, (node.left, *node.comparators))) and not is_about_none
    if isinstance(node, ast.Match):
        return is_for_people(node.subject)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TESTS_OF_A_TEXT:
        return any(map(is_for_people, (node.func.value, *node.args)))
    return False


TESTS_OF_A_TEXT = {
    "startswith",
    "endswith",
    "find",
    "split",
    "partition",
    "count",
    "findall",
    "search",
    "match",
    "fullmatch",
}


def parameters_tested(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """The parameters that *function* takes apart or compares as texts."""
    tested: set[str] = set()
    for node in ast.walk(function):
        parts: list[ast.expr] = []
        if isinstance(node, ast.Compare) and any(isinstance(one, ast.In | ast.NotIn) for one in node.ops):
            parts = node.comparators
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TESTS_OF_A_TEXT:
            parts = [node.func.value, *node.args]
        tested |= {one.id for one in parts if isinstance(one, ast.Name)}
    return tested & {one.arg for one in (*function.args.args, *function.args.kwonlyargs)}


def texts_that_are_tested(nodes: Iterable[ast.AST]) -> list[str]:
    """Calls that hand something written for people to a function of the same module that takes it apart."""
    nodes = list(nodes)
    functions = {one.name: one for one in nodes if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
    found = []
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
            function = functions[node.func.id]
            given = [*zip((one.arg for one in function.args.args), node.args, strict=False)]
            given += [(one.arg, one.value) for one in node.keywords if one.arg]
            tested = parameters_tested(function)
            found += [ast.unparse(node) for name, value in given if name in tested and is_for_people(value)]
    return found


def test_nothing_takes_a_text_for_people_apart_in_a_function_of_its_own() -> None:
    rooms = [file for room in ("sync", "engine", "actions", "storage") for file in (SOURCE / room).rglob("*.py")]

    assert [found for file in rooms for found in texts_that_are_tested(nodes_of(file))] == []


def test_a_text_that_is_taken_apart_in_a_function_is_found() -> None:
    source = "def named_in(words): return re.findall('x', words)\ndef send(answer): return named_in(answer.detail)"

    assert texts_that_are_tested(ast.walk(ast.parse(source))) == ["named_in(answer.detail)"]


def test_no_statement_selects_rows_by_a_code_that_is_shown() -> None:
    """A code that a person searches for is a parameter, never a literal."""
    literal = re.compile(r"error ->>? '(code|reason|message|detail)' *(=|in|like|<>) *[('A-Z]")

    found = [
        str(file.relative_to(SOURCE)) for file in (SOURCE / "storage").glob("*.py") if literal.search(file.read_text())
    ]

    assert found == []


def test_nothing_reads_a_shown_code_from_a_stored_error() -> None:
    reads = re.compile(r"""error(\.get\(|\[)\s*["']code["']""")

    files = [file for room in ("actions", "storage", "sync") for file in (SOURCE / room).rglob("*.py")]

    assert [str(file.relative_to(SOURCE)) for file in files if reads.search(file.read_text())] == []


def test_nothing_branches_on_a_code_a_text_or_a_stored_error() -> None:
    rooms = [file for room in ("sync", "engine/decisions", "engine/rules") for file in (SOURCE / room).rglob("*.py")]

    found = {str(file.relative_to(SOURCE)): count for file in rooms if (count := branches(nodes_of(file)))}

    assert len(rooms) > 50
    assert found == {}


def test_a_branch_on_a_reason_code_is_found() -> None:
    assert branches(ast.walk(ast.parse("if plan.reason.code == 'Drift': pass"))) == 1
    assert branches(ast.walk(ast.parse("kind = failure.code in TRANSIENT"))) == 1
    assert branches(ast.walk(ast.parse("is_much = 'too many' in answer.detail.lower()"))) == 1
    assert branches(ast.walk(ast.parse("is_held = plan.reason.text.startswith('Held')"))) == 1
    assert branches(ast.walk(ast.parse("found = re.search('x', answer.detail)"))) == 1
    assert branches(ast.walk(ast.parse("match plan.reason.code:\n    case 'Drift': pass"))) == 1
    assert branches(ast.walk(ast.parse("if claim.last_error is None: pass"))) == 0
