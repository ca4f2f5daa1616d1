"""Check an expression without evaluating it: report errors that prevent compilation, and warn about probable mistakes.

An expression has an error only if the compiler refuses it. Whether attributes exist depends on the directory;
`configuration.source_names` checks that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from lockstep.engine.expressions.catalogue import CATALOGUE
from lockstep.engine.expressions.compiled import compile_tree
from lockstep.engine.expressions.compiler import Compiler
from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.errors import ExpressionError
from lockstep.engine.expressions.functions.roles import ROLE_FUNCTIONS
from lockstep.engine.expressions.kinds import ValueKind
from lockstep.engine.expressions.linking import problems
from lockstep.engine.expressions.parser import parse
from lockstep.engine.expressions.tree import (
    AttributeNode,
    CallNode,
    ComparisonNode,
    ExpressionNode,
    TextNode,
    children,
    walk,
)
from lockstep.engine.moment import Moment

_SOME_TIME = EvaluationContext(Moment(datetime(2020, 2, 29, 12, tzinfo=UTC), b"check"))
_MAY_FAIL = ("Error", "SelectUniqueValue")
EMPTINESS = ("IsNull", "IsNullOrEmpty", "IsPresent")
ROLES = "appRoleAssignments"
REFERENCES = ("manager",)
_NEVER = {
    ValueKind.VALUES: (ValueKind.TEXT, ValueKind.INTEGER, ValueKind.DATE),
    ValueKind.BOOLEAN: (ValueKind.INTEGER, ValueKind.DATE),
    ValueKind.INTEGER: (ValueKind.DATE,),
    ValueKind.DATE: (ValueKind.INTEGER,),
}


class Severity(StrEnum):
    ERROR = "error"  # cannot be compiled
    WARNING = "warning"  # evaluates, but probably not to the intended value
    INFORMATION = "information"  # worth knowing


@dataclass(frozen=True, slots=True)
class ExpressionFinding:
    """One problem. *position* counts characters from 1. *suggestion* says what to write or do instead, or is ""."""

    severity: Severity
    position: int
    message: str
    suggestion: str = ""


def check(text: str, *, syncs_all: bool = False) -> list[ExpressionFinding]:
    """Return all findings in text order.

    *syncs_all* is true if everyone is in scope, not only assigned people. Role functions then rarely have a value.
    """
    try:
        tree = parse(text)
    except ExpressionError as error:
        return [_finding(error)]
    found = [_finding(error) for error in _impossible(tree, text)]
    if not found:
        found = _compiled(tree, text)
    found += _traps(tree, syncs_all=syncs_all)
    return sorted(found, key=lambda finding: (finding.position, finding.severity != Severity.ERROR))


def _finding(error: ExpressionError, severity: Severity = Severity.ERROR) -> ExpressionFinding:
    return ExpressionFinding(severity, error.position, error.message, error.expected)


def _impossible(tree: ExpressionNode, text: str) -> Iterator[ExpressionError]:
    for node in walk(tree):
        if isinstance(node, CallNode):
            yield from problems(node, text, is_root=node is tree)


def _compiled(tree: ExpressionNode, text: str) -> list[ExpressionFinding]:
    try:
        compile_tree(tree, text)
    except ExpressionError as error:
        return [_finding(error)]
    compiler = Compiler(text)
    compiler.compile(tree, is_root=True)
    return [
        ExpressionFinding(Severity.WARNING, error.position, f"this always fails: {error.message}", error.expected)
        for error in (*compiler.folded_errors, *_never_succeeding(tree, text))
    ]


def _never_succeeding(tree: ExpressionNode, text: str) -> Iterator[ExpressionError]:
    """Find calls that always fail because of their constant arguments. The compiler finds such calls by evaluating them, but it never
    evaluates a call that reads the time or random bytes. Those calls are found here.
    """
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, CallNode) or not _looks_at_constants_only(node):
            waiting.extend(children(node))
            continue
        try:
            compile_tree(node, text).evaluate({}, _SOME_TIME)
        except ExpressionError as error:
            yield error


def _looks_at_constants_only(node: CallNode) -> bool:
    function = CATALOGUE.get(node.name)
    if function is None or (function.pure and not function.wants_context):
        return False
    return not any(
        isinstance(part, AttributeNode) or (isinstance(part, CallNode) and part.name in _MAY_FAIL)
        for part in walk(node)
    )


def _traps(tree: ExpressionNode, *, syncs_all: bool) -> Iterator[ExpressionFinding]:
    for node in walk(tree):
        if not isinstance(node, CallNode):
            continue
        if node.name == "IIF" and node.arguments:
            yield from _iif(node)
        if node.name == "Switch" and node.arguments:
            yield from _switch(node)
        if node.name in ROLE_FUNCTIONS and syncs_all:
            message = f"{node.name} is used with a scope of all users: people who are not assigned have no role"
            yield ExpressionFinding(Severity.WARNING, node.position, message, "Sync only assigned users and groups")
        if node.name not in ROLE_FUNCTIONS:
            yield from _bare_roles(node)
        yield from _kinds(node)
    if isinstance(tree, AttributeNode) and tree.name == ROLES:
        yield _roles_finding(tree)


def _iif(node: CallNode) -> Iterator[ExpressionFinding]:
    condition = node.arguments[0]
    asked = [part for part in walk(condition) if isinstance(part, CallNode) and part.name in EMPTINESS]
    sides = children(condition) if isinstance(condition, ComparisonNode) else ()
    attributes = [part.name for part in walk(condition) if isinstance(part, AttributeNode)]
    if not attributes:
        return
    name = attributes[0]
    if asked or any(isinstance(side, TextNode) and side.value == "" for side in sides):
        message = f"in Entra, IIF on an empty [{name}] fails; in Lockstep it works"
        yield ExpressionFinding(
            Severity.WARNING, condition.position, message, f'Switch([{name}], [{name}], "", "Other")'
        )
    elif sides:
        message = f'where [{name}] is absent, the condition compares an empty text ""; Entra refuses the object'
        yield ExpressionFinding(Severity.WARNING, condition.position, message, f'Switch([{name}], ..., "", ...)')


def _switch(node: CallNode) -> Iterator[ExpressionFinding]:
    source = node.arguments[0]
    if isinstance(source, CallNode) and source.name in EMPTINESS:
        inner = source.arguments[0] if source.arguments else None
        name = inner.name if isinstance(inner, AttributeNode) else "attribute"
        message = f'Switch should not have {source.name} as the source. To handle a missing value, add the key "" and a result for it'
        yield ExpressionFinding(Severity.WARNING, source.position, message, f'Switch([{name}], ..., "", ...)')
    if isinstance(source, AttributeNode) and source.name in REFERENCES:
        message = f"Switch should not be used on the reference [{source.name}]"
        yield ExpressionFinding(Severity.WARNING, source.position, message)
    seen: set[str] = set()
    for key in node.arguments[2::2]:
        if isinstance(key, TextNode):
            if key.value in seen:
                yield ExpressionFinding(
                    Severity.WARNING, key.position, f'the key "{key.value[:40]}" occurs twice; the first one is used'
                )
            seen.add(key.value)


def _bare_roles(node: CallNode) -> Iterator[ExpressionFinding]:
    for argument in node.arguments:
        if isinstance(argument, AttributeNode) and argument.name == ROLES:
            yield _roles_finding(argument)


def _roles_finding(node: AttributeNode) -> ExpressionFinding:
    message = f"[{ROLES}] cannot be used as a value; use one of the role functions"
    return ExpressionFinding(Severity.WARNING, node.position, message, f"SingleAppRoleAssignment([{ROLES}])")


def _kinds(node: CallNode) -> Iterator[ExpressionFinding]:
    function = CATALOGUE.get(node.name)
    if function is None:
        return
    most = len(node.arguments) if function.maximum is None else min(len(node.arguments), function.maximum)
    for index, argument in enumerate(node.arguments[:most]):
        inner = CATALOGUE.get(argument.name) if isinstance(argument, CallNode) else None
        wanted = function.parameter(index).kind
        if inner and wanted in _NEVER.get(inner.returns, ()):
            message = f"{node.name} needs {_a(wanted)}, but {inner.name} gives {_a(inner.returns)}"
            yield ExpressionFinding(Severity.WARNING, argument.position, message, _a(wanted))


def _a(kind: ValueKind) -> str:
    return kind.value if kind in (ValueKind.VALUES, ValueKind.TEXT) else f"a {kind.value}"
