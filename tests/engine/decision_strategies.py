"""Generated people, configurations and accounts of every kind, including unusual ones."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from lockstep.configuration.rules import JobConfiguration
from lockstep.engine.records import DEFAULT_ACCESS, Assignment, Lifecycle, ObjectKind, SourceObject
from tests.engine.decision_cases import ADMIN, MEMBER, NOW, SWITCH, configuration

MANAGER = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"
NAMES = ("userPrincipalName", "givenName", "surname", "department", "mail", "employeeId", "proxyAddresses", "leaves")
words = st.sampled_from(
    ["", "Anna", "anna", "ANNA", "Sales", "True", "false", "0", "42", "2026-03-20", 'o"x', "a,b@c", "Zoë"]
)
odd = (
    st.text(max_size=8) | st.integers() | st.booleans() | st.none() | st.lists(words | st.none(), max_size=3).map(tuple)
)
EXPRESSIONS = (
    SWITCH,
    "SingleAppRoleAssignment([appRoleAssignments])",
    "AssertiveAppRoleAssignmentsComplex([appRoleAssignments])",
    "ToUpper([givenName])",
    'Join(" ", [givenName], [surname])',
    'Item(Split([mail], "@"), 2)',
    "IgnoreFlowIfNullOrEmpty([department])",
    'Switch([department], "", "Sales", "S")',
    'IIF([department] = "Sales", IgnoreObjectFlow, [department])',
    "Guid()",
    "Mid([employeeId], 2, 3)",
    'IIF(DateDiff("d", Now(), CDate([leaves])) >= 0, "staff", "former")',
    "Left([userPrincipalName], 3)",
)
TARGETS = (
    "title", "nickName", "name.givenName", "name.familyName", 'emails[type eq "work"].value', "externalId",
    'roles[primary eq "True"].value', "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
)  # fmt: skip


@st.composite
def people(draw: st.DrawFn, *, plain: bool = False) -> SourceObject:
    """A person. *plain*: only texts, as in most directories."""
    values = draw(st.dictionaries(st.sampled_from(NAMES), words if plain else odd | words, max_size=len(NAMES)))
    roles = draw(st.lists(st.sampled_from([ADMIN.id, MEMBER.id, DEFAULT_ACCESS]), max_size=3, unique=True))
    return SourceObject(
        ObjectKind.USER,
        "p-1",
        "somebody",
        values | ({"userPrincipalName": "anna@contoso.com"} if plain else {}),
        account_enabled=draw(st.booleans() | st.just(True)),
        lifecycle=draw(st.just(Lifecycle.ACTIVE) | st.sampled_from(Lifecycle)),
        deleted_at=NOW - timedelta(days=draw(st.integers(0, 60))),
        assignments=tuple(Assignment(role) for role in roles),
        references=draw(st.just({}) | st.just({"manager": "p-9"})),
    )


def sources(*, plain: bool = False) -> st.SearchStrategy[Mapping[str, Any]]:
    direct = st.sampled_from(NAMES).map(lambda name: {"source": name})
    constant = words.map(lambda value: {"constant": value})
    texts = [text for text in EXPRESSIONS if not (plain and text.startswith("Assertive"))]
    expression = st.sampled_from(texts).map(lambda text: {"expression": text})
    return direct | constant | expression | st.just({})


@st.composite
def configurations(draw: st.DrawFn, *, deletes: bool | None = None, plain: bool = False) -> JobConfiguration:
    """Any job. *deletes* False: nothing in it may delete. *plain*: every value is one text."""
    mapped = draw(
        st.lists(
            st.tuples(st.sampled_from(TARGETS), sources(plain=plain), options()), max_size=5, unique_by=lambda x: x[0]
        )
    )
    attributes: list[dict[str, Any]] = [{"target": "userName", "source": "userPrincipalName", "match": 1}]
    attributes += draw(st.just([{"target": "active", "expression": SWITCH}]) | st.just([]))
    attributes += [{"target": target, **source, **option} for target, source, option in mapped]
    attributes += draw(st.just([]) | st.just([{"target": MANAGER, "source": "manager"}]))
    actions = draw(
        st.just(["create", "update", "delete"]) | st.sampled_from([["create", "update"], ["create"], ["update"]])
    )
    leaving = st.sampled_from(["disable", "delete", "keep"])
    return configuration(
        *attributes,
        mapping={
            "actions": [a for a in actions if a != "delete"] if deletes is False else actions,
            "scopingFilters": draw(filters()),
        },
        scope=draw(st.sampled_from(["assigned", "all"])),
        deletions={
            "onOutOfScope": draw(leaving),
            "onSourceDisabled": draw(leaving),
            "onSourceDeleted": draw(leaving),
            "onPurged": draw(leaving),
            "onLost": draw(st.sampled_from(["report", "recreate", "forget"])),
            "deleteAfterPurge": draw(st.booleans()),
        },
    )


def options() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "default": words,
            "clearWhenEmpty": st.booleans(),
            "apply": st.sampled_from(["always", "createOnly", "attributeAddOnly", "valueAddOnly", "multiValueAddOnly"]),
            "redact": st.booleans(),
        },
    )


def filters() -> st.SearchStrategy[list[Any]]:
    binary = st.tuples(
        st.sampled_from(NAMES), st.sampled_from(["EQUALS", "NOT EQUALS", "Includes", "ENDS_WITH", "REGEX MATCH"]),
        st.sampled_from(["Sales", "Anna", "a", ".*", ""]),
    ).map(lambda c: {"attribute": c[0], "operator": c[1], "value": c[2]})  # fmt: skip
    unary = st.tuples(st.sampled_from(NAMES), st.sampled_from(["IS NULL", "IS NOT NULL", "IS TRUE"])).map(
        lambda c: {"attribute": c[0], "operator": c[1]}
    )
    one = st.lists(binary | unary, min_size=1, max_size=2).map(lambda clauses: {"title": "t", "all": clauses})
    return st.just([]) | st.lists(one, max_size=2)
