"""Stop our own PostgreSQL when the last process that used it has gone without doing so (kill -9, out of memory).

Every user of the server holds a share of `postgres.users`, and the kernel drops a share when its holder dies; the
caretaker merely waits to hold that file alone. It decides under the start lock, so a command that starts at that very
moment keeps the server.
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
    """Start the caretaker of *data* unless there is one. The caller holds the start lock."""
    office = FileLock(data / CARETAKER)
    environment = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        if not office.try_alone():
            return None
        # The child inherits the open file and with it the lock: there is no moment in which two could be hired.
        return subprocess.Popen(
            [sys.executable, "-P", "-s", "-m", __name__, str(data), str(cluster), str(office.descriptor)],
            cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, pass_fds=(office.descriptor,), env=environment,
        )  # fmt: skip
    finally:
        office.close()


def keep_watch(data: Path, cluster: Path, office: int) -> None:
    """Wait until nobody uses the server, stop it if it still runs, and end."""
    users, start = FileLock(data / USERS), FileLock(data / START)
    while True:
        users.wait_alone()
        users.release()  # waiting for the start lock with this one held would block whoever holds that one
        start.wait_alone()
        if users.try_alone():
            stop(cluster, None)
            os.close(office)  # before the start lock: the next one to start must see the office empty
            return
        start.release()


if __name__ == "__main__":
    keep_watch(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
