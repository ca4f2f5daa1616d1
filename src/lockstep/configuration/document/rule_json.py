"""Read and write the rule of a dynamic group as JSON: a list of scoping filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lockstep.configuration.document.filter_json import filter_from_json, filter_to_json
from lockstep.configuration.document.strict_json import ConfigurationError, Part
from lockstep.engine.decisions.source_record import OF_MANAGER
from lockstep.engine.rules.conditions import MEMBER_OF
from lockstep.engine.rules.dynamic_groups import MembershipRule

# These are computed per application, so a group, which belongs to none, cannot read them.
PER_APPLICATION = frozenset({"IsSoftDeleted", "appRoleAssignments"})


def rule_from_json(value: Sequence[Mapping[str, Any]]) -> MembershipRule:
    """Compile a rule. Raises ConfigurationError with the place of the error."""
    if not isinstance(value, list | tuple):
        raise ConfigurationError("rule", "must be a list of filters")
    rule = MembershipRule(tuple(filter_from_json(Part(one, f"rule[{index}]")) for index, one in enumerate(value)))
    if MEMBER_OF in rule.dependencies:
        raise ConfigurationError("rule", "a membership rule cannot depend on other memberships")
    if any(name.startswith(OF_MANAGER) for name in rule.dependencies):
        raise ConfigurationError("rule", "a membership rule cannot depend on attributes of the manager")
    if unknown := sorted(rule.dependencies & PER_APPLICATION):
        raise ConfigurationError(
            "rule", f"{unknown[0]} exists only for one application and cannot be used in a group rule"
        )
    return rule


def rule_to_json(rule: MembershipRule) -> list[dict[str, Any]]:
    """Write the form that `rule_from_json` reads."""
    return [filter_to_json(scoping) for scoping in rule.filters]
