"""Notices of applications whose notifications are sent in a daily digest. All existing applications keep getting theirs at once."""

from __future__ import annotations

from lockstep.postgres.revisions import run_sql_beside

revision = "0062"
down_revision = "0061"


def upgrade() -> None:
    run_sql_beside(__file__)
