"""Let a rejection stay in force until a different write is planned for its object."""

from lockstep.postgres.revisions import run_sql_beside

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    run_sql_beside(__file__)
