"""How tests are written: they import each other by full names, and never compare a clock reading with a number."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.left_out_conditions import ending_of
from tests.support.source import nodes_of, tree_of

TESTS = Path(__file__).parents[1]
OWN_PROCESSES = {"journeys/django_site/server.py"}  # a Django project, whose settings name its modules
FILES = {str(path.relative_to(TESTS)): path for path in sorted(TESTS.rglob("*.py"))}
MODULES = {path.stem for path in FILES.values()} - {"__init__", "conftest"}


def test_no_test_changes_where_modules_are_looked_for() -> None:
    changes = [
        name
        for name, file in FILES.items()
        for node in nodes_of(file)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if isinstance(node.func.value, ast.Attribute) and ast.unparse(node.func.value) == "sys.path"
    ]

    assert set(changes) <= OWN_PROCESSES


def test_modules_of_tests_are_imported_by_their_whole_names() -> None:
    short = [
        f"{name}: {node.module}"
        for name, file in FILES.items()
        for node in nodes_of(file)
        if isinstance(node, ast.ImportFrom) and node.module in MODULES
    ]

    assert short == []


BROWSER = ("playwright", "tests.support.browser", "tests.support.lockstep_browser", "tests.support.documo_browser")


def test_tests_in_a_browser_are_left_to_make_test_full() -> None:
    """`make test` needs nothing but Python, and Chromium comes with the prerequisites of `make test-full`."""
    early = [
        name
        for name, file in FILES.items()
        if Path(name).name.startswith("test_")
        if any(isinstance(node, ast.ImportFrom) and str(node.module).startswith(BROWSER) for node in nodes_of(file))
        if not any(re.match(r"pytestmark = .*\bpytest\.mark\.full\b", ast.unparse(node)) for node in tree_of(file).body)
    ]

    assert early == []


def test_what_tests_share_depends_on_no_test() -> None:
    wrong = [
        f"{name}: {node.module}"
        for name, file in FILES.items()
        for node in nodes_of(file)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tests.")
        if name.startswith("support/") and not node.module.startswith("tests.support")
    ]

    assert wrong == []


def test_no_fixture_is_written_twice_for_rooms_that_could_share_it() -> None:
    bodies: dict[str, list[str]] = {}
    for name, file in FILES.items():
        for node in nodes_of(file):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "pytest.fixture" in map(
                ast.unparse, node.decorator_list
            ):
                bodies.setdefault(ast.unparse(node), []).append(name)

    assert [places for places in bodies.values() if len(places) > 1] == []


CLOCKS = {"time.monotonic", "time.perf_counter", "time.time", "datetime.now", "loop.time"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def is_clock(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in CLOCKS


class Times:
    """The names of one function that hold a moment read from a clock, or a span between two of them."""

    def __init__(self, function: ast.AST) -> None:
        self.moments: set[str] = set()
        self.spans: set[str] = set()
        known = -1
        while known != len(self.moments) + len(self.spans):
            known = len(self.moments) + len(self.spans)
            for node in ast.walk(function):
                for name, value in self._given(node):
                    if self.is_span(value):
                        self.spans.add(name)
                    elif self.is_moment(value):
                        self.moments.add(name)

    @staticmethod
    def _given(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
        """Yield each value that is assigned, appended, returned or iterated over, with the name that it then has."""
        if isinstance(node, ast.Assign):
            several = (
                zip(node.targets[0].elts, _parts(node.value), strict=False)
                if isinstance(node.targets[0], ast.Tuple)
                else ()
            )
            yield from ((ast.unparse(name), value) for name, value in several)
            yield ast.unparse(node.targets[0]), node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append":
            yield ast.unparse(node.func.value), node.args[0]
        elif isinstance(node, Function):
            yield from ((node.name, one) for one in ast.walk(node) if isinstance(one, ast.Return))
        elif isinstance(node, ast.comprehension):
            yield ast.unparse(node.target), node.iter

    def is_moment(self, node: ast.AST) -> bool:
        return any(is_clock(one) or (isinstance(one, ast.Name) and one.id in self.moments) for one in ast.walk(node))

    def is_span(self, node: ast.AST) -> bool:
        return any(
            (
                isinstance(one, ast.BinOp)
                and isinstance(one.op, ast.Sub)
                and self.is_moment(one.left)
                and self.is_moment(one.right)
            )
            or (isinstance(one, ast.Name) and one.id in self.spans)
            for one in ast.walk(node)
        )

    def are_compared(self, node: ast.Compare) -> bool:
        """Whether a span is compared, or the order of two moments. A deadline for a condition is none: `clock() < give_up_at`."""
        sides = [node.left, *node.comparators]
        is_deadline = len(sides) == 2 and any(map(is_clock, sides))
        is_order = not all(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops)
        return self.is_span(node) or (is_order and not is_deadline and sum(map(self.is_moment, sides)) > 1)


def _parts(value: ast.expr) -> Sequence[ast.expr]:
    return value.elts if isinstance(value, ast.Tuple) else ()


def clock_comparisons(tree: ast.Module) -> int:
    """How many asserts compare what clocks said."""
    found: set[int] = set()
    if not any(map(is_clock, ast.walk(tree))):
        return 0
    for function in ast.walk(tree):
        if isinstance(function, Function):
            times = Times(function)
            found |= {
                node.lineno
                for node in ast.walk(function)
                if isinstance(node, ast.Assert)
                if any(isinstance(one, ast.Compare) and times.are_compared(one) for one in ast.walk(node.test))
            }
    return len(found)


def test_no_test_fails_because_the_machine_is_slow() -> None:
    found = {name: count for name, file in FILES.items() if (count := clock_comparisons(tree_of(file)))}

    assert found == {}


@pytest.mark.parametrize(
    ("count", "lines"),
    [
        (1, "began = time.monotonic(); work(); assert time.monotonic() - began < 5"),
        (1, "began = time.monotonic(); work(); seconds = time.monotonic() - began; assert seconds < 5"),
        (1, "began = time.perf_counter(); times.append(time.perf_counter() - began); assert max(times) < 5"),
        (1, "sent.append(datetime.now(UTC)); at = datetime.now(UTC); assert [one for one in sent if one > at] == []"),
        (0, "give_up_at = time.monotonic() + 5; assert time.monotonic() < give_up_at"),
        (0, "due = datetime.now(UTC) - timedelta(days=1); assert read() == due"),
    ],
)
def test_comparison_of_clocks_is_found_in_every_form(count: int, lines: str) -> None:
    assert clock_comparisons(ast.parse(f"async def test() -> None: {lines}")) == count


async def test_how_a_case_ends_does_not_depend_on_the_order_of_rows() -> None:
    async def found(rows: Sequence[str]) -> object:
        return dict.fromkeys(rows, 1), set(rows), [{name: {1} for name in rows}]

    assert await ending_of(found(("b", "a", "c"))) == await ending_of(found(("c", "b", "a")))
