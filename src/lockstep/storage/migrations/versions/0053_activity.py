"""Store operations, their durations and the number of waiting objects of each application, for the charts of the admin centre."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0053"
down_revision = "0052"


def upgrade() -> None:
    run_sql_beside(__file__)
