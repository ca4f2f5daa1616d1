"""Render stored resources as responses.

In the common case the stored JSON is not parsed: id and meta are inserted into its text. All other cases use `lockstep.scim.projection`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from documo.scim_service.request.exchange import Request, ResourcePlace, ScimAnswer, etag_of
from documo.store import group_members, lookups
from documo.store.database import Store
from documo.store.resources import ResourceRow
from documo.store.round_trip import one_trip
from lockstep.scim.messages import SearchRequest
from lockstep.scim.projection import Projection, projection
from lockstep.scim.registry import ResourceDefinition

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_MANAGER_MARK = '"manager"'


async def rendered(
    store: Store,
    request: Request,
    rows: Sequence[ResourceRow],
    places: Mapping[str, ResourcePlace],
    search: SearchRequest,
    *,
    members: Sequence[tuple[str, str]] | None = None,
) -> list[str]:
    """Return the JSON text of each resource, including the members of groups and the names of managers, which are stored in other rows.

    If *rows* is a single group and the caller has already read its members, *members* are the (id, kind) pairs of these members.
    """
    choices = {kind: projection_of(place.definition, search) for kind, place in places.items()}
    named = _shows_names(request, search)
    lists = await _members(store, request, rows, choices, with_names=named, known=members)
    managers = await _managers(store, request, rows) if named else {}
    indirect = await _indirect_groups(store, request, rows, choices)
    texts = []
    for row in rows:
        groups = indirect.get(row.id, []) if indirect is not None else _direct_groups(row)
        extra = {"members": lists.get(row.id, "[]")} if row.kind == "Group" and lists is not None else {}
        if groups:
            extra["groups"] = _groups_json(groups, request.base_url)
        texts.append(_text(row, places[row.kind], request.base_url, choices[row.kind], extra, managers))
    return texts


async def one_answer(
    store: Store,
    request: Request,
    row: ResourceRow,
    place: ResourcePlace,
    search: SearchRequest,
    *,
    status: int = 200,
    members: Sequence[tuple[str, str]] | None = None,
) -> ScimAnswer:
    """Return the response with one resource. For *members*, see `rendered`."""
    (text,) = await rendered(store, request, [row], {row.kind: place}, search, members=members)
    return ScimAnswer(
        status, text.encode(), etag=etag_of(row.version), location=location_of(request.base_url, place, row.id)
    )


def _shows_names(request: Request, search: SearchRequest) -> bool:
    """Whether the response contains the names of managers and members.

    These names are attributes of other resources. By default they are left out, so that a client gets back only values that it can send.
    They are shown if the request selects attributes by name, and under the profile of a product that expects them.
    """
    return bool(search.attributes) or request.tenant.profile.name not in ("strict", "lenient")


def location_of(base_url: str, place: ResourcePlace, resource_id: str) -> str:
    return f"{base_url}{place.endpoint}/{resource_id}"


def projection_of(definition: ResourceDefinition, search: SearchRequest) -> Projection | None:
    """Return the selection of attributes, or None if the stored document is returned completely."""
    if not search.attributes and not search.excluded and _returns_all(definition):
        return None
    return projection(definition, attributes=search.attributes, excluded=search.excluded)


@lru_cache(maxsize=256)
def _returns_all(definition: ResourceDefinition) -> bool:
    """Whether stored documents contain only attributes that are returned by default. The attribute password does not count, because
    documents do not contain it.
    """
    attributes = [a for a in definition.attributes if a.name != "password"]
    attributes += [a for schema in definition.extensions.values() for a in schema.attributes]
    everything = attributes + [sub for attribute in attributes for sub in attribute.sub_attributes]
    return all(attribute.returned in ("default", "always") for attribute in everything)


def _text(
    row: ResourceRow,
    place: ResourcePlace,
    base_url: str,
    choice: Projection | None,
    extra: Mapping[str, str],
    managers: Mapping[str, str | None],
) -> str:
    location = location_of(base_url, place, row.id)
    if choice is None and _MANAGER_MARK not in row.document:
        spliced = "".join(f'"{name}":{value},' for name, value in extra.items())
        return (
            f'{{"id":"{row.id}","meta":{{"resourceType":"{row.kind}","created":"{row.created}","lastModified":"{row.modified}",'
            f'"location":"{location}","version":"\\"{row.version}\\""}},{spliced}{row.document[1:]}'
        )
    document: dict[str, Any] = orjson.loads(row.document)
    document["id"] = row.id
    document["meta"] = {
        "resourceType": row.kind,
        "created": row.created,
        "lastModified": row.modified,
        "location": location,
        "version": etag_of(row.version),
    }
    for name, value in extra.items():
        document[name] = orjson.loads(value)
    _complete_manager(document, base_url, managers)
    return orjson.dumps(choice(document) if choice else document).decode()


def _complete_manager(document: dict[str, Any], base_url: str, managers: Mapping[str, str | None]) -> None:
    manager = (document.get(ENTERPRISE) or {}).get("manager")
    if not isinstance(manager, dict) or not isinstance(manager.get("value"), str):
        return
    manager["$ref"] = f"{base_url}/Users/{manager['value']}"
    name = managers.get(manager["value"])
    if name is not None:
        manager["displayName"] = name


async def _members(
    store: Store,
    request: Request,
    rows: Sequence[ResourceRow],
    choices: Mapping[str, Projection | None],
    *,
    with_names: bool,
    known: Sequence[tuple[str, str]] | None,
) -> dict[str, str] | None:
    choice = choices.get("Group")
    ids = [row.id for row in rows if row.kind == "Group"]
    if not ids or (choice is not None and not choice.wants("members")):
        return None
    if known is not None and not (with_names and known):
        return {ids[0]: _members_json(known, request.base_url)}
    tenant_id = request.tenant.id
    (found,) = await one_trip(
        store, tenant_id, [group_members.members_json(tenant_id, ids, request.base_url, with_names=with_names)]
    )
    return dict(found)


def _members_json(members: Sequence[tuple[str, str]], base_url: str) -> str:
    """Return the JSON for *members* in the form that `group_members.members_json` gives."""
    return orjson.dumps(
        [{"value": i, "$ref": f"{base_url}/{kind}s/{i}", "type": kind} for i, kind in sorted(members)]
    ).decode()


async def _managers(store: Store, request: Request, rows: Sequence[ResourceRow]) -> dict[str, str | None]:
    ids = set()
    for row in rows:
        if row.kind == "User" and _MANAGER_MARK in row.document:
            manager = (orjson.loads(row.document).get(ENTERPRISE) or {}).get("manager")
            if isinstance(manager, dict) and isinstance(manager.get("value"), str):
                ids.add(manager["value"])
    if not ids:
        return {}
    (found,) = await one_trip(store, request.tenant.id, [lookups.display_names(request.tenant.id, sorted(ids))])
    return dict.fromkeys(ids, None) | dict(found)


async def _indirect_groups(
    store: Store, request: Request, rows: Sequence[ResourceRow], choices: Mapping[str, Projection | None]
) -> dict[str, list[tuple[str, str, str]]] | None:
    if not request.tenant.account.indirect_groups:
        return None
    choice = choices.get("User")
    ids = [row.id for row in rows if row.kind == "User"]
    if not ids or (choice is not None and not choice.wants("groups")):
        return {}
    (found,) = await one_trip(store, request.tenant.id, [group_members.groups_of(request.tenant.id, ids)])
    groups: dict[str, list[tuple[str, str, str]]] = {}
    for who, group_id, name, direct in found:
        groups.setdefault(who, []).append((group_id, name, "direct" if direct else "indirect"))
    return groups


def _direct_groups(row: ResourceRow) -> list[tuple[str, str, str]]:
    return [(group_id, name, "direct") for group_id, name in orjson.loads(row.groups)] if row.groups else []


def _groups_json(groups: Sequence[tuple[str, str, str]], base_url: str) -> str:
    return orjson.dumps(
        [{"value": i, "$ref": f"{base_url}/Groups/{i}", "display": name, "type": how} for i, name, how in groups]
    ).decode()
