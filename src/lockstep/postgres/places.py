"""Decide where the data and the socket of the embedded PostgreSQL are stored, and record it in `postgres.json`.

The record is authoritative: Lockstep never searches for the data elsewhere. If a recorded place has disappeared, that is an error, and
PostgreSQL does not start with an empty database.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from lockstep.errors import CHECK_READING, Kind, LockstepError, conflict, invalid
from lockstep.postgres.identity import ServerUser
from lockstep.postgres.locks import give_to_owner_of_folder

RECORD = "postgres.json"
SOCKET_NAME = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 103  # Linux allows 107 bytes, macOS 103
SHARED_HOMES = (Path("/var/lib/lockstep"), Path("/var/lib"), Path("/srv"))


@dataclass(frozen=True, slots=True)
class ClusterRecord:
    """The contents of `postgres.json`. *cluster* is PostgreSQL's data directory. *databases* are the databases that were created so far."""

    cluster: Path
    socket_folder: Path | None = None
    databases: tuple[str, ...] = ()
    user: str = ""
    version: str = ""
    owner: Path | None = None  # the data folder in which this record was written


def read_record(data: Path) -> ClusterRecord | None:
    """Return the record of the data folder, or None before the first start."""
    path = data / RECORD
    try:
        said = orjson.loads(path.read_bytes())
        return ClusterRecord(
            cluster=data / said["dataDirectory"],  # relative if inside the data folder, so that the folder can be moved
            socket_folder=Path(said["socketFolder"]) if said.get("socketFolder") else None,
            databases=tuple(said.get("databases", ())),
            user=str(said.get("user", "")),
            version=str(said.get("version", "")),
            owner=Path(said["dataFolder"]) if said.get("dataFolder") else None,
        )
    except FileNotFoundError:
        return None
    except OSError as refused:
        raise invalid(f"{path} cannot be read", why=refused.strerror or "", next_step=CHECK_READING) from refused
    except (ValueError, KeyError, TypeError) as broken:
        raise invalid(
            f"{path} is damaged: it must contain the location of the database",
            next_step='Restore the file. If the database is in the folder "postgres" beside it, the file must contain: '
            '{"dataDirectory": "postgres"}',
        ) from broken


def write_record(data: Path, record: ClusterRecord) -> None:
    """Replace the whole record atomically, so that a reader never sees half of it."""
    inside = record.cluster.is_relative_to(data)
    said = {
        "dataDirectory": str(record.cluster.relative_to(data) if inside else record.cluster),
        "socketFolder": str(record.socket_folder or ""),
        "databases": list(record.databases),
        "user": record.user,
        "version": record.version,
        "dataFolder": str(data),
    }
    half = data / f".{RECORD}.{os.getpid()}"
    half.write_bytes(orjson.dumps(said, option=orjson.OPT_INDENT_2) + b"\n")
    half.chmod(0o600)
    give_to_owner_of_folder(half)
    half.replace(data / RECORD)


def make_data_folder(data: Path) -> Path:
    """Return the resolved data folder, creating it if needed. If root creates the folder, other users may traverse it, because PostgreSQL
    runs as another user.
    """
    try:
        data = data.expanduser().resolve()
        if not data.exists():
            data.mkdir(parents=True)
            data.chmod(0o711 if os.geteuid() == 0 else 0o700)
        if not os.access(data, os.W_OK | os.X_OK):
            raise PermissionError(f"not writable by user {os.geteuid()}")
    except OSError as refused:
        raise invalid(
            f"The data folder {data} cannot be used",
            why=refused.strerror or str(refused),
            next_step="Choose another: --data FOLDER",
        ) from refused
    return data


def choose_cluster(data: Path, user: ServerUser, say: Callable[[str], None]) -> Path:
    """Return the place for a new cluster: the data folder, or another folder that *user* can reach. Raises LockstepError."""
    if user.reaches(data):
        return data / "postgres"
    for home in SHARED_HOMES:
        if home.name == "lockstep" and home.parent.is_dir() and os.access(home.parent, os.W_OK):
            home.mkdir(mode=0o755, exist_ok=True)
        if home.is_dir() and os.access(home, os.W_OK) and user.reaches(home):
            cluster = home / f"{data.name}-{secrets.token_hex(6)}"
            say(
                f"{data} is not accessible to user {user.name}, who runs PostgreSQL; the database is stored in {cluster}"
            )
            return cluster
    raise LockstepError(
        Kind.INVALID,
        f"User {user.name}, who runs PostgreSQL, cannot access the data folder {data}",
        why="A parent folder is not accessible to other users",
        next_step="Choose a folder whose parents are accessible to other users, for example --data /var/lib/lockstep/data",
    )


def socket_folder(recorded: Path | None, data: Path, user: ServerUser) -> Path:
    """Return a private folder with a short path for the socket: the folder *recorded* if it belongs to *data* and is safe, otherwise a new
    folder.

    A copied data folder records the socket folder of the original, whose server may be running. That folder is therefore never used. Raises
    LockstepError if no place is short, private and reachable. The caller holds the start lock, and no server runs.
    """
    if recorded and is_own_socket_folder(recorded, data) and _is_private_or_made(recorded, user):
        return recorded
    prefix = _socket_prefix(data)
    for base in _runtime_bases(user):
        for left_over in base.glob(f"{prefix}*"):  # left by a start that was killed before it recorded the folder
            if _is_private(left_over, user):
                shutil.rmtree(left_over, ignore_errors=True)
        try:
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
        except OSError:
            continue
        user.own(folder)
        if len(os.fsencode(folder / SOCKET_NAME)) <= LONGEST_SOCKET_PATH and user.reaches(folder):
            return folder
        folder.rmdir()
    raise invalid(
        "No suitable folder for PostgreSQL's socket: it must be private, with a path of at most 85 bytes",
        next_step="Set XDG_RUNTIME_DIR or TMPDIR to a short path that you can write to",
    )


def is_own_socket_folder(folder: Path, data: Path) -> bool:
    """Whether *folder* was created for the server of *data*. False if *data* is a copy that still names the socket folder of the
    original.
    """
    return folder.name.startswith(_socket_prefix(data))


def refuse_shared_cluster(record: ClusterRecord, data: Path) -> None:
    """Raise LockstepError if *data* is a copy of another data folder and still uses the cluster of the original.

    That can only happen if the cluster is outside the data folder.
    """
    if not is_own_cluster(record, data):
        raise conflict(
            f"{data} is a copy of {record.owner}, and both name the same database: {record.cluster}",
            next_step=f"To copy the database, run lockstep --data {record.owner} backup FILE, then lockstep --data {data} restore FILE",
        )


def is_own_cluster(record: ClusterRecord, data: Path) -> bool:
    """Whether the cluster belongs to *data*: it is inside *data*, or no other data folder owns it.

    Another data folder owns the cluster if *data* is a copy, and the record of the original still names the same cluster.
    """
    if record.cluster.is_relative_to(data) or record.owner in (None, data):
        return True
    original = read_record(record.owner) if record.owner else None
    return original is None or original.cluster != record.cluster


def remembering(record: ClusterRecord, *, databases: tuple[str, ...]) -> ClusterRecord:
    return replace(record, databases=tuple(dict.fromkeys((*record.databases, *databases))))


def _socket_prefix(data: Path) -> str:
    return f"lockstep-{hashlib.sha256(os.fsencode(data)).hexdigest()[:8]}-"


def _is_private_or_made(folder: Path, user: ServerUser) -> bool:
    """Whether *folder* is private and can therefore be used for the socket again. If the folder was removed, it is created again under the
    same path, because clients know that path.
    """
    with suppress(OSError):
        folder.mkdir(mode=0o700)
        user.own(folder)
    return _is_private(folder, user)


def _runtime_bases(user: ServerUser) -> list[Path]:
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    own = [Path(named)] if named and not user.is_other else []
    shared = [Path("/run")] if user.is_other else []
    return [base for base in (*own, *shared, Path(tempfile.gettempdir()), Path("/tmp")) if base.is_dir()]  # noqa: S108 -- mkdtemp


def _is_private(folder: Path, user: ServerUser) -> bool:
    try:
        facts = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == user.uid and not facts.st_mode & 0o077
