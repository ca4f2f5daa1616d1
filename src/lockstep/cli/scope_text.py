"""The scoping filters given to a command: with --filter, or in a YAML file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from lockstep.cli.config_files import text_of_file
from lockstep.configuration.document.filter_text import filter_from_text
from lockstep.configuration.files.yaml_reading import read_yaml
from lockstep.errors import invalid

Filters = list[dict[str, Any]]


def filters_given(texts: Sequence[str], file: str | None) -> Filters | None:
    """Return the filters that were typed, or those in *file*. Returns None if neither filters nor a file were given. Raises UsageError if
    both were given, and LockstepError if a filter is invalid.
    """
    if texts and file:
        raise click.UsageError("Use --filter or --file, not both")
    if file:
        return filters_from_yaml(text_of_file(file), file)
    return [filter_from_text(text) for text in texts] if texts else None


def filters_from_yaml(text: str, file: str) -> list[dict[str, Any]]:
    """Return the filters in a YAML file: a list, or an object with `scopingFilters`. Raises LockstepError with line and column."""
    documents = read_yaml(text, file)
    value = documents[0].value if documents else []
    found = value.get("scopingFilters") if isinstance(value, Mapping) else value
    if not isinstance(found, Sequence) or isinstance(found, str) or not all(isinstance(one, Mapping) for one in found):
        raise invalid(
            f"{file}: the file must contain a list of filters",
            next_step="Each filter is {title: ..., all: [{attribute, operator, value}]}",
        )
    return [dict(one) for one in found]
