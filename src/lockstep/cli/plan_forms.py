"""Show the changes of `plan`, `diff` and `apply` as text, as Markdown for a pull request, or as a table.

The Markdown must fit into one comment of a code host, so it names only the first people of each effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from lockstep.actions.configuration import ConfigurationPlan
from lockstep.actions.consequence_words import consequence_lines, sentences_with_names
from lockstep.actions.consequences import Consequences
from lockstep.actions.rows.configuration import configuration_plan_json
from lockstep.cli.output import Column, Output, hint, safe, with_sign_colour
from lockstep.configuration.files.change import Sign
from lockstep.wording import counted, in_markdown

MOST_NAMES = 100  # names of people that the Markdown shows for one effect
MOST_CHANGES = 200  # changes that the Markdown shows for one document
_COLUMNS = [Column("document", "Document"), Column("sign", "Sign"), Column("place", "Place"), Column("old", "Old"),
            Column("new", "New"), Column("kept", "Kept")]  # fmt: skip
_DONE = ((Sign.ADD, "added"), (Sign.CHANGE, "changed"), (Sign.REMOVE, "removed"))
_WORDS = ((Sign.ADD, "add"), (Sign.CHANGE, "change"), (Sign.REMOVE, "remove"))
_IN_STEP = "No changes: the current configuration is the same."


def show_plan(found: ConfigurationPlan, output: Output, effects: Sequence[Consequences]) -> None:
    """Print *found* in the requested format, with notes on stderr. CSV has one row for each change, and no room for the effects on people:
    they are printed on stderr.
    """
    rows = configuration_plan_json(found, effects)
    if output.quiet or output.form in ("csv", "name"):
        output.many(rows["changes"], _COLUMNS, name="place")
        for line in consequence_lines(effects):
            hint(f"! {line}")
    elif output.form == "markdown" and not output.query:
        for line in _markdown(found, effects):
            click.echo(line)
    else:
        output.one(rows, text=[with_sign_colour(safe(line)) for line in _text(found, effects)])
    for note in rows["notes"]:
        hint(f"note: {note}")


def done_text(done: ConfigurationPlan) -> str:
    """Summarize what was done: `0 added, 2 changed, 0 removed`."""
    return ", ".join(f"{_number(done, sign)} {word}" for sign, word in _DONE)


def _text(found: ConfigurationPlan, effects: Sequence[Consequences]) -> list[str]:
    if not found.changes:
        return [_IN_STEP]
    lines: list[str] = []
    for one in found.documents:
        if one.changes:
            lines += [one.document.title, *(f"  {change.line}" for change in one.changes)]
        if one.looked_at_again:
            lines.append(f"  {_again(one.looked_at_again)}")
    told = [f"! {line}" for line in consequence_lines(effects)]
    return [*lines, "", f"Plan: {_totals(found)}.", *told]


def _markdown(found: ConfigurationPlan, effects: Sequence[Consequences]) -> Iterator[str]:
    if not found.changes:
        yield f"**{_IN_STEP}**"
        return
    yield f"### Plan: {_totals(found)}"
    for one in found.documents:
        if one.changes:
            yield f"\n**{in_markdown(one.document.title)}**\n\n```diff"
            yield from (safe(change.line) for change in one.changes[:MOST_CHANGES])
            yield "```"
        if len(one.changes) > MOST_CHANGES:
            yield f"\nNot shown: {counted(len(one.changes) - MOST_CHANGES, 'more change')}."
        if one.looked_at_again:
            yield f"\n{_again(one.looked_at_again)}"
    told = sentences_with_names(effects)
    if told:
        yield "\n#### Effects on people and groups\n"
    for sentence, names in told:
        yield from _effect(sentence, names)
    notes = [f"{one.document.title}: {note}" for one in found.documents for note in one.notes]
    if notes:
        yield "\n#### Notes\n"
    yield from (f"- {in_markdown(note)}" for note in notes)


def _effect(sentence: str, names: Sequence[str]) -> Iterator[str]:
    if not names:
        yield f"- {in_markdown(sentence)}"
        return
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    yield f"<details><summary>{in_markdown(sentence)}</summary>\n"
    yield f"{', '.join(in_markdown(name) for name in names[:MOST_NAMES])}{more}\n\n</details>\n"


def _again(number: int) -> str:
    return f"Applying re-evaluates about {counted(number, 'object')}; only differences are written to applications."


def _totals(found: ConfigurationPlan) -> str:
    kept = len(found.changes) - len(found.effective)
    text = ", ".join(f"{_number(found, sign)} to {word}" for sign, word in _WORDS)
    return text + (f"; {kept} not in the files (kept)" if kept else "")


def _number(found: ConfigurationPlan, sign: Sign) -> int:
    return sum(1 for change in found.effective if change.sign is sign)
