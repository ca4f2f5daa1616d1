"""A gallery entry: the known facts about an application before it is connected.

Entries are read by the package `gallery`. The packages that use an entry need only this module, and do not depend on `gallery`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lockstep.configuration.document.configuration_json import configuration_from_json
from lockstep.configuration.single_sign_on import SignOnSettings, usual_claims
from lockstep.engine.records import AppRole, ObjectKind
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.engine.rules.target_attributes import TargetAttribute


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The capabilities of the application."""

    create: bool = True
    update: bool = True
    disable: bool = True
    delete: bool = True
    groups: bool = False
    single_sign_on: bool = False


@dataclass(frozen=True, slots=True)
class TenantUrlRule:
    """The tenant URL. *default* is "" if every customer has a different URL."""

    default: str = ""
    path: str = "/scim/v2"


@dataclass(frozen=True)
class Template:
    """One gallery application. *provisioning* is the JSON of its default configuration. *former_ids* are earlier ids, under which it can
    still be found.
    """

    id: str
    display_name: str
    description: str
    documentation: str
    capabilities: Capabilities
    tenant_url: TenantUrlRule
    attributes: Mapping[ObjectKind, tuple[TargetAttribute, ...]]
    provisioning: Mapping[str, Any]
    roles: tuple[AppRole, ...] = ()
    default_role: str = ""  # the role (value) that the application assigns if none is sent
    former_ids: tuple[str, ...] = ()
    publisher: str = ""
    categories: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    sign_on: SignOnSettings = field(default_factory=lambda: SignOnSettings(claims=usual_claims()))

    @property
    def kinds(self) -> tuple[ObjectKind, ...]:
        return tuple(ObjectKind(mapping["source"]) for mapping in self.provisioning["mappings"])

    @property
    def matching_attribute(self) -> str:
        """The attribute by which people are matched first. *Test Connection* searches for a value of this attribute."""
        mapping = self.configuration().mapping_for(ObjectKind.USER)
        return mapping.matching[0].target if mapping and mapping.matching else "userName"

    def configuration(self, *, version: int = 1, roles: Sequence[AppRole] | None = None) -> JobConfiguration:
        """Compile the default configuration. *roles* are the roles of the application that was created from this entry."""
        return self.read(self.provisioning, version=version, roles=self.roles if roles is None else roles)

    def read(self, provisioning: Mapping[str, Any], *, version: int, roles: Sequence[AppRole]) -> JobConfiguration:
        """Compile *provisioning*, a configuration for the application that this entry describes. The entry's attribute lists apply.
        Raises ConfigurationError.
        """
        return configuration_from_json(provisioning, version=version, roles=roles, attributes=self.attributes)
