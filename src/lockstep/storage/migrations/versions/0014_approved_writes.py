"""Add an index for approved writes, because a drain looks them up before it sends them."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_sql_beside(__file__)
