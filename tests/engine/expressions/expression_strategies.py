"""Expressions and records for the laws: well-formed trees of every shape, and texts that are almost expressions."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from lockstep.engine.expressions.catalogue import CATALOGUE, Parameter
from lockstep.engine.expressions.kinds import ValueKind
from lockstep.engine.expressions.tree import (
    AttributeNode,
    CallNode,
    ComparisonNode,
    EmptySlot,
    ExpressionNode,
    KeywordNode,
    NumberNode,
    TextNode,
)

ATTRIBUTES = (
    "mail",
    "givenName",
    "surname",
    "department",
    "proxyAddresses",
    "startDate",
    "count",
    "enabled",
    "appRoleAssignments",
)
WORDS = (
    "vbBinaryCompare",
    "vbTextCompare",
    "UTF8",
    "IgnoreAttributeFlow",
    "IgnoreObjectFlow",
    "True",
    "False",
    "nonsense",
)
PIECES = (
    "a",
    "Anna Lind-Öberg",
    "ß",
    "2021-06-30+08:00",
    "8/25/2021 5:41:18 PM",
    "yyyy-MM-dd",
    "d",
    "ww",
    "7",
    "-3",
    "&HF",
    "True",
    ",",
    "(?<n>\\w+)@(.*)",
    "[a-",
    "(?=x)",
    "${n}$1$",
    "n",
    "tr-TR",
    "",
)

plain_text = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(PIECES)
attributes = st.builds(AttributeNode, st.sampled_from(ATTRIBUTES))
texts = st.builds(TextNode, plain_text)
numbers = st.builds(NumberNode, st.integers(-(2**63) + 1, 2**63 - 1)) | st.builds(
    NumberNode, st.integers(0, 300), st.just(True)
)
keywords = st.builds(KeywordNode, st.sampled_from(WORDS))
leaves = attributes | texts | numbers


def _calls(operands: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    arguments = st.lists(operands | st.builds(EmptySlot) | keywords | _comparisons(operands), max_size=5)
    # A lone empty slot cannot be written: `F()` has no argument.
    written = arguments.map(lambda items: () if items == [EmptySlot()] else tuple(items))
    return st.builds(CallNode, st.sampled_from((*CATALOGUE, "Unknown")), written)


def _comparisons(operands: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(ComparisonNode, operands, st.sampled_from(("=", "<>", ">", ">=", "<", "<=")), operands)


trees: st.SearchStrategy[ExpressionNode] = st.recursive(leaves, _calls, max_leaves=12)


def _fitting(parameter: Parameter, inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An argument that the parameter probably takes."""
    match parameter.kind:
        case ValueKind.WORD:
            return st.sampled_from(parameter.words).map(TextNode)
        case ValueKind.INTEGER:
            return st.integers(-2, 12).map(NumberNode) | st.just(AttributeNode("count")) | inner
        case ValueKind.ROLES:
            return st.just(AttributeNode("appRoleAssignments"))
        case ValueKind.DATE:
            return st.just(TextNode("2021-06-30+08:00")) | st.just(AttributeNode("startDate")) | inner
        case ValueKind.CONDITION:
            return _comparisons(leaves) | inner
        case _:
            return inner


@st.composite
def calls(draw: st.DrawFn, depth: int = 2, leaves: st.SearchStrategy[Any] = leaves) -> CallNode:
    """A call that has every chance to be compiled: right number of arguments, fitting kinds."""
    function = CATALOGUE[draw(st.sampled_from(sorted(CATALOGUE)))]
    most = function.maximum if function.maximum is not None else function.minimum + 4
    count = draw(st.integers(function.minimum, max(function.minimum, most)))
    if function.even_arguments:
        count += count % 2
    inner = leaves | calls(depth - 1, leaves) if depth > 0 else leaves
    arguments = [draw(_fitting(function.parameter(index), inner)) for index in range(count)]
    return CallNode(function.name, tuple(arguments))


roles = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.sampled_from(("1", "2", "00000000-0000-0000-0000-000000000000")),
            "value": plain_text,
            "displayName": plain_text,
        }
    ),
    max_size=3,
)
values = st.one_of(
    st.none(),
    plain_text,
    st.booleans(),
    st.integers(),
    st.lists(plain_text, max_size=4),
    roles,
    st.floats(),
    st.dictionaries(plain_text, plain_text),
)
records = st.dictionaries(st.sampled_from(ATTRIBUTES), values)
sensible_records = st.fixed_dictionaries(
    {},
    optional={
        "mail": plain_text,
        "givenName": plain_text,
        "surname": plain_text,
        "department": plain_text,
        "proxyAddresses": st.lists(plain_text, max_size=4),
        "startDate": st.sampled_from(("2021-06-30+08:00", "8/25/2021 5:41:18 PM")),
        "count": st.integers(0, 9),
        "enabled": st.booleans(),
        "appRoleAssignments": roles,
    },
)
almost_expressions = st.lists(
    st.sampled_from(
        (
            *CATALOGUE,
            *WORDS,
            "(",
            ")",
            ",",
            "[mail]",
            '"x"',
            '"',
            "[",
            "]",
            "=",
            "<>",
            "<",
            "\\",
            "&HF",
            "-1",
            " ",
            "\n",
            "é",
            ".",
        )
    )
    | plain_text,
    max_size=25,
).map("".join)
