"""`lockstep groups rule`: dynamic groups. A rule decides who is a member of such a group."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lockstep.actions import group_rules as actions
from lockstep.actions.group_rules import RuleEffect
from lockstep.actions.rows.directory import rule_effect_json
from lockstep.actions.rows.plans import EffectJson
from lockstep.cli import SuggestingGroup
from lockstep.cli.consent import run_asked, run_consented
from lockstep.cli.output import Output, hint, output_option, safe
from lockstep.cli.page_address import GROUP, PERSON
from lockstep.cli.scope_text import filters_given
from lockstep.cli.session import run
from lockstep.configuration.document.filter_text import filter_text
from lockstep.wording import counted

_SHOWN = 10
FILTER_HELP = "TITLE: ATTRIBUTE OPERATOR VALUE and ... Repeatable: a person is a member if one filter matches."


@click.group("rule", cls=SuggestingGroup)
def rule() -> None:
    """Manage the rules of dynamic groups. A rule decides who is a member.

    \b
    lockstep groups rule set sales --filter 'Sales: department EQUALS "Sales"'
    lockstep groups rule test sales --user kim.berg@contoso.test
    """


@rule.command("show")
@click.argument("group", type=GROUP)
@output_option
def show(group: str, output: Output) -> None:
    """Show the rule of a group.

    \b
    lockstep groups rule show sales
    """
    found = run(lambda context: actions.show_rule(context, group))
    lines = [safe(filter_text(one)) for one in found.rule or ()]
    output.one(
        {"group": found.display_name, "membershipRule": found.rule},
        text=lines or f"{safe(found.display_name)} has no rule: its members are added by hand or by its source.",
    )


@rule.command("set")
@click.argument("group", type=GROUP)
@click.option("--filter", "texts", multiple=True, metavar="TEXT", help=FILTER_HELP)
@click.option("--file", metavar="YAML", help="A file with a list of filters; - reads stdin.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def set_(group: str, texts: tuple[str, ...], file: str | None, yes: bool, output: Output) -> None:
    """Set the rule of a group. Its filters on people's attributes decide who is a member. Asks for confirmation if members would leave.

    \b
    lockstep groups rule set sales --filter 'Sales: department EQUALS "Sales"'
    lockstep groups rule set sales --file rule.yaml
    """
    filters = filters_given(texts, file)
    if filters is None:
        raise click.UsageError("Use --filter or --file")
    _, effect = run(lambda context: actions.effect_of_rule(context, group, filters))
    if effect.leavers:
        question = f"{counted(len(effect.leavers), 'member')} would leave {group} ({_some(effect.leavers)}). Continue?"
        (found, done), effects = run_asked(question, lambda context: actions.set_rule(context, group, filters), yes=yes)
    else:
        (found, done), effects = run_consented(lambda context: actions.set_rule(context, group, filters), yes=yes)
    _told(found.display_name, done, output, "The rule was set:", "joined", "left", effects)


@rule.command("clear")
@click.argument("group", type=GROUP)
@output_option
def clear(group: str, output: Output) -> None:
    """Remove the rule. The members stay, and you add and remove members by hand from now on.

    \b
    lockstep groups rule clear sales
    """
    found, _ = run(lambda context: actions.set_rule(context, group, None))
    name = found.display_name
    output.one({"group": name, "membershipRule": None}, text=f"{safe(name)} no longer has a rule. Its members stay.")


@rule.command("test")
@click.argument("group", type=GROUP)
@click.option("--user", default="", type=PERSON, metavar="UPN", help="Test one person, with the reason.")
@click.option("--filter", "texts", multiple=True, metavar="TEXT", help="Test these filters instead; nothing is stored.")
@click.option("--file", metavar="YAML", help="Test the filters in this file instead.")
@output_option
def test(group: str, user: str, texts: tuple[str, ...], file: str | None, output: Output) -> None:
    """Show how many people the rule selects, or whether it selects one person and why. Nothing is written.

    \b
    lockstep groups rule test sales --user kim.berg@contoso.test
    lockstep groups rule test sales --filter 'Sales: department EQUALS "Sales"'
    """
    filters = filters_given(texts, file)
    if user:
        membership = run(lambda context: actions.decide_for(context, group, user, filters))
        verdict = "is a member" if membership.is_member else "is not a member"
        row = {"group": group, "user": user, "isMember": membership.is_member, "reason": membership.why}
        output.one(row, text=f"{safe(user)} {verdict}: {safe(membership.why)}")
        return
    found, effect = run(lambda context: actions.effect_of_rule(context, group, filters))
    _told(found.display_name, effect, output, "By the rule:", "would join", "would leave")


def _told(
    name: str,
    effect: RuleEffect,
    output: Output,
    begin: str,
    joined: str,
    left: str,
    effects: Sequence[EffectJson] = (),
) -> None:
    joiners, leavers = len(effect.joiners), len(effect.leavers)
    row = rule_effect_json(name, effect) | ({"effects": list(effects)} if effects else {})
    text = f"{begin} {safe(name)} has {counted(effect.members, 'member')}; {joiners:,} {joined}, {leavers:,} {left}."
    output.one(row, text=text)
    if effect.leavers:
        hint(f"{left.capitalize()}: {_some(effect.leavers)}")


def _some(people: dict[str, str]) -> str:
    names = list(people.values())
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
