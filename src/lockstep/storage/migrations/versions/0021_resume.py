"""Where the work on a dirty object goes on has a column of its own."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    run_sql_beside(__file__)
