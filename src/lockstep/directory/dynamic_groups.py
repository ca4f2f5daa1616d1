"""Update the members of dynamic groups in the same transaction that changes a person or a rule.

People in the recycle bin keep their memberships, as in any group. The rules are evaluated again when people are restored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lockstep.configuration.document.rule_json import rule_from_json, rule_to_json
from lockstep.directory.edit import Edit, Touched, editing
from lockstep.directory.groups import GROUP, add_members, remove_members
from lockstep.engine.moment import Moment
from lockstep.engine.records import Lifecycle, ObjectKind, SourceObject
from lockstep.engine.rules.conditions import earliest
from lockstep.engine.rules.dynamic_groups import MembershipRule, is_member
from lockstep.errors import conflict, invalid
from lockstep.postgres.pool import Connection, Pool
from lockstep.storage import group_rules as store
from lockstep.storage.groups import Edge, GroupRow
from lockstep.storage.people import PersonRow

USER = str(ObjectKind.USER)
Decided = tuple[bool, datetime | None]  # whether the person is a member, and when time alone may change that
_BATCH = 1000


@dataclass(slots=True)
class RuleEffect:
    """The effect of a rule on a group: the resulting number of members, and the people who join and leave. *joiners* and *leavers* map
    ids to names.
    """

    members: int = 0
    joiners: dict[str, str] = field(default_factory=dict)
    leavers: dict[str, str] = field(default_factory=dict)
    review_at: datetime | None = None


async def refresh_people(edit: Edit, people: Sequence[PersonRow], changed: Mapping[str, Iterable[str]]) -> None:
    """Evaluate the rules again for *people*. *changed* lists the changed attributes of each person. If it lists none for a person, all
    rules are evaluated for that person.
    """
    rules = await _rules(edit)
    if not rules:
        return
    moment = Moment(datetime.now(UTC))
    asked: dict[str, list[tuple[PersonRow, Decided]]] = {}
    for person in people:
        names = set(changed.get(person.id, ()))
        for group, rule in rules.items():
            if not names or names & rule.dependencies:
                asked.setdefault(group, []).append((person, is_member(as_object(person), rule, moment)))
    if not asked:
        return
    ids = {person.id for pairs in asked.values() for person, _ in pairs}
    present = await store.memberships_among(edit.connection, asked, ids)
    await _apply(edit, asked, present)
    for group, pairs in asked.items():
        review_at = earliest(*(one for _, (_, one) in pairs))
        if review_at is not None:
            await store.bring_review_forward(edit.connection, group, review_at)


async def set_rule(edit: Edit, group: GroupRow, rule: Sequence[Mapping[str, Any]] | None) -> RuleEffect:
    """Set the rule of a group and apply it at once. If *rule* is None, the rule is removed, and the group keeps its members until somebody
    changes them by hand.

    Raises ConfigurationError if the rule is invalid, LockstepError if the group cannot have a rule.
    """
    compiled = None if rule is None else rule_from_json(rule)
    if compiled is not None and not compiled.filters:
        raise invalid("A rule needs at least one filter", next_step="To add members by hand, clear the rule")
    if compiled is not None and await store.has_nested(edit.connection, group.id):
        raise conflict(
            f"{group.display_name} has groups as members, but a rule selects only people",
            next_step=f"Remove them first: lockstep groups remove-member {group.display_name} --nested GROUP",
        )
    stored = None if compiled is None else rule_to_json(compiled)
    await store.save_rule(edit.connection, group.id, None if stored is None else list(stored))
    edit.rules = None
    edit.record(
        GROUP,
        group.id,
        "updated",
        changed=["membershipRule"],
        before=None if group.rule is None else {"membershipRule": list(group.rule)},
        after=None if stored is None else {"membershipRule": stored},
    )
    return RuleEffect() if compiled is None else await _refresh(edit, group.id, compiled)


async def refresh_group(edit: Edit, group: str) -> RuleEffect:
    """Evaluate the rule of *group* for all people. Does nothing if the group has no rule."""
    rule = await store.read_rule(edit.connection, group)
    return RuleEffect() if rule is None else await _refresh(edit, group, rule_from_json(rule))


async def refresh_due(database: Pool | Connection, now: datetime, *, actor: str = "system") -> Touched:
    """Evaluate the rules of groups whose members may have changed because time has passed. Returns the jobs to drain."""
    async with editing(database, actor=actor) as edit:
        for row in await store.due_for_review(edit.connection, now):
            await _refresh(edit, row.group_id, rule_from_json(row.rule))
    return edit.touched


async def effect_of(
    connection: Connection, group: str | None, rule: Sequence[Mapping[str, Any]], now: datetime
) -> RuleEffect:
    """Return the effect of setting *rule* for *group*, or for a new group if *group* is None. Writes nothing."""
    compiled, effect = rule_from_json(rule), RuleEffect()
    async for page in store.everybody(connection):
        ids = [person.id for person in page]
        present = await store.memberships_among(connection, [group], ids) if group else set()
        for person in page:
            decided = is_member(as_object(person), compiled, Moment(now))
            _note(effect, person, decided, was_member=(group, person.id) in present)
    return effect


async def _refresh(edit: Edit, group: str, rule: MembershipRule) -> RuleEffect:
    moment, effect = Moment(datetime.now(UTC)), RuleEffect()
    async for page in store.everybody(edit.connection, page_size=_BATCH):
        pairs = [(person, is_member(as_object(person), rule, moment)) for person in page]
        present = await store.memberships_among(edit.connection, [group], [person.id for person in page])
        for person, decided in pairs:
            _note(effect, person, decided, was_member=(group, person.id) in present)
        await _apply(edit, {group: pairs}, present)
    await store.set_review(edit.connection, group, effect.review_at)
    return effect


def _note(effect: RuleEffect, person: PersonRow, decided: Decided, *, was_member: bool) -> None:
    belongs, review_at = decided
    effect.members += belongs
    effect.review_at = earliest(effect.review_at, review_at)
    if belongs and not was_member:
        effect.joiners[person.id] = person.user_principal_name
    elif was_member and not belongs:
        effect.leavers[person.id] = person.user_principal_name


async def _apply(
    edit: Edit, asked: Mapping[str, Sequence[tuple[PersonRow, Decided]]], present: set[tuple[str, str]]
) -> None:
    coming: list[Edge] = []
    going: list[Edge] = []
    for group, pairs in asked.items():
        for person, (belongs, _) in pairs:
            if belongs != ((group, person.id) in present):
                (coming if belongs else going).append(Edge(group, person.id, USER))
    if coming:
        await add_members(edit, coming)
    if going:
        await remove_members(edit, going)


async def _rules(edit: Edit) -> dict[str, MembershipRule]:
    """Return the rules of all dynamic groups. They are read once per transaction."""
    if edit.rules is None:
        edit.rules = {row.group_id: rule_from_json(row.rule) for row in await store.live_rules(edit.connection)}
    return edit.rules


def as_object(person: PersonRow) -> SourceObject:
    """Convert a person to the object that rules are evaluated on."""
    attributes = {name: tuple(value) if isinstance(value, list) else value for name, value in person.attributes.items()}
    return SourceObject(
        ObjectKind.USER,
        person.id,
        person.user_principal_name,
        attributes,
        account_enabled=person.account_enabled,
        lifecycle=Lifecycle.SOFT_DELETED if person.deleted_at else Lifecycle.ACTIVE,
        references={"manager": person.manager_id} if person.manager_id else {},
    )


def refuse_by_hand(group: GroupRow) -> None:
    """Raise LockstepError if a rule decides the members of *group*."""
    if group.is_dynamic:
        raise conflict(
            f"The members of {group.display_name} are decided by its rule",
            next_step=f"Change the rule, or clear it: lockstep groups rule clear {group.display_name}",
        )
