"""Leave out each check of a module in turn: a hostile case must then end differently, otherwise no test covers the check.

for check in checks_of(bindings, parts=True):
    check.leave_out(monkeypatch)
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from _typeshed import TraceFunction

Fault = TypeVar("Fault", bound=Exception)
Place = tuple[type, int, int, int]  # kind of node, line, column, and the part of the node that is left out
_WHOLE, _CONDITION = -1, -2  # nothing is left of the statement; the condition always holds


@dataclass(frozen=True)
class Check:
    """A check in *function*: a `raise`, an `if` that ends the function early, or one condition. *part* is the text of the condition, or ""
    for a whole statement. *statement* is the source of the module-level statement that contains the function, at its original line numbers;
    *left_out_at* is the position of the check in it.
    """

    function: FunctionType
    line: int
    part: str
    statement: str
    left_out_at: Place

    @property
    def code(self) -> CodeType:
        """The code of the function without the check. It is compiled only when needed, because every process collects all tests but runs
        only some.
        """
        tree = _Without(self.left_out_at).visit(ast.parse(self.statement))
        changed = {one.co_qualname: one for one in _codes(compile(tree, self.function.__code__.co_filename, "exec"))}
        return changed[self.function.__qualname__]

    def leave_out(self, patch: pytest.MonkeyPatch) -> None:
        """Make the function run without the check, in every module that uses it."""
        patch.setattr(self.function, "__code__", self.code)

    @property
    def refusal(self) -> int:
        """The line that runs only if the check refuses something, or 0 if there is none."""
        kind, line, column, part = self.left_out_at
        for node in ast.walk(ast.parse(self.statement)):
            if isinstance(node, ast.If) and any(
                isinstance(one, kind) and (one.lineno, one.col_offset) == (line, column)  # type: ignore[attr-defined]
                for one in (node, *ast.walk(node.test))
            ):
                return node.body[0].lineno
        return line if part == _WHOLE else 0

    @property
    def condition(self) -> str:
        """The text of the condition that is left out, or of the condition of the whole `if`."""
        if self.part or self.left_out_at[0] is not ast.If:
            return self.part
        ifs = (node for node in ast.walk(ast.parse(self.statement)) if isinstance(node, ast.If))
        return next(ast.unparse(one.test) for one in ifs if (one.lineno, one.col_offset) == self.left_out_at[1:3])

    @property
    def place(self) -> str:
        return f"{self.function.__module__.removeprefix('lockstep.')}.{self.function.__qualname__}"

    def __str__(self) -> str:
        return f"{self.place} +{self.line} {self.part}".strip()


def checks_of(module: ModuleType, *only: str, parts: bool = False) -> Iterator[Check]:
    """Yield a check for every `raise` in the functions and methods of *module*, or only in those that *only* names. `line` counts from the
    first line of the function.

    With *parts*, there are further checks: every `if` that ends its function or loop, each operand of an `or` in its condition, each
    operand of an `and` that is returned or assigned, the condition of each `x if condition else None`, and each condition of a
    comprehension.
    """
    text = inspect.getsource(module)
    tree = ast.parse(text)
    places = [_place(node) for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    if parts:
        places = [*(_place(one.body[0]) for one in ast.walk(tree) if isinstance(one, ast.ExceptHandler) and _ends(one))]
        places += [place for node in ast.walk(tree) for place in _parts(node)]
        places += [_place(node) for node in _unguarded(tree)]
    functions = [(function, _lines_of(function)) for name, function in functions_of(module) if not only or name in only]
    for place in places:
        for function, lines in functions:
            if place[1] in lines:
                statement = _statement_at(tree, text, place[1])
                yield Check(function, place[1] - lines.start, _part_text(statement, place), statement, place)


def outcomes_of(
    cases: Mapping[str, Callable[[], object]], fault: type[Fault], said: Callable[[Fault], str]
) -> dict[str, str]:
    """Return how each case ends: with the value that it accepts, with the text that *said* gives for its *fault*, or with a crash, which is
    possible if a check is left out.
    """

    def outcome(case: Callable[[], object]) -> str:
        try:
            return f"accepted {case()!r}"
        except fault as refused:
            return said(refused)
        except Exception as crash:
            return f"crashed with {crash!r}"

    return {name: outcome(case) for name, case in cases.items()}


def _parts(node: ast.AST) -> Iterator[Place]:
    """Return the parts of *node* that can be left out: a whole `if`, an alternative of its condition, a condition of a value."""
    if isinstance(node, ast.If) and _ends(node) and not node.orelse:
        yield _place(node)
        for inner in ast.walk(node.test):
            if isinstance(inner, ast.BoolOp) and isinstance(inner.op, ast.Or) and not _is_nothing(inner.values[-1]):
                yield from (_place(inner, part) for part in range(len(inner.values)))
            if isinstance(inner, ast.Compare) and len(inner.ops) > 1:
                yield from (_place(inner, part) for part in range(len(inner.ops)))
    conditions: list[ast.expr] = []
    if isinstance(node, ast.Return | ast.Assign) and isinstance(node.value, ast.BoolOp):
        conditions = [node.value]
    if isinstance(node, ast.IfExp) and _is_nothing(node.orelse):
        conditions = [node.test]
    if isinstance(node, ast.comprehension):
        conditions = node.ifs
    for one in conditions:
        if isinstance(one, ast.BoolOp) and isinstance(one.op, ast.And):
            yield from (_place(one, part) for part in range(len(one.values)))
        elif not isinstance(node, ast.Return | ast.Assign):
            yield _place(one, _CONDITION)


def _unguarded(tree: ast.AST) -> Iterator[ast.Raise]:
    """Every `raise` that is not the first statement of an `if` without `else` or of an exception handler."""
    begun = {
        id(one.body[0])
        for one in ast.walk(tree)
        if isinstance(one, ast.ExceptHandler) or (isinstance(one, ast.If) and not one.orelse)
    }
    return (one for one in ast.walk(tree) if isinstance(one, ast.Raise) and id(one) not in begun)


def _ends(node: ast.If | ast.ExceptHandler) -> bool:
    """Whether the body leaves the function or the loop, or resets a value, such as the caller."""
    last = node.body[-1]
    if isinstance(node, ast.If) and isinstance(last, ast.Assign):
        return isinstance(last.value, ast.Constant)
    return isinstance(last, ast.Raise | ast.Return | ast.Continue | ast.Break) and (
        isinstance(node, ast.If) or len(node.body) == 1
    )


def _is_nothing(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not node.value


def _place(node: ast.stmt | ast.expr, part: int = _WHOLE) -> Place:
    return type(node), node.lineno, node.col_offset, part


def functions_of(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    for holder in (module, *(one for one in vars(module).values() if inspect.isclass(one))):
        for found in vars(holder).values():
            function = inspect.unwrap(found) if callable(found) else found
            # Methods that a dataclass generates have no source.
            if inspect.isfunction(function) and function.__code__.co_filename == module.__file__:
                yield function.__qualname__, function


def _lines_of(function: FunctionType) -> range:
    lines, first = inspect.getsourcelines(function)
    return range(first, first + len(lines))


def _statement_at(tree: ast.Module, text: str, line: int) -> str:
    """Return the source of the module's statement that contains *line*, preceded by as many empty lines as there are lines before it."""
    lines = text.splitlines(keepends=True)
    for node in tree.body:
        first: int = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
        if first <= line <= (node.end_lineno or 0):
            return "\n" * (first - 1) + "".join(lines[first - 1 : node.end_lineno])
    raise AssertionError(f"no statement contains line {line}")


def _part_text(statement: str, place: Place) -> str:
    if place[3] == _WHOLE:
        return ""
    without = _Without(place)
    without.visit(ast.parse(statement))
    return without.part_text


def _codes(code: CodeType) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner
            yield from _codes(inner)


class _Without(ast.NodeTransformer):
    def __init__(self, place: Place) -> None:
        self.kind, self.line, self.column, self.part = place
        self.part_text = ""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        node = super().generic_visit(node)
        is_it = isinstance(node, self.kind) and (node.lineno, node.col_offset) == (self.line, self.column)  # type: ignore[attr-defined]
        return ast.fix_missing_locations(ast.copy_location(self._left_out(node), node)) if is_it else node

    def _left_out(self, node: ast.AST) -> ast.AST:
        if self.part == _CONDITION:
            self.part_text = ast.unparse(node)
            return ast.Constant(value=True)
        match node:
            case ast.If():
                return ast.If(ast.Constant(value=False), node.body, node.orelse)
            case ast.BoolOp():
                self.part_text = ast.unparse(node.values[self.part])
                never = ast.Constant(value=isinstance(node.op, ast.And))
                return ast.BoolOp(node.op, [never if n == self.part else one for n, one in enumerate(node.values)])
            case ast.Compare():
                whole = [node.left, *node.comparators]
                self.part_text = ast.unparse(
                    ast.Compare(whole[self.part], [node.ops[self.part]], [whole[self.part + 1]])
                )
                pairs = [
                    ast.Compare(whole[n], [operator], [whole[n + 1]])
                    for n, operator in enumerate(node.ops)
                    if n != self.part
                ]
                return pairs[0] if len(pairs) == 1 else ast.BoolOp(ast.And(), list(pairs))
        return ast.Pass()


@contextmanager
def _noting_lines(functions: Collection[CodeType], found: set[tuple[CodeType, int]]) -> Iterator[None]:
    """Collect the lines that run in the block in *functions*, including the line of `def`."""

    def note(frame: FrameType, event: str, _: object) -> TraceFunction | None:
        if frame.f_code not in functions:
            return None
        found.add((frame.f_code, frame.f_code.co_firstlineno if event == "call" else frame.f_lineno))
        return note

    before = sys.gettrace()
    sys.settrace(note)
    try:
        yield
    finally:
        sys.settrace(before)


async def unheld_checks(
    cases: Mapping[str, Callable[[], Awaitable[str]]],
    checks: Sequence[Check],
    implied: Collection[tuple[str, str]] = (),
) -> str:
    """Return the checks that can be left out without changing how any case ends, one per line. *cases* return how they ended. *implied*
    lists conditions, with their functions, that other conditions or the database imply and that only the type checker needs.

    For each check, only the cases that run its function are tried: first those that the check refuses, then the quickest. A case that ended
    differently must end as usual again with the check.
    """
    usual: dict[str, str] = {}
    seconds: dict[str, float] = {}
    reached: dict[str, set[tuple[CodeType, int]]] = {}
    functions = {check.function.__code__ for check in checks}
    for name, case in cases.items():
        with _noting_lines(functions, reached.setdefault(name, set())):
            usual[name] = await case()
    for name, case in cases.items():
        begun = perf_counter()
        again = await case()
        assert again == usual[name], f"{name} ended as {usual[name]}\nand then as {again}"
        seconds[name] = perf_counter() - begun
    crashed = [f"{name} {one}" for name, one in usual.items() if one.startswith("crashed")]
    assert crashed == [], crashed
    assert set(implied) <= {(check.place, check.condition) for check in checks}
    free = []
    for check in checks:
        if (check.place, check.condition) in implied:
            continue
        code, refusal = check.function.__code__, check.refusal
        concerned = [name for name in cases if (code, code.co_firstlineno) in reached[name]]
        concerned.sort(key=lambda name: ((code, refusal) not in reached[name], seconds[name]))
        held_by = ""
        with pytest.MonkeyPatch.context() as patch:
            check.leave_out(patch)
            for name in concerned:
                if await cases[name]() != usual[name]:
                    held_by = name
                    break
            else:
                free.append(str(check))
        # A case that left something behind would also end differently, and so hold every check that comes later.
        if held_by and await cases[held_by]() != usual[held_by]:
            free.append(f"{check}: {held_by} does not end as usual again")
    return "\n".join(free)
