"""Notices: short messages that tell every listening process that something has changed. PostgreSQL delivers them on commit.

A notice identifies what must be read again, but never contains the change itself. PostgreSQL drops notices without a listener, and merges
equal notices of one transaction.
"""

from __future__ import annotations

from enum import StrEnum

import orjson

from lockstep.postgres.pool import Connection

CHANNEL = "lockstep_notices"


class Topic(StrEnum):
    """The subject of a notice."""

    PROGRESS = "progress"  # outcomes were recorded: the provisioning log, links and the counts of the running cycle
    CYCLE = "cycle"  # a cycle began, entered another phase or ended
    STATUS = "status"  # a job was switched on or off, or its application's health changed
    CHANGE = "change"  # the configuration, people or groups were changed: there is a new audit entry
    SOURCE = "source"  # a source was read, or failed to be read


async def notify(connection: Connection, topic: Topic, *, job: str = "", name: str = "") -> None:
    """Notify all listeners when the transaction of *connection* commits. *job* and *name* identify what has changed."""
    payload = {"topic": topic.value} | ({"job": job} if job else {}) | ({"name": name} if name else {})
    await connection.execute("select pg_notify(%s, %s)", (CHANNEL, orjson.dumps(payload).decode()))
