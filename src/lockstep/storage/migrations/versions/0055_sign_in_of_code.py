"""Store with each authorization code which record of the sign-in log it belongs to."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0055"
down_revision = "0054"


def upgrade() -> None:
    run_sql_beside(__file__)
