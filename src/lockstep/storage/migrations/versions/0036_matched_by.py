"""A link keeps the attribute that its account was matched by, and the journal keeps it until the link is recorded."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    run_sql_beside(__file__)
