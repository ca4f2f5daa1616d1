"""Forgotten links: to be matched again, and until then kept for leavers."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_sql_beside(__file__)
