"""`lockstep map attributes` and `map eval`: which attributes an application has, and which values a person would get."""

from __future__ import annotations

from typing import Any

import click

from lockstep.actions import mappings
from lockstep.actions import mappings_attributes as actions
from lockstep.actions.context import Context
from lockstep.actions.rows.configuration import mapped_values_json
from lockstep.cli.application_argument import app_argument
from lockstep.cli.output import Column, Output, hint, output_option, safe
from lockstep.cli.page_address import PERSON
from lockstep.cli.session import run
from lockstep.engine.records import ObjectKind
from lockstep.engine.rules.target_attributes import AttributeType
from lockstep.errors import EXIT_CODES, Kind

_KINDS = {"user": ObjectKind.USER, "group": ObjectKind.GROUP}
_COLUMNS = (Column("name", "Target attribute"), Column("type", "Type"), Column("required", "Required"), Column("filterable", "Filterable"),
            Column("multiValued", "Multi-valued"), Column("mapped", "Mapped"),
            Column("caseExact", "Case-sensitive", is_wide=True))  # fmt: skip
_VALUES = (Column("target", "Target attribute"), Column("value", "Value"), Column("note", "Note"))


@click.command("attributes")
@app_argument
@click.option("--discover", is_flag=True, help="Discover the attributes from the application.")
@click.option("--add", metavar="NAME", help="Add an attribute to the list by hand.")
@click.option("--type", "type_", type=click.Choice([one.value for one in AttributeType]), default="String")
@click.option("--multi-valued", is_flag=True, help="Mark the added attribute as multi-valued.")
@click.option("--remove", metavar="NAME", help="Remove an attribute from the list.")
@click.option("--kind", type=click.Choice(list(_KINDS)), default="user", show_default=True)
@output_option
def attributes(
    app: str,
    discover: bool,
    add: str | None,
    type_: str,
    multi_valued: bool,
    remove: str | None,
    kind: str,
    output: Output,
) -> None:
    """List the attributes of an application that mappings can write, with their types. The list also says which attributes are required,
    and which are filterable.

    An attribute used for matching must be filterable. The details come from the application's own list, the gallery and the SCIM schema, in
    this order.

    \b
    lockstep map attributes documo --discover
    lockstep map attributes documo --add 'urn:example:1.0:User:badge' --type Integer
    """
    if sum((discover, add is not None, remove is not None)) > 1:
        raise click.UsageError("Use only one of --discover, --add and --remove")
    wanted = _KINDS[kind]

    async def work(context: Context) -> list[dict[str, Any]]:
        if discover:
            return await actions.discover_attributes(context, app, wanted)
        if add:
            type_of = AttributeType(type_)
            await actions.add_attribute(context, app, add, wanted, type_=type_of, multi_valued=multi_valued)
        if remove:
            await actions.remove_attribute(context, app, remove, wanted)
        return await actions.list_attributes(context, app, wanted)

    output.many(run(work), _COLUMNS, name="name", empty=f"{app} has no attributes of {kind}s.")


@click.command("eval")
@app_argument
@click.option("--user", type=PERSON, required=True, metavar="UPN", help="Person whose values are shown.")
@click.option(
    "--updating", is_flag=True, help="Evaluate for an existing account: leave out mappings that apply only on creation."
)
@output_option
def evaluate(app: str, user: str, updating: bool, output: Output) -> int:
    """Show the values that the mappings produce for a person. The application is not contacted.

    \b
    lockstep map eval documo --user kim.berg@contoso.test
    lockstep map eval documo --user kim.berg@contoso.test --updating -o json
    """

    async def work(context: Context) -> tuple[Any, list[str]]:
        rows = [one for one in await mappings.read_mappings(context, app) if one["source"] == ObjectKind.USER.value]
        targets = [str(attribute["target"]) for one in rows for attribute in one.get("attributes", [])]
        return await actions.evaluate_mappings(context, app, user, creating=not updating), targets

    mapped, targets = run(work)
    rows = mapped_values_json(mapped, targets)
    output.many(rows, _VALUES, name="target", empty=f"{app} has no mappings.")
    if mapped.problem is None:
        return 0
    hint(f"No account would be written: {safe(mapped.problem.text)} {safe(mapped.problem.next_step)}".rstrip())
    return EXIT_CODES[Kind.INTERNAL]
