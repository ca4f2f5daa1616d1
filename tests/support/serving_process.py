"""`lockstep serve` as a process, and its metrics as Prometheus reads them."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

BIN = Path(sys.executable).parent
GIVE_UP_SECONDS = 60.0


@dataclass(frozen=True)
class Figures:
    """One scrape."""

    text: str

    def value(self, name: str, **labels: str) -> float | None:
        """The sample with this name and at least these labels; None if there is none."""
        return next(
            (
                sample.value
                for family in text_string_to_metric_families(self.text)
                for sample in family.samples
                if sample.name == name and labels.items() <= sample.labels.items()
            ),
            None,
        )


@dataclass(frozen=True)
class Page:
    """The metrics endpoint of a process."""

    url: str
    token: str = ""

    def get(self, **headers: str) -> tuple[int, str]:
        request = urllib.request.Request(self.url, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def scrape(self) -> Figures:
        status, text = self.get(Authorization=f"Bearer {self.token}")
        assert status == 200, text
        return Figures(text)

    def until(self, holds: Callable[[Figures], bool]) -> Figures:
        """Scrape until *holds* is true, and return that scrape."""
        give_up_at = time.monotonic() + GIVE_UP_SECONDS
        while not holds(figures := self.scrape()):
            assert time.monotonic() < give_up_at, figures.text
        return figures


@contextmanager
def process(*command: str, ready: str) -> Iterator[str]:
    """Run one of our programs until the end of the block, which begins when its output contains *ready*; yield the output so far."""
    running = subprocess.Popen(
        [BIN / command[0], *command[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert running.stdout is not None
    try:
        said = []
        for line in running.stdout:
            said.append(line)
            if ready in line:
                break
        else:
            raise AssertionError("".join(said))
        yield "".join(said)
    finally:
        running.terminate()
        running.communicate(timeout=30)


def free_port() -> int:
    with closing(socket.socket()) as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])
