"""Store with each authorization code the record of the sign-in log for which it was issued."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0055"
down_revision = "0054"


def upgrade() -> None:
    run_sql_beside(__file__)
