"""Sum up activity by day, so that the figures of a week are read from a few rows."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0058"
down_revision = "0057"


def upgrade() -> None:
    run_sql_beside(__file__)
