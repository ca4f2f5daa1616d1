"""Store with a preview how it differs from the preview before it. The comparison is made when the preview ends."""

from __future__ import annotations

from lockstep.postgres.revisions import run_sql_beside

revision = "0057"
down_revision = "0056"


def upgrade() -> None:
    run_sql_beside(__file__)
