"""How to reach one database.

The connection string may hold a password: it is in no `repr`, and messages use `place`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lockstep.errors import invalid


@dataclass(frozen=True, slots=True)
class Database:
    """One database on one server, and the role that owns what is in it."""

    name: str
    place: str  # safe to show
    conninfo: str = field(repr=False)


def on_socket(folder: Path, port: int, *, name: str, role: str) -> Database:
    """A database of our own server. The kernel tells PostgreSQL who connects, so there is no password."""
    conninfo = make_conninfo(
        "", host=str(folder), port=port, dbname=name, user=role, sslmode="disable", gssencmode="disable"
    )
    return Database(name, f"{name} in {folder}", conninfo)


def from_url(url: str, *, variable: str, name: str | None = None) -> Database:
    """The database that *url* names, or the one called *name* on its server. Raises LockstepError without *url*."""
    try:
        parts = conninfo_to_dict(url)
    except Exception:  # the cause quotes the URL, and the URL may hold a password
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
    """The URLs that the environment names, by database: DATABASE_URL, DOCUMO_DATABASE_URL, or `_FILE` added.

    With DATABASE_URL alone, Documo uses the database `documo` there. Raises LockstepError for an unreadable file.
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
        raise invalid(f"{variable}_FILE names {path}, which cannot be read", why=refused.strerror or "") from None
