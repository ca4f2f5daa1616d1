"""The installation as JSON: its versions, and the findings about its health."""

from __future__ import annotations

from collections.abc import Sequence

from typing_extensions import TypedDict

from lockstep.actions.about import About
from lockstep.actions.health import HealthFinding, Level


class PackageJson(TypedDict):
    """*licence* is "" if the metadata of the package names no licence."""

    name: str
    version: str
    licence: str


class AboutJson(TypedDict):
    """*database* is the size of the database, such as "41 MB". *packages* are those that Lockstep itself depends on."""

    version: str
    licence: str
    python: str
    postgres: str
    database: str
    packages: list[PackageJson]


class HealthFindingJson(TypedDict):
    """*level* is `ok`, `warn` or `FAIL`. *remedy* says what to do; it is "" if nothing is wrong."""

    name: str
    level: str
    text: str
    remedy: str


class HealthJson(TypedDict):
    """*ok* is false if the level of a check is `FAIL`."""

    ok: bool
    checks: list[HealthFindingJson]


def about_json(found: About) -> AboutJson:
    return {
        "version": found.version,
        "licence": found.licence,
        "python": found.python,
        "postgres": found.postgres,
        "database": found.database,
        "packages": [{"name": one.name, "version": one.version, "licence": one.licence} for one in found.parts],
    }


def health_json(found: Sequence[HealthFinding]) -> HealthJson:
    return {
        "ok": all(one.level is not Level.FAIL for one in found),
        "checks": [
            {"name": one.name, "level": one.level.value, "text": one.text, "remedy": one.remedy} for one in found
        ],
    }
