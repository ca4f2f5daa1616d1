"""Choose the system user who runs PostgreSQL, which refuses to run as root.

This module never creates a user. To find out whether a user can reach a path, it tries, because mode bits do not show access control lists.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockstep.errors import invalid

UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class ServerUser:
    """The system user who runs PostgreSQL. *is_other* is true if this is not the user who runs this process."""

    name: str
    uid: int
    gid: int
    is_other: bool

    @property
    def process_options(self) -> dict[str, Any]:
        """Options for the functions of `subprocess`. The options switch the child process to this user before the program starts."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.is_other else {}

    def reaches(self, folder: Path) -> bool:
        """Whether this user can enter *folder*."""
        return self.can_run(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)])

    def can_run(self, command: list[str]) -> bool:
        try:
            done = subprocess.run(
                command, cwd="/", env=plain_environment(), capture_output=True, check=False, **self.process_options
            )
        except OSError:
            return False
        return done.returncode == 0

    def own(self, path: Path) -> None:
        """Make this user the owner of *path*."""
        if self.is_other:
            os.chown(path, self.uid, self.gid)


def choose_user(wanted: str | None, existing: Path) -> ServerUser:
    """Choose the user who runs PostgreSQL: the current user unless that is root.

    If the current user is root, the owner of the *existing* cluster is chosen. If there is no cluster, or if root owns it, the user
    *wanted* is chosen. If *wanted* is not given, the first of `postgres` and `nobody` that exists is chosen. Raises LockstepError if there
    is no such user, or if that user has root's id.
    """
    if os.geteuid() != 0:
        return _ourselves()
    if existing.is_dir() and (owner := existing.stat().st_uid) != 0:
        return _other(owner)
    for name in (wanted,) if wanted else UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return _other(entry.pw_uid)
    raise invalid(
        f"No unprivileged system user {wanted} exists to run PostgreSQL"
        if wanted
        else "PostgreSQL cannot run as root, and neither the system user postgres nor nobody exists",
        next_step="Run as an ordinary user, or set LOCKSTEP_POSTGRES_USER to an existing user",
    )


def plain_environment() -> dict[str, str]:
    """Return the environment for PostgreSQL's programs. It inherits nothing, so it contains no secret and no PG* variable."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _ourselves() -> ServerUser:
    uid = os.geteuid()
    try:
        return ServerUser(pwd.getpwuid(uid).pw_name, uid, os.getegid(), is_other=False)
    except KeyError:
        raise invalid(
            f"User {uid} has no name on this system, and PostgreSQL needs one",
            next_step="Add the user to /etc/passwd, or use your own PostgreSQL server with DATABASE_URL",
        ) from None


def _other(uid: int) -> ServerUser:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise invalid(
            f"The database belongs to user {uid}, who does not exist on this system",
            next_step="Change the owner to the system user that should run PostgreSQL: chown -R USER FOLDER",
        ) from None
    return ServerUser(entry.pw_name, entry.pw_uid, entry.pw_gid, is_other=True)
