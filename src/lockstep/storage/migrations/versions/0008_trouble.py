"""The reason why no requests are sent to an application, and since when."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_sql_beside(__file__)
