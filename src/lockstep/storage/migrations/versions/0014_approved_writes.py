"""What was approved is looked up before it is sent."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_sql_beside(__file__)
