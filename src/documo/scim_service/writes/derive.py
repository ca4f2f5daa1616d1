"""Derive from a document the columns stored beside it: the columns for searching and sorting, and the effective role.

The columns are written together with the document, so they always agree with it.
"""

from __future__ import annotations

from typing import Any

from documo.members import role_of
from documo.scim_service.tenant.tenants import ScimTenant
from documo.search_document import fold_text, search_document
from documo.store.resources import ResourceColumns
from documo.tenant_schemas import unique_attribute
from lockstep.scim.registry import ResourceDefinition
from lockstep.scim.schema import Attribute


def columns_of(
    document: dict[str, Any], definition: ResourceDefinition, tenant: ScimTenant, *, with_search: bool = True
) -> ResourceColumns:
    """Return the columns for a document in canonical spelling. Unless *with_search* is true, the stored search document is kept."""
    unique = unique_attribute(definition)
    is_user = definition.type.name == "User"
    return ResourceColumns(
        unique_name=_folded(document, unique) if unique else None,
        external_id=document.get("externalId"),
        display_name=_folded(document, definition.attribute("displayName")),
        active=document.get("active") is not False,
        role=role_of(document, tenant.roles) if is_user else None,
        search=search_document(document, definition) if with_search else None,
    )


def _folded(document: dict[str, Any], attribute: Attribute | None) -> str | None:
    value = document.get(attribute.name) if attribute else None
    if attribute is None or not isinstance(value, str):
        return None
    return fold_text(value, attribute)
