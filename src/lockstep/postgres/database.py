"""The data that is needed to connect to one database.

The connection string may contain a password: it is excluded from `repr`, and messages use `place`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lockstep.errors import CHECK_READING, invalid


@dataclass(frozen=True, slots=True)
class Database:
    """One database on one server, and the role that owns its contents."""

    name: str
    place: str  # safe to show
    conninfo: str = field(repr=False)


def on_socket(folder: Path, port: int, *, name: str, role: str) -> Database:
    """Return a database of the embedded server. The kernel tells PostgreSQL which user connects, so no password is needed."""
    conninfo = make_conninfo(
        "", host=str(folder), port=port, dbname=name, user=role, sslmode="disable", gssencmode="disable"
    )
    return Database(name, f"{name} in {folder}", conninfo)


def from_url(url: str, *, variable: str, name: str | None = None) -> Database:
    """Return the database of *url*, or the database called *name* on the same server. Raises LockstepError for an invalid *url*."""
    try:
        parts = conninfo_to_dict(url)
    except Exception:  # the cause quotes the URL, which may contain a password
        raise invalid(
            f"{variable} is not a PostgreSQL URL",
            next_step=f"Write it as: {variable}=postgresql://USER:PASSWORD@HOST:5432/DATABASE",
        ) from None
    if name is not None:
        parts["dbname"] = name
    shown = parts.get("dbname") or parts.get("user") or "its default database"
    place = f"{shown} on {parts.get('host') or parts.get('hostaddr') or parts.get('service') or 'localhost'}"
    return Database(str(name or shown), place, make_conninfo("", **{key: str(value) for key, value in parts.items()}))


def urls_from(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the URLs in the environment, by database. The variables are DATABASE_URL and DOCUMO_DATABASE_URL, or either with `_FILE`
    appended.

    With DATABASE_URL alone, Documo uses the database `documo` on the same server. Raises LockstepError for an unreadable file.
    """
    found = {}
    for name, variable in (("lockstep", "DATABASE_URL"), ("documo", "DOCUMO_DATABASE_URL")):
        url = environment.get(variable, "").strip() or _from_file(environment.get(f"{variable}_FILE", ""), variable)
        if url:
            found[name] = url
    return found


def _from_file(path: str, variable: str) -> str:
    if not path:
        return ""
    try:
        return Path(path).read_text().strip()
    except OSError as refused:
        raise invalid(
            f"{variable}_FILE names {path}, which cannot be read",
            why=refused.strerror or "",
            next_step=CHECK_READING,
        ) from None
