"""`lockstep people`: show people and edit them by hand."""

from __future__ import annotations

import click

from lockstep.actions import people as actions
from lockstep.actions.people import PersonFilter, PersonRow, PersonView
from lockstep.actions.rows.directory import attribute_json, person_details_json, person_json
from lockstep.actions.rows.plans import EffectJson
from lockstep.actions.standing import AppStanding
from lockstep.cli import SuggestingGroup
from lockstep.cli.consent import run_asked, run_consented
from lockstep.cli.output import Column, Output, hint, output_option, safe
from lockstep.cli.page_address import APPLICATION, PERSON, SOURCE
from lockstep.cli.people_sign_in import sign_in
from lockstep.cli.session import run
from lockstep.errors import invalid
from lockstep.wording import counted


@click.group(cls=SuggestingGroup)
def people() -> None:
    """List people and change them by hand.

    \b
    lockstep people list --search berg
    lockstep people disable kim.berg@contoso.test
    """


people.add_command(sign_in)


@people.command("list")
@click.option(
    "--search",
    default="",
    help="Part of a name, mail address, user principal name or employee id; accents are ignored.",
)
@click.option("--source", default="", type=SOURCE, help="Only people from this source.")
@click.option("--department", default="")
@click.option("--app", default="", type=APPLICATION, help="Only people assigned to this application.")
@click.option("--deleted", is_flag=True, help="List the recycle bin.")
@click.option("--disabled", is_flag=True, help="Only disabled people.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@click.option("--after", default="", metavar="UPN", help="Continue after this user principal name.")
@click.option(
    "--after-id",
    default="",
    metavar="ID",
    help="With --after: the id of the last person listed, if several people share that name.",
)
@output_option
def list_(
    search: str,
    source: str,
    department: str,
    app: str,
    deleted: bool,
    disabled: bool,
    limit: int,
    after: str,
    after_id: str,
    output: Output,
) -> None:
    """List people by user principal name.

    \b
    lockstep people list --search berg
    """
    wanted = PersonFilter(
        search=search, source=source, department=department, app=app, is_deleted=deleted,
        is_enabled=False if disabled else None, limit=limit, after=after, after_id=after_id,
    )  # fmt: skip
    found = run(lambda context: actions.list_people(context, wanted))
    columns = [Column("userPrincipalName", "User principal name"), Column("displayName", "Name"), Column("department", "Department"),
               Column("accountEnabled", "Enabled"), Column("source", "Source", is_wide=True), Column("id", "Id", is_wide=True)]  # fmt: skip
    output.many([person_json(person) for person in found], columns, name="userPrincipalName", empty="No people match.")
    if len(found) == limit:
        last = found[-1]
        hint(f"There may be more: --after {last.user_principal_name}" + (f" --after-id {last.id}" if deleted else ""))


@people.command("attributes")
@click.option("--groups", is_flag=True, help="List the attributes of groups.")
@output_option
def attributes(groups: bool, output: Output) -> None:
    """List the attributes of people, with the names used in mappings, filters and files.

    \b
    lockstep people attributes
    lockstep people attributes --groups -o json
    """
    rows = [attribute_json(one) for one in actions.known_attributes(of_groups=groups)]
    columns = [Column("name", "Name"), Column("type", "Type"), Column("maxLength", "Max. length")]
    output.many(rows, columns, name="name")
    hint("Extension attributes are named extension_APPID_NAME, with the 32 hexadecimal digits of an application's id.")


@people.command("show")
@click.argument("person", type=PERSON)
@click.option("--deleted", is_flag=True, help="Look in the recycle bin.")
@output_option
def show(person: str, deleted: bool, output: Output) -> None:
    """Show one person in full: attributes, groups, assignments, history.

    \b
    lockstep people show kim.berg@contoso.test
    """
    view = run(lambda context: actions.show_person(context, person, is_deleted=deleted))
    output.one(person_details_json(view), text=_lines(view))


@people.command("set")
@click.argument("person", type=PERSON)
@click.argument("values", nargs=-1, required=True, metavar="ATTRIBUTE=VALUE...")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def set_(person: str, values: tuple[str, ...], yes: bool, output: Output) -> None:
    """Change attributes by hand; an empty value removes the attribute.

    The next change that the source reports for the person overwrites the edited values.

    \b
    lockstep people set kim.berg@contoso.test department=Sales surname=Berg-Lund
    lockstep people set kim.berg@contoso.test mobile=
    """
    texts = {}
    for one in values:
        name, equals, text = one.partition("=")
        if not equals:
            raise invalid(f'"{one}" is not a valid assignment', next_step="Write it as ATTRIBUTE=VALUE")
        texts[name] = text
    after, effects = run_consented(lambda context: actions.set_person(context, person, texts), yes=yes, named=1)
    output.one(person_json(after) | {"effects": effects}, text=f"{after.user_principal_name} was changed.")


@people.command("disable")
@click.argument("people", nargs=-1, required=True, type=PERSON)
@output_option
def disable(people: tuple[str, ...], output: Output) -> None:
    """Disable people: their accounts are disabled everywhere, at once.

    \b
    lockstep people disable kim.berg@contoso.test
    """
    done, effects = run_consented(
        lambda context: actions.set_enabled(context, people, is_enabled=False), yes=True, named=len(people)
    )
    _said(output, done, "disabled", effects)


@people.command("enable")
@click.argument("people", nargs=-1, required=True, type=PERSON)
@output_option
def enable(people: tuple[str, ...], output: Output) -> None:
    """Enable people again.

    \b
    lockstep people enable kim.berg@contoso.test
    """
    done = run(lambda context: actions.set_enabled(context, people, is_enabled=True))
    _said(output, done, "enabled")


@people.command("delete")
@click.argument("people", nargs=-1, required=True, type=PERSON)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def delete(people: tuple[str, ...], yes: bool, output: Output) -> None:
    """Move people to the recycle bin.

    \b
    lockstep people delete kim.berg@contoso.test
    """
    question = f"Delete {', '.join(people[:5])}{' and others' if len(people) > 5 else ''}?"
    done, effects = run_asked(question, lambda context: actions.delete(context, people), yes=yes)
    _said(output, done, "deleted", effects)
    hint("Restore someone: lockstep people restore UPN")


@people.command("restore")
@click.argument("people", nargs=-1, required=True, type=PERSON)
@output_option
def restore(people: tuple[str, ...], output: Output) -> None:
    """Restore people from the recycle bin.

    \b
    lockstep people restore kim.berg@contoso.test
    """
    _said(output, run(lambda context: actions.restore(context, people)), "restored")


@people.command("purge")
@click.argument("people", nargs=-1, required=True, type=PERSON)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@output_option
def purge(people: tuple[str, ...], yes: bool, output: Output) -> None:
    """Delete people permanently. This cannot be undone.

    \b
    lockstep people purge kim.berg@contoso.test
    """
    question = f"Permanently delete {counted(len(people), 'person')}?"
    done, effects = run_asked(question, lambda context: actions.purge(context, people), yes=yes)
    _said(output, done, "permanently deleted", effects)


def _said(output: Output, people: list[PersonRow], what: str, effects: list[EffectJson] | None = None) -> None:
    text = [f"{person.user_principal_name} is {what}." for person in people]
    row = {"people": [person_json(person) for person in people]}
    output.one(row if effects is None else row | {"effects": effects}, text=text)


def _standing(one: AppStanding) -> str:
    """Describe a person's access to one application: `assigned through the group Sales (Member); account active (2819c223)`."""
    ways = (
        f"assigned {', '.join(one.ways)}"
        if one.ways
        else "everyone is in scope"
        if one.in_everybodys_scope
        else "not assigned"
    )
    return f"{ways}; {one.account}{f' ({one.account_id})' if one.account_id else ''}"


def _lines(view: PersonView) -> list[str]:
    person = view.person
    state = "deleted" if person.deleted_at else "enabled" if person.account_enabled else "disabled"
    lines = [f"{person.display}  {person.user_principal_name}  {state}"]
    lines += [f"  {name:<28} {safe(value)}" for name, value in sorted(person.attributes.items()) if value is not None]
    lines += [f"  {'manager':<28} {view.manager.user_principal_name}"] if view.manager else []
    lines += [f"  {'groups':<28} {', '.join(safe(name) for _, name in view.groups)}"] if view.groups else []
    lines += [f"  {one.app:<28} {safe(_standing(one))}" for one in view.applications]
    lines += [
        f"  {one.at:%Y-%m-%d %H:%M}  {one.what}  {safe(list(one.changed)[:8])}  by {safe(one.actor)}"
        for one in view.history[:10]
    ]
    return lines
