"""A preview is compared with the one before it when it ends, so that what changed in between is seen before anything is written."""

from __future__ import annotations

from lockstep.postgres.revisions import run_sql_beside

revision = "0057"
down_revision = "0056"


def upgrade() -> None:
    run_sql_beside(__file__)
