"""Remove a column that no code reads."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    run_sql_beside(__file__)
