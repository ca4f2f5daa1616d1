"""Stop the embedded PostgreSQL if its last user died without stopping it (kill -9, out of memory).

Every user of the server holds a shared lock on `postgres.users`, which the kernel releases when the process dies. The caretaker waits for
an exclusive lock on that file. It then takes the start lock before it decides whether to stop the server. A command that starts at that
moment therefore keeps its server.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lockstep.postgres.cluster import stop
from lockstep.postgres.locks import FileLock

USERS, START, CARETAKER = "postgres.users", "postgres.start", "postgres.caretaker"


def hire(data: Path, cluster: Path) -> subprocess.Popen[bytes] | None:
    """Start the caretaker of *data* unless it is running. The caller holds the start lock."""
    office = FileLock(data / CARETAKER)
    environment = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        if not office.try_alone():
            return None
        # The child inherits the open file and with it the lock, so two caretakers can never start.
        return subprocess.Popen(
            [sys.executable, "-P", "-s", "-m", __name__, str(data), str(cluster), str(office.descriptor)],
            cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, pass_fds=(office.descriptor,), env=environment,
        )  # fmt: skip
    finally:
        office.close()


def keep_watch(data: Path, cluster: Path, office: int) -> None:
    """Wait until no process uses the server, stop it if it still runs, and exit."""
    users, start = FileLock(data / USERS), FileLock(data / START)
    while True:
        users.wait_alone()
        users.release()  # keeping this lock while waiting for the start lock would block the process that holds it
        start.wait_alone()
        if users.try_alone():
            stop(cluster, None)
            os.close(office)  # so that the next process that holds the start lock sees that no caretaker runs
            return
        start.release()


if __name__ == "__main__":
    keep_watch(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
