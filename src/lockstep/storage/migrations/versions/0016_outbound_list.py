"""Store the private addresses at which applications may be reached, so that all processes allow the same ones."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    run_sql_beside(__file__)
