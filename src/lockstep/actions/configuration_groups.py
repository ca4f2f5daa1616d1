"""Groups that were created in Lockstep, in the form of configuration files: the description, and the rule that decides the members.

A file can create and change such a group but never delete it, because all members would lose the access that they have through the group.
`lockstep groups delete` deletes a group.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.configuration_plan import DocumentPlan
from lockstep.actions.context import Context, audit
from lockstep.actions.group_rules import check_rule, set_rule
from lockstep.actions.groups import add_group
from lockstep.actions.permissions import Permission
from lockstep.configuration.document.filter_json import filter_to_json
from lockstep.configuration.document.rule_json import rule_from_json
from lockstep.configuration.files.change import ConfigChange, Sign
from lockstep.configuration.files.difference import difference
from lockstep.configuration.files.file import ConfigDocument, DocumentKind
from lockstep.configuration.files.names import LOCAL_SOURCE
from lockstep.directory.groups import GroupWrite, write_groups
from lockstep.errors import LockstepError, conflict
from lockstep.postgres.pool import Connection
from lockstep.storage import groups
from lockstep.storage.groups import GroupRow

DESCRIPTION, RULE = "description", "scopingFilters"


async def own_groups(connection: Connection) -> list[ConfigDocument]:
    """Return the groups that were created in Lockstep, sorted by name."""
    found = await groups.list_groups(connection, search="", is_deleted=False, limit=100_000)
    return [
        ConfigDocument(DocumentKind.GROUP, group.display_name, group_spec(group))
        for group, _ in found
        if group.source == LOCAL_SOURCE
    ]


def group_spec(group: GroupRow) -> dict[str, Any]:
    """Return the spec of a group. The members of a group without a rule are edited by hand and are not part of the spec."""
    spec: dict[str, Any] = {}
    if group.attributes.get(DESCRIPTION):
        spec[DESCRIPTION] = group.attributes[DESCRIPTION]
    if group.rule is not None:
        spec[RULE] = [filter_to_json(one) for one in rule_from_json(group.rule).filters]
    return spec


async def plan_group(connection: Connection, document: ConfigDocument) -> DocumentPlan:
    """Return the changes that the document would make. Raises LockstepError if the rule is invalid or the group comes from a source."""
    if document.spec.get(RULE):
        try:
            check_rule(document.spec[RULE])
        except LockstepError as error:
            raise document.wrong(f"spec.{RULE}", error) from None
    group = await _find(connection, document)
    if group is None:
        added = ConfigChange(Sign.ADD, document.title, "", new=dict(document.spec) or None)
        return DocumentPlan(document, True, (added,), document.spec, {})
    current = group_spec(group)
    # No rule and an empty rule are the same: members are added by hand.
    found = difference(document, {RULE: [], DESCRIPTION: "", **current}, prune=True)
    return DocumentPlan(document, False, found.changes, found.spec, current)


@needs(Permission.PEOPLE_WRITE)
async def apply_group(context: Context, plan: DocumentPlan) -> None:
    """Create or change the group as the plan says. A new rule takes effect at once."""
    if not plan.changes:
        return
    name, spec = plan.document.name, plan.spec
    if plan.is_new:
        async with context.changing() as edit:
            await add_group(edit, name, description=spec.get(DESCRIPTION, ""))
    elif DESCRIPTION in spec:
        await _describe(context, plan.document)
    if RULE in spec and (spec[RULE] or not plan.is_new):
        await set_rule(context, name, spec[RULE] or None)


async def _describe(context: Context, document: ConfigDocument) -> None:
    async with context.changing() as edit:
        before = await _find(edit.connection, document)
        if before is None:
            return
        attributes = {key: value for key, value in before.attributes.items() if key != DESCRIPTION}
        if document.spec[DESCRIPTION]:
            attributes[DESCRIPTION] = document.spec[DESCRIPTION]
        await write_groups(edit, [GroupWrite(replace(before, attributes=attributes), before)])
        await audit(
            edit,
            "Update group",
            before.display_name,
            before={DESCRIPTION: before.attributes.get(DESCRIPTION)},
            after={DESCRIPTION: attributes.get(DESCRIPTION)},
        )


async def _find(connection: Connection, document: ConfigDocument) -> GroupRow | None:
    found = await groups.find_groups(connection, document.name)
    if not found:
        return None
    if len(found) > 1 or found[0].source != LOCAL_SOURCE:
        error = conflict(
            f"{document.name} comes from the source {found[0].source}, which decides its members",
            next_step="Use a different name for your own group",
        )
        raise document.wrong("metadata.name", error)
    return found[0]
