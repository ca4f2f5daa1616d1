"""Columns that record who manages a member, and where and when members sign in. Second factors of members."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_sql_beside(__file__)
