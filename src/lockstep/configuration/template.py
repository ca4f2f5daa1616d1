"""What is known of an application before anybody connects it: a gallery entry, as values.

The rooms that use it need not know where entries come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lockstep.configuration.document.configuration_json import configuration_from_json
from lockstep.engine.records import AppRole, ObjectKind
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.engine.rules.target_attributes import TargetAttribute


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the application can do."""

    create: bool = True
    update: bool = True
    disable: bool = True
    delete: bool = True
    groups: bool = False
    single_sign_on: bool = False


@dataclass(frozen=True, slots=True)
class TenantUrl:
    """*default* is "" where every customer has an own one. *custom_domain*: the customer may bring another host."""

    default: str = ""
    custom_domain: bool = True
    path: str = "/scim/v2"


@dataclass(frozen=True)
class Template:
    """One application of the gallery. *provisioning* is the JSON of its default configuration."""

    id: str
    display_name: str
    description: str
    documentation: str
    capabilities: Capabilities
    tenant_url: TenantUrl
    attributes: Mapping[ObjectKind, tuple[TargetAttribute, ...]]
    provisioning: Mapping[str, Any]
    roles: tuple[AppRole, ...] = ()
    default_role: str = ""  # the value of the role that the application gives where none is sent
    publisher: str = ""
    categories: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def kinds(self) -> tuple[ObjectKind, ...]:
        return tuple(ObjectKind(mapping["source"]) for mapping in self.provisioning["mappings"])

    @property
    def matching_attribute(self) -> str:
        """The attribute that people are matched by first; *Test Connection* asks for it."""
        mapping = self.configuration().mapping_for(ObjectKind.USER)
        return mapping.matching[0].target if mapping and mapping.matching else "userName"

    def configuration(self, *, version: int = 1, roles: Sequence[AppRole] | None = None) -> JobConfiguration:
        """The default configuration. *roles* are those of the application that was made from this entry."""
        return self.read(self.provisioning, version=version, roles=self.roles if roles is None else roles)

    def read(self, provisioning: Mapping[str, Any], *, version: int, roles: Sequence[AppRole]) -> JobConfiguration:
        """A configuration of this application, with what the entry says of its attributes. Raises ConfigurationError."""
        return configuration_from_json(provisioning, version=version, roles=roles, attributes=self.attributes)
