"""Functions that convert `[appRoleAssignments]` to the target's roles.

Assignments are in the order of the application's roles, so "the first role" is the one that comes first in the application's list. Default
access (the zero GUID) is not a role. A role is identified by its value, or by its display name if it has no value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lockstep.engine.expressions.catalogue import Example, Parameter, function
from lockstep.engine.expressions.context import EvaluationContext
from lockstep.engine.expressions.errors import ExpressionTrouble
from lockstep.engine.expressions.kinds import ValueKind
from lockstep.engine.expressions.values import ExpressionValue
from lockstep.engine.records import DEFAULT_ACCESS

ROLE_TYPE = "WindowsAzureActiveDirectoryRole"
ROLE_FUNCTIONS = frozenset(
    ("SingleAppRoleAssignment", "AppRoleAssignmentsComplex", "AssertiveAppRoleAssignmentsComplex", "AppRoleAssignments")
)

_ASSIGNMENTS = Parameter("[appRoleAssignments]", ValueKind.ROLES, "the attribute appRoleAssignments")
_PERSON = {
    "appRoleAssignments": [
        {"id": "00000000-0000-0000-0000-000000000000", "value": "", "displayName": "Default Access"},
        {"id": "5f1c9a52-0000-4000-8000-000000000001", "value": "admin", "displayName": "Administrator"},
        {"id": "5f1c9a52-0000-4000-8000-000000000002", "value": "", "displayName": "Reader"},
    ]
}
_BOTH = [
    {"display": "Administrator", "primary": False, "type": ROLE_TYPE, "value": "admin"},
    {"display": "Reader", "primary": False, "type": ROLE_TYPE, "value": "Reader"},
]
_NOT_WITH_ALL = "Do not use with the scope *Sync all users and groups*: only assigned people have roles."


@function(
    "SingleAppRoleAssignment",
    _ASSIGNMENTS,
    cost=150,
    returns=ValueKind.TEXT,
    meaning="The value of the person's role. Of several roles, the one that is first in the application's role list; null without a role.",
    remarks=_NOT_WITH_ALL,
    examples=[Example("SingleAppRoleAssignment([appRoleAssignments])", "admin", _PERSON)],
)
def single_app_role_assignment(assignments: ExpressionValue) -> str | None:
    for role in _roles(assignments):
        return _name(role)
    return None


@function(
    "AppRoleAssignmentsComplex",
    _ASSIGNMENTS,
    cost=150,
    returns=ValueKind.ANY,
    meaning="All roles as objects (value, display, type, primary), added to those that the account has.",
    remarks=_NOT_WITH_ALL,
    examples=[Example("AppRoleAssignmentsComplex([appRoleAssignments])", _BOTH, _PERSON)],
)
def app_role_assignments_complex(assignments: ExpressionValue) -> tuple[Mapping[str, Any], ...] | None:
    return tuple(_complex(role) for role in _roles(assignments)) or None


@function(
    "AssertiveAppRoleAssignmentsComplex",
    _ASSIGNMENTS,
    cost=150,
    returns=ValueKind.ANY,
    meaning="All roles as objects (value, display, type, primary), replacing those that the account has: a revoked role is removed.",
    remarks=_NOT_WITH_ALL,
    examples=[Example("AssertiveAppRoleAssignmentsComplex([appRoleAssignments])", _BOTH, _PERSON)],
)
def assertive_app_role_assignments_complex(assignments: ExpressionValue) -> tuple[Mapping[str, Any], ...]:
    # Return an empty list, not null: null would leave the last revoked role in the target.
    return tuple(_complex(role) for role in _roles(assignments))


@function(
    "AppRoleAssignments",
    _ASSIGNMENTS,
    cost=150,
    returns=ValueKind.VALUES,
    meaning="The values of all roles of the person, as a multi-valued text.",
    remarks=_NOT_WITH_ALL,
    examples=[Example("AppRoleAssignments([appRoleAssignments])", ["admin", "Reader"], _PERSON)],
)
def app_role_assignments(assignments: ExpressionValue) -> tuple[str, ...]:
    return tuple(name for role in _roles(assignments) if (name := _name(role)) is not None)


@function(
    "DefaultDomain",
    returns=ValueKind.TEXT,
    meaning="The default domain of the directory; null if none is set.",
    pure=False,
    wants_context=True,
    examples=[Example("DefaultDomain()", None)],
)
def default_domain(context: EvaluationContext, label: str) -> str | None:
    return context.default_domain


def _roles(assignments: ExpressionValue) -> Iterator[Mapping[str, Any]]:
    """Return the roles in order, without default access. A role that was assigned several times, such as through two groups, occurs
    once.
    """
    if assignments is None:
        return
    if not isinstance(assignments, (tuple, list)):
        raise _no_roles()
    seen: set[str] = set()
    for role in assignments:
        if not isinstance(role, Mapping):
            raise _no_roles()
        key = str(role.get("id") or _name(role))
        if key != DEFAULT_ACCESS and key not in seen:
            seen.add(key)
            yield role


def _no_roles() -> ExpressionTrouble:
    return ExpressionTrouble(
        "needs the attribute [appRoleAssignments]", argument=_ASSIGNMENTS.name, expected="[appRoleAssignments]"
    )


def _name(role: Mapping[str, Any]) -> str | None:
    name = role.get("value") or role.get("displayName")
    return str(name) if name else None


def _complex(role: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "value": _name(role),
        "display": role.get("displayName") or _name(role),
        "type": ROLE_TYPE,
        "primary": False,
    }
