"""What is done in an application and how long it takes, and how many objects wait, for the charts of the admin centre."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0053"
down_revision = "0052"


def upgrade() -> None:
    run_sql_beside(__file__)
