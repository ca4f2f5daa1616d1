"""The members of a group page by page, and a trial of the rule of a group that does not exist yet."""

from __future__ import annotations

from pydantic import Field

from lockstep.actions import group_pages
from lockstep.actions.rows.directory import (
    GroupMemberJson,
    RuleEffectJson,
    group_member_json,
    rule_effect_json,
)
from lockstep.api.door import Asked, router_of
from lockstep.api.filtering import Selects, selected
from lockstep.api.paging import Asking, Page, page_until
from lockstep.api.routes.directory import EXAMPLE_RULE, RuleQuery
from lockstep.api.shapes import Body

router = router_of("Directory")
_MEMBERS = (Selects("name", "co", "search"),)


class NewRuleTrial(Body):
    membership_rule: RuleQuery = Field(examples=[EXAMPLE_RULE])


@router.get("/groups/{group}/members")
async def list_members(context: Asked, query: Asking, group: str) -> Page[GroupMemberJson]:
    """List the members of a group: groups first, then people, each by name. The filter supports `name co`."""
    query.refuse_sort("name")
    found = await group_pages.page_of_group(
        context, group, after=query.after(str) or "", limit=query.limit, **selected(query.filter, _MEMBERS)
    )
    rows = [group_member_json(one) for one in found.members]
    return page_until(query, rows, found.next or None, count=found.total if not query.filter else None)


@router.post("/groups/rule/test")
async def test_new_rule(context: Asked, body: NewRuleTrial) -> RuleEffectJson:
    """Show who would be a member of a new group with this rule. Nothing is stored."""
    return rule_effect_json("", await group_pages.effect_of_new_rule(context, body.membership_rule))
