"""Where the service is reached, for commands that print an address of its pages."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_sql_beside(__file__)
