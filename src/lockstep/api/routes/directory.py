"""People, groups and their rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Query, Request
from pydantic import Field
from typing_extensions import TypedDict

from lockstep.actions import group_rules, groups, people
from lockstep.actions.context import Context
from lockstep.actions.people import PersonFilter, PersonView
from lockstep.actions.rows.directory import (
    AttributeJson,
    CountedGroupJson,
    GroupDetailsJson,
    GroupJson,
    PersonDetailsJson,
    PersonJson,
    RuleEffectJson,
    attribute_json,
    counted_group_json,
    group_details_json,
    group_json,
    person_details_json,
    person_json,
    rule_effect_json,
)
from lockstep.api.changes import Consenting, Effects, changed
from lockstep.api.conditions import Unchanged, tagged
from lockstep.api.door import Asked, router_of
from lockstep.api.filtering import Selects, flag, selected
from lockstep.api.paging import Asking, Page, page, page_of_rows
from lockstep.api.shapes import Body, Name, Names, Text

router = router_of("Directory")
_PEOPLE = (
    Selects("displayName", "co", "search"),
    Selects("userPrincipalName", "co", "search"),
    Selects("source", "eq", "source"),
    Selects("department", "eq", "department"),
    Selects("application", "eq", "app"),
    Selects("accountEnabled", "eq", "is_enabled", flag),
    Selects("deleted", "eq", "is_deleted", flag),
)
_GROUPS = (Selects("displayName", "co", "search"), Selects("deleted", "eq", "is_deleted", flag))
RuleQuery = Annotated[list[dict[str, Any]], Field(max_length=100)]
EXAMPLE_RULE = [{"title": "Sales", "all": [{"attribute": "department", "operator": "EQUALS", "value": "Sales"}]}]


class PeopleJson(TypedDict):
    people: list[PersonJson]


class MembersJson(TypedDict):
    group: str
    added: int
    removed: int


class RuleJson(TypedDict):
    group: str
    membershipRule: Sequence[Mapping[str, Any]] | None


class MembershipJson(TypedDict):
    group: str
    user: str
    isMember: bool
    reason: str


class AttributeChange(Body):
    """Changes of a person. Each key is an attribute, and its value is the new value; "" removes the attribute."""

    attributes: dict[Name, Text] = Field(examples=[{"department": "Sales"}], min_length=1, max_length=100)


class People(Body):
    users: Names = Field(min_length=1, examples=[["kim.berg@contoso.test"]])


class NewGroup(Body):
    """A new group. With *membershipRule*, filters on people's attributes decide who is a member."""

    display_name: Name = Field(examples=["all-sales"])
    description: Text = ""
    membership_rule: RuleQuery | None = None


class MembersBody(Body):
    """Members to add or remove. They are user principal names or, with *nested*, names of groups."""

    add: Names = Field(default_factory=list, examples=[["kim.berg@contoso.test"]])
    remove: Names = Field(default_factory=list)
    nested: bool = False


class NewRule(Body):
    membership_rule: RuleQuery | None = Field(examples=[EXAMPLE_RULE])


class RuleTrial(Body):
    """A rule to try. If *membershipRule* is omitted, the group's own rule is tried."""

    membership_rule: RuleQuery | None = Field(None, examples=[EXAMPLE_RULE])


@router.get("/people")
async def list_people(context: Asked, query: Asking) -> Page[PersonJson]:
    """List people by user principal name. The filter supports `displayName co` (any name, mail or employee id), `source eq`, `department
    eq`, `application eq`, `accountEnabled eq` and `deleted eq`.
    """
    query.refuse_sort("userPrincipalName")
    after, after_id = query.place()
    wanted = PersonFilter(limit=query.limit + 1, after=after, after_id=after_id, **selected(query.filter, _PEOPLE))
    rows = [person_json(one) for one in await people.list_people(context, wanted)]
    count = await people.count_people(context, replace(wanted, after="", after_id="")) if query.count else None
    return page(query, rows, lambda last: [last["userPrincipalName"], last["id"]], count=count)


@router.get("/people/attributes")
async def list_directory_attributes(context: Asked, query: Asking, groups: bool = False) -> Page[AttributeJson]:
    """List the attributes of people or groups, with the names that mappings, filters and files use."""
    return page_of_rows(query, [attribute_json(one) for one in people.known_attributes(of_groups=groups)], key="name")


@router.get("/people/{person}")
async def show_person(context: Asked, request: Request, person: str, deleted: bool = False) -> PersonDetailsJson:
    """Show one person: attributes, groups, applications, history. The ETag identifies the attributes."""
    found = await people.show_person(context, person, is_deleted=deleted)
    return tagged(request, person_details_json(found), state=_version(found))


@router.patch("/people/{person}")
async def set_person(
    context: Asked, unchanged: Unchanged, consent: Consenting, person: str, body: AttributeChange
) -> Effects[PersonJson]:
    """Change attributes by hand. The change lasts until the person's source reports a change."""

    async def read(inner: Context) -> list[Any]:
        return _version(await people.show_person(inner, person))

    async def work(inner: Context) -> PersonJson:
        return person_json(await people.set_person(inner, person, body.attributes))

    return await changed(context, consent, unchanged.matched(read, work), named=1)


@router.post("/people/disable")
async def disable(context: Asked, consent: Consenting, body: People) -> Effects[PeopleJson]:
    """Disable people. Their accounts are disabled in all applications at once."""

    async def work(inner: Context) -> PeopleJson:
        return {"people": [person_json(one) for one in await people.set_enabled(inner, body.users, is_enabled=False)]}

    return await changed(context, consent, work, named=len(body.users))


@router.post("/people/enable")
async def enable(context: Asked, consent: Consenting, body: People) -> Effects[PeopleJson]:
    async def work(inner: Context) -> PeopleJson:
        return {"people": [person_json(one) for one in await people.set_enabled(inner, body.users, is_enabled=True)]}

    return await changed(context, consent, work, named=len(body.users))


@router.post("/people/delete")
async def delete(context: Asked, consent: Consenting, body: People) -> Effects[PeopleJson]:
    """Move people to the recycle bin."""

    async def work(inner: Context) -> PeopleJson:
        return {"people": [person_json(one) for one in await people.delete(inner, body.users)]}

    return await changed(context, consent, work, named=len(body.users))


@router.post("/people/restore")
async def restore(context: Asked, body: People) -> PeopleJson:
    """Restore people from the recycle bin."""
    return {"people": [person_json(one) for one in await people.restore(context, body.users)]}


@router.post("/people/purge")
async def purge(context: Asked, consent: Consenting, body: People) -> Effects[PeopleJson]:
    """Permanently delete people who are in the recycle bin. This cannot be undone."""

    async def work(inner: Context) -> PeopleJson:
        return {"people": [person_json(one) for one in await people.purge(inner, body.users)]}

    return await changed(context, consent, work, named=len(body.users))


@router.get("/groups")
async def list_groups(context: Asked, query: Asking) -> Page[CountedGroupJson]:
    """List groups by name. The filter supports `displayName co` and `deleted eq`."""
    query.refuse_sort("displayName")
    chosen = selected(query.filter, _GROUPS)
    found = await groups.list_groups(context, limit=query.limit + 1, after=query.place(), **chosen)
    rows = [counted_group_json(group, count) for group, count in found]
    return page(query, rows, lambda last: [last["displayName"], last["id"]])


@router.post("/groups", status_code=201)
async def create_group(context: Asked, body: NewGroup) -> GroupJson:
    if body.membership_rule is None:
        return group_json(await groups.create_group(context, body.display_name, description=body.description))
    await group_rules.create_dynamic_group(
        context, body.display_name, body.membership_rule, description=body.description
    )
    return group_json(await group_rules.show_rule(context, body.display_name))


@router.get("/groups/{group}")
async def show_group(context: Asked, request: Request, group: str) -> GroupDetailsJson:
    """Show one group with its first 1,000 direct members and its assignments."""
    return tagged(request, await _group(context, group))


@router.delete("/groups/{group}")
async def delete_group(context: Asked, unchanged: Unchanged, consent: Consenting, group: str) -> Effects[GroupJson]:
    """Move a group to the recycle bin. Its members lose the access that it gave them."""

    async def work(inner: Context) -> GroupJson:
        return group_json(await groups.delete_group(inner, group))

    return await changed(context, consent, unchanged.matched(lambda inner: _group(inner, group), work))


@router.post("/groups/{group}/restore")
async def restore_group(context: Asked, consent: Consenting, group: str) -> Effects[GroupJson]:
    async def work(inner: Context) -> GroupJson:
        return group_json(await groups.restore_group(inner, group))

    return await changed(context, consent, work)


@router.post("/groups/{group}/members")
async def change_members(context: Asked, consent: Consenting, group: str, body: MembersBody) -> Effects[MembersJson]:
    """Add and remove direct members."""

    async def work(inner: Context) -> MembersJson:
        added, removed = await groups.change_members(
            inner, group, add=body.add, remove=body.remove, groups_too=body.nested
        )
        return {"group": group, "added": added, "removed": removed}

    return await changed(context, consent, work, named=0 if body.nested else len(body.add) + len(body.remove))


@router.get("/groups/{group}/rule")
async def show_rule(context: Asked, request: Request, group: str) -> RuleJson:
    return tagged(request, await _rule(context, group))


@router.put("/groups/{group}/rule")
async def set_rule(
    context: Asked, unchanged: Unchanged, consent: Consenting, group: str, body: NewRule
) -> Effects[RuleEffectJson]:
    """Set the rule that decides the members. Null removes the rule; the members are kept."""

    async def work(inner: Context) -> RuleEffectJson:
        found, effect = await group_rules.set_rule(inner, group, body.membership_rule)
        return rule_effect_json(found.display_name, effect)

    return await changed(context, consent, unchanged.matched(lambda inner: _rule(inner, group), work))


@router.post("/groups/{group}/rule/test")
async def test_rule(context: Asked, group: str, body: RuleTrial) -> RuleEffectJson:
    """Show who would join and leave the group under this rule. Nothing is stored."""
    found, effect = await group_rules.effect_of_rule(context, group, body.membership_rule)
    return rule_effect_json(found.display_name, effect)


@router.post("/groups/{group}/rule/decide")
async def decide_rule(
    context: Asked, group: str, body: RuleTrial, user: Annotated[str, Query(max_length=400)]
) -> MembershipJson:
    """Show whether the rule makes one person a member, and why. Nothing is stored."""
    found = await group_rules.decide_for(context, group, user, body.membership_rule)
    return {"group": group, "user": user, "isMember": found.is_member, "reason": found.why}


def _version(found: PersonView) -> list[Any]:
    return [found.person.id, found.person.version]


async def _group(context: Context, group: str) -> GroupDetailsJson:
    return group_details_json(await groups.show_group(context, group))


async def _rule(context: Context, group: str) -> RuleJson:
    found = await group_rules.show_rule(context, group)
    return {"group": found.display_name, "membershipRule": found.rule}
