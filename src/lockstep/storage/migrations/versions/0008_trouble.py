"""Why an application is left alone, and since when; the pause itself is the one that all workers keep already."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_sql_beside(__file__)
