"""`lockstep groups`: show groups and edit their members by hand."""

from __future__ import annotations

import click

from lockstep.actions import group_rules
from lockstep.actions import groups as actions
from lockstep.actions.rows.directory import counted_group_json, group_details_json, group_json
from lockstep.cli import SuggestingGroup
from lockstep.cli.consent import run_asked, run_consented
from lockstep.cli.group_rules import FILTER_HELP, rule
from lockstep.cli.output import Column, Output, hint, output_option, safe
from lockstep.cli.page_address import GROUP, PERSON_OR_GROUP
from lockstep.cli.scope_text import filters_given
from lockstep.cli.session import run
from lockstep.configuration.document.filter_text import filter_text
from lockstep.wording import counted

_MOST_MEMBERS = 1000
_yes = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


@click.group(cls=SuggestingGroup)
def groups() -> None:
    """List groups and change their members by hand.

    \b
    lockstep groups list --search sales
    lockstep groups add-member all-sales kim.berg@contoso.test
    """


groups.add_command(rule)


@groups.command("list")
@click.option("--search", default="", help="Part of the name.")
@click.option("--deleted", is_flag=True, help="List the recycle bin.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True)
@output_option
def list_(search: str, deleted: bool, limit: int, output: Output) -> None:
    """List groups by name.

    \b
    lockstep groups list --search sales
    """
    found = run(lambda context: actions.list_groups(context, search=search, is_deleted=deleted, limit=limit))
    rows = [counted_group_json(group, count) for group, count in found]
    columns = [Column("displayName", "Group"), Column("members", "Members"), Column("membershipType", "Membership"),
               Column("description", "Description"),
               Column("source", "Source", is_wide=True), Column("id", "Id", is_wide=True)]  # fmt: skip
    output.many(rows, columns, name="displayName", empty="No groups match.")


@groups.command("show")
@click.argument("group", type=GROUP)
@output_option
def show(group: str, output: Output) -> None:
    """Show one group with its direct members.

    \b
    lockstep groups show all-sales
    """
    view = run(lambda context: actions.show_group(context, group, most_members=_MOST_MEMBERS))
    lines = [f"{safe(view.group.display_name)}  {view.group.id}"]
    lines += [f"  rule  {safe(filter_text(one))}" for one in view.group.rule or ()]
    lines += [f"  assigned to {one.app_name} ({one.role_name})" for one in view.assignments]
    lines += [f"  {safe(one['name'])}{'  (group)' if one['kind'] == 'Group' else ''}" for one in view.members]
    output.one(group_details_json(view), text=lines)
    if len(view.members) == _MOST_MEMBERS:
        hint(f"Only the first {_MOST_MEMBERS:,} members are shown.")


@groups.command("create")
@click.argument("name")
@click.option("--description", default="")
@click.option("--filter", "texts", multiple=True, metavar="TEXT", help=f"Rule for the members. {FILTER_HELP}")
@click.option("--file", metavar="YAML", help="Rule for the members, from a file with a list of filters; - reads stdin.")
@output_option
def create(name: str, description: str, texts: tuple[str, ...], file: str | None, output: Output) -> None:
    """Create a group. With filters, its members are decided by a rule.

    \b
    lockstep groups create all-sales
    lockstep groups create sales --filter 'Sales: department EQUALS "Sales"'
    """
    rule_given = filters_given(texts, file)
    if rule_given is None:
        group = run(lambda context: actions.create_group(context, name, description=description))
        output.one(group_json(group), text=f"Created group {safe(group.display_name)}.")
        return
    group, effect = run(
        lambda context: group_rules.create_dynamic_group(context, name, rule_given, description=description)
    )
    row = group_json(group) | {"membershipType": "dynamic", "membershipRule": rule_given, "members": effect.members}
    output.one(
        row, text=f"Created group {safe(group.display_name)}; its rule matches {counted(effect.members, 'person')}."
    )


@groups.command("delete")
@click.argument("group", type=GROUP)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def delete(group: str, yes: bool, output: Output) -> None:
    """Move a group to the recycle bin. Its members lose the access that they had through it.

    \b
    lockstep groups delete all-sales
    """
    question = f"Delete {group}? Its members lose the access that it gave them."
    gone, effects = run_asked(question, lambda context: actions.delete_group(context, group), yes=yes)
    output.one(group_json(gone) | {"effects": effects}, text=f"Group {safe(gone.display_name)} was deleted.")


@groups.command("restore")
@click.argument("group", type=GROUP)
@_yes
@output_option
def restore(group: str, yes: bool, output: Output) -> None:
    """Restore a group from the recycle bin, with its members and assignments.

    \b
    lockstep groups restore all-sales
    """
    back, effects = run_consented(lambda context: actions.restore_group(context, group), yes=yes)
    output.one(group_json(back) | {"effects": effects}, text=f"Group {safe(back.display_name)} was restored.")


@groups.command("add-member")
@click.argument("group", type=GROUP)
@click.argument("members", nargs=-1, required=True, type=PERSON_OR_GROUP)
@click.option("--nested", is_flag=True, help="MEMBERS are groups instead of people.")
@_yes
@output_option
def add_member(group: str, members: tuple[str, ...], nested: bool, yes: bool, output: Output) -> None:
    """Add direct members. Asks for confirmation if people who are not named would gain privileges.

    \b
    lockstep groups add-member all-sales kim.berg@contoso.test
    """
    _change_members(output, group, add=members, nested=nested, yes=yes)


@groups.command("remove-member")
@click.argument("group", type=GROUP)
@click.argument("members", nargs=-1, required=True, type=PERSON_OR_GROUP)
@click.option("--nested", is_flag=True, help="MEMBERS are groups instead of people.")
@_yes
@output_option
def remove_member(group: str, members: tuple[str, ...], nested: bool, yes: bool, output: Output) -> None:
    """Remove direct members. Asks for confirmation if people who are not named would lose their accounts.

    \b
    lockstep groups remove-member all-sales kim.berg@contoso.test
    """
    _change_members(output, group, remove=members, nested=nested, yes=yes)


def _change_members(
    output: Output, group: str, *, add: tuple[str, ...] = (), remove: tuple[str, ...] = (), nested: bool, yes: bool
) -> None:
    (added, removed), effects = run_consented(
        lambda context: actions.change_members(context, group, add=add, remove=remove, groups_too=nested),
        yes=yes,
        named=0 if nested else len(add or remove),
    )
    row, text = ({"added": added}, f"{added} added to") if add else ({"removed": removed}, f"{removed} removed from")
    output.one({"group": group, **row, "effects": effects}, text=f"{text} {group}.")
