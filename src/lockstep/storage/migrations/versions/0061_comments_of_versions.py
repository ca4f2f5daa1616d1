"""Administrators can comment on a version of a configuration. The column `comment` contained the activity, which now has its own name."""

from __future__ import annotations

from lockstep.postgres.revisions import run_sql_beside

revision = "0061"
down_revision = "0060"


def upgrade() -> None:
    run_sql_beside(__file__)
