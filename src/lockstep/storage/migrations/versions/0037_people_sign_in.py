"""Let people of the directory sign in: store their passwords, one-time links and sessions, and the sign-in log."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    run_sql_beside(__file__)
