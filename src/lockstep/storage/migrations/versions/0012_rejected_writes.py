"""Add an index for the rejected writes, because the status shows how many there are."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_sql_beside(__file__)
