"""Ended links whose accounts Lockstep searches for again."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0049"
down_revision = "0047"


def upgrade() -> None:
    run_sql_beside(__file__)
