"""Dynamic groups: a rule, written like a scoping filter, decides who is a member. An administrator can see the effect of a rule before
setting it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lockstep.actions.access import needs
from lockstep.actions.context import Context, audit
from lockstep.actions.groups import add_group
from lockstep.actions.lookup import find_group, find_person
from lockstep.actions.mappings import SOURCE_NAMES, refuse_unknown
from lockstep.actions.permissions import Permission
from lockstep.configuration.document.rule_json import rule_from_json
from lockstep.configuration.files.names import LOCAL_SOURCE
from lockstep.configuration.source_names import unknown_in_condition
from lockstep.directory import dynamic_groups
from lockstep.directory.dynamic_groups import RuleEffect as RuleEffect
from lockstep.engine.moment import Moment
from lockstep.engine.records import ObjectKind
from lockstep.engine.rules.dynamic_groups import Membership, decide_membership
from lockstep.errors import conflict, invalid
from lockstep.storage.groups import GroupRow

RuleDocument = Sequence[Mapping[str, Any]]


def check_rule(rule: RuleDocument) -> None:
    """Raise LockstepError if the rule is invalid or names an unknown attribute; the error then suggests similar names."""
    compiled = rule_from_json(rule)
    if not compiled.filters:
        raise invalid("A rule needs at least one filter", next_step="To add members by hand, clear the rule")
    for index, scoping in enumerate(compiled.filters):
        refuse_unknown(unknown_in_condition(scoping.condition, f"rule[{index}]", SOURCE_NAMES[ObjectKind.USER]))


@needs(Permission.PEOPLE_WRITE)
async def create_dynamic_group(
    context: Context, name: str, rule: RuleDocument, *, description: str = ""
) -> tuple[GroupRow, RuleEffect]:
    """Create a group whose members *rule* decides. Returns the group and the effect of the rule."""
    check_rule(rule)
    async with context.changing() as edit:
        group = await add_group(edit, name, description=description)
        effect = await dynamic_groups.set_rule(edit, group, rule)
    return group, effect


@needs(Permission.DIRECTORY_READ)
async def show_rule(context: Context, name: str) -> GroupRow:
    async with context.reading() as connection:
        return await find_group(connection, name)


@needs(Permission.DIRECTORY_READ)
async def effect_of_rule(context: Context, name: str, rule: RuleDocument | None = None) -> tuple[GroupRow, RuleEffect]:
    """Return who would join and who would leave the group if *rule* were evaluated now. Without *rule*, the group's own rule is evaluated.
    Writes nothing.
    """
    if rule is not None:
        check_rule(rule)
    async with context.reading() as connection:
        group = await find_group(connection, name)
        wanted = rule if rule is not None else _rule_of(group)
        return group, await dynamic_groups.effect_of(connection, group.id, wanted, context.now())


@needs(Permission.DIRECTORY_READ)
async def decide_for(context: Context, name: str, user: str, rule: RuleDocument | None = None) -> Membership:
    """Return whether *rule* makes *user* a member of the group, and why. Without *rule*, the group's own rule decides."""
    if rule is not None:
        check_rule(rule)
    async with context.reading() as connection:
        group = await find_group(connection, name)
        person = await find_person(connection, user)
        compiled = rule_from_json(rule if rule is not None else _rule_of(group))
        return decide_membership(dynamic_groups.as_object(person), compiled, Moment(context.now()))


@needs(Permission.PEOPLE_WRITE)
async def set_rule(context: Context, name: str, rule: RuleDocument | None) -> tuple[GroupRow, RuleEffect]:
    """Set the rule that decides the members, and evaluate it at once. If *rule* is None, remove the rule of the group: the present members
    stay, and administrators edit the members by hand from then on.
    """
    if rule is not None:
        check_rule(rule)
    async with context.changing() as edit:
        group = await find_group(edit.connection, name)
        if group.source != LOCAL_SOURCE:
            raise conflict(
                f"{group.display_name} comes from the source {group.source}, which decides its members",
                next_step="Create your own group: lockstep groups create NAME --filter TEXT",
            )
        effect = await dynamic_groups.set_rule(edit, group, rule)
        await audit(
            edit,
            "Update group",
            group.display_name,
            before={"membershipRule": group.rule},
            after={"membershipRule": None if rule is None else list(rule)},
        )
    return group, effect


def _rule_of(group: GroupRow) -> RuleDocument:
    if group.rule is None:
        raise conflict(
            f"{group.display_name} has no rule",
            next_step=f"Test one with --filter, or set it: lockstep groups rule set {group.display_name} --filter TEXT",
        )
    return group.rule
