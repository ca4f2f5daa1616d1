"""Methods of authenticating requests to an application."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    run_sql_beside(__file__)
