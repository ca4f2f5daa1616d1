"""Add an index for the additional match keys of created accounts."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0043"
down_revision = "0042"


def upgrade() -> None:
    run_sql_beside(__file__)
