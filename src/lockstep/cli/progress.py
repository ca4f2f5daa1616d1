"""Progress on stderr: a bar on a terminal, and elsewhere a line every ten seconds. If progress is switched off, nothing is printed."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType

import click

LINE_EVERY_SECONDS = 10.0
BAR_EVERY_SECONDS = 0.1
WIDTH = 24


class ProgressLine:
    """The progress of one task. Use it as a context manager and call `show` as often as you like."""

    def __init__(self, label: str, *, is_on: bool = True) -> None:
        self.label = label
        self._is_on = is_on
        self._is_bar = sys.stderr.isatty() and os.environ.get("CI") != "true" and os.environ.get("TERM") != "dumb"
        self._began = self._shown_at = time.monotonic()
        self._has_bar = False
        encoding = (sys.stderr.encoding or "").lower().replace("-", "")
        self._full, self._blank = ("█", "░") if encoding == "utf8" else ("#", " ")

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._has_bar:
            click.echo("\r\x1b[K", err=True, nl=False)

    def show(self, done: int, *, fraction: float | None = None, label: str = "") -> None:
        """Show that *done* objects have been processed. *fraction* is the part of the total, if the total is known."""
        rate = done / max(time.monotonic() - self._began, 0.001)
        self.tell(after=f"{label or self.label}  {done:,}  {rate:,.0f}/s", fraction=fraction)

    def tell(self, *, after: str, before: str = "", fraction: float | None = None) -> None:
        """On a terminal, replace the line by the text *before*, the bar, and the text *after*. Elsewhere, print a line with both texts and
        the percentage at intervals.
        """
        now = time.monotonic()
        if not self._is_on or now - self._shown_at < (BAR_EVERY_SECONDS if self._is_bar else LINE_EVERY_SECONDS):
            return
        self._shown_at = now
        if self._is_bar:
            self._has_bar = True
            click.echo(f"\r\x1b[K{before}{self._bar(fraction)}{after}", err=True, nl=False)
        else:
            percent = "" if fraction is None else f"  {fraction:.0%}"
            click.echo(f"{before}{after}{percent}", err=True)

    def _bar(self, fraction: float | None) -> str:
        if fraction is None:
            return ""
        full = int(fraction * WIDTH)
        return f"[{self._full * full}{self._blank * (WIDTH - full)}] {fraction:4.0%}  "
