"""Create a group with or without a rule, and edit a rule. The page shows how many people would join and leave, with names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from lockstep.actions import group_rules, groups, mapping_pages
from lockstep.actions.consequence_words import consequence_lines
from lockstep.actions.consequences import foresee
from lockstep.actions.context import Context
from lockstep.actions.group_pages import GroupPage, effect_of_new_rule, page_of_group
from lockstep.actions.group_rules import RuleEffect
from lockstep.engine.records import ObjectKind
from lockstep.engine.rules.operators import OPERATORS
from lockstep.errors import LockstepError
from lockstep.web.page import CopyAs, Crumb, Fragment, PageAnswer, Pages, Redirect, View, on_the_form
from lockstep.web.pages.groups import HERE, href_of, parents_of, review
from lockstep.web.scope_form import OPERATOR_NAMES, FilterRows, documents, rows_of, rows_posted, stepped
from lockstep.wording import counted

pages = Pages()
MOST_NAMES = 50


@dataclass(frozen=True, slots=True)
class NewGroupForm:
    """The input of the form for a new group. *rows* are the filters of its rule."""

    name: str = ""
    description: str = ""
    is_by_rule: bool = False
    rows: Sequence[FilterRows] = ()


@dataclass(frozen=True, slots=True)
class RuleJudgement:
    """The effect of the rule in the form, or why the rule is invalid."""

    effect: RuleEffect | None = None
    refused: LockstepError | None = None

    @property
    def joiners(self) -> Sequence[str]:
        return sorted(self.effect.joiners.values())[:MOST_NAMES] if self.effect is not None else ()

    @property
    def leavers(self) -> Sequence[str]:
        return sorted(self.effect.leavers.values())[:MOST_NAMES] if self.effect is not None else ()


@pages.get(f"{HERE}/new")
async def show_new(context: Context, request: Request) -> View:
    is_by_rule = request.query_params.get("membership") == "rule"
    return _new(NewGroupForm(is_by_rule=is_by_rule, rows=[FilterRows()] if is_by_rule else []))


@pages.post(f"{HERE}/new")
async def create(context: Context, request: Request) -> PageAnswer:
    """Create the group. Buttons that add or remove a row, and the button Count, only show the form again."""
    form = await request.form()
    name, description = str(form.get("name", "")).strip(), str(form.get("description", "")).strip()
    typed = NewGroupForm(name, description, form.get("membership") == "rule", rows_posted(form))
    if (changed := stepped(typed.rows, str(form.get("row", "")))) is not None:
        return _new(replace(typed, rows=changed))
    if form.get("step") == "try":
        return _new(typed, judged=await _judge(context, None, form))
    try:
        if typed.is_by_rule:
            rule = _rule(typed.rows, name)
            made, _ = await group_rules.create_dynamic_group(context, name, rule, description=description)
        else:
            made = await groups.create_group(context, name, description=description)
    except LockstepError as refused:
        return _new(typed, refused=on_the_form(refused))
    return Redirect(f"{HERE}/{made.id}", notice=f"{made.display_name} was created")


@pages.post(f"{HERE}/new/try")
async def try_new(context: Context, request: Request) -> Fragment:
    form = await request.form()
    return Fragment("groups/rule_result.html", {"judged": await _judge(context, None, form)})


@pages.get(f"{HERE}/{{group}}/rule")
async def show_rule(context: Context, request: Request) -> View:
    page = await page_of_group(context, request.path_params["group"])
    return _rule_form(page, rows_of(page.group.rule or ()) or [FilterRows()])


@pages.post(f"{HERE}/{{group}}/rule/try")
async def try_rule(context: Context, request: Request) -> Fragment:
    judged = await _judge(context, request.path_params["group"], await request.form())
    return Fragment("groups/rule_result.html", {"judged": judged})


@pages.post(f"{HERE}/{{group}}/rule")
async def save_rule(context: Context, request: Request) -> PageAnswer:
    """Save the rule. The first click shows who joins and leaves and the effects on accounts, the second saves."""
    page = await page_of_group(context, request.path_params["group"])
    form = await request.form()
    rows, step = rows_posted(form), str(form.get("step", ""))
    if (changed := stepped(rows, str(form.get("row", "")))) is not None:
        return _rule_form(page, changed)
    if step == "try":
        return _rule_form(page, rows, judged=await _judge(context, page.group.id, form))
    is_clearing = step.startswith("clear")
    try:
        rule = None if is_clearing else _rule(rows, page.group.display_name)

        async def work(inner: Context) -> tuple[object, RuleEffect]:
            return await group_rules.set_rule(inner, page.group.id, rule)

        if step not in ("save", "clear-now"):
            judged = await _judge(context, page.group.id, form) if rule is not None else RuleJudgement()
            return _reviewed(page, request, form, judged, consequence_lines(await foresee(context, work)))
        _, effect = await work(context)
    except LockstepError as refused:
        return _rule_form(page, rows, refused=on_the_form(refused))
    joined, left = counted(len(effect.joiners), "person"), counted(len(effect.leavers), "person")
    notice = (
        "The rule was removed; the members stay"
        if rule is None
        else f"The rule was saved: {joined} joined and {left} left the group"
    )
    return Redirect(href_of(page), notice=notice)


def _rule(rows: Sequence[FilterRows], name: str) -> list[dict[str, Any]]:
    """Return the rule that *rows* describe. The filters of a rule need no titles."""
    titled = [
        FilterRows(one.title or (name if len(rows) == 1 else f"{name} {number}"), one.clauses, one.extra)
        for number, one in enumerate(rows, 1)
    ]
    return documents(titled)


async def _judge(context: Context, group: str | None, form: FormData) -> RuleJudgement:
    try:
        rule = _rule(rows_posted(form), "Rule")
        if group is None:
            return RuleJudgement(await effect_of_new_rule(context, rule))
        return RuleJudgement((await group_rules.effect_of_rule(context, group, rule))[1])
    except LockstepError as refused:
        return RuleJudgement(refused=on_the_form(refused))


def _reviewed(page: GroupPage, request: Request, form: FormData, judged: RuleJudgement, lines: Sequence[str]) -> View:
    is_clearing = judged.effect is None
    fields = [(name, str(value)) for name, value in form.multi_items() if name not in ("csrf", "step", "row")]
    model: dict[str, object] = {
        "title": "Remove the rule?" if is_clearing else "Save the rule?",
        "text": f"The members of {page.group.display_name} stay. From now on you add and remove members by hand."
        if is_clearing
        else "",
        "judged": judged,
        "lines": lines,
        "action": request.url.path,
        "fields": fields,
        "button_label": "Remove the rule" if is_clearing else "Save",
        "step": "clear-now" if is_clearing else "save",
        "is_danger": False,
        "back": f"{href_of(page)}/rule",
    }
    return review(page, "Membership rule", model)


def _new(typed: NewGroupForm, *, judged: RuleJudgement | None = None, refused: LockstepError | None = None) -> View:
    model = {
        "typed": typed,
        "refused": refused,
        "action": f"{HERE}/new",
        "back": HERE,
        **_editor(typed.rows, judged),
    }
    return View(
        "groups/new.html",
        "New group",
        model,
        section="Groups",
        parents=[Crumb("Groups", HERE)],
        copy_as=CopyAs(command="lockstep groups create sales --filter 'Sales: department EQUALS \"Sales\"'"),
        status=400 if refused else 200,
    )


def _rule_form(
    page: GroupPage,
    rows: Sequence[FilterRows],
    *,
    judged: RuleJudgement | None = None,
    refused: LockstepError | None = None,
) -> View:
    model = {
        "group": page.group,
        "refused": refused,
        "action": f"{href_of(page)}/rule",
        "back": href_of(page),
        **_editor(rows, judged),
    }
    return View(
        "groups/rule.html",
        "Membership rule",
        model,
        section="Groups",
        parents=parents_of(page),
        lead="All clauses of a filter must match (AND); a person is a member if one filter matches (OR).",
        copy_as=CopyAs(command=f"lockstep groups rule show {page.group.id}"),
        status=400 if refused else 200,
    )


def _editor(rows: Sequence[FilterRows], judged: RuleJudgement | None) -> Mapping[str, object]:
    """Return the template's values for the rows of a rule."""
    return {
        "filters": rows,
        "operators": [(one, one) for one in OPERATOR_NAMES],
        "unary": [one.name for one in OPERATORS.values() if one.is_unary],
        "attributes": mapping_pages.source_choices(ObjectKind.USER),
        "judged": judged or RuleJudgement(),
    }
