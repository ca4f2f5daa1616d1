"""Add an index that finds the former owners of an account."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    run_sql_beside(__file__)
