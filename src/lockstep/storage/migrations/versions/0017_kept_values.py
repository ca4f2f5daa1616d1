"""Store which sent values an application returned differently or not at all, and which attributes it does not keep."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    run_sql_beside(__file__)
