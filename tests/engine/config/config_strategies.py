"""Generated documents, however unusual, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from lockstep.configuration.files.file import ConfigDocument, DocumentKind

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
TEXTS = WORDS | st.sampled_from(
    [
        "on",
        "off",
        "yes",
        "no",
        "null",
        "~",
        "007",
        "1e3",
        "0x1F",
        "1:30",
        "- a",
        "# b",
        "a: b",
        "=",
        "<<",
        "\x85",
        "a\u2028b",
        "a\r\nb",
        "\ufeff",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | st.just(""), inner, max_size=4),
    max_leaves=12,
)
ROLES = st.lists(
    st.builds(
        lambda value, name, off: {"value": value, "displayName": name, **({"enabled": False} if off else {})},
        st.from_regex(r"[A-Za-z0-9.-]{1,12}", fullmatch=True),
        WORDS.map(str.strip).filter(bool),
        st.booleans(),
    ),
    unique_by=lambda role: role["value"].lower(),
    max_size=5,
)
FILTERS = st.lists(
    st.builds(
        lambda title, value: {
            "title": title,
            "all": [{"attribute": "department", "operator": "EQUALS", "value": value}],
        },
        WORDS,
        WORDS,
    ),
    max_size=3,
)


@st.composite
def documents(draw: st.DrawFn) -> ConfigDocument:
    mapping = {
        "name": draw(WORDS),
        "source": "User",
        "target": "urn:ietf:params:scim:schemas:core:2.0:User",
        "enabled": draw(st.booleans()),
        "actions": ["create", "update"],
        "scopingFilters": draw(FILTERS),
        "attributes": [
            {"target": "userName", "source": "userPrincipalName", "match": 1},
            {"target": "title", "constant": draw(TEXTS)},
            {
                "target": "nickName",
                "source": "x",
                "default": draw(TEXTS),
                "x-entra": draw(st.dictionaries(TEXTS, JSON, min_size=1, max_size=3)),
            },
        ],
    }
    mapping = {key: value for key, value in mapping.items() if value != []}
    spec = {"template": "documo", "roles": draw(ROLES), "provisioning": {"scope": "all", "mappings": [mapping]}}
    name = draw(st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True))
    return ConfigDocument(DocumentKind.APPLICATION, name, spec, {"label": draw(WORDS)})
