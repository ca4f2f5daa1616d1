"""Columns for who manages a member, where and when members sign in, and their second factors."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    run_sql_beside(__file__)
