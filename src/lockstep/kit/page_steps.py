"""Next steps of errors, as a page says them. An error names a command, because the command line is always there; on a page the same step
names the page. One rule for every template: what is called `next_step`, `nextStep` or `remedy` is reworded where it is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment

_STEPS = frozenset({"next_step", "nextStep", "remedy"})
_ARGUMENT = r"(?: (?!or\b|then\b|and\b|to\b)(?:\"[^\"]*\"|[^\s;,)\"]*[^\s;,.)\"]))*"
ELSEWHERE = "the command line of the server"


class PageSteps:
    """The pages of a product that do what its commands do: *pages* is the words after *program*, and the page."""

    def __init__(self, program: str, pages: Mapping[str, str]) -> None:
        self._pages = dict(pages)
        words = "|".join(re.escape(one) for one in sorted(pages, key=len, reverse=True))
        self._command = re.compile(
            rf"(?P<run>\b[Rr]un:? )?\b{program}(?: --[\w-]+ \S+)* (?P<command>(?:{words})(?![\w-])|[a-z][a-z-]*){_ARGUMENT}"
        )

    def on_page(self, text: str) -> str:
        """*text* with the page in place of each command."""
        return self._command.sub(self._page, text)

    def _page(self, found: re.Match[str]) -> str:
        """One does not run a page: "run: lockstep apps" becomes "go to Enterprise applications"."""
        page = self._pages.get(found["command"])
        verb = "go to " if page else "use "
        return (
            (verb if found["run"].islower() else verb.capitalize()) + (page or ELSEWHERE)
            if found["run"]
            else page or ELSEWHERE
        )


class PageEnvironment(Environment):
    """The environment of templates that name pages instead of commands."""

    steps: PageSteps | None = None

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self._said(attribute, super().getattr(obj, attribute))

    def getitem(self, obj: Any, argument: Any) -> Any:
        return self._said(argument, super().getitem(obj, argument))

    def _said(self, name: object, value: Any) -> Any:
        if name in _STEPS and self.steps is not None and isinstance(value, str):
            return self.steps.on_page(value)
        return value
