"""Arguments that name a person, a group or a log entry. They also accept the address of its page in the admin centre."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import click


class NameOrAddress(click.ParamType[str]):
    """A name, or the address of a page below *folder*, such as `/users/`. The part of the address after *folder* is the name."""

    name = "name"

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if not _is_address(text):
            return text
        _, found, rest = urlsplit(text.strip()).path.partition(self._folder)
        part = unquote(rest.partition("/")[0])
        if not found or not part:
            self.fail(f"{text} is not the address of a page below {self._folder}", param, ctx)
        return part


PERSON = NameOrAddress("/users/")
GROUP = NameOrAddress("/groups/")
CHANGE = NameOrAddress("/logs/provisioning/")


def application_in(address: str) -> str:
    """Return the application in the address of a page that explains a person; "" if *address* names none."""
    return next(iter(parse_qs(urlsplit(address).query).get("app", [])), "") if _is_address(address) else ""


def _is_address(text: str) -> bool:
    return text.strip().lower().startswith(("http://", "https://"))
