"""Half hours of activity are summed by day, so that a week of it is read from a few rows."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0058"
down_revision = "0057"


def upgrade() -> None:
    run_sql_beside(__file__)
