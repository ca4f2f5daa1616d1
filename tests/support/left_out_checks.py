"""Every check of a module left out once: a hostile case must then end differently, or nothing holds the check.

for one in checks_of(bindings):
    with one.left_out(monkeypatch): ...
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType

import pytest


@dataclass(frozen=True)
class Check:
    """A `raise` of *function*, and the code of the function without it."""

    function: FunctionType
    line: int
    code: CodeType

    def leave_out(self, patch: pytest.MonkeyPatch) -> None:
        """Every module that has the function runs it without the check."""
        patch.setattr(self.function, "__code__", self.code)

    def __str__(self) -> str:
        return f"{self.function.__module__.removeprefix('lockstep.')}.{self.function.__qualname__} +{self.line}"


def checks_of(module: ModuleType, *only: str) -> Iterator[Check]:
    """Every `raise` of the functions and methods in *module*; of the named ones if *only* is given. `line` counts from the function's
    first.
    """
    text = inspect.getsource(module)
    places = [(node.lineno, node.col_offset) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Raise)]
    for place in places:
        tree = _Without(place).visit(ast.parse(text))
        changed = {code.co_qualname: code for code in _codes(compile(tree, module.__file__ or "", "exec"))}
        for name, function in _functions(module):
            lines = range(function.__code__.co_firstlineno, _last_line(function) + 1)
            if place[0] in lines and (not only or name in only):
                yield Check(function, place[0] - lines.start, changed[name])


def _functions(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    for holder in (module, *(one for one in vars(module).values() if inspect.isclass(one))):
        for found in vars(holder).values():
            function = inspect.unwrap(found) if callable(found) else found
            # What dataclasses write has no source.
            if inspect.isfunction(function) and function.__code__.co_filename == module.__file__:
                yield function.__qualname__, function


def _last_line(function: FunctionType) -> int:
    lines, first = inspect.getsourcelines(function)
    return first + len(lines) - 1


def _codes(code: CodeType) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner
            yield from _codes(inner)


class _Without(ast.NodeTransformer):
    def __init__(self, place: tuple[int, int]) -> None:
        self.place = place

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if (node.lineno, node.col_offset) != self.place:
            return node
        return ast.copy_location(ast.Pass(), node)
