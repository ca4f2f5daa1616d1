"""Create, start, find and stop one PostgreSQL cluster. Blocking; callers hold the start lock.

`postmaster.pid` is trusted only if its process runs PostgreSQL on this folder, because process ids are reused.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lockstep.errors import Kind, LockstepError, conflict
from lockstep.postgres.identity import ServerUser, plain_environment
from lockstep.postgres.locks import give_to_owner_of_folder
from lockstep.postgres.processes import PROC, arguments_of, is_running, working_in
from lockstep.postgres.programs import Programs, major_version

SUPERUSER = "postgres"
SOCKET_FOLDER_PREFIX = "lockstep-"
ROLES = ("lockstep", "documo")
LARGEST_LOG_BYTES = 5_000_000
RECOVERY_SECONDS = 600.0
_NAMED = 'lock file "postmaster.pid" already exists'

# Small and durable. Statements and values stay out of the server log, because they contain personal data.
SETTINGS = """
# Written by Lockstep when it made this cluster. Yours to change: ALTER SYSTEM SET ... wins over this file.
shared_buffers = 128MB
max_connections = 120
work_mem = 8MB
maintenance_work_mem = 64MB
effective_cache_size = 1GB
wal_level = minimal
max_wal_senders = 0
max_wal_size = 1GB
min_wal_size = 80MB
checkpoint_timeout = 15min
random_page_cost = 1.1
jit = off
autovacuum_naptime = 15s
timezone = 'UTC'
log_timezone = 'UTC'
log_min_messages = log
log_min_error_statement = panic
log_error_verbosity = terse
log_checkpoints = off
"""


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A running server: its process, and the folder of its socket."""

    pid: int
    socket_folder: Path
    port: int

    def is_reachable(self) -> bool:
        """Whether the server's socket exists. If the socket is deleted, PostgreSQL keeps running but does not create it again."""
        return (self.socket_folder / f".s.PGSQL.{self.port}").exists()


def make_cluster(folder: Path, programs: Programs, user: ServerUser) -> None:
    """Create an empty cluster in *folder*, completely or not at all. Does not flush it to disk. Raises LockstepError with initdb's
    message.
    """
    half = Path(tempfile.mkdtemp(prefix=f".{folder.name}-new-", dir=folder.parent))
    user.own(half)
    command = [str(programs.initdb), "-D", str(half), "-U", SUPERUSER, "-E", "UTF8", "-A", "peer"]
    command += ["--no-instructions", "--no-sync", *_locale_options(programs)]
    done = subprocess.run(
        command, cwd="/", env=plain_environment(), capture_output=True, text=True, check=False, **user.process_options
    )
    if done.returncode != 0:
        shutil.rmtree(half, ignore_errors=True)
        what = f"PostgreSQL could not create a database in {folder}"
        raise LockstepError(
            Kind.INTERNAL, what, why=_last_words(done.stderr), next_step="Correct the cause and try again"
        )
    with (half / "postgresql.conf").open("a") as settings:
        settings.write(SETTINGS)
    half.rename(folder)


def sweep_halves(folder: Path) -> None:
    """Remove the unfinished clusters that interrupted starts left beside *folder*, even if an orphaned process still writes to one."""
    for half in folder.parent.glob(f".{folder.name}-new-*"):
        shutil.rmtree(half, ignore_errors=True)


def check_version(folder: Path, programs: Programs) -> None:
    """Raise LockstepError if the cluster was created by a major version of PostgreSQL other than that of *programs*."""
    made_by, ours = (folder / "PG_VERSION").read_text().strip(), str(major_version(programs))
    if made_by != ours:
        raise conflict(
            f"The database in {folder} was created by PostgreSQL {made_by}; this installation contains {ours}",
            next_step="Dump the database with the installation that created it, move the folder away, start again, and restore the dump",
        )


def write_access_rules(folder: Path, user: ServerUser) -> None:
    """Allow peer authentication on the socket for root and the user who runs PostgreSQL; this process runs as one of the two."""
    names = dict.fromkeys((user.name, "root"))
    rows = [f'lockstep "{name}" {role}' for name in names for role in (SUPERUSER, *ROLES)]
    for file, text in (("pg_ident.conf", "\n".join(rows)), ("pg_hba.conf", "local all all peer map=lockstep")):
        path = folder / file
        path.write_text(text + "\n")
        path.chmod(0o600)
        user.own(path)


def find_postmaster(folder: Path) -> Postmaster | None:
    """Return the ready server on *folder*, or None. Never waits."""
    lines = _pid_file(folder)
    if len(lines) < 8 or not lines[7].startswith("ready") or not _serves(int(lines[0]), folder):
        return None
    return Postmaster(int(lines[0]), Path(lines[4]), int(lines[3]))


def start(
    folder: Path,
    sockets: Path,
    programs: Programs,
    user: ServerUser,
    *,
    options: tuple[str, ...],
    log: Path,
    say: Callable[[str], None],
) -> tuple[Postmaster, subprocess.Popen[bytes] | None]:
    """Return the server of *folder*, started if needed, and its process. The process is None if the server was already running.

    Waits for crash recovery. Raises LockstepError with PostgreSQL's message if the server does not start.
    """
    give_up_at = time.monotonic() + RECOVERY_SECONDS
    while _runs_unready(folder) and time.monotonic() < give_up_at:  # another process started it and was interrupted
        time.sleep(0.02)
    if (found := find_postmaster(folder)) is not None:
        return found, None
    _forget_stranger(folder)
    for left_over in sockets.glob(".s.PGSQL.*"):  # unused, and their lock files may name an unrelated process
        left_over.unlink(missing_ok=True)
    while True:
        said_from = _trim(log)
        child = _launch(folder, sockets, programs, user, options, log)
        if (ready := _wait_until_ready(folder, child, say)) is not None:
            return ready, child
        words = log.read_bytes()[said_from:].decode(errors="replace")
        passes = "is still in use" in words or (_NAMED in words and not _is_named_running(folder))
        if not passes or time.monotonic() > give_up_at:
            raise LockstepError(
                Kind.INTERNAL,
                f"PostgreSQL did not start on {folder}",
                why=_last_words(words),
                next_step=f"Read {log}. A folder copied while Lockstep was running may be inconsistent: use lockstep backup FILE to copy",
            )
        _end_orphans(folder)  # backends that have not noticed that their server died
        _forget_unburied(folder)
        time.sleep(0.05)


def stop(folder: Path, child: subprocess.Popen[bytes] | None, *, patience_seconds: float = 60.0) -> None:
    """Stop the server of *folder*, rolling back open transactions. After *patience_seconds*, sends SIGQUIT, and finally SIGKILL."""
    lines = _pid_file(folder)
    if not lines or not _serves(int(lines[0]), folder):
        return
    pid = int(lines[0])
    for sent, patience in ((signal.SIGINT, patience_seconds), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)):
        with suppress(ProcessLookupError):
            os.kill(pid, sent)
        give_up_at = time.monotonic() + patience
        while time.monotonic() < give_up_at:
            if child is not None:
                child.poll()
            if not is_running(pid):
                _clear_sockets(lines)
                return
            time.sleep(0.005)


def _clear_sockets(lines: list[str]) -> None:
    """Remove the private folder of the socket. The folder of a server that a person started by hand is kept."""
    folder = Path(lines[4]) if len(lines) > 4 and lines[4] else None
    if folder is not None and folder.name.startswith(SOCKET_FOLDER_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def _launch(
    folder: Path, sockets: Path, programs: Programs, user: ServerUser, options: tuple[str, ...], log: Path
) -> subprocess.Popen[bytes]:
    command = [str(programs.postgres), "-D", str(folder), "-c", "listen_addresses=", "-p", "5432"]
    command += ["-c", f"unix_socket_directories={sockets}", "-c", "unix_socket_permissions=0700"]
    for option in options:
        command += ["-c", option]
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW), "ab") as out:
        # In a separate session: Ctrl-C in the terminal is meant for Lockstep, which stops PostgreSQL when no process needs
        # it.
        return subprocess.Popen(
            command, cwd="/", env=plain_environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True, **user.process_options,
        )  # fmt: skip


def _wait_until_ready(folder: Path, child: subprocess.Popen[bytes], say: Callable[[str], None]) -> Postmaster | None:
    """Return the server when it accepts connections, or None if it exits first."""
    began, told = time.monotonic(), False
    while child.poll() is None:
        found = find_postmaster(folder)
        if found is not None and found.pid == child.pid:
            return found
        if not told and time.monotonic() - began > 3:
            told = True
            say("PostgreSQL is recovering after it was interrupted")
        time.sleep(0.005)
    return None


def _serves(pid: int, folder: Path) -> bool:
    """Whether process *pid* is a PostgreSQL server on *folder*."""
    if not is_running(pid):
        return False
    arguments = arguments_of(pid)
    if not arguments or "postgres" not in Path(arguments[0]).name:
        return False
    wanted = os.path.realpath(folder)
    if sys.platform != "linux":  # other systems join the arguments with spaces
        return wanted in " ".join(arguments)
    return any(os.path.realpath(word) == wanted for word in arguments[1:] if word.startswith("/"))


def _runs_unready(folder: Path) -> bool:
    lines = _pid_file(folder)
    return bool(lines) and _serves(int(lines[0]), folder) and find_postmaster(folder) is None


def _forget_stranger(folder: Path) -> None:
    """Remove a `postmaster.pid` whose process id now belongs to another program. Otherwise PostgreSQL would refuse to start.

    The file of a dead process is kept: it tells PostgreSQL which shared memory the orphans of that process may still use.
    """
    lines = _pid_file(folder)
    if lines and is_running(int(lines[0])) and not _serves(int(lines[0]), folder):
        (folder / "postmaster.pid").unlink(missing_ok=True)


def _is_named_running(folder: Path) -> bool:
    lines = _pid_file(folder)
    return bool(lines) and is_running(int(lines[0]))


def _forget_unburied(folder: Path) -> None:
    """Remove a `postmaster.pid` whose process is a zombie, because PostgreSQL believes that the process is still running. Does nothing
    while an orphan of that process is left.
    """
    if PROC.exists() and not _is_named_running(folder) and not working_in(folder):
        (folder / "postmaster.pid").unlink(missing_ok=True)


def _end_orphans(folder: Path) -> None:
    for pid in working_in(folder):
        if arguments_of(pid)[:1] and arguments_of(pid)[0].startswith("postgres:"):
            with suppress(OSError):
                os.kill(pid, signal.SIGQUIT)


def _pid_file(folder: Path) -> list[str]:
    try:
        lines = (folder / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []
    return lines if lines and lines[0].strip().isdigit() else []


def _trim(log: Path) -> int:
    """Begin a new log file if the log has become large. Returns the size of the log, which is the position of the next entry."""
    log.touch(mode=0o600)
    if log.stat().st_size > LARGEST_LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
        log.touch(mode=0o600)
    give_to_owner_of_folder(log)
    return log.stat().st_size


def _last_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    fatal = [line for line in lines if "FATAL" in line or "error:" in line]
    return (fatal or lines or ["it printed nothing"])[-1]


def _locale_options(programs: Programs) -> list[str]:
    if major_version(programs) >= 17:  # the same sort order and case folding on every system
        return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return ["--locale=C.UTF-8"]
