"""Leave out each condition of the SQL statements of a module in turn, as `left_out_checks` does with the checks of its functions.

for check in sql_checks_of(sign_ins):
    check.leave_out(monkeypatch)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType

import psycopg
import pytest

from lockstep.errors import LockstepError
from tests.support.left_out_checks import Check, Place, functions_of

_NOWHERE: Place = (ast.Constant, 0, 0, 0)
_TOKEN = re.compile(r"'[^']*'|[()]|%s|\w+|[^\s\w]")
_END = re.compile("where|and|or|order|returning|limit|group|for|on|union|join|left|set|values|having|from|select|as|,")


@dataclass(frozen=True)
class SqlCheck(Check):
    """A condition of a statement in *function*. *without* replaces the text at *constant*, a place among the constants of the code."""

    constant: int = 0
    without: str = ""

    @property
    def code(self) -> CodeType:
        code = self.function.__code__
        consts = code.co_consts
        return code.replace(co_consts=(*consts[: self.constant], self.without, *consts[self.constant + 1 :]))


@dataclass(frozen=True)
class SqlConstantCheck(Check):
    """A condition in the constant *name* of *module*, which *function* uses. *without* replaces the text of the constant."""

    module: ModuleType | None = None
    name: str = ""
    without: str = ""

    def leave_out(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(self.module, self.name, self.without)


def sql_checks_of(module: ModuleType, *only: str) -> Iterator[Check]:
    """Return a check for every condition after `where`, `on` or `and` in the statements of the functions in *module*, or of the named ones,
    and in the constants that these functions use.

    Conditions inside parentheses are left out together. A condition that is left out keeps its parameters.
    """
    constants = {name: text for name, text in vars(module).items() if name.isupper() and isinstance(text, str)}
    for name, function in functions_of(module):
        if not only or name in only:
            for used in sorted(constants.keys() & set(function.__code__.co_names)):
                yield from constant_checks_of(module, used, function)
        for constant, text in enumerate(function.__code__.co_consts):
            if isinstance(text, str) and text != function.__doc__ and (not only or name in only):
                for condition, without in _without_each_condition(text):
                    yield SqlCheck(function, 0, condition, "", _NOWHERE, constant, without)


def constant_checks_of(module: ModuleType, name: str, function: FunctionType) -> Iterator[Check]:
    """Return a check for every condition in the constant *name* of *module*, which only cases that call *function* can hold."""
    for condition, without in _without_each_condition(getattr(module, name)):
        yield SqlConstantCheck(function, 0, condition, "", _NOWHERE, module, name, without)


def _without_each_condition(sql: str) -> Iterator[tuple[str, str]]:
    found = list(_TOKEN.finditer(sql))
    words = [one[0].lower() for one in found]
    for at, word in enumerate(words):
        end = _end_of_condition(words, at + 1)
        begins = word in ("where", "and") or (word == "on" and words[at + 1 :][:1] != ["conflict"])
        if begins and end > at + 1 and not _is_second_half_of_between(words, at):
            start, stop = found[at + 1].start(), found[end - 1].end()
            condition = sql[start:stop]
            always = " or ".join(["true", *["%s::text is null"] * condition.count("%s")])
            yield condition, f"{sql[:start]}({always}){sql[stop:]}"


def _end_of_condition(words: list[str], start: int) -> int:
    depth = 0
    for at in range(start, len(words)):
        if words[at] in (")", "]") and depth == 0:
            return at
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(words[at], 0)
        if depth == 0 and _END.fullmatch(words[at]) and words[at - 1 : at + 1] != ["distinct", "from"]:
            return at
    return len(words)


def _is_second_half_of_between(words: list[str], at: int) -> bool:
    return "between" in words[max(0, at - 3) : at]


def refuse_faulty_sql(crash: Exception) -> None:
    """Raise *crash* if PostgreSQL could not parse a statement. Such a crash says nothing about the condition that was left out."""
    if isinstance(crash, psycopg.Error) and (crash.sqlstate or "").startswith("42"):
        raise crash


def _in_order(value: object) -> object:
    match value:
        case dict():
            return {key: _in_order(value[key]) for key in sorted(value, key=repr)}
        case set() | frozenset():
            return sorted(value, key=repr)
        case list():
            return [_in_order(one) for one in value]
        case tuple() if type(value) is tuple:
            return tuple(_in_order(one) for one in value)
        case _:
            return value


async def ending_of(work: Awaitable[object]) -> str:
    """Return how *work* ends: its result, the text of its refusal, or the name of a crash, which is possible if a check is left out. The
    text does not depend on the order of a dict or set, which may be the order in which the database found the rows.
    """
    try:
        return str(_in_order(await work))
    except LockstepError as refused:
        return f"{refused.code} {refused.detail} {refused.why} {refused.next_step}"
    except Exception as crash:
        refuse_faulty_sql(crash)
        return f"crashed with {type(crash).__name__}"
