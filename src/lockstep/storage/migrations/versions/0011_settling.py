"""Add to the journal what is needed to settle an operation whose response was lost."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql_beside(__file__)
