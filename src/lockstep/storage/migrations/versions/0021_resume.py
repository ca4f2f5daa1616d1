"""Store in a separate column where the work on a dirty object continues. Until now, this was stored in the error text that people see."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    run_sql_beside(__file__)
