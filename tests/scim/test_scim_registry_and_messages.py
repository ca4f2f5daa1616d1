"""Schemas as data, discovery, queries, lists, and parsing of untrusted bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from lockstep.errors import Kind, LockstepError
from lockstep.scim.discovery import ServiceFacts, resource_types_body, schemas_body, service_provider_config
from lockstep.scim.errors import ScimError, uniqueness_error
from lockstep.scim.limits import read_json
from lockstep.scim.messages import SearchRequest, list_response, search_from_query
from lockstep.scim.names import parse_name
from lockstep.scim.normalize import normalize_patch
from lockstep.scim.operations import read_operations
from lockstep.scim.profiles import profile_named
from lockstep.scim.registry import default_registry
from lockstep.scim.schema import Schema, schema_from_json, schema_to_json
from lockstep.scim.validate import validate_resource
from tests.scim.scim_cases import ENTERPRISE, PATCH_URN, USER, USER_URN

BADGE: dict[str, Any] = {
    "id": "urn:example:params:scim:schemas:Badge",
    "name": "Badge",
    "attributes": [
        {"name": "number", "type": "string", "required": True, "caseExact": True, "mutability": "immutable"},
        {
            "name": "doors",
            "type": "complex",
            "multiValued": True,
            "subAttributes": [{"name": "value", "type": "string"}],
        },
    ],
}
INNER = {"name": "b", "type": "complex", "subAttributes": [{"name": "c"}]}
NESTED = {"name": "a", "type": "complex", "subAttributes": [INNER]}


def test_every_schema_reads_back_as_it_is_published() -> None:
    for schema in default_registry().schemas.values():
        assert schema_from_json(schema_to_json(schema)) == schema


def test_every_attribute_of_every_published_schema_is_described() -> None:
    published = schemas_body(default_registry(), "https://docs.example")["Resources"]

    assert {schema["name"] for schema in published} >= {
        "User",
        "Group",
        "EnterpriseUser",
        "ServiceProviderConfig",
        "ResourceType",
        "Schema",
    }
    assert [schema["id"] for schema in published if not schema["description"].strip()] == []
    assert [path for schema in published for path in undescribed(schema["attributes"], schema["id"])] == []


def undescribed(attributes: list[dict[str, Any]], parent: str) -> Iterator[str]:
    for attribute in attributes:
        path = f"{parent}:{attribute['name']}"
        if not attribute["description"].strip():
            yield path
        yield from undescribed(attribute.get("subAttributes", []), path)


def test_the_standard_resource_types_are_there() -> None:
    endpoints = [definition.type.endpoint for definition in default_registry().definitions()]

    assert endpoints == ["/Users", "/Groups", "/Roles", "/Entitlements"]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("USERNAME", "userName"),
        ("name.FAMILYNAME", "name.familyName"),
        (f"{USER_URN.upper()}:emails.value", "emails.value"),
        (f"{ENTERPRISE.lower()}:Manager.VALUE", f"{ENTERPRISE}:manager.value"),
        (f"{ENTERPRISE}.department", f"{ENTERPRISE}:department"),
        (ENTERPRISE, ENTERPRISE),
        ("meta.lastmodified", "meta.lastModified"),
    ],
)
def test_a_path_means_the_declared_spelling(path: str, meant: str) -> None:
    assert str(USER.find(parse_name(path))) == meant


@pytest.mark.parametrize("path", ["shoeSize", "name.x", "userName.x", "department", "urn:example:X:userName"])
def test_what_is_not_declared_means_nothing(path: str) -> None:
    assert USER.find(parse_name(path)) is None


def test_a_tenants_extension_is_its_own() -> None:
    registry = default_registry().with_extension("User", BADGE)

    definition = registry.resource("User")

    assert definition.attribute("NUMBER", BADGE["id"]) is not None
    assert default_registry().resource("User").extension(BADGE["id"]) is None
    assert BADGE["id"] in [body["id"] for body in schemas_body(registry, "https://x/scim/v2")["Resources"]]
    assert schemas_body(default_registry(), "")["totalResults"] == 8


def test_immutable_extension_attribute_keeps_its_first_value() -> None:
    definition = default_registry().with_extension("User", BADGE).resource("User")
    stored = validate_resource({"schemas": [USER_URN], "userName": "a", BADGE["id"]: {"number": "1"}}, definition)

    with pytest.raises(ScimError) as caught:
        validate_resource(
            {"schemas": [USER_URN], "userName": "a", BADGE["id"]: {"number": "2"}}, definition, stored=stored
        )

    assert caught.value.scim_type == "mutability"
    assert validate_resource({"schemas": [USER_URN], "userName": "a"}, definition, stored=stored) == stored


def test_required_extension_is_required() -> None:
    definition = default_registry().with_extension("User", BADGE, required=True).resource("User")

    with pytest.raises(ScimError) as caught:
        validate_resource({"schemas": [USER_URN], "userName": "a"}, definition)

    assert caught.value.path == BADGE["id"]


def test_a_tenants_resource_type_gets_its_endpoint() -> None:
    device = Schema("urn:example:Device", "Device", attributes=schema_from_json(BADGE).attributes)
    registry = default_registry().with_schema(device)

    registry = registry.with_resource_type({"name": "Device", "endpoint": "/Devices", "schema": "urn:example:Device"})

    found = registry.at_endpoint("devices")
    assert found is not None
    assert found.type.name == "Device"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"id": "badge"}, "is not a URN"),
        ({"attributes": []}, "at least one attribute"),
        ({"attributes": [{"name": "a b"}]}, "not a valid attribute name"),
        ({"attributes": [{"name": "a"}, {"name": "A"}]}, "declares 'a' twice"),
        ({"attributes": [{"name": "a", "type": "text"}]}, "attributes.a: type must be one of string"),
        ({"attributes": [{"name": "a", "type": "complex"}]}, "subAttributes are required for type complex"),
        ({"attributes": [{"name": "a", "required": "yes"}]}, "attributes.a: required must be true or false"),
        ({"attributes": [NESTED]}, "a sub-attribute cannot be complex"),
        ({"id": USER_URN}, "cannot be redefined"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_with_its_place(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ScimError) as caught:
        default_registry().with_schema({**BADGE, **change})

    assert says in caught.value.detail


def test_discovery_bodies_are_lists_with_locations() -> None:
    body = resource_types_body(default_registry(), "https://api.example.com/scim/v2")

    assert body["totalResults"] == body["itemsPerPage"] == 4
    assert body["Resources"][0]["meta"]["location"] == "https://api.example.com/scim/v2/ResourceTypes/User"
    assert body["Resources"][0]["schemaExtensions"] == [{"schema": ENTERPRISE, "required": False}]


def test_service_provider_config_fits_its_own_schema() -> None:
    body = service_provider_config(ServiceFacts(), "https://x/scim/v2")

    declared = {a.name for a in default_registry().schema(body["schemas"][0]).attributes}
    assert set(body) - {"schemas", "meta"} <= declared


@pytest.mark.parametrize(
    ("query", "search"),
    [
        ({}, SearchRequest()),
        ({"startIndex": "0", "count": "-5"}, SearchRequest(start_index=1, count=0)),
        ({"STARTINDEX": "3", "Count": "0"}, SearchRequest(start_index=3, count=0)),
        ({"excludedattributes": "members, meta"}, SearchRequest(excluded=("members", "meta"))),
        ({"attributes": "userName,,id"}, SearchRequest(attributes=("userName", "id"))),
        ({"sortBy": "userName", "sortOrder": "Descending"}, SearchRequest(sort_by="userName", descending=True)),
        ({"cursor": ""}, SearchRequest(cursor="")),
        ({"cursor": "abc", "count": "10"}, SearchRequest(cursor="abc", count=10)),
        ({"filter": ""}, SearchRequest()),
    ],
)
def test_query_string(query: dict[str, str], search: SearchRequest) -> None:
    assert search_from_query(query) == search


@pytest.mark.parametrize("query", [{"count": "ten"}, {"startIndex": "1.5"}, {"sortOrder": "up"}, {"count": "--5"}])
def test_query_string_that_makes_no_sense(query: dict[str, str]) -> None:
    with pytest.raises(ScimError):
        search_from_query(query)


def test_lists_by_index_and_by_cursor() -> None:
    assert list_response([{"id": "1"}], 5, start_index=3) == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": 5,
        "itemsPerPage": 1,
        "startIndex": 3,
        "Resources": [{"id": "1"}],
    }
    by_cursor = list_response([], 5, next_cursor="n", previous_cursor="p")
    assert (by_cursor["nextCursor"], by_cursor["previousCursor"], "startIndex" in by_cursor) == ("n", "p", False)


def test_error_says_its_status_as_a_text_and_belongs_to_the_family() -> None:
    error = uniqueness_error("userName 'a' is taken.", "userName")

    assert isinstance(error, LockstepError)
    assert (error.kind, error.retryable) == (Kind.CONFLICT, False)
    assert error.error_body() == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": "409",
        "scimType": "uniqueness",
        "detail": "userName 'a' is taken.",
    }


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"a": NaN}', "not JSON"),
        (b'"\xff"', "not JSON"),
        (b'"\\ud800"', "not JSON"),
        (b'{"a": 1, "a": 2}', "names a key twice"),
        (b'{"x": [{"a": ":", "\\u0061": 2}]}', "names a key twice"),
        (b"[" * 33 + b"]" * 33, "deeper than 32"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "deeper than 32"),
    ],
)
def test_bytes_that_are_refused_at_the_door(raw: bytes, says: str) -> None:
    with pytest.raises(ScimError) as caught:
        read_json(raw)

    assert (caught.value.status, caught.value.scim_type) == (400, "invalidSyntax")
    assert says in caught.value.detail


def test_a_body_that_is_too_large_is_413() -> None:
    with pytest.raises(ScimError) as caught:
        read_json(b'"' + b"x" * 100 + b'"', max_bytes=50)

    assert caught.value.status == 413


def test_bytes_that_are_read() -> None:
    body = {"a": [{"b": ':{["', "c\\": "\\"}] * 40, "d": {}, "e": [[[1]]]}

    assert read_json(orjson.dumps(body)) == body
    assert read_json(b"[" * 32 + b"]" * 32) is not None


def test_more_than_two_thousand_operations_are_413() -> None:
    body = {"schemas": [PATCH_URN], "Operations": [{"op": "remove", "path": "title"}] * 2001}

    for read in (read_operations, lambda b: normalize_patch(b, profile_named("lenient"), USER)):
        with pytest.raises(ScimError) as caught:
            read(body)
        assert caught.value.status == 413
