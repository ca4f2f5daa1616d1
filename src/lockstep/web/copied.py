"""*Copy as* for lists with filters: the command and the API address that list the same rows.

A command or address that lacks one of the page's filters is not offered, so that a copied command never lists more than the page shows.
"""

from __future__ import annotations

import json
import shlex

from lockstep.kit.pages import address


def command_with(words: str, **flags: str | bool) -> str:
    """Return the command *words* with the flags that are set. Values are quoted for a shell."""
    given = [
        f" --{name}" + ("" if value is True else f" {shlex.quote(str(value))}")
        for name, value in flags.items()
        if value
    ]
    return words + "".join(given)


def api_list(path: str, *terms: tuple[str, str, str | bool]) -> str:
    """Return the address of the list at *path* with all *terms* (attribute, operator, value). Terms with the value "" are left out."""
    return address(path, filter=filter_of(*terms))


def filter_of(*terms: tuple[str, str, str | bool]) -> str:
    """Return a filter that joins *terms* with "and", without the terms whose value is "". Returns "" if no term is left."""
    given = [f"{name} {op} {json.dumps(value, ensure_ascii=False)}" for name, op, value in terms if value != ""]
    return " and ".join(given)
