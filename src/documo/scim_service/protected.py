"""Keep the roles that Documo itself relies on: without Admin nobody could provision, without the default role nobody had one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from documo.members import ADMIN
from documo.scim_service.exchange import Place
from documo.scim_service.tenants import Tenant
from lockstep.scim.errors import ScimError


def refuse_change_of_role(place: Place, document: Mapping[str, Any], tenant: Tenant) -> None:
    """Raise ScimError 403 for the role Admin and the account's default role."""
    if place.kind == "Role" and document.get("value") in (ADMIN, tenant.account.default_role):
        raise ScimError(
            403, "", f"The role {document['value']} belongs to Documo and cannot be changed or deleted.", "value"
        )
