"""The comparison of a preview with the one before it, made when the preview ends, to show what has changed before anything is written."""

from __future__ import annotations

from lockstep.postgres.revisions import run_sql_beside

revision = "0057"
down_revision = "0056"


def upgrade() -> None:
    run_sql_beside(__file__)
