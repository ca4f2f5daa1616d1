"""Members sign in to Documo's pages: names with a password, sessions, one-time links, failed attempts."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_sql_beside(__file__)
