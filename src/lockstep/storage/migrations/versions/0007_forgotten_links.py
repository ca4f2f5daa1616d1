"""Links that are to be made anew, and count until then for those who leave."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_sql_beside(__file__)
