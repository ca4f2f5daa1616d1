"""Add indexes for the counts that the first page shows."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    run_sql_beside(__file__)
