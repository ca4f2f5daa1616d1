"""The address of the service, for commands that print addresses of its pages."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_sql_beside(__file__)
