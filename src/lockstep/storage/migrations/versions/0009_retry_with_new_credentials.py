"""Let new credentials make the failed objects of an application due at once, as a new mapping does."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_sql_beside(__file__)
