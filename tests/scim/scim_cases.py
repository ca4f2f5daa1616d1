"""Shared by the SCIM tests: tables, the standard resource types, and strategies for filters, paths and resources.

Strategies generate only what a store could hold: validated resources in declared spelling.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from hypothesis import strategies as st

from lockstep.scim.filters import And, Comparison, Filter, Not, Or, Present, ValuePath
from lockstep.scim.names import AttributePath
from lockstep.scim.paths import Path as ScimPath
from lockstep.scim.registry import default_registry
from lockstep.scim.validate import validate_resource

HERE = Path(__file__).parent
USER = default_registry().resource("User")
GROUP = default_registry().resource("Group")
USER_URN = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_URN = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH_URN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def rows(name: str) -> list[dict[str, Any]]:
    """The cases of a table, one JSON object per line."""
    return [orjson.loads(line) for line in (HERE / "cases" / f"{name}.jsonl").read_bytes().splitlines() if line.strip()]


def golden(name: str) -> Any:
    """An example from an RFC."""
    return orjson.loads((HERE / "golden" / f"{name}.json").read_bytes())


def user(**attributes: Any) -> dict[str, Any]:
    """A stored user."""
    return validate_resource({"schemas": [USER_URN], "userName": "bjensen", **attributes}, USER)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
words = st.text("abcXYZ @.-é", min_size=1, max_size=6)
addresses = st.from_regex(r"[a-zA-Z]{1,3}@example\.com", fullmatch=True)
names = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True).filter(
    lambda name: name.lower() not in ("not", "and", "or", "pr")
)
urns = st.sampled_from(["", USER_URN, ENTERPRISE, "urn:example:Thing"])


@st.composite
def attribute_paths(draw: st.DrawFn) -> AttributePath:
    return AttributePath(draw(names), draw(st.just("") | names), draw(urns))


values = st.one_of(
    texts, st.integers(-(10**15), 10**15), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none()
)
operators = st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"])
plain_paths = st.builds(AttributePath, names)
comparisons = st.builds(Comparison, attribute_paths(), operators, values)
leaves = comparisons | st.builds(Present, attribute_paths())


def _combined(children: st.SearchStrategy[Filter]) -> st.SearchStrategy[Filter]:
    terms = st.lists(children, min_size=2, max_size=3).map(tuple)
    selections = st.builds(AttributePath, names, st.just(""), urns)
    then = st.none() | st.builds(Comparison, plain_paths, operators, values) | st.builds(Present, plain_paths)
    return st.one_of(
        st.builds(And, terms),
        st.builds(Or, terms),
        st.builds(Not, children),
        st.builds(ValuePath, selections, children, then),
    )


filters: st.SearchStrategy[Filter] = st.recursive(leaves, _combined, max_leaves=8)
scim_paths = st.builds(ScimPath, names, st.just("") | names, urns, st.none() | filters)


def _plural(value: st.SearchStrategy[Any], types: list[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    element = st.fixed_dictionaries(
        {"value": value}, optional={"type": st.sampled_from(types), "display": words, "primary": st.just(False)}
    )
    return st.lists(element, max_size=4, unique_by=lambda e: (e["value"].casefold(), e.get("type", "").casefold()))


@st.composite
def users(draw: st.DrawFn) -> dict[str, Any]:
    """A stored user; at most one value of each attribute is primary."""
    body: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {"schemas": st.just([USER_URN]), "userName": words.filter(lambda w: w.strip() != "")},
            optional={
                "externalId": words,
                "displayName": words,
                "title": words,
                "active": st.booleans(),
                "name": st.fixed_dictionaries({}, optional={"givenName": words, "familyName": words}),
                "emails": _plural(addresses, ["work", "home"]),
                "phoneNumbers": _plural(words, ["work", "mobile", "fax"]),
                "roles": _plural(words, ["a", "b"]),
                ENTERPRISE: st.fixed_dictionaries(
                    {}, optional={"department": words, "manager": st.fixed_dictionaries({"value": words})}
                ),
            },
        )
    )
    for attribute in ("emails", "phoneNumbers", "roles"):
        elements = body.get(attribute)
        if elements and draw(st.booleans()):
            draw(st.sampled_from(elements))["primary"] = True
    return validate_resource(body, USER)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4),
    max_leaves=12,
)
