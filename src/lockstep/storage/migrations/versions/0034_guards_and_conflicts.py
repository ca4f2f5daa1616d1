"""Columns for the guard of a held write and for taken values, so that decisions no longer read codes meant for people."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    run_sql_beside(__file__)
