"""Store administrators, their roles, sessions, tokens and one-time links."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    run_sql_beside(__file__)
