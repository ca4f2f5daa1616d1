"""Find the attributes that an application publishes in `/ResourceTypes` and `/Schemas`, as target paths of mappings.

Only writable attributes are listed. For a multi-valued complex attribute, each canonical type in the schema becomes one path
(`emails[type eq "work"].value`). An attribute without such types is left out, because no mapping could write it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lockstep.engine.records import ObjectKind
from lockstep.engine.rules.target_attributes import AttributeType, TargetAttribute
from lockstep.errors import Kind, LockstepError
from lockstep.http.client import HttpClient
from lockstep.ports import TargetSettings
from lockstep.targets.authorization import Authorizer
from lockstep.targets.conformance.conversation import Conversation
from lockstep.targets.conformance.findings import ConformanceFinding
from lockstep.targets.scim_requests import read_tenant_url

JsonObject = Mapping[str, Any]
_TYPES = {
    "boolean": AttributeType.BOOLEAN,
    "integer": AttributeType.INTEGER,
    "dateTime": AttributeType.DATE_TIME,
    "binary": AttributeType.BINARY,
    "reference": AttributeType.REFERENCE,
}
_NOT_MAPPED = ("id", "meta", "schemas")


async def discover(settings: TargetSettings, client: HttpClient, kind: ObjectKind) -> tuple[TargetAttribute, ...]:
    """Return the attributes that the application publishes for *kind*. Sends only reads.

    Raises LockstepError if the application does not publish its attributes.
    """
    conversation = Conversation(
        client, read_tenant_url(settings.tenant_url), settings.secret, [], seconds=settings.deadline_seconds,
        authorizer=Authorizer.of(settings, client),
    )  # fmt: skip
    try:
        types = (await conversation.get("/ResourceTypes")).listed()
        schemas = (await conversation.get("/Schemas")).listed()
    except ConformanceFinding as found:
        raise LockstepError(
            Kind.UNREACHABLE,
            f"{settings.display_name} does not list its attributes: {found}",
            next_step=f"Add them by hand: lockstep map attributes {settings.app} --add NAME",
        ) from None
    return attributes_of(types, schemas, kind)


def attributes_of(
    types: list[dict[str, Any]], schemas: list[dict[str, Any]], kind: ObjectKind
) -> tuple[TargetAttribute, ...]:
    """The attributes that *schemas* define for the resource type of *kind*. Attributes of extensions begin with the URN of the
    extension.
    """
    by_id = {str(schema.get("id", "")).lower(): schema for schema in schemas}
    wanted = next(
        (one for one in types if one.get("name") == kind.value or one.get("endpoint") == f"/{kind.value}s"), {}
    )
    core = str(wanted.get("schema") or f"urn:ietf:params:scim:schemas:core:2.0:{kind.value}")
    extensions = [
        str(one.get("schema", "")) for one in wanted.get("schemaExtensions") or [] if isinstance(one, Mapping)
    ]
    found = list(_of_schema(by_id.get(core.lower(), {}), ""))
    for urn in extensions:
        found += _of_schema(by_id.get(urn.lower(), {}), f"{urn}:")
    return tuple(found)


def _of_schema(schema: JsonObject, prefix: str) -> Iterator[TargetAttribute]:
    for attribute in _listed(schema, "attributes"):
        name = str(attribute.get("name", ""))
        if not name or name in _NOT_MAPPED or attribute.get("mutability") == "readOnly":
            continue
        if attribute.get("type") != "complex":
            yield _attribute(f"{prefix}{name}", attribute)
            continue
        inner = [one for one in _listed(attribute, "subAttributes") if one.get("mutability") != "readOnly"]
        if not attribute.get("multiValued"):
            yield from (_attribute(f"{prefix}{name}.{one.get('name')}", one) for one in inner)
            continue
        kinds = next((one.get("canonicalValues") or [] for one in inner if one.get("name") == "type"), [])
        yield from (
            _attribute(f'{prefix}{name}[type eq "{kind}"].{one.get("name")}', one)
            for kind in kinds
            for one in inner
            if one.get("name") not in ("type", "primary", "$ref", "display")
        )


def _attribute(path: str, said: JsonObject) -> TargetAttribute:
    return TargetAttribute(
        path,
        _TYPES.get(str(said.get("type")), AttributeType.STRING),
        required=said.get("required") is True,
        case_exact=said.get("caseExact") is True,
        multi_valued=said.get("multiValued") is True,
    )


def _listed(part: JsonObject, key: str) -> list[dict[str, Any]]:
    found = part.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
