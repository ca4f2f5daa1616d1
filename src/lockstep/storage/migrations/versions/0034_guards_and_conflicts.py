"""Decisions read the guard of a held write and whether a value was taken, no longer codes that are written for people."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    run_sql_beside(__file__)
