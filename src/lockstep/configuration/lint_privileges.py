"""Find mappings that give a privileged value to everyone or to many people, by a constant or an expression.

A mapping that reads assignments is reported only if many people are in scope and all of them get the privilege.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from lockstep.configuration.findings import Finding
from lockstep.configuration.source_names import ROLES
from lockstep.engine.decisions.drafting import privilege_phrase, privileges_in
from lockstep.engine.plans import Plan
from lockstep.engine.records import Action
from lockstep.engine.rules.configuration import JobConfiguration
from lockstep.engine.rules.mappings import AttributeMapping, Constant, ObjectMapping


@dataclass(slots=True)
class PrivilegeCounts:
    """Counts who would get privileged values. *people* is the number of people in scope.

    For each target path and privileged value, *counts* has the number of people who would get that value if a new account were created for
    them.
    """

    people: int = 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count(self, plan: Plan, mapping: ObjectMapping) -> None:
        """Count the privileges in *plan*, which was made as if the object had no account. Plans that create nothing are not counted."""
        if plan.action is not Action.CREATE:
            return
        self.people += 1
        for change in plan.changes:
            self.counts.update(
                (change.path, privilege)
                for privilege in privileges_in(mapping.privileges.get(change.path, {}), change.new)
            )


def check_privileges(
    mapping: ObjectMapping, place: str, configuration: JobConfiguration, given: PrivilegeCounts | None
) -> Iterator[Finding]:
    """Report privileged values that too many people get. Without *given*, only constants are checked."""
    for number, attribute in enumerate(mapping.attributes):
        privileges = mapping.privileges[attribute.target]
        for privilege in privileges.values():
            count = given.counts[attribute.target, privilege] if given is not None else 0
            people = given.people if given is not None else 0
            is_constant = isinstance(attribute.source, Constant) and privilege in privileges_in(
                privileges, attribute.source.value
            )
            if not is_constant and not _are_many(attribute, count, people, configuration):
                continue
            who = "everyone" if is_constant or count == people else "many people"
            counts = f": {count:,} of {people:,} in scope" if people else ""
            yield Finding(
                "warning",
                f"{place}.attributes[{number}]",
                f"{who} would get {privilege_phrase(attribute.target, privilege)}{counts}",
                "Grant it with an app role: SingleAppRoleAssignment([appRoleAssignments]).",
            )


def _are_many(attribute: AttributeMapping, count: int, people: int, configuration: JobConfiguration) -> bool:
    if ROLES in attribute.dependencies:
        return count == people >= configuration.deletions.percent_from
    percent = configuration.guards.percent
    return count > 1 and percent is not None and count * 100 > percent * people
