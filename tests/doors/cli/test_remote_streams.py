"""Long-running commands that work with a server on another machine: following the log, watching the status, waiting for a cycle."""

from __future__ import annotations

import os
import pty
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import psycopg
import pytest

from lockstep.cli.remote.contexts import Contexts, ServerContext, write_contexts
from lockstep.vault import Secret
from tests.support.command_line import DocumoThere, Installation, Lockstep
from tests.support.gateway import Gateway, gateway
from tests.support.hub import person, write_csv
from tests.support.served_api import serving_lockstep

SECONDS = 20.0  # at most, for one condition
STREAM = "/actions/logs.follow_log/stream"
MORE = """
insert into provisioning_log (id, change_id, job, app, action, status, kind, source_display, reason, record)
select gen_random_uuid(), gen_random_uuid(), job, app, 'update', 'success', kind, 'row ' || number,
       %(reason)s, record
from (select * from provisioning_log order by seq limit 1) as one, generate_series(%(first)s::int, %(last)s::int) as number
order by number
"""


class Running:
    """A command in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [Path(sys.executable).with_name("lockstep"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None and self.process.stderr is not None
        self._lines: queue.Queue[str] = queue.Queue()
        self.err = ""
        self._readers = [threading.Thread(target=self._read_out), threading.Thread(target=self._read_err)]
        for one in self._readers:
            one.start()

    def line(self) -> str:
        """The next line on stdout."""
        return self._lines.get(timeout=SECONDS)

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.ended()

    def ended(self) -> int:
        code = self.process.wait(SECONDS)
        for one in self._readers:
            one.join()
        return code

    def _read_out(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def _read_err(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.err += line


@contextmanager
def running(*arguments: str) -> Iterator[Running]:
    one = Running(*arguments)
    try:
        yield one
    finally:
        one.process.kill()
        one.ended()


def add_records(installation: Installation, first: int, last: int, *, reason: str = "") -> None:
    with psycopg.connect(installation.lockstep.conninfo, autocommit=True) as connection:
        connection.execute(MORE, {"first": first, "last": last, "reason": reason})


def use_server(url: str, token: str) -> None:
    """Make commands work with the server at *url*."""
    for variable in ("DATABASE_URL", "LOCKSTEP_DATA"):
        os.environ.pop(variable, None)
    at = datetime.now(UTC) + timedelta(days=1)
    write_contexts(Contexts().with_server(ServerContext("there", url, Secret(token), "tests", at)))


@pytest.fixture(autouse=True)
def own_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for variable in ("DATABASE_URL", "LOCKSTEP_DATA"):
        monkeypatch.setenv(variable, "")  # so that its end restores what use_server removes


@pytest.fixture
def front(own_files: None) -> Iterator[Gateway]:
    with gateway() as made:
        yield made


def follows(front: Gateway, stream: Running, installation: Installation, restart: Callable[[], None]) -> None:
    front.until_asked(STREAM)
    add_records(installation, 1, 3)
    names = [stream.line() for _ in range(3)]
    restart()
    front.until_asked(STREAM, times=2)
    add_records(installation, 6, 7)
    names += [stream.line() for _ in range(4)]
    shown = [orjson.loads(line)["sourceIdentity"]["displayName"] for line in names]
    assert shown == [f"row {number}" for number in range(1, 8)]
    assert stream.interrupt() == 130
    assert "Traceback" not in stream.err and "Trying again" in stream.err


def test_log_that_is_followed_goes_on_after_the_server_restarts_with_nothing_left_out_and_nothing_twice(
    started: Lockstep, installation: Installation, front: Gateway
) -> None:
    data = installation.folder / "data"
    first = serving_lockstep(installation.lockstep, data)
    second = serving_lockstep(installation.lockstep, data)
    url, token = first.__enter__()
    is_first = True
    try:
        front.lead_to(url)
        use_server(front.url, token)

        def restart() -> None:
            nonlocal is_first
            first.__exit__(None, None, None)
            is_first = False
            front.go_away()
            add_records(installation, 4, 5)
            front.lead_to(second.__enter__()[0])

        with running("logs", "--follow", "-o", "jsonl") as stream:
            follows(front, stream, installation, restart)
    finally:
        (first if is_first else second).__exit__(None, None, None)


def test_record_that_arrived_before_a_cut_is_shown_although_its_names_were_not_read_yet(
    started: Lockstep, installation: Installation, front: Gateway
) -> None:
    with serving_lockstep(installation.lockstep, installation.folder / "data") as (url, token):
        front.lead_to(url)
        use_server(front.url, token)
        front.hold("logs.graph_names")
        with running("logs", "--follow", "-o", "jsonl") as stream:
            front.until_asked(STREAM)
            add_records(installation, 1, 1)
            front.until_asked("logs.graph_names")
            front.go_away()
            front.release("logs.graph_names")
            front.lead_to(url)
            assert orjson.loads(stream.line())["sourceIdentity"]["displayName"] == "row 1"
            assert stream.interrupt() == 130


def test_log_with_more_than_a_line_can_hold_is_shown_whole(
    started: Lockstep, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_records(installation, 1, 300, reason="long " * 400)
    here = started("logs", "--limit", "0", "-o", "csv")
    with serving_lockstep(installation.lockstep, installation.folder / "data") as there:
        use_server(*there)

        assert started("logs", "--limit", "0", "-o", "csv") == here


def test_status_that_is_watched_shows_a_change_that_came_before_the_server_could_tell_of_it(
    started: Lockstep, installation: Installation, front: Gateway
) -> None:
    with serving_lockstep(installation.lockstep, installation.folder / "data") as (url, token):
        front.lead_to(url)
        use_server(front.url, token)
        front.hold("/api/v1/events")
        with running("status", "documo", "--watch", "-o", "json") as stream:
            assert orjson.loads(stream.line())["code"] != "Paused"
            front.until_asked("/api/v1/events")
            assert started("pause", "documo").code == 0
            front.release("/api/v1/events")
            front.until_asked("status.show_status", times=2)
            assert orjson.loads(stream.line())["code"] == "Paused"

            assert started("start", "documo").code == 0
            assert orjson.loads(stream.line())["code"] != "Paused"
            assert stream.interrupt() == 130
            assert "Traceback" not in stream.err


def test_cycle_that_is_waited_for_ends_with_the_same_code_as_on_the_servers_machine(
    started: Lockstep, installation: Installation, documo: DocumoThere
) -> None:
    data = installation.folder / "data"
    with serving_lockstep(installation.lockstep, data, has_worker=True) as there:
        use_server(*there)
        done = started("run", "documo", "--wait", "-o", "json")
        assert done.code == 0 and '"state": "succeeded"' in done.out, done  # the worker's log is there too
        assert started("pause", "documo").code == 0
        off_there = started("run", "documo", "--wait")
        with pytest.MonkeyPatch.context() as environment:
            installation.use(environment)
            off_here = started("run", "documo", "--wait")
    assert (off_there.code, off_there.err) == (off_here.code, off_here.err) and off_there.code != 0


def test_without_a_worker_a_cycle_on_a_server_waits_and_ctrl_c_leaves_it_there(
    started: Lockstep, installation: Installation, front: Gateway
) -> None:
    with serving_lockstep(installation.lockstep, installation.folder / "data") as (url, token):
        front.lead_to(url)
        use_server(front.url, token)
        late = started("run", "documo", "--timeout", "1s")
        assert late.code == 8 and "No worker is running" in late.err and "Not finished after 1" in late.err
        with running("run", "documo", "--wait") as waiting:
            front.until_asked("/actions/following.follow_cycle/stream", times=2)
            assert waiting.interrupt() == 130
            assert "Interrupted" in waiting.err and "Traceback" not in waiting.err
        assert started("cycles", "documo", "-o", "json").out.count('"running"') <= 1


@pytest.mark.full
def test_import_from_another_machine_shows_a_progress_bar_on_a_terminal(
    started: Lockstep, installation: Installation, tmp_path: Path
) -> None:
    file = write_csv(tmp_path / "many.csv", [person(f"p{number}") for number in range(8_000)])
    terminal, stderr = pty.openpty()
    seen = ""

    with serving_lockstep(installation.lockstep, installation.folder / "data") as (url, token):
        use_server(url, token)
        program = str(Path(sys.executable).with_name("lockstep"))
        command = [program, "sources", "import", str(file), "--source", "many"]
        environment = {**os.environ, "TERM": "xterm", "CI": "", "PYTHONIOENCODING": "utf-8"}
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr, env=environment)
        os.close(stderr)
        with suppress(OSError):  # the command has ended, and with it the terminal
            while part := os.read(terminal, 4096):
                seen += part.decode(errors="replace")
        code = process.wait(SECONDS)
    os.close(terminal)

    bars = [int(percent) for percent in re.findall(r"\[[█░]{24}\] +(\d+)%  Importing people", seen)]
    assert code == 0 and bars and bars == sorted(bars), seen[-2000:]


def test_preview_on_a_server_is_made_by_its_worker(
    connected: Lockstep, installation: Installation, documo: DocumoThere
) -> None:
    connected("outbound", "add", documo.origin)
    with serving_lockstep(installation.lockstep, installation.folder / "data", has_worker=True) as there:
        use_server(*there)

        said = connected("preview", "documo", "-o", "json")

    assert said.code == 0, said
    assert '"create": 2' in said.out
    assert documo.users() == {}
