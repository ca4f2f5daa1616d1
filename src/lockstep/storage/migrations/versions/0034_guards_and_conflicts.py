"""Add columns for the guard of a held write and for taken values. Decisions read these columns, not the codes that are shown to people."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    run_sql_beside(__file__)
