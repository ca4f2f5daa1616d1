"""Gather in one module a job's configuration and the functions that read and write it. Also find the attributes on which a configuration
depends.

`dependencies` saves work: if no rule reads a changed attribute, no object is marked for re-evaluation.
"""

from __future__ import annotations

from lockstep.configuration.document.configuration_json import configuration_from_json, configuration_to_json
from lockstep.configuration.document.strict_json import ConfigurationError
from lockstep.engine.decisions.source_record import MANAGER, OF_MANAGER
from lockstep.engine.records import ObjectKind
from lockstep.engine.rules.conditions import attributes_of
from lockstep.engine.rules.configuration import JobConfiguration, JobSettings, Limits, Scope, StartPolicy
from lockstep.engine.rules.mappings import (
    Apply,
    AttributeMapping,
    Constant,
    Direct,
    Drift,
    Expression,
    Flow,
    MappingSource,
    NoSource,
    ObjectMapping,
)
from lockstep.engine.rules.policies import DeletionPolicy, Guards, OnLeaving, OnLost

__all__ = [
    "Apply",
    "AttributeMapping",
    "ConfigurationError",
    "Constant",
    "DeletionPolicy",
    "Direct",
    "Drift",
    "Expression",
    "Flow",
    "Guards",
    "JobConfiguration",
    "JobSettings",
    "Limits",
    "MappingSource",
    "NoSource",
    "ObjectMapping",
    "OnLeaving",
    "OnLost",
    "Scope",
    "StartPolicy",
    "configuration_from_json",
    "configuration_to_json",
    "dependencies",
    "manager_attributes",
]

# Attributes computed by the directory. Expressions can read them, and their changes always count.
COMPUTED = frozenset({"IsSoftDeleted", "appRoleAssignments", "accountEnabled", "objectId"})


def dependencies(configuration: JobConfiguration, kind: ObjectKind) -> frozenset[str]:
    """Return the source attributes of *kind* that can change a decision: accountEnabled, and the attributes that are used in mappings, in
    filters or as the start date.
    """
    mapping = configuration.mapping_for(kind)
    if mapping is None or not mapping.enabled:
        return frozenset()
    mapped = (attribute.dependencies for attribute in mapping.attributes)
    filtered = (attributes_of(scoping.condition) for scoping in mapping.scoping_filters)
    start = {configuration.start.attribute} if configuration.start else set()
    found = frozenset({"accountEnabled"}).union(start, *mapped, *filtered) - (COMPUTED - {"accountEnabled"})
    return found | {MANAGER} if any(name.startswith(OF_MANAGER) for name in found) else found


def manager_attributes(configuration: JobConfiguration, kind: ObjectKind) -> frozenset[str]:
    """Return the manager's attributes that decisions read, such as `department` if a rule reads `manager.department`."""
    return frozenset(
        name.removeprefix(OF_MANAGER) for name in dependencies(configuration, kind) if name.startswith(OF_MANAGER)
    )
