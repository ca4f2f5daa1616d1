"""Reword the next steps of errors for pages. An error names a command, because the command line is always available; on a page, the same
step names the page instead.

Templates need no change: attributes called `next_step`, `nextStep` or `remedy` are reworded when a template reads them.
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
    """The pages of a product that correspond to its commands. *program* is the first word of every command, such as `lockstep`. *pages*
    maps the remaining words of each command to its page.
    """

    def __init__(self, program: str, pages: Mapping[str, str]) -> None:
        self._pages = dict(pages)
        words = "|".join(re.escape(one) for one in sorted(pages, key=len, reverse=True))
        self._command = re.compile(
            rf"(?P<run>\b[Rr]un:? )?\b{program}(?: --[\w-]+ \S+)* (?P<command>(?:{words})(?![\w-])|[a-z][a-z-]*){_ARGUMENT}"
        )

    def on_page(self, text: str) -> str:
        """Return *text* with each command replaced by the name of its page."""
        return self._command.sub(self._page, text)

    def _page(self, found: re.Match[str]) -> str:
        """Return the text for one command. "run: lockstep apps" becomes "go to Enterprise applications", because "run" does not fit a
        page.
        """
        page = self._pages.get(found["command"])
        verb = "go to " if page else "use "
        return (
            (verb if found["run"].islower() else verb.capitalize()) + (page or ELSEWHERE)
            if found["run"]
            else page or ELSEWHERE
        )


class PageEnvironment(Environment):
    """A template environment that rewords next steps."""

    steps: PageSteps | None = None

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self._said(attribute, super().getattr(obj, attribute))

    def getitem(self, obj: Any, argument: Any) -> Any:
        return self._said(argument, super().getitem(obj, argument))

    def _said(self, name: object, value: Any) -> Any:
        if name in _STEPS and self.steps is not None and isinstance(value, str):
            return self.steps.on_page(value)
        return value
